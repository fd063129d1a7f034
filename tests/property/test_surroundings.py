"""For any routes: what is inside, and which source a packet gets, is as the kernel says by `ip route get`."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.roads import INSIDE, OUTSIDE, contents, four_sides, routes_got, try_ip

from nfmasq.lab.namespace import Namespace
from nfmasq.machine.mirror import Mirror
from nfmasq.machine.surroundings import Derived, Surroundings, derive

pytestmark = pytest.mark.root

WANTED: Any = SimpleNamespace(
    internal=INSIDE,
    external=OUTSIDE,
    pools={},
    translate=[(IPv4Network("0.0.0.0/0"), True)],
    unguarded=(),
)
OWN = {"wan0": ("203.0.113.2", "198.18.0.2", "198.18.64.3"), "wan1": ("198.51.100.2", "198.19.0.2")}
GATEWAYS = {
    "lan0": ("192.168.1.2",),
    "lan1": ("192.168.2.2",),
    "wan0": ("203.0.113.1", "198.18.0.1", "198.18.64.1", "8.8.8.8"),
    "wan1": ("198.51.100.1", "198.19.0.1"),
}
DEAD_ENDS = ("blackhole", "unreachable", "prohibit", "throw")


@st.composite
def networks(draw: st.DrawFn) -> IPv4Network:
    """Networks that often lie in each other."""
    length = draw(st.sampled_from((6, 8, 9, 12, 16, 17, 23, 24, 25, 30, 32)))
    address = draw(st.sampled_from(("10.0.0.0", "10.128.0.0", "10.0.1.0", "10.0.1.129", "172.16.5.5",
                                    "192.168.1.77", "203.0.113.200", "8.0.0.0")))  # fmt: skip
    return IPv4Network((address, length), strict=False)


@st.composite
def ways(draw: st.DrawFn) -> str:
    device = draw(st.sampled_from(tuple(GATEWAYS)))
    gateway = draw(st.sampled_from(("", *GATEWAYS[device])))
    source = draw(st.sampled_from(("", "", *OWN.get(device, ()))))
    via = f"via {gateway} dev {device} onlink" if gateway else f"dev {device}"
    return via + (f" src {source}" if source else "")


@st.composite
def routes(draw: st.DrawFn) -> str:
    network = draw(networks())
    metric = draw(st.sampled_from(("", "", " metric 7", " metric 9")))
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return f"{draw(st.sampled_from(DEAD_ENDS))} {network}{metric}"
    if kind == 1:
        side = draw(st.sampled_from((INSIDE, OUTSIDE)))
        hops = " ".join(f"nexthop via {GATEWAYS[each][0]} dev {each}" for each in side)
        return f"{network}{metric} {hops}"
    if kind == 2:
        return f"{network}{metric} nhid {draw(st.integers(1, 5))}"
    return f"{network}{metric} {draw(ways())}"


changes = st.lists(
    st.one_of(
        st.builds("route {} {}".format, st.sampled_from(("add", "append", "replace", "del")), routes()),
        st.sampled_from(
            (
                "link set lan1 down",
                "link set lan1 up",
                "link set wan1 down",
                "link set wan1 up",
                "address del 198.18.64.3/18 dev wan0",
                "address add 198.18.64.3/18 dev wan0",
                "nexthop replace id 1 via 192.168.2.2 dev lan1",
                "nexthop del id 2",
            )
        ),
    ),
    max_size=10,
)


@pytest.fixture(scope="module")
def router(as_root: None) -> Iterator[Namespace]:
    with four_sides() as made:
        yield made


def _reset(router: Namespace) -> None:
    commands = ["route flush table main", "nexthop flush"]
    for device, (address, *_) in {"lan0": ("192.168.1.1",), "lan1": ("192.168.2.1",), **OWN}.items():
        commands += [f"address flush dev {device}", f"link set {device} up",
                     f"address add {address}/24 dev {device}"]  # fmt: skip
    commands += [
        "address add 198.18.0.2/18 dev wan0",
        "address add 198.18.64.3/18 dev wan0",
        "address add 198.19.0.2/24 dev wan1",
        "route add default via 203.0.113.1 dev wan0",
        "nexthop add id 1 via 192.168.1.2 dev lan0",
        "nexthop add id 2 via 198.18.0.1 dev wan0",
        "nexthop add id 3 blackhole",
        "nexthop add id 4 group 1",
        "nexthop add id 5 via 198.51.100.1 dev wan1",
    ]
    try_ip(router, commands)


def _source(surroundings: Surroundings, device: str, destination: IPv4Address) -> str:
    for outside in surroundings.outsides:
        if outside.name == device:
            return next((str(each.address) for each in outside.sources if destination in each.network), "")
    return ""


def _compare(router: Namespace, derived: Derived, destinations: set[IPv4Address]) -> None:
    surroundings = derived.surroundings
    inside = (*surroundings.internal, *surroundings.untranslated)
    for written, got in routes_got(router, sorted(map(str, destinations))).items():
        destination = IPv4Address(written)
        if got.get("type", "unicast") != "unicast":  # one of ours, or a broadcast
            continue
        is_inside = any(destination in network for network in inside)
        assert is_inside == (got["dev"] in INSIDE), (written, got)
        if got["dev"] in OUTSIDE:
            assert _source(surroundings, got["dev"], destination) == got["prefsrc"], (written, got)


@given(
    first=st.lists(routes(), max_size=12),
    then=changes,
    spread=st.sets(st.integers(0, 0xFFFFFF), max_size=8),
)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_inside_and_the_source_are_as_the_kernel_says(
    router: Namespace, first: list[str], then: list[str], spread: set[int]
) -> None:
    _reset(router)
    try_ip(router, [f"route append {route}" for route in first])
    with router.call(Mirror) as mirror:
        derived = derive(WANTED, mirror)
        destinations = {IPv4Address((10 << 24) + each) for each in spread}
        for key in mirror.routes.ways:
            network = IPv4Network((key >> 6, key & 63))
            destinations |= (
                {network[0] + 1, network[-1], network[-1] + 1, network[0], network[0] - 1}
                if (network.prefixlen)
                else set()
            )
        _compare(router, derived, destinations)
        for change in then:
            try_ip(router, [change])
            seen = mirror.follow()
            derived = derived.after(mirror, seen)
            assert derived.surroundings == derive(WANTED, mirror).surroundings, (change, seen)
        with router.call(Mirror) as fresh:
            assert contents(mirror) == contents(fresh)
        _compare(router, derived, destinations)
