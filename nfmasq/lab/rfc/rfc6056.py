"""RFC 6056, transport-protocol port randomisation."""

from itertools import pairwise

from nfmasq.lab.packets import query
from nfmasq.lab.rfc.core import Core
from nfmasq.lab.rfc.ground import Ground
from nfmasq.lab.rfc.not_met import demand
from nfmasq.lab.rfc.requirement import SHOULD, Rfc
from nfmasq.lab.rfc.way import CLIENT, SERVER, port

RFC = Rfc(6056, "port randomisation")
BUCKETS, DRAWS = 16, 3200
FARTHEST = 80
"""How far a bucket of 200 may be off: six standard deviations, less than once in a million runs."""


def spread() -> None:
    """Ports drawn one after the other are spread evenly over the range, and do not follow one another."""
    core = Core()
    drawn = [core.mapped((CLIENT, 2000 + 2 * number))[1] for number in range(DRAWS)]
    ((first, last),) = core.policy.ports
    counts = [0] * BUCKETS
    for each in drawn:
        counts[(each - first) * BUCKETS // (last - first + 1)] += 1
    off = max(abs(count - DRAWS // BUCKETS) for count in counts)
    demand(off <= FARTHEST, f"of {DRAWS} ports, sixteenths of the range got {counts}")
    steps = [after - before for before, after in pairwise(drawn)]
    near = sum(abs(step) <= 16 for step in steps)
    demand(near < DRAWS // 50, f"{near} of {DRAWS} ports are next to the one before")


@RFC.requires("§3.2", SHOULD, "The whole range of ports is used.")
def whole_range(_: Ground) -> None:
    core = Core(ports=((5000, 5255),), ports_per_host=256)
    seen = {core.mapped((CLIENT, 4000 + number))[1] for number in range(256)}
    demand(seen == set(range(5000, 5256)), f"of 256 ports {len(seen)} were used")


@RFC.requires("§3.3", SHOULD, "Ports are chosen by an algorithm that outsiders cannot predict.")
def unpredictable(_: Ground) -> None:
    spread()
    pair = [[core.mapped((CLIENT, 4000 + each)) for each in range(20)] for core in (Core(), Core())]
    demand(pair[0] != pair[1], "two routers draw the same ports")


@RFC.requires("§4", SHOULD, "A NAPT chooses at random whenever it changes a port, or an ICMP identifier.")
def nat_obfuscates(ground: Ground) -> None:
    number = port()
    ports = [ground.mapped((CLIENT, number + 2 * each))[1] for each in range(20)]
    demand(sorted(ports) != ports and sorted(ports, reverse=True) != ports, f"the ports are {ports}")
    named = [ground.sent(query((CLIENT, number + 2 * each), (SERVER, 0))).source[1] for each in range(20)]
    demand(sorted(named) != named and sorted(named, reverse=True) != named, f"the identifiers are {named}")
