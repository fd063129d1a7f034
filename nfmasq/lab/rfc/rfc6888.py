"""RFC 6888, common requirements for carrier-grade NATs."""

from nfmasq.core.policy import Filtering
from nfmasq.lab.packets import HOST, SYN, UNREACHABLE, query, tcp, udp
from nfmasq.lab.rfc import rfc4787
from nfmasq.lab.rfc.core import Core, behaving
from nfmasq.lab.rfc.ground import Ground
from nfmasq.lab.rfc.not_met import demand
from nfmasq.lab.rfc.requirement import MAY, MUST, RECOMMENDED, SHOULD, Rfc
from nfmasq.lab.rfc.rfc6056 import spread
from nfmasq.lab.rfc.way import CLIENT, EXTERNAL, HOP, OTHER_CLIENT, OTHER_SERVER, SERVER, port

RFC = Rfc(6888, "carrier-grade NAT")
HOLD_DOWN_S = 120

RFC.departs(
    "REQ-1",
    MUST,
    "Every transport that is forwarded is treated as its own RFC asks.",
    "UDP, TCP and ICMP are, see there; DCCP passes like other portless protocols, without RFC 5597",
)


@RFC.requires("REQ-2", MUST, "Pooling is paired by default.")
def paired(ground: Ground) -> None:
    rfc4787.paired_pooling(ground)


RFC.departs(
    "REQ-2-other",
    MAY,
    "Pooling can be other than paired for some applications.",
    "pooling is always paired: a host never appears as two addresses to anybody",
)


@RFC.requires("REQ-3", MUST, "A pool may consist of addresses that are not contiguous.")
def pool_of_parts(_: Ground) -> None:
    pool = rfc4787.POOL
    core = Core(external=pool)
    used = {core.mapped((CLIENT + number, 4000))[0] for number in range(150)}
    demand(used == set(pool), f"of {len(pool)} addresses {len(used)} are used")


@RFC.requires("REQ-4", MUST, "External ports and identifiers are limited by subscriber.")
def ports_limited(_: Ground) -> None:
    core = Core(ports=((5000, 5099),), share_ports=False)
    begun = sum(core.out(udp((CLIENT, 4000 + each), (SERVER, 700))) is not None for each in range(100))
    demand(80 <= begun <= 90, f"by default, one host has {begun} of a hundred ports")
    core = Core(ports_per_host=5)
    for number in range(5):
        core.mapped((CLIENT, 4000 + number))
    demand(core.out(udp((CLIENT, 5000), (SERVER, 700))) is None, "a host got one port more than it may")
    demand(core.out(query((CLIENT, 7), (SERVER, 0))) is None, "a host got an identifier more than it may")
    demand(core.out(udp((CLIENT, 4000), (OTHER_SERVER, 700))), "a port the host has does not work any more")
    demand(core.out(udp((OTHER_CLIENT, 4000), (SERVER, 700))), "another host is refused, too")


@RFC.requires("REQ-4A", MUST, "The administrator sets the limits by subscriber.")
def limit_configurable(ground: Ground) -> None:
    ground.mapped((CLIENT, port()))
    with ground.config(limits={"ports_per_host": 1}):
        demand(ground.out(udp((CLIENT, port()), (SERVER, 700))) is None, "the limit has no effect")
    demand(ground.out(udp((CLIENT, port()), (SERVER, 700))), "without the limit, the host is still refused")


RFC.departs("REQ-4B", MAY, "Limits by transport protocol.", "ports_per_host counts all protocols together")


@RFC.requires("REQ-4C", RECOMMENDED, "The rate of new mappings is limited by subscriber.")
def rate_limited(_: Ground) -> None:
    core = Core(new_per_second_per_host=10)
    passed = [core.out(udp((CLIENT, 4000 + number), (SERVER, 700))) for number in range(30)]
    begun = sum(packet is not None for packet in passed)
    demand(begun <= 10, f"{begun} sessions began within a second")
    demand(core.out(udp((OTHER_CLIENT, 4000), (SERVER, 700))), "another host is refused, too")
    core.wait(2)
    demand(core.out(udp((CLIENT, 6000), (SERVER, 700))), "two seconds later, the host is still refused")


@RFC.requires("REQ-5", SHOULD, "The memory for state is limited by subscriber.")
def state_limited(ground: Ground) -> None:
    number = port()
    ground.mapped((CLIENT, number))
    with ground.config(limits={"sessions_per_host": 1}):
        demand(ground.out(udp((CLIENT, number), (SERVER, 9999))) is None, "the limit has no effect")
    core = Core(sessions_per_host=5)
    for each in range(5):
        core.mapped((CLIENT, 4000), (SERVER, 53 + each))
    demand(core.out(udp((CLIENT, 4000), (SERVER, 99))) is None, "a mapping got one session more than it may")


@RFC.requires(
    "REQ-6",
    MUST,
    "Translation can be disabled for given destinations.",
    but="by the destination's address (nat.except), not by its port",
)
def not_translated(ground: Ground) -> None:
    number = port()
    with ground.config(nat={"except": [f"{SERVER}/32"]}):
        seen = ground.sent(udp((CLIENT, number), (SERVER, 700))).source
        demand(seen == (CLIENT, number), f"the exempt destination sees {seen}")
        seen = ground.received(tcp((SERVER, 4000), (CLIENT, 80), SYN, 5000)).source
        demand(seen == (SERVER, 4000), f"a connection it opens comes from {seen}")
        demand(ground.into(udp((HOP, 700), (CLIENT, number))) is None, "others reach an internal address")
        seen = ground.mapped((CLIENT, number), (OTHER_SERVER, 700))
        demand(seen[0] == EXTERNAL, f"other destinations see {seen}")
        leaks = ground.sentinel.take()
        elsewhere = [leak for leak in leaks if leak.rpartition(" ")[2][32:40] != SERVER.packed.hex()]
        demand(not elsewhere, f"elsewhere an internal address was seen: {elsewhere}")
    seen = ground.mapped((CLIENT, number))
    demand(seen[0] == EXTERNAL, f"what is exempt no longer sees {seen}")


@RFC.requires(
    "REQ-7",
    RECOMMENDED,
    "Filtering is endpoint-independent, or address-dependent where that breaks nothing.",
    but="address-dependent is the default; endpoint-independent is one line of configuration",
)
def filtering(ground: Ground) -> None:
    with ground.config(nat={"filtering": "endpoint-independent"}):
        external = ground.mapped((CLIENT, port()))
        demand(ground.lets_in((OTHER_SERVER, 99), external), "endpoint-independent filtering lets none in")


@RFC.requires("REQ-8", SHOULD, "A port that was let go is not given out again for 120 seconds.")
def held_down(_: Ground) -> None:
    core = Core(ports=((5000, 5000),), behaviours=behaving(filtering=Filtering.ENDPOINT_INDEPENDENT))
    core.mapped((CLIENT, 4000))
    core.wait(301)
    demand(not core.table.mappings(), "the mapping did not end")
    core.wait(HOLD_DOWN_S - 2)
    demand(core.out(udp((OTHER_CLIENT, 4000), (SERVER, 700))) is None, "the port was given out at once")
    core.wait(3)
    demand(core.out(udp((OTHER_CLIENT, 4000), (SERVER, 700))), "the port is not given out any more")


@RFC.requires("REQ-8A", MAY, "TCP's ports may be given out again at once, for TCP is tracked.")
def tcp_not_held(_: Ground) -> None:
    core = Core(ports=((5000, 5000),))
    core.open((CLIENT, 4000)).close()
    core.wait(241)
    demand(core.open((OTHER_CLIENT, 4000)).works(), "a port of TCP's does not work again")


RFC.excludes(
    "REQ-8B",
    MAY,
    "Ports assigned to a host for good may be given out again at once.",
    "a forward's ports are its host's alone, and never given out",
)


@RFC.requires("REQ-8C", MAY, "Ports with filtering by address may be given out again at once.")
def filtered_not_held(_: Ground) -> None:
    core = Core(ports=((5000, 5000),))
    core.mapped((CLIENT, 4000))
    core.wait(301)
    demand(core.out(udp((OTHER_CLIENT, 4000), (SERVER, 700))), "the port is held, though filtering guards it")


RFC.departs(
    "REQ-9",
    MUST,
    "Subscribers control their mappings by a protocol, which should be PCP.",
    "mappings are the administrator's ([[forward]], nfmasq forwards); PCP is not built",
)


@RFC.requires(
    "REQ-10",
    SHOULD,
    "The equipment is manageable, by a standard MIB.",
    but="by Prometheus metrics and a JSON API, not by a MIB",
)
def manageable(ground: Ground) -> None:
    before = ground.daemon.metrics()['nfmasq_sessions_created_total{protocol="udp"}']
    ground.mapped((CLIENT, port()))
    after = ground.daemon.metrics()['nfmasq_sessions_created_total{protocol="udp"}']
    demand(after == before + 1, f"the metrics count {after - before} new sessions, not 1")
    demand(ground.daemon.api("/v1/status"), "the control API has no status")


@RFC.requires("REQ-11A", MUST, "A packet for which no mapping can be made is dropped.")
def refused(ground: Ground) -> None:
    ground.mapped((CLIENT, port()))
    with ground.config(limits={"sessions_per_host": 1}):
        demand(ground.out(udp((CLIENT, port()), (SERVER, 700))) is None, "it goes out")


@RFC.requires(
    "REQ-11B",
    SHOULD,
    "Its sender gets ICMP 3/1.",
    but="it gets 3/1 when the router has no port or no room left; when a limit of its own refuses it, "
    "it gets 3/13, as RFC 5508 REQ-8 asks",
)
def refusal_told(ground: Ground) -> None:
    with ground.config(nat={"ports": "31990-31991"}):
        for _ in range(2):
            ground.out(udp((CLIENT, port()), (SERVER, 700)))
        number = port()
        told = ground.answered(udp((CLIENT, number), (SERVER, 700)), "ICMP 3/1", icmp=(UNREACHABLE, HOST))
    demand(told.quoted.source == (CLIENT, number), f"it quotes {told.quoted.source}")


@RFC.requires(
    "REQ-11C",
    SHOULD,
    "A management system is notified.",
    but="it is counted, with its reason, for whoever reads the metrics; no trap is sent",
)
def refusal_counted(ground: Ground) -> None:
    series = 'nfmasq_dropped_packets_total{reason="host_sessions_full"}'
    before = ground.daemon.metrics()[series]
    with ground.config(limits={"sessions_per_host": 1}):
        ground.out(udp((CLIENT, port()), (SERVER, 700)))
    demand(ground.daemon.metrics()[series] == before + 1, "the metrics do not count the refusal")


@RFC.requires(
    "REQ-11D",
    MUST,
    "No mapping is ended to make room for another.",
    but="when room is short, a session that nobody has answered, or that is over, gives way: spoofed sources "
    "would keep everybody out",
)
def nothing_evicted(_: Ground) -> None:
    core = Core(sessions=20)
    mapped = {number: core.mapped((CLIENT + number, 4000 + number)) for number in range(20)}
    for number, external in mapped.items():
        demand(core.lets_in((SERVER, 700), external, CLIENT + number), "it is not answered")
    core.wait(100)
    for number in range(100):
        demand(core.out(udp((OTHER_CLIENT, 5000 + number), (SERVER, 700))) is None, "one more was let out")
    gone = [
        number
        for number, external in mapped.items()
        if core.mapped((CLIENT + number, 4000 + number)) != external
    ]
    demand(not gone, f"{len(gone)} of 20 mappings gave way")


@RFC.requires("REQ-12", SHOULD, "Destinations are not logged.")
def destinations_not_logged(ground: Ground) -> None:
    ground.open((CLIENT, port())).close()
    ground.mapped((CLIENT, port()), (OTHER_SERVER, 700))
    logged = [address for address in (SERVER, OTHER_SERVER) if str(address) in ground.daemon.log]
    demand(not logged, f"the log names {logged}")


@RFC.requires("REQ-13", SHOULD, "As many ports as possible are used.")
def all_ports_used(_: Ground) -> None:
    core = Core(ports=((5000, 5099),), ports_per_host=100)
    seen = {core.mapped((CLIENT, 2 * number + 2000))[1] for number in range(100)}
    demand(len(seen) == 100, f"of 100 ports {len(seen)} are used by a hundred even ones")


@RFC.requires("REQ-14", SHOULD, "Little is logged.")
def little_logged(ground: Ground) -> None:
    before = len(ground.daemon.log)
    for _ in range(100):
        ground.mapped((CLIENT, port()))
    demand(len(ground.daemon.log) == before, "mappings are written to the log")


@RFC.requires("REQ-15", SHOULD, "Ports are hard to guess.")
def hard_to_guess(_: Ground) -> None:
    spread()
