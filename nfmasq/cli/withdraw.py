"""`nfmasq withdraw`: removes the rules that a stopped daemon left."""

from pathlib import Path

import click

from nfmasq.cli.ask import fail
from nfmasq.config.sections.engine import STATE
from nfmasq.control.client import DEFAULT_SOCKET, Client, NotPermitted, NotReachable, Refused
from nfmasq.diversion import DiversionUnavailable, withdraw_all
from nfmasq.diversion.forwarding_stop import ForwardingStop, memory_beside
from nfmasq.exits import Exit


@click.command(
    epilog="""\b
Example:
  sudo systemctl stop nfmasq && sudo nfmasq withdraw

Next: the router forwards as it would without nfmasq. To stop it from forwarding
untranslated packets: sysctl -w net.ipv4.ip_forward=0"""
)
@click.option(
    "--socket", "path", default=DEFAULT_SOCKET, show_default=True, metavar="PATH",
    help="The control socket of the stopped daemon.",
)  # fmt: skip
@click.option(
    "--state", default=STATE, show_default=True, metavar="PATH", type=click.Path(path_type=Path),
    help="Its state file, engine.state. Forwarding that it stopped for want of a guard goes on.",
)  # fmt: skip
def withdraw(path: str, state: Path) -> None:
    """Remove the rules and the guard that a stopped or dead daemon left.

    A daemon that stops leaves the guard in place, with its egress program. A service that stops, and a daemon
    that dies, leaves the rules too. So nothing passes untranslated until nfmasq starts again.
    """
    if _runs(path):
        fail("the daemon runs; stop it first (systemctl stop nfmasq)")
    try:
        withdraw_all()
    except DiversionUnavailable as error:
        fail(f"{error}; run this as root", Exit.FAILED)
    forwarding = ForwardingStop(memory_beside(state))
    forwarding.resume()
    if problems := forwarding.problems():
        fail("; ".join(problems), Exit.FAILED)
    click.echo("no rules of nfmasq are left")


def _runs(path: str) -> bool:
    try:
        Client(path).get("/v1/status")
    except NotReachable:
        return False
    except (NotPermitted, Refused):
        return True
    return True
