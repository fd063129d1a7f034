"""The tour: a household's usual traffic through the router, with real programs.

A step is a function that takes the lab and returns one line of figures, or raises StepError (or lets a
client's ProgramError through) when a result is wrong.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nfmasq.lab.clients import Download, Transfer, ask, connections, download, ping, traceroute, upload
from nfmasq.lab.lab import Lab
from nfmasq.lab.programs import ProgramError
from nfmasq.lab.router import DaemonError

FAR_MTU = 1400
"""The tour wants a lab whose far cable has this MTU."""

SAME_PORT = 5353


class StepError(Exception):
    """A step of the tour did not see what it had to; the text says what it saw."""


@dataclass(frozen=True)
class Step:
    """One stop of the tour: what is tried, in words, and the function that tries it."""

    title: str
    work: Callable[[Lab], str]


@dataclass(frozen=True)
class Outcome:
    """How a step went: its figures, or what went wrong."""

    step: Step
    passed: bool
    said: str


def _demand(condition: bool, otherwise: str) -> None:
    if not condition:
        raise StepError(otherwise)


def _whole(transfer: Transfer, lab: Lab) -> str:
    _demand(transfer.size == lab.payload.size, f"{transfer.size} of {lab.payload.size} bytes came")
    _demand(transfer.sha256 == lab.payload.sha256, f"the checksum differs: sha256 {transfer.sha256}")
    return f"{transfer.rate / 1e9:.2f} Gbit/s, sha256 {transfer.sha256[:12]}… equal"


def _download(lab: Lab) -> str:
    return _whole(download(lab.topology.client1, lab.topology.server1_address), lab)


def _upload(lab: Lab) -> str:
    return _whole(upload(lab.topology.client1, lab.topology.server1_address, lab.payload), lab)


def _ping(lab: Lab) -> str:
    seen = ping(lab.topology.client1, lab.topology.server2_address)
    _demand(seen.received == seen.sent, f"{seen.received} of {seen.sent} answers came")
    return f"{seen.received} of {seen.sent} answers, round trip {seen.average_ms:.3f} ms"


def _traceroute(lab: Lab, *options: str) -> str:
    there = lab.topology
    hops = traceroute(there.client1, there.server2_address, *options)
    wanted = [str(hop) for hop in (there.router_internal, there.isp_address, there.server2_address)]
    _demand(hops == wanted, f"saw {' → '.join(hops)}, not {' → '.join(wanted)}")
    return " → ".join(hops)


def _traceroute_udp(lab: Lab) -> str:
    return _traceroute(lab)


def _traceroute_icmp(lab: Lab) -> str:
    return _traceroute(lab, "-I")


def _path_mtu(lab: Lab) -> str:
    client, target = lab.topology.client1, lab.topology.server2_address
    client.ip("route flush cache")
    told = ping(client, target, "-M", "do", "-s", "1472", count=1)
    _demand(f"mtu = {FAR_MTU}" in told.said, f"the client did not learn the path's MTU: {told.said.strip()}")
    fits = ping(client, target, "-M", "do", "-s", str(FAR_MTU - 28), count=1)
    _demand(fits.received == 1, f"a packet of {FAR_MTU} bytes did not come back")
    return f"the hop that cannot pass 1500 says {FAR_MTU}; {FAR_MTU} passes"


def _same_source_port(lab: Lab) -> str:
    there = lab.topology
    server = (there.server2_address, 53)
    ports = []
    for client, question in ((there.client1, b"one"), (there.client2, b"two")):
        address, port, echo = ask(client, server, question, source_port=SAME_PORT).split()
        _demand(echo == question, f"{client.role} got the answer to another's question")
        _demand(address.decode() == str(there.external), f"the server saw {address.decode()}")
        ports.append(int(port))
    _demand(ports[0] != ports[1], f"both clients appear as port {ports[0]}")
    return f"both send from port {SAME_PORT}; the server sees ports {ports[0]} and {ports[1]}"


def _thousand_connections(lab: Lab) -> str:
    there = lab.topology
    seen, seconds = connections(there.client1, there.server1_address, 1000)
    strangers = {address for address, _ in seen} - {there.external}
    _demand(not strangers, f"the server saw {', '.join(map(str, strangers))}")
    return f"1000 of 1000, {1000 / seconds:.0f} a second"


def _both_at_once(lab: Lab) -> str:
    there = lab.topology
    running = [
        Download(there.client1, there.server1_address),
        Download(there.client2, there.server2_address),
    ]
    try:
        done = [each.wait() for each in running]
    finally:
        for each in running:
            each.close()
    for transfer in done:
        _whole(transfer, lab)
    return " and ".join(f"{transfer.rate / 1e9:.2f}" for transfer in done) + " Gbit/s, both sha256 equal"


def _sessions(lab: Lab) -> str:
    if lab.daemon is None:
        return "the kernel masquerades: there is no daemon to ask"
    seen = lab.daemon.api("/v1/sessions?limit=10000")["sessions"]
    hosts = {str(session["internal"]).partition(":")[0] for session in seen}
    clients = {str(lab.topology.client1_address), str(lab.topology.client2_address)}
    _demand(hosts == clients, f"sessions of {', '.join(sorted(hosts)) or 'no host'} are listed")
    return f"{len(seen)} sessions of {' and '.join(sorted(hosts))}"


def _nothing_leaked(lab: Lab) -> str:
    leaks = lab.sentinel.leaks
    _demand(not leaks, f"{len(leaks)} leaks, the first: {leaks[0] if leaks else ''}")
    _demand(lab.sentinel.frames > 0, "the sentinel saw nothing at all")
    return f"{lab.sentinel.frames} frames left the router, none with an internal address"


STEPS = (
    Step("download of 100 MB", _download),
    Step("upload of 100 MB", _upload),
    Step("ping, two hops beyond the router", _ping),
    Step("traceroute by UDP", _traceroute_udp),
    Step("traceroute by ICMP", _traceroute_icmp),
    Step("path-MTU discovery", _path_mtu),
    Step("UDP like DNS, same source port", _same_source_port),
    Step("a thousand short TCP connections", _thousand_connections),
    Step("both clients download side by side", _both_at_once),
    Step("the list of sessions", _sessions),
    Step("no internal address on the WAN", _nothing_leaked),
)


def _slow_download(lab: Lab) -> str:
    there = lab.topology
    return _whole(Download(there.client2, there.server2_address, "--limit-rate", "10M").wait(), lab)


BETWEEN = Step("a download of ten seconds", _slow_download)
"""What goes on between two rounds, so that there is always something to watch."""


def take(step: Step, lab: Lab) -> Outcome:
    """Take one step."""
    try:
        return Outcome(step, True, step.work(lab))
    except (StepError, ProgramError, DaemonError, RuntimeError, OSError) as error:
        return Outcome(step, False, " ".join(str(error).split()))


def tour(lab: Lab) -> Iterator[Outcome]:
    """Take every step in order; a failed one does not end the tour."""
    return (take(step, lab) for step in STEPS)
