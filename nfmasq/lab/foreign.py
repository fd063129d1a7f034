"""Rules of others in a namespace of the lab, laid as an administrator or a container engine lays them."""

import shlex
import shutil

from nfmasq.lab.namespace import Namespace
from nfmasq.lab.programs import sbin_too


class NotHere(Exception):
    """This machine cannot show it: a program or a part of the kernel is missing. The text says which."""


def iptables(namespace: Namespace, *rules: str, program: str = "iptables") -> None:
    """Lay rules: iptables(router, "-t nat -A POSTROUTING -o wan0 -j MASQUERADE").

    Raises NotHere, with the program's own words, where the program or a match is missing.
    """
    _need(program)
    for rule in rules:
        try:
            namespace.run(program, "-w", *shlex.split(rule))
        except RuntimeError as error:
            raise NotHere(f"{program} {rule}: {_complaint(error)}") from None


def nft(namespace: Namespace, ruleset: str) -> None:
    """Load a ruleset in nft's language.

    Raises NotHere where nft or a part of the kernel is missing, RuntimeError where nft cannot read it.
    """
    _need("nft")
    try:
        namespace.run("nft", "-f", "-", input=ruleset)
    except RuntimeError as error:
        if "Could not process rule" not in str(error):
            raise
        raise NotHere(f"nft: {_complaint(error)}") from None


def packets_of(namespace: Namespace, table: str, comment: str, program: str = "iptables") -> int:
    """How many packets the rules with this comment have matched."""
    listed = namespace.run(f"{program}-save", "-c", "-t", table)
    rules = [line for line in listed.splitlines() if comment in shlex.split(line)]
    if not rules:
        raise RuntimeError(f"no rule says {comment} in table {table}")
    return sum(int(line[1:].partition(":")[0]) for line in rules)


def _need(program: str) -> None:
    if not shutil.which(program, path=sbin_too()):
        raise NotHere(f"{program} is not installed")


def _complaint(error: RuntimeError) -> str:
    """The program's first line that names an error, or else its last one."""
    lines = str(error).strip().splitlines()
    return next((line for line in lines[1:] if "rror" in line), lines[-1]).strip()
