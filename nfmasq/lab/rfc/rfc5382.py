"""RFC 5382, NAT behavioural requirements for TCP."""

from nfmasq.lab.packets import ACK, EXCEEDED, FIN, PORT, SYN, UNREACHABLE, Endpoint, error, tcp
from nfmasq.lab.rfc import hairpin, refusals, rfc4787
from nfmasq.lab.rfc.core import Core
from nfmasq.lab.rfc.ground import Ground
from nfmasq.lab.rfc.not_met import demand
from nfmasq.lab.rfc.requirement import MAY, MUST, RECOMMENDED, SHOULD, Rfc
from nfmasq.lab.rfc.way import (
    CLIENT,
    EXTERNAL,
    OTHER_CLIENT,
    OTHER_SERVER,
    SERVER,
    Stream,
    Way,
    port,
)

RFC = Rfc(5382, "TCP")
SILENCE = 6
ESTABLISHED, TRANSITORY = 7440, 240


@RFC.requires(
    "REQ-1",
    MUST,
    "An internal TCP endpoint has one external endpoint, whomever it speaks to.",
    but=rfc4787.UNLESS_NONE_IS_FREE,
)
def one_mapping(ground: Ground) -> None:
    client = (CLIENT, port())
    first = ground.open(client, (SERVER, 80))
    ground.open((OTHER_CLIENT, client[1]), (OTHER_SERVER, 443))  # in the way, were ports kept and shared
    second = ground.open(client, (OTHER_SERVER, 443))
    demand(first.external == second.external, f"it appears as {first.external} and as {second.external}")


@RFC.requires("REQ-2", MUST, "All valid sequences of segments pass, whoever opened the connection.")
def all_sequences(ground: Ground) -> None:
    client = (CLIENT, port())
    half_closed = ground.open(client)
    ground.sent(half_closed.outward(FIN | ACK))
    for _ in range(3):
        ground.received(half_closed.inward(payload=b"still sending"))
        ground.sent(half_closed.outward())
    ground.received(half_closed.inward(FIN | ACK))
    ground.sent(half_closed.outward())
    again = ground.open(client)
    demand(again.works(), "a connection opened again on the same ports does not work")
    segment = again.outward(payload=b"one")
    demand(all(ground.out(segment) is not None for _ in range(3)), "a repeated segment does not pass")
    keepalive = tcp(again.client, again.server, ACK, again.out_next - 1, again.in_next)
    demand(ground.out(keepalive) is not None, "a keepalive does not pass")
    late, early = again.outward(payload=b"two"), again.outward(payload=b"three")
    demand(ground.out(early) and ground.out(late), "segments out of order do not pass")
    demand(_opened_from_outside(ground, again.external), "a connection from outside does not open")


@RFC.requires("REQ-2a", MUST, "Simultaneous open works.")
def simultaneous_open(ground: Ground) -> None:
    stream = Stream(ground, (CLIENT, port()), (SERVER, port()))
    stream.external = ground.sent(tcp(stream.client, stream.server, SYN, 1000)).source
    ground.received(tcp(stream.server, stream.external, SYN, 5000))
    ground.sent(tcp(stream.client, stream.server, SYN | ACK, 1000, 5001))
    ground.received(tcp(stream.server, stream.external, SYN | ACK, 5000, 1001))
    stream.out_next, stream.in_next = 1001, 5001
    demand(stream.works(), "after crossing SYNs, data does not pass")


@RFC.requires("REQ-3", RECOMMENDED, "Filtering is endpoint-independent or address-dependent.")
def filtering(ground: Ground) -> None:
    external = ground.open((CLIENT, port())).external
    demand(_syn_in(ground, (SERVER, 81), external), "the host spoken to cannot open a connection")
    demand(not _syn_in(ground, (OTHER_SERVER, 80), external), "by default, anybody can open a connection")


@RFC.requires("REQ-3a", MAY, "The administrator can choose the filtering.")
def filtering_configurable(ground: Ground) -> None:
    for name, expected in (
        ("endpoint-independent", (True, True)),
        ("address-dependent", (True, False)),
        ("address-and-port-dependent", (False, False)),
    ):
        with ground.config(nat={"filtering": name}):
            external = ground.open((CLIENT, port())).external
            got = _syn_in(ground, (SERVER, 81), external), _syn_in(ground, (OTHER_SERVER, 80), external)
        demand(got == expected, f"{name}: another port, another host get in: {got}")


@RFC.requires("REQ-3b", MAY, "The filtering of TCP can be another than that of UDP.")
def filtering_of_its_own(ground: Ground) -> None:
    number = port()
    strict, lax = {"filtering": "address-dependent"}, {"filtering": "endpoint-independent"}
    with ground.config(**{"nat.tcp": strict, "nat.udp": lax}):
        by_tcp = _syn_in(ground, (OTHER_SERVER, 80), ground.open((CLIENT, number)).external)
        by_udp = ground.lets_in((OTHER_SERVER, 80), ground.mapped((CLIENT, number)))
    demand((by_tcp, by_udp) == (False, True), f"another host gets in by TCP: {by_tcp}, by UDP: {by_udp}")


@RFC.requires(
    "REQ-4",
    MUST,
    "An unsolicited SYN is not answered for 6 s, nor at all if a SYN goes out.",
)
def unsolicited_syn(ground: Ground) -> None:
    answers = refusals.answers_to_syns(ground)
    early = [seconds for seconds in answers.ignored if seconds < SILENCE]
    demand(not early, f"unsolicited SYNs were answered after {', '.join(f'{each:.2f}' for each in early)} s")
    demand(not answers.followed, f"a SYN was answered although one had gone out: {answers.followed}")


@RFC.requires(
    "REQ-4-error",
    SHOULD,
    "After 6 s, an unsolicited SYN is answered by ICMP port unreachable.",
)
def unsolicited_syn_answered(ground: Ground) -> None:
    demand(refusals.answers_to_syns(ground).ignored, "within 8 s no ICMP 3/3 came")


@RFC.requires("REQ-4a", MUST, "The SYN is dropped silently if an answer is against policy.")
def silent_by_policy(_: Ground) -> None:
    demand(refusals.to_a_syn(Core()), "with refusals on, none is due after 6 s")
    demand(not refusals.to_a_syn(Core(refusals=False)), "with refusals off, one is due after 6 s")


@RFC.requires("REQ-5", MUST, "An idle connection lasts 2 h 4 min when open, 4 min when opening or closing.")
def timeouts(_: Ground) -> None:
    core = Core()
    stream = core.open((CLIENT, 4000))
    core.wait(ESTABLISHED - 1)
    demand(stream.works(), "an open connection was forgotten before 2 h 4 min were over")
    stream.close()
    core.wait(TRANSITORY - 1)
    demand(core.into(stream.inward()) is not None, "a closed connection was forgotten within 4 min")
    opening = core.sent(tcp((CLIENT, 4001), (SERVER, 80), SYN, 1000))
    core.wait(TRANSITORY - 1)
    answer = core.into(tcp((SERVER, 80), opening.source, SYN | ACK, 5000, 1001))
    demand(answer is not None, "a connection being opened was forgotten within 4 min")


@RFC.requires("REQ-5a", MAY, "The timeouts can be set.")
def timeouts_configurable(ground: Ground) -> None:
    with ground.config(timeouts={"tcp_established": "3h", "tcp_transitory": "5m"}):
        closed, opened = ground.open((CLIENT, port())), ground.open((CLIENT, port()))
        closed.close()
        left = [_seconds_left(ground, stream) for stream in (opened, closed)]
    demand(10790 <= left[0] <= 10800 and 290 <= left[1] <= 300, f"3h and 5m leave {left} s")


@RFC.requires("REQ-6", RECOMMENDED, "Gateways for TCP protocols other than FTP are off by default.")
def no_gateways(ground: Ground) -> None:
    written = b"PRIVMSG you :\x01DCC SEND file 3232235827 5000 100\x01\r\n"
    arrived = ground.sent(ground.open((CLIENT, port()), (SERVER, 6667)).outward(payload=written))
    demand(arrived.payload == written, "the payload of an IRC message was changed")


@RFC.requires(
    "REQ-7",
    MUST,
    "No two internal TCP endpoints share an external one (no port overloading).",
    but=rfc4787.UNLESS_NONE_IS_FREE,
)
def no_overloading(ground: Ground) -> None:
    number = port()
    pair = ground.open((CLIENT, number)).external, ground.open((OTHER_CLIENT, number), (OTHER_SERVER, 80))
    demand(pair[0] != pair[1].external, f"two clients appear as {pair[0]}, to different servers")
    core = Core(ports=((5000, 5009),), ports_per_host=10, share_ports=False)
    seen = {core.open((CLIENT, 4000 + each), (SERVER, 80 + each)).external for each in range(10)}
    demand(len(seen) == 10, "of ten connections on ten ports, some share one")
    demand(core.out(tcp((CLIENT, 99), (OTHER_SERVER, 80), SYN)) is None, "an eleventh was made of ten ports")


@RFC.requires("REQ-8", MUST, "Internal hosts open connections to external endpoints.")
def hairpinning(ground: Ground) -> None:
    with ground.config(nat=hairpin.LAX):
        listener, caller = ground.open((OTHER_CLIENT, port())), (CLIENT, port())
        arrived = hairpin.across(ground, tcp(caller, listener.external, SYN, 1000))
        back = hairpin.across(ground, tcp(listener.client, arrived.source, SYN | ACK, 5000, 1001))
        demand(back.destination == caller, f"the answer goes to {back.destination}, not to {caller}")
        there = tcp(caller, listener.external, ACK, 1001, 5001, payload=b"there")
        demand(hairpin.across(ground, there).destination == listener.client, "data does not pass")
        back_again = tcp(listener.client, arrived.source, ACK, 5001, 1006, payload=b"and back")
        demand(hairpin.across(ground, back_again).destination == caller, "data does not pass back")


@RFC.requires(
    "REQ-8a",
    MUST,
    "What is hairpinned comes from the external endpoint of its sender.",
)
def hairpin_source(ground: Ground) -> None:
    with ground.config(nat=hairpin.LAX):
        listener, caller = ground.open((OTHER_CLIENT, port())), ground.open((CLIENT, port()))
        arrived = hairpin.across(ground, tcp(caller.client, listener.external, SYN, 1000))
        demand(arrived.source == caller.external, f"it comes from {arrived.source}, not {caller.external}")


@RFC.requires("REQ-9", SHOULD, "Destination unreachable is translated.")
def unreachable(ground: Ground) -> None:
    stream = ground.open((CLIENT, port()))
    for code in (0, 1, 3, 4, 13):
        arrived = ground.received(error(SERVER, EXTERNAL, stream.in_flight(), UNREACHABLE, code))
        demand(arrived.quoted.source == stream.client, f"code {code} quotes {arrived.quoted.source}")
    quoted = tcp(stream.server, stream.client, ACK, stream.in_next, stream.out_next, payload=b"x")
    ground.received(stream.inward(payload=b"x"))
    outward = ground.sent(error(CLIENT, SERVER, quoted, UNREACHABLE, PORT))
    demand(outward.quoted.destination == stream.external, f"outward it quotes {outward.quoted.destination}")


@RFC.requires("REQ-10", MUST, "No ICMP message ends a mapping or a connection.")
def icmp_ends_nothing(ground: Ground) -> None:
    stream = ground.open((CLIENT, port()))
    for kind, codes in ((UNREACHABLE, range(16)), (EXCEEDED, range(2))):
        for code in codes:
            ground.into(error(SERVER, EXTERNAL, stream.in_flight(), kind, code))
            demand(stream.works(), f"the connection is gone after ICMP {kind}/{code}")
    state = _row(ground, stream)["state"]
    demand(state == "established", f"after ICMP errors the connection is {state}")


def _syn_in(way: Way, server: Endpoint, external: Endpoint) -> bool:
    return way.into(tcp(server, external, SYN, 5000)) is not None


def _opened_from_outside(ground: Ground, external: Endpoint) -> bool:
    """The host spoken to opens a connection to the same endpoint, and data passes."""
    peer = (SERVER, port())
    client = ground.received(tcp(peer, external, SYN, 5000)).destination
    ground.sent(tcp(client, peer, SYN | ACK, 1000, 5001))
    ground.received(tcp(peer, external, ACK, 5001, 1001))
    return ground.out(tcp(client, peer, ACK, 1001, 5001, payload=b"hello")) is not None


def _row(ground: Ground, stream: Stream) -> dict[str, object]:
    """The connection as the control API shows it."""
    address, number = stream.client
    rows: list[dict[str, object]] = ground.daemon.api(f"/v1/sessions?protocol=tcp&port={number}")["sessions"]
    of_it = [row for row in rows if row["internal"] == f"{address}:{number}"]
    demand(len(of_it) == 1, f"the API shows {len(of_it)} sessions of one connection")
    return of_it[0]


def _seconds_left(ground: Ground, stream: Stream) -> int:
    return int(str(_row(ground, stream)["expires_s"]))
