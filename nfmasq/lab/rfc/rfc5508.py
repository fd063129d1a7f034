"""RFC 5508, NAT behavioural requirements for ICMP."""

import struct

from nfmasq.lab.packets import (
    ECHO,
    ECHO_REPLY,
    EXCEEDED,
    HOST,
    ICMP,
    PORT,
    PROBLEM,
    QUENCH,
    REDIRECT,
    TIMESTAMP,
    TIMESTAMP_REPLY,
    UDP,
    UNREACHABLE,
    Endpoint,
    checksum,
    error,
    ip,
    put,
    query,
    read,
    sums_are_right,
    udp,
    word_at,
)
from nfmasq.lab.rfc import hairpin, refusals
from nfmasq.lab.rfc.core import Core
from nfmasq.lab.rfc.ground import Ground
from nfmasq.lab.rfc.not_met import demand
from nfmasq.lab.rfc.requirement import MAY, MUST, RECOMMENDED, SHOULD, Rfc
from nfmasq.lab.rfc.way import CLIENT, EXTERNAL, HOP, OTHER_CLIENT, OTHER_SERVER, SERVER, Way, port

RFC = Rfc(5508, "ICMP")
NOWHERE = SERVER + 100
REFUSALS_A_SECOND = 128
NO_OPERATION = b"\x01\x01\x01\x00"


@RFC.requires("REQ-1", MUST, "Queries of internal hosts go out, and their replies come in.")
def queries(ground: Ground) -> None:
    for kind, reply in ((ECHO, ECHO_REPLY), (TIMESTAMP, TIMESTAMP_REPLY)):
        client = (CLIENT, port())
        external = ground.sent(query(client, (SERVER, 0), kind, bytes(12))).source
        back = ground.received(query((SERVER, 0), external, reply, bytes(12)))
        demand(back.destination == client, f"the reply to a query of type {kind} comes to {back.destination}")


@RFC.requires("REQ-1a", SHOULD, "A query identifier is mapped the same for all external hosts.")
def identifier_independent(ground: Ground) -> None:
    client = (CLIENT, port())
    first = ground.sent(query(client, (SERVER, 0))).source
    ground.sent(query((OTHER_CLIENT, client[1]), (OTHER_SERVER, 0)))  # in the way, were it kept and shared
    second = ground.sent(query(client, (OTHER_SERVER, 0))).source
    demand(first == second, f"one identifier appears as {first[1]} and as {second[1]}")


@RFC.requires("REQ-2", MUST, "An ICMP query session lasts at least 60 seconds.")
def sixty_seconds(_: Ground) -> None:
    core = Core()
    external = core.sent(query((CLIENT, 7), (SERVER, 0))).source
    core.wait(59)
    demand(core.into(query((SERVER, 0), external, ECHO_REPLY)), "after 59 s the reply no longer comes in")


@RFC.requires("REQ-2a", RECOMMENDED, "The timer of ICMP queries can be set.")
def timer_configurable(ground: Ground) -> None:
    with ground.config(timeouts={"icmp": "2m"}):
        number = port()
        ground.sent(query((CLIENT, number), (SERVER, 0)))
        rows = ground.daemon.api(f"/v1/sessions?protocol=icmp&port={number}")["sessions"]
    demand([row for row in rows if 110 <= row["expires_s"] <= 120], f"with icmp = 2m the sessions are {rows}")


@RFC.requires("REQ-3", SHOULD, "An error whose ICMP checksum is wrong is dropped silently.")
def wrong_checksum(ground: Ground) -> None:
    _, quoted = _quoted(ground)
    good = error(SERVER, EXTERNAL, quoted)
    demand(ground.into(good) is not None, "the error whose checksum is right does not come in")
    spoilt = put(good, 22, (word_at(good, 22) ^ 0x0101).to_bytes(2))
    demand(ground.into(spoilt) is None, "the error comes in")


@RFC.requires("REQ-3a", SHOULD, "An error about a packet whose IP checksum is wrong is dropped silently.")
def wrong_quoted_checksum(ground: Ground) -> None:
    _, quoted = _quoted(ground)
    spoilt = put(quoted, 10, (word_at(quoted, 10) ^ 0x0101).to_bytes(2))
    demand(ground.into(error(SERVER, EXTERNAL, spoilt)) is None, "the error comes in")


@RFC.requires("REQ-3b", MUST, "IP options of the quoted packet are skipped.")
def quoted_options(ground: Ground) -> None:
    client, quoted = _quoted(ground)
    longer = ip(EXTERNAL, SERVER, UDP, quoted[20:], options=NO_OPERATION)
    arrived = ground.received(error(SERVER, EXTERNAL, longer))
    demand(arrived.quoted.source == client, f"it quotes {arrived.quoted.source}, not {client}")


@RFC.requires("REQ-3c", SHOULD, "The transport checksum of the quoted packet is not validated.")
def quoted_transport_checksum(ground: Ground) -> None:
    client, quoted = _quoted(ground)
    spoilt = put(quoted, 26, (word_at(quoted, 26) ^ 0x0101).to_bytes(2))
    arrived = ground.received(error(SERVER, EXTERNAL, spoilt))
    demand(arrived.quoted.source == client, f"it quotes {arrived.quoted.source}, not {client}")


@RFC.requires("REQ-3d", MUST, "ICMP extensions behind the quoted packet do not disturb.")
def extensions(ground: Ground) -> None:
    client, quoted = _quoted(ground)
    padded = quoted.ljust(128, b"\0")
    structure = struct.pack("!BBHHBB", 0x20, 0, 0, 8, 1, 1) + b"LSEs"
    structure = put(structure, 2, checksum(structure).to_bytes(2))
    packet = ground.into(error(HOP, EXTERNAL, padded + structure, EXCEEDED, 0, rest=32 << 16))
    demand(packet is not None, "an error with extensions does not come in")
    if packet is not None:
        seen = read(packet)
        demand(seen.quoted.source == client, f"it quotes {seen.quoted.source}, not {client}")
        demand(packet.endswith(structure), "the extensions were changed")
        demand(sums_are_right(packet), "its checksum is wrong")


@RFC.requires("REQ-4", SHOULD, "An error from outside about nothing that is mapped is dropped silently.")
def inward_unmatched(ground: Ground) -> None:
    """It ends at the router's own stack, which drops it: conntrack may know it as another program's."""
    unmapped = udp((EXTERNAL, 31999), (SERVER, 700))
    demand(ground.into(error(SERVER, EXTERNAL, unmapped)) is None, "it comes in")


@RFC.requires("REQ-4a", MUST, "The headers quoted in an error from outside become the original ones.")
def inward_quote(ground: Ground) -> None:
    client, quoted = _quoted(ground)
    packet = ground.into(error(HOP, EXTERNAL, quoted, EXCEEDED, 0)) or b""
    inner = read(packet).quoted
    demand((inner.source, inner.destination) == (client, (SERVER, 700)), f"it quotes {inner}")
    demand(sums_are_right(packet) and sums_are_right(read(packet).payload), "a checksum is wrong")
    query_client = (CLIENT, port())
    sent = ground.out(query(query_client, (SERVER, 0))) or b""
    about_query = ground.received(error(HOP, EXTERNAL, sent, EXCEEDED, 0)).quoted
    demand(about_query.source == query_client, f"about a query, it quotes {about_query.source}")


@RFC.requires("REQ-4b", MUST, "Type and code of an error from outside stay.")
def inward_type(ground: Ground) -> None:
    _, quoted = _quoted(ground)
    kinds = [(UNREACHABLE, code) for code in range(16)] + [(EXCEEDED, 0), (EXCEEDED, 1), (PROBLEM, 0)]
    for kind in kinds:
        arrived = ground.received(error(SERVER, EXTERNAL, quoted, *kind)).icmp
        demand(arrived == kind, f"{kind} came in as {arrived}")


@RFC.requires("REQ-4c", MUST, "An error from outside goes to the host whose packet it quotes.")
def inward_destination(ground: Ground) -> None:
    for client in (CLIENT, OTHER_CLIENT):
        quoted = udp(ground.mapped((client, port())), (SERVER, 700))
        packet = ground.into(error(HOP, EXTERNAL, quoted), to=client)
        demand(packet is not None, f"the error about {client} does not come to it")


@RFC.requires("REQ-5", SHOULD, "An error from inside about nothing that is mapped is dropped silently.")
def outward_unmatched(ground: Ground) -> None:
    stranger = udp((SERVER, 700), (CLIENT, port()))
    demand(ground.out(error(CLIENT, SERVER, stranger)) is None, "it goes out")


@RFC.requires("REQ-5a", MUST, "The headers quoted in an error from inside become those seen outside.")
def outward_quote(ground: Ground) -> None:
    client, quoted = _quoted(ground)
    packet = ground.out(error(CLIENT, SERVER, udp((SERVER, 700), client))) or b""
    inner = read(packet).quoted
    demand(inner.destination == read(quoted).source, f"it quotes {inner.destination}")
    demand(sums_are_right(packet) and sums_are_right(read(packet).payload), "a checksum is wrong")


@RFC.requires("REQ-5b", MUST, "Type and code of an error from inside stay.")
def outward_type(ground: Ground) -> None:
    client, _ = _quoted(ground)
    for kind in ((UNREACHABLE, HOST), (UNREACHABLE, PORT), (UNREACHABLE, 4), (EXCEEDED, 1), (PROBLEM, 0)):
        arrived = ground.sent(error(CLIENT, SERVER, udp((SERVER, 700), client), *kind)).icmp
        demand(arrived == kind, f"{kind} went out as {arrived}")


@RFC.requires(
    "REQ-5c",
    MUST,
    "An error from inside has the NAT's address, or its sender's own external one, as its source.",
    but="it has the external address of the session it is about, whoever sends it: an external address that "
    "is the sender's own (one-to-one) is not used for it",
)
def outward_source(ground: Ground) -> None:
    client, _ = _quoted(ground)
    for source in (CLIENT, OTHER_CLIENT):
        arrived = ground.sent(error(source, SERVER, udp((SERVER, 700), client), UNREACHABLE, HOST))
        demand(arrived.source[0] == EXTERNAL, f"an error of {source} goes out from {arrived.source[0]}")


@RFC.requires("REQ-6", MUST, "An error about a query neither refreshes nor ends its session.")
def error_about_query(_: Ground) -> None:
    core = Core()
    sent = core.out(query((CLIENT, 7), (SERVER, 0))) or b""
    external = read(sent).source
    about = error(HOP, EXTERNAL, sent, EXCEEDED, 0)
    core.wait(50)
    demand(core.into(about) is not None, "the error does not come in")
    demand(core.into(query((SERVER, 0), external, ECHO_REPLY)) is not None, "the error ended the session")
    core.wait(50)
    core.into(about)
    core.wait(11)
    demand(core.into(query((SERVER, 0), external, ECHO_REPLY)) is None, "the error kept the session alive")


@RFC.requires("REQ-7", MUST, "Errors about hairpinned packets pass.")
def hairpinned_error(ground: Ground) -> None:
    _hairpinned_error(ground)


@RFC.requires("REQ-7a", MUST, "A hairpinned error goes to the host whose packet it quotes.")
def hairpinned_error_destination(ground: Ground) -> None:
    client, there, arrived = _hairpinned_error(ground)
    quoted = read(arrived).quoted
    demand((quoted.source, quoted.destination) == (client, there), f"it quotes {quoted}")
    demand(read(arrived).source[0] == EXTERNAL, f"it comes from {read(arrived).source[0]}")


@RFC.requires(
    "REQ-8",
    SHOULD,
    "A host whose session is refused gets ICMP 3/13.",
    but="it gets 3/13 when a limit of its own refuses it; when the router has no port or no room left "
    "it gets 3/1, as RFC 6888 REQ-11B asks",
)
def refused(ground: Ground) -> None:
    ground.mapped((CLIENT, port()))
    with ground.config(limits={"sessions_per_host": 1}):
        number = port()
        answer = ground.answered(udp((CLIENT, number), (SERVER, 700)), "ICMP 3/13", icmp=(UNREACHABLE, 13))
        demand(answer.quoted.source == (CLIENT, number), f"it quotes {answer.quoted.source}")


@RFC.requires("REQ-9", MAY, "Policy can keep the NAT from sending ICMP of its own.")
def refusals_off(_: Ground) -> None:
    demand(refusals.to_a_session(Core(sessions_per_host=1)), "with refusals enabled, none is sent")
    demand(
        not refusals.to_a_session(Core(sessions_per_host=1, refusals=False)),
        "with refusals disabled, one is sent",
    )


@RFC.requires("REQ-10a", MUST, "Destination unreachable, time exceeded and echo are supported.")
def router_messages(ground: Ground) -> None:
    client = (CLIENT, port())
    expired = ground.answered(udp(client, (SERVER, 700), ttl=1), "time exceeded", icmp=(EXCEEDED, 0))
    demand(expired.quoted.source == client, f"time exceeded quotes {expired.quoted.source}")
    ground.net.router.ip(f"route add unreachable {NOWHERE}")
    try:
        answer = ground.answered(udp(client, (NOWHERE, 700)), "host unreachable", icmp=(UNREACHABLE, HOST))
        demand(answer.quoted.source == client, f"host unreachable quotes {answer.quoted.source}")
    finally:
        ground.net.router.ip(f"route del unreachable {NOWHERE}")
    for host, target in ((CLIENT, ground.net.router_internal), (SERVER, EXTERNAL)):
        ground[host].ignore()
        ground[host].send(query((host, client[1]), (target, 0)))
        ground[host].expect(f"the router's answer to a ping to {target}", ICMP, icmp=(ECHO_REPLY, 0))


@RFC.requires(
    "REQ-10b",
    MAY,
    "Timestamp, address mask, parameter problem, redirect, source route and router discovery.",
    but="timestamp and parameter problem pass; redirects and source routes are dropped, for they steer other "
    "hosts' packets; address mask and router discovery are dropped, for they are about one link alone",
)
def other_messages(ground: Ground) -> None:
    client, quoted = _quoted(ground)
    external = ground.sent(query(client, (SERVER, 0), TIMESTAMP, bytes(12))).source
    ground.received(query((SERVER, 0), external, TIMESTAMP_REPLY, bytes(12)))
    ground.received(error(HOP, EXTERNAL, quoted, PROBLEM, 0))
    redirect = error(HOP, EXTERNAL, quoted, REDIRECT, 1, rest=int(HOP))
    demand(ground.into(redirect) is None, "a redirect comes in")


@RFC.requires("REQ-10c", SHOULD, "Source quench is not supported.")
def source_quench(ground: Ground) -> None:
    _, quoted = _quoted(ground)
    demand(ground.into(error(SERVER, EXTERNAL, quoted, QUENCH, 0)) is None, "it comes in")


@RFC.requires(
    "REQ-10d", RECOMMENDED, "Generated ICMP errors have the precedence RFC 1812 section 4.3.2.5 asks for."
)
def precedence(ground: Ground) -> None:
    ground.mapped((CLIENT, port()))
    with ground.config(limits={"sessions_per_host": 1}):
        host = ground[CLIENT]
        host.ignore()
        host.send(udp((CLIENT, port()), (SERVER, 700)))
        by_nfmasq = host.expect("nfmasq's ICMP 3/13", ICMP, icmp=(UNREACHABLE, 13))
        host.send(udp((CLIENT, port()), (SERVER, 700), ttl=1))
        by_kernel = host.expect("the kernel's time exceeded", ICMP, icmp=(EXCEEDED, 0))
    found = [packet[1] >> 5 for packet in (by_nfmasq, by_kernel)]
    demand(all(each in (6, 7) for each in found), f"nfmasq's and the kernel's precedence: {found}")


@RFC.requires("REQ-10e", RECOMMENDED, "No ICMP error is sent about an ICMP error.")
def no_error_about_errors(ground: Ground) -> None:
    client, quoted = _quoted(ground)
    about = error(CLIENT, SERVER, udp((SERVER, 700), client), ttl=1)
    host = ground[CLIENT]
    host.ignore()
    host.send(about)
    answer = ground.answered(udp(client, (SERVER, 700), ttl=1), "time exceeded", icmp=(EXCEEDED, 0))
    demand(answer.quoted.protocol == UDP, f"the router answers an ICMP error: {answer}, about {quoted!r}")


@RFC.requires("REQ-10f", RECOMMENDED, "The rate of generated ICMP messages is limited.")
def refusals_limited(_: Ground) -> None:
    core = Core(sessions_per_host=1)
    told = []
    for number in range(500):
        for each in (4000, 4001):
            core.out(udp((CLIENT + number % 200, each + number), (SERVER, 700)))
        told += refusals.due(core)
    demand(0 < len(told) <= REFUSALS_A_SECOND, f"within a second {len(told)} are sent, of 800 due")
    core.wait(1)
    core.out(udp((CLIENT, 9000), (SERVER, 700)))
    demand(refusals.due(core), "a second later none is sent")


@RFC.requires("REQ-11", MAY, "Other ICMP messages are dropped, or dealt with.")
def others_dropped(ground: Ground) -> None:
    for kind in (9, 10, 19, 30, 40, 42, 255):
        message = query((SERVER, 0), (EXTERNAL, port()), kind)
        demand(ground.into(message) is None, f"ICMP type {kind} comes in")
        demand(ground.out(query((CLIENT, port()), (SERVER, 0), kind)) is None, f"ICMP type {kind} goes out")


def _quoted(way: Way) -> tuple[Endpoint, bytes]:
    """A new internal endpoint, and its datagram to the server as an error from outside quotes it."""
    client = (CLIENT, port())
    return client, udp(way.mapped(client), (SERVER, 700))


def _hairpinned_error(ground: Ground) -> tuple[Endpoint, Endpoint, bytes]:
    """A client, the external endpoint it sends to, and the refusal of whoever is behind that."""
    client, other = (CLIENT, port()), (OTHER_CLIENT, port())
    _, there = hairpin.acquainted(ground, client, other)
    arrived = hairpin.across(ground, udp(client, there, b"refuse me"))
    quoted = udp(arrived.source, other, b"refuse me")
    host = ground[CLIENT]
    host.ignore()
    ground[OTHER_CLIENT].send(error(OTHER_CLIENT, arrived.source[0], quoted))
    return client, there, host.expect("the error about what it sent", ICMP, icmp=(UNREACHABLE, PORT))
