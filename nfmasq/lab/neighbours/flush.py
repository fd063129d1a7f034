"""Somebody flushes the rules: `nft flush ruleset` of nftables.service, or `iptables -F` of a script."""

from collections.abc import Callable

from nfmasq.lab.clients import Download
from nfmasq.lab.foreign import iptables, nft
from nfmasq.lab.lab import Lab
from nfmasq.lab.neighbours.neighbour import MEGABYTES, Findings, Neighbour
from nfmasq.lab.probes import KINDS, address_seen
from nfmasq.lab.programs import ProgramError
from nfmasq.lab.topology import EXTERNAL, SERVER1, SERVER2, Masquerade
from nfmasq.lab.waiting import wait_until

WITHIN_S = 1.2
TABLES = ("raw", "mangle", "nat", "filter")
WITH_THE_KERNELS = """
flush ruleset
table ip nat {
    chain postrouting { type nat hook postrouting priority srcnat; oifname "wan0" masquerade; }
}
"""


def flush_nft(lab: Lab) -> None:
    """As nftables.service does; the kernel's MASQUERADE is part of its file."""
    nft(lab.topology.router, "flush ruleset\n" if lab.daemon else WITH_THE_KERNELS)


def flush_iptables(lab: Lab) -> None:
    """As a script does that begins its rules anew."""
    if lab.daemon is None:
        nft(lab.topology.router, WITH_THE_KERNELS)
    else:
        for table in TABLES:
            iptables(lab.topology.router, f"-t {table} -F")


FLUSHES = (flush_nft, flush_iptables) * 2


def visit(masquerade: Masquerade) -> str:
    """Each flush twice, each with a download of its own that runs meanwhile.

    While no rule stands, packets leave untranslated, and the router's kernel resets a TCP session that
    receives. Such leaks and cut downloads are counted and are no fault. A host not served again is one.
    """
    findings, took, whole = Findings(), [], 0
    with Lab(masquerade=masquerade, megabytes=MEGABYTES) as lab:
        for flush in FLUSHES:
            running = Download(lab.topology.client2, SERVER1, "--limit-rate", "1M", "--speed-time", "3")
            try:
                took.append(_flushed(lab, flush, running, findings))
                whole += running.wait().sha256 == lab.payload.sha256
            except ProgramError:
                continue
            finally:
                running.close()
        findings.demand(whole, "every running download was cut")
        seen = {address_seen(lab.topology.client1, SERVER2, kind) for kind in KINDS}
        findings.demand(seen == {str(EXTERNAL)}, f"in the end hosts are seen as {', '.join(sorted(seen))}")
        meanwhile = len(lab.sentinel.take())
        return findings.end(
            lab,
            f"served again after {max(took):.2f} s at most; {whole} of {len(FLUSHES)} downloads whole; "
            f"{meanwhile} frames untranslated meanwhile",
        )


def _flushed(lab: Lab, flush: Callable[[Lab], None], running: Download, findings: Findings) -> float:
    """Flush while the download runs; the seconds until hosts are served."""
    wait_until(lambda: running.received > 0, "the download to begin")
    flush(lab)
    return _served_again(lab, findings, flush.__name__)


def _served_again(lab: Lab, findings: Findings, how: str) -> float:
    def served() -> bool:
        return address_seen(lab.topology.client1, SERVER2, patience=0.2) == str(EXTERNAL)

    try:
        return wait_until(served, "hosts to be served", WITHIN_S)
    except TimeoutError:
        findings.demand(False, f"{how}: hosts not served {WITHIN_S} s later")
        return WITHIN_S


NEIGHBOUR = Neighbour(
    "flushed rules",
    "after `nft flush ruleset` or `iptables -F` hosts are served again within a second, and transfers go on",
    visit,
)
