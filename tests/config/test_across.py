"""Values that are good alone and clash with one another."""

from ipaddress import IPv4Network
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.documents import document, reason, reasons, unhurried
from nfmasq.config import ConfigInvalid, parse
from nfmasq.config.across import MOST_NETWORKS, Span, _overlapping


def test_an_interface_is_not_internal_and_external() -> None:
    wrong = document(nat={"internal": ["lan0", "wan0"]})
    assert reason(wrong, "nat.external") == '"wan0" is in nat.internal too; an interface has one side'


def test_each_uplink_is_there_once_and_on_one_side() -> None:
    assert parse(document(nat={"external": ["wan0", "wwan0"]}))
    wrong = document(nat={"external": ["wan0", "lan0", "wan0"]})
    assert reasons(wrong) == {
        "nat.external[1]": '"lan0" is in nat.internal too; an interface has one side',
        "nat.external[2]": '"wan0" is there twice',
    }


def test_there_are_as_many_uplinks_as_the_core_holds() -> None:
    names = [f"wan{number}" for number in range(9)]
    assert parse(document(nat={"external": names[:8]}))
    assert reason(document(nat={"external": names}), "nat.external") == "9 external interfaces; at most 8"


def test_an_uplink_is_never_unguarded() -> None:
    assert parse(document(nat={"unguarded": ["docker0"]})).nat.unguarded == ["docker0"]
    told = '"wan0" is nat.external, which is always guarded; take it out here'
    assert reason(document(nat={"unguarded": ["docker0", "wan0"]}), "nat.unguarded[1]") == told


def test_pools_of_several_uplinks_name_interfaces_of_nat_external_and_do_not_overlap() -> None:
    both = ["wan0", "wwan0"]
    pools = {"wan0": ["198.51.100.7"], "wwan0": ["198.51.100.16/30"]}
    assert parse(document(nat={"external": both, "addresses": pools})).nat.pools == {
        "wan0": [IPv4Network("198.51.100.7")],
        "wwan0": [IPv4Network("198.51.100.16/30")],
    }
    wrong = document(
        nat={"external": both, "addresses": {"wan0": ["198.51.100.7"], "wwan": ["198.51.100.0/28"]}}
    )
    assert reasons(wrong) == {
        "nat.addresses.wwan": '"wwan" is not in nat.external; did you mean "wwan0"?',
        "nat.addresses.wwan[0]": (
            '"198.51.100.0/28" overlaps "198.51.100.7", nat.addresses.wan0[0]; each address once'
        ),
    }


def test_a_list_of_addresses_is_of_the_first_uplink() -> None:
    nat = {"external": ["wan0", "wwan0"], "addresses": ["198.51.100.7"]}
    assert parse(document(nat=nat)).nat.pools == {"wan0": [IPv4Network("198.51.100.7")]}


def test_a_low_port_is_in_one_key() -> None:
    assert parse(document(nat={"ports": "800-2000", "low_ports": "600-799"}))
    wrong = document(nat={"ports": "800-2000", "low_ports": "600-900"})
    assert reason(wrong, "nat.low_ports") == "800-900 is in nat.ports too; take it out of one"


def test_an_internal_interface_is_there_once() -> None:
    assert (
        reason(document(nat={"internal": ["lan0", "lan1", "lan0"]}), "nat.internal[2]")
        == '"lan0" is there twice'
    )


def test_pool_addresses_do_not_overlap() -> None:
    wrong = document(nat={"addresses": ["198.51.100.16/28", "198.51.100.7", "198.51.100.20"]})
    told = '"198.51.100.20" overlaps "198.51.100.16/28", nat.addresses[0]; each address once'
    assert reason(wrong, "nat.addresses[2]") == told


def test_a_pool_is_of_a_size_that_can_be_held() -> None:
    assert parse(document(nat={"addresses": ["10.1.0.0/24"]}))
    wrong = document(nat={"addresses": ["10.1.0.0/24", "10.2.0.0"]})
    assert reason(wrong, "nat.addresses") == "257 addresses in all; at most 256"


def test_an_exempt_destination_is_no_address_of_ours() -> None:
    assert parse(document(nat={"addresses": ["198.51.100.7"], "except": ["198.51.100.8/29", "10.8.0.0/16"]}))
    wrong = document(nat={"addresses": ["198.51.100.7"], "except": ["10.8.0.0/16", "198.51.100.0/29"]})
    told = (
        '"198.51.100.0/29" overlaps 198.51.100.7/32, nat.addresses[0]; '
        "leave the external addresses out of nat.except"
    )
    assert reason(wrong, "nat.except[1]") == told
    forward = {"external_address": "198.51.100.7", "to": "192.168.1.10"}
    wrong = document(nat={"except": ["198.51.100.0/29"]}, forward=[forward])
    assert "overlaps 198.51.100.7/32, forward[0].external_address;" in reason(wrong, "nat.except[0]")


def test_there_are_as_many_exempt_destinations_as_rules_can_bear() -> None:
    exempt = [f"10.{number}.0.0/16" for number in range(64)]
    assert len(parse(document(nat={"except": exempt})).nat.exempt) == 64
    wrong = document(nat={"except": [*exempt, "172.16.0.0/12"]})
    assert reason(wrong, "nat.except") == "65 networks; at most 64; join some of them"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("0.0.0.0/0", "holds addresses no host can have"),
        ("10.8.0.1/16", 'did you mean "10.8.0.0/16"?'),
        ("2001:db8::/32", "IPv4 only"),
        ("everybody", "is not an IPv4 address or a network"),
    ],
)
def test_an_exempt_destination_is_a_network_of_hosts(written: str, told: str) -> None:
    assert told in reason(document(nat={"except": [written]}), "nat.except[0]")


def test_a_network_is_there_once_but_may_lie_in_another() -> None:
    assert parse(document(network=[{"cidr": "10.0.0.0/8"}, {"cidr": "10.1.0.0/16"}]))
    wrong = document(network=[{"cidr": "10.0.0.0/8"}, {"cidr": "10.0.0.0/255.0.0.0"}])
    assert "has a [[network]] already, network[0]" in reason(wrong, "network[1].cidr")


def test_there_are_as_many_networks_as_the_core_holds() -> None:
    networks = [{"cidr": f"10.{number}.0.0/16"} for number in range(MOST_NETWORKS)]
    assert parse(document(network=networks))
    wrong = document(network=[*networks, {"cidr": "192.168.1.0/24"}])
    assert reason(wrong, "network") == "257 networks; at most 256"


@pytest.mark.parametrize(
    ("first", "count", "good"), [(65502, 2, True), (65503, 2, False), (65518, 1, True), (65519, 1, False)]
)
def test_the_last_queue_is_one_there_can_be(first: int, count: int, good: bool) -> None:
    tried = document(engine={"first_queue": first, "workers": count})
    if good:
        assert parse(tried).engine.workers == count
    else:
        assert "the last there can be is 65535" in reason(tried, "engine.first_queue")


def test_the_older_name_of_workers_counts_as_well_but_not_beside_the_new_one() -> None:
    assert "the last there can be" in reason(
        document(engine={"first_queue": 65504, "queues": 2}), "engine.first_queue"
    )
    both = document(engine={"workers": 2, "queues": 2})
    assert reason(both, "engine.queues") == "is the older name of engine.workers; take it out"


def test_the_first_queue_is_a_16_bit_number() -> None:
    assert (
        reason(document(engine={"first_queue": 65536}), "engine.first_queue")
        == "must be 0 to 65535, not 65536"
    )


def test_each_file_has_a_path_of_its_own() -> None:
    wrong = document(control={"socket": "/run/nfmasq/state"})
    assert "/run/nfmasq/state is engine.state too" in reason(wrong, "control.socket")
    wrong = document(engine={"forwards": "/run/nfmasq/state"})
    assert "/run/nfmasq/state is engine.state too" in reason(wrong, "engine.forwards")
    wrong = document(engine={"state": "/run/nfmasq/control.sock"})
    assert "/run/nfmasq/control.sock is control.socket too" in reason(wrong, "engine.state")


@unhurried
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5)), max_size=8))
def test_each_span_that_overlaps_a_lower_one_is_found(sizes: list[tuple[int, int]]) -> None:
    spans = [Span(first, first + more, place) for place, (first, more) in enumerate(sizes)]
    share = {(one.place, other.place) for one, other in combinations(spans, 2) if _meet(one, other)}
    found = [(one.place, other.place) for one, other in _overlapping(spans)]
    assert set(found) <= share
    lowest_first = sorted(spans)
    late = [
        span for at, span in enumerate(lowest_first) if any(_meet(span, one) for one in lowest_first[:at])
    ]
    assert len(found) == len(late)


def _meet(one: Span, other: Span) -> bool:
    return bool({*range(one.first, one.last + 1)} & {*range(other.first, other.last + 1)})


@unhurried
@given(st.lists(st.tuples(st.integers(0, 15), st.integers(28, 32)), max_size=5))
def test_a_pool_is_good_exactly_when_no_two_of_it_overlap(pieces: list[tuple[int, int]]) -> None:
    pool = [IPv4Network((f"198.51.100.{low}", length), strict=False) for low, length in pieces]
    try:
        parse(document(nat={"addresses": [str(piece) for piece in pool]}))
        good = True
    except ConfigInvalid:
        good = False
    assert good == (not any(one.overlaps(other) for one, other in combinations(pool, 2)))
