"""RFC 4787, NAT behavioural requirements for unicast UDP."""

from ipaddress import IPv4Address

from nfmasq.lab.packets import (
    DF,
    EXCEEDED,
    PROBLEM,
    TOO_BIG,
    UNREACHABLE,
    error,
    query,
    tcp,
    udp,
)
from nfmasq.lab.rfc import fragments, gateways, hairpin
from nfmasq.lab.rfc.core import Core
from nfmasq.lab.rfc.ground import Ground
from nfmasq.lab.rfc.not_met import NotMet, demand
from nfmasq.lab.rfc.requirement import MAY, MUST, RECOMMENDED, SHOULD, Rfc
from nfmasq.lab.rfc.way import (
    CLIENT,
    EXTERNAL,
    HOP,
    OTHER_CLIENT,
    OTHER_SERVER,
    SERVER,
    Way,
    port,
)
from nfmasq.lab.waiting import wait_until

PRIVATE_HOP = IPv4Address("10.255.0.1")
"""A router on the way that has a private address, as many have inside their provider's network."""

RFC = Rfc(4787, "UDP")
POOL = tuple(IPv4Address("203.0.113.64") + number for number in (0, 1, 2, 3, 40, 41, 80, 99))
FILTERINGS = {
    "endpoint-independent": (True, True),
    "address-dependent": (True, False),
    "address-and-port-dependent": (False, False),
}
"""Who gets in besides the endpoint spoken to: another port of the same host, another host."""


UNLESS_NONE_IS_FREE = (
    "unless no port is free: then a new session shares one with others, told apart by their remote "
    "endpoints, rather than be refused (nat.share_ports)"
)


@RFC.requires(
    "REQ-1",
    MUST,
    "An internal endpoint has one external endpoint, whomever it speaks to.",
    but=UNLESS_NONE_IS_FREE,
)
def one_mapping(ground: Ground) -> None:
    number = port()
    first = ground.mapped((CLIENT, number), (SERVER, 700))
    ground.mapped((OTHER_CLIENT, number), (OTHER_SERVER, 700))  # in the way, were ports kept and shared
    others = [ground.mapped((CLIENT, number), server) for server in ((SERVER, 54), (OTHER_SERVER, 700))]
    demand(others == [first, first], f"one endpoint appears as {first} and as {others}")
    demand(ground.mapped((CLIENT, number + 2)) != first, "two internal ports share one external endpoint")


@RFC.requires("REQ-2", RECOMMENDED, "All sessions of a host use the same address of a pool (paired pooling).")
def paired_pooling(_: Ground) -> None:
    core = Core(external=POOL)
    used = set()
    for number in range(100):
        host = IPv4Address("192.168.1.100") + number
        seen = {core.sent(udp((host, 4000 + each), (SERVER, 700))).source[0] for each in range(5)}
        seen |= {core.sent(tcp((host, 4000), (OTHER_SERVER, 80), 2)).source[0]}
        seen |= {core.sent(query((host, 7), (SERVER, 0))).source[0]}
        demand(len(seen) == 1, f"{host} appears as {', '.join(map(str, seen))}")
        used |= seen
    demand(len(used) > 1, "only one address of the pool is used")


@RFC.requires(
    "REQ-3",
    MUST,
    "No two internal endpoints share an external one (no port overloading).",
    but=UNLESS_NONE_IS_FREE,
)
def no_overloading(ground: Ground) -> None:
    number = port()
    of_one = ground.mapped((CLIENT, number), (SERVER, 700))
    of_other = ground.mapped((OTHER_CLIENT, number), (OTHER_SERVER, 700))
    demand(of_one != of_other, f"two clients appear as {of_one}, to different servers")
    core = Core(ports=((5000, 5009),))
    seen = {core.mapped((CLIENT + each, 99), (SERVER + each, 700)) for each in range(1, 11)}
    demand(len(seen) == 10, "of ten mappings on ten ports, some share one")
    demand(core.out(udp((CLIENT, 99), (SERVER, 700))), "no port is free, and none is shared")
    core.configure(share_ports=False)
    refused = core.out(udp((CLIENT, 98), (SERVER, 700)))
    demand(refused is None, "ports are shared, though share_ports is false")


@RFC.requires(
    "REQ-3a",
    RECOMMENDED,
    "Ports 0-1023 are mapped to such, others to 1024-65535.",
    but="ports below 1024 are mapped to those of nat.low_ports, 600-1023 by default; where all are in use, "
    "or nat.low_ports is empty, to others",
)
def port_range_kept(ground: Ground) -> None:
    for _ in range(50):
        demand(ground.mapped((CLIENT, port()))[1] > 1023, "a port above 1023 was mapped below 1024")
    low = ground.mapped((CLIENT, 500))[1]
    demand(600 <= low < 1024, f"by default port 500 was mapped to {low}")
    core = Core(ports=((924, 1123),), ports_per_host=200)
    for number in range(90):
        low, high = core.mapped((CLIENT, 100 + number))[1], core.mapped((CLIENT, 3000 + number))[1]
        demand(low < 1024, f"port {100 + number} was mapped to {low}, with ports below 1024 to choose from")
        demand(high > 1023, f"port {3000 + number} was mapped to {high}")


@RFC.requires("REQ-4", RECOMMENDED, "Even ports are mapped to even ones, odd to odd (port parity).")
def parity(ground: Ground) -> None:
    for _ in range(20):
        number = port()
        ground.mapped((OTHER_CLIENT, number))
        pair = [ground.mapped((CLIENT, number + odd))[1] % 2 for odd in (0, 1)]
        demand(pair == [0, 1], f"ports {number} and {number + 1} lost their parity")
    core = Core()
    changed = [each for each in range(4000, 5000) if core.mapped((CLIENT, each))[1] % 2 != each % 2]
    demand(not changed, f"{len(changed)} of 1000 ports lost their parity")


@RFC.requires("REQ-5", MUST, "A UDP mapping lasts at least two minutes without traffic.")
def two_minutes(_: Ground) -> None:
    core = Core()
    external = core.mapped((CLIENT, 4000))
    core.wait(121)
    demand(core.lets_in((SERVER, 700), external), "the mapping was gone after two minutes")


@RFC.requires(
    "REQ-5a",
    MAY,
    "Shorter timers for particular well-known destination ports.",
    but="for port 53 alone (timeouts.udp_dns)",
)
def name_servers_apart(_: Ground) -> None:
    core = Core()
    core.mapped((CLIENT, 4000), (SERVER, 53))
    core.mapped((CLIENT, 4001), (SERVER, 123))
    demand(core.wait(20) == 1, "a question to a name server holds its port for longer than 20 seconds")
    demand(core.wait(100) == 0, "another port has the timer of port 53")


@RFC.requires("REQ-5b", MAY, "The UDP timer can be set.")
def timer_configurable(ground: Ground) -> None:
    with ground.config(timeouts={"udp": "3m"}):
        number = port()
        ground.mapped((CLIENT, number))
        left = _seconds_left(ground, number)
    demand(170 <= left <= 180, f"with udp = 3m a session has {left} s left")


@RFC.requires("REQ-5c", RECOMMENDED, "The UDP timer is five minutes or more by default.")
def five_minutes(ground: Ground) -> None:
    number = port()
    ground.mapped((CLIENT, number))
    left = _seconds_left(ground, number)
    demand(left >= 290, f"a new session has {left} s left")
    core = Core()
    external = core.mapped((CLIENT, 4000))
    core.wait(299)
    demand(core.lets_in((SERVER, 700), external), "the mapping was gone before five minutes were over")


@RFC.requires("REQ-6", MUST, "An outbound packet restarts the timer.")
def outbound_refresh(_: Ground) -> None:
    core = Core()
    external = core.mapped((CLIENT, 4000))
    for _again in range(3):
        core.wait(250)
        core.mapped((CLIENT, 4000))
    core.wait(250)
    demand(core.lets_in((SERVER, 700), external), "the mapping ended although its host went on sending")


@RFC.requires("REQ-6a", MAY, "An inbound packet restarts the timer.")
def inbound_refresh(_: Ground) -> None:
    core = Core()
    external = core.mapped((CLIENT, 4000))
    for _again in range(3):
        core.wait(250)
        demand(core.lets_in((SERVER, 700), external), "the mapping ended although packets went on coming")


RFC.departs(
    "REQ-7",
    MUST,
    "Internal and external addresses that overlap are avoided automatically, or translated.",
    "nfmasq assigns no internal addresses, so it cannot avoid the clash, and does not translate across it. "
    "Networks that lie in one another are no overlap: the longest prefix decides. Of one network with routes "
    "by both sides the route of the lowest metric decides: hosts there on the other side are cut off, and "
    "their packets are dropped with a reason (destination_internal, source_internal) and never leak; the "
    "status and `nfmasq doctor` name what overlaps and the remedy, to renumber one side",
)


@RFC.requires("REQ-8", RECOMMENDED, "Filtering is endpoint-independent or address-dependent.")
def filtering(ground: Ground) -> None:
    got_in = _who_gets_in(ground)
    demand(got_in == FILTERINGS["address-dependent"], f"by default, other port and other host: {got_in}")


@RFC.requires("REQ-8a", MAY, "The administrator can choose the filtering.")
def filtering_configurable(ground: Ground) -> None:
    for name, expected in FILTERINGS.items():
        with ground.config(nat={"filtering": name}):
            got_in = _who_gets_in(ground)
        demand(got_in == expected, f"{name}: another port, another host get in: {got_in}")


@RFC.requires(
    "REQ-9",
    MUST,
    "Internal hosts reach each other by external endpoints (hairpinning).",
)
def hairpinning(ground: Ground) -> None:
    here, there = (CLIENT, port()), (OTHER_CLIENT, port())
    external = hairpin.acquainted(ground, here, there)
    arrived = hairpin.across(ground, udp(here, external[1], b"there"))
    demand(arrived.destination == there, f"it came to {arrived.destination}, not to {there}")
    back = hairpin.across(ground, udp(there, arrived.source, b"and back"))
    demand(back.destination == here, f"the answer came to {back.destination}, not to {here}")


@RFC.requires(
    "REQ-9a",
    MUST,
    "What is hairpinned comes from the external endpoint of its sender.",
)
def hairpin_source(ground: Ground) -> None:
    here, there = (CLIENT, port()), (OTHER_CLIENT, port())
    external = hairpin.acquainted(ground, here, there)
    arrived = hairpin.across(ground, udp(here, external[1], b"there"))
    demand(arrived.source == external[0], f"it comes from {arrived.source}, not from {external[0]}")
    back = hairpin.across(ground, udp(there, external[0], b"and back"))
    demand(back.source == external[1], f"the answer comes from {back.source}, not from {external[1]}")


@RFC.requires("REQ-10", SHOULD, "Gateways for UDP application protocols are off.")
def no_gateways(ground: Ground) -> None:
    written = f"INVITE sip:a@b SIP/2.0\r\nContact: <sip:a@{CLIENT}:5060>\r\n\r\n".encode()
    arrived = ground.sent(udp((CLIENT, 5060), (SERVER, 5060), written))
    demand(arrived.payload == written, "the payload of a SIP message was changed")


@RFC.requires("REQ-10a", RECOMMENDED, "Each gateway can be enabled and disabled by itself.")
def each_gateway(ground: Ground) -> None:
    with ground.config():  # the reload at its end undoes it
        before = gateways.enabled(ground)
        ground.daemon.api("/v1/helpers/irc", "PUT", {"enabled": True})
        ground.daemon.api("/v1/helpers/ftp", "PUT", {"enabled": False})
        off = gateways.heard_of(ground)
        ground.daemon.api("/v1/helpers/ftp", "PUT", {"enabled": True})
        on = gateways.heard_of(ground)
        enabled = gateways.enabled(ground)
    demand(off == (CLIENT, gateways.DATA), f"disabled it wrote {off}")
    demand(on[0] == EXTERNAL, f"enabled it left {on}")
    demand(enabled == before | {"ftp": True, "irc": True}, f"on are {enabled}")


@RFC.requires("REQ-11", MUST, "Mapping and filtering never change by themselves (deterministic behaviour).")
def deterministic(_: Ground) -> None:
    core = Core(ports=((5000, 5063),))
    clients = [(IPv4Address("192.168.1.100") + number, 4000) for number in range(64)]
    mapped = {client: core.mapped(client) for client in clients}
    demand(core.out(udp((CLIENT, 1), (SERVER, 700))) is None, "with all ports taken, one more was found")
    for client, external in mapped.items():
        host = client[0]
        demand(core.mapped(client, (OTHER_SERVER, 99)) == external, "with all ports taken, a mapping changed")
        demand(core.lets_in((SERVER, 99), external, host), "with all ports taken, filtering became stricter")
        demand(not core.lets_in((HOP, 700), external, host), "with all ports taken, filtering became laxer")


@RFC.requires("REQ-12", MUST, "No ICMP message ends a mapping.")
def icmp_ends_nothing(ground: Ground) -> None:
    client = (CLIENT, port())
    before = ground.mapped(client)
    quoted = udp(before, (SERVER, 700))
    for kind, codes in ((UNREACHABLE, range(16)), (EXCEEDED, range(2)), (PROBLEM, range(1)), (4, range(1))):
        for code in codes:
            ground.into(error(SERVER, EXTERNAL, quoted, kind, code))
            demand(ground.lets_in((SERVER, 700), before), f"the mapping is gone after ICMP {kind}/{code}")
    demand(ground.mapped(client) == before, "the mapping is another one after ICMP errors")


@RFC.requires("REQ-12a", SHOULD, "ICMP errors are not filtered by their source.")
def icmp_from_anywhere(ground: Ground) -> None:
    client = (CLIENT, port())
    quoted = udp(ground.mapped(client), (SERVER, 700))
    for source in (HOP, OTHER_SERVER, PRIVATE_HOP, CLIENT + 100):  # the last one looks internal
        arrived = ground.received(error(source, EXTERNAL, quoted, EXCEEDED, 0))
        demand(arrived.quoted.source == client, f"the error quotes {arrived.quoted.source}, not {client}")


@RFC.requires("REQ-12b", RECOMMENDED, "Destination unreachable is passed on, both ways.")
def unreachable_both_ways(ground: Ground) -> None:
    client = (CLIENT, port())
    external = ground.mapped(client)
    inward = ground.received(error(SERVER, EXTERNAL, udp(external, (SERVER, 700))))
    demand(inward.icmp == (3, 3) and inward.quoted.source == client, f"inward it became {inward}")
    outward = ground.sent(error(CLIENT, SERVER, udp((SERVER, 700), client)))
    demand(outward.icmp == (3, 3) and outward.quoted.destination == external, f"outward it became {outward}")


@RFC.requires("REQ-13", MUST, "A packet too big that must not be fragmented is answered by ICMP 3/4.")
def too_big(ground: Ground) -> None:
    with fragments.narrow(ground):
        sent = udp((CLIENT, port()), (SERVER, 700), bytes(1300), fragment=DF)
        answer = ground.answered(sent, "fragmentation needed", icmp=(UNREACHABLE, TOO_BIG))
        demand(answer.quoted.source[0] == CLIENT, f"the answer quotes {answer.quoted.source[0]}")


@RFC.requires("REQ-13a", MUST, "A packet too big that may be fragmented leaves in fragments, in order.")
def fragmented(ground: Ground) -> None:
    with fragments.narrow(ground):
        parts = ground.all_out([udp((CLIENT, port()), (SERVER, 700), bytes(1400), fragment=0)], at_least=2)
    demand(len(parts) > 1, f"{len(parts)} packets left")
    offsets = [fragments.offset(part) for part in parts]
    demand(offsets == sorted(offsets), f"the fragments left in the order {offsets}")
    demand({read_source(part) for part in parts} == {EXTERNAL}, "a fragment has another source")


@RFC.requires("REQ-14", MUST, "Fragments are received in order and out of order.")
def fragments_in_any_order(ground: Ground) -> None:
    data = bytes(range(256)) * 12
    client = (CLIENT, port())
    external = ground.mapped(client)
    outward = fragments.cut(udp(client, (SERVER, 700), data, fragment=0))
    inward = fragments.cut(udp((SERVER, 700), external, data, fragment=0))
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
        arrived = fragments.through(ground, [outward[number] for number in order])
        demand(arrived == data, f"outward, in the order {order}, {len(arrived)} of {len(data)} bytes arrived")
        arrived = fragments.joined(ground.all_into([inward[number] for number in order], CLIENT, 3))
        demand(arrived == data, f"inward, in the order {order}, {len(arrived)} of {len(data)} bytes arrived")


@RFC.requires(
    "REQ-14a",
    MUST,
    "A flood of fragments stops neither whole packets nor fragments in order.",
    but="whole packets always pass; fragments need room in the kernel's store, which some 55 orphans a "
    "second keep full as long as they come and for net.ipv4.ipfrag_time (30 s) after; `nfmasq doctor` tells "
    "that rate, and by which sysctls the store (net.ipv4.ipfrag_high_thresh, 4 MB) bears more",
)
def fragment_flood(ground: Ground) -> None:
    with fragments.kept_for_a_second(ground):
        for number in range(4000):
            whole = udp((HOP, 700), (EXTERNAL, 4000), bytes(1400), fragment=0, identification=number)
            ground[HOP].send(fragments.cut(whole)[0])
        external = ground.mapped((CLIENT, port()))
        demand(ground.lets_in((SERVER, 700), external), "after the flood, a whole packet no longer comes in")
        parts = fragments.cut(udp((CLIENT, port()), (SERVER, 700), bytes(3000), fragment=0))
        wait_until(lambda: len(fragments.through(ground, parts)) == 3000, "fragments to pass again")


def read_source(packet: bytes) -> IPv4Address:
    """The source of a packet, of a later fragment too."""
    return IPv4Address(packet[12:16])


def _seconds_left(ground: Ground, client_port: int) -> int:
    rows = ground.daemon.api(f"/v1/sessions?protocol=udp&port={client_port}")["sessions"]
    mine = [row["expires_s"] for row in rows if row["internal"] == f"{CLIENT}:{client_port}"]
    if len(mine) != 1:
        raise NotMet(f"{len(mine)} sessions of one datagram are listed")
    return int(mine[0])


def _who_gets_in(way: Way) -> tuple[bool, bool]:
    """Another port of the host spoken to, another host; NotMet if even the endpoint spoken to does not."""
    external = way.mapped((CLIENT, port()), (SERVER, 700))
    demand(way.lets_in((SERVER, 700), external), "the answer does not come in")
    return way.lets_in((SERVER, 54), external), way.lets_in((OTHER_SERVER, 700), external)
