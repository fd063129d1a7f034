"""[[forward]]: its forms, what may stand together, and the same judgement for one that is added later."""

from ipaddress import IPv4Address
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.documents import document, reason, reasons, unhurried
from nfmasq.config import ConfigInvalid, Forward, PortRange, Target, added_forward, parse
from nfmasq.config.claims import Claim, crossing
from nfmasq.core.limits import MOST_FORWARD_TARGETS, MOST_FORWARDS

HOST, OTHER_HOST = "192.168.1.10", "192.168.1.11"
EXTERNAL, OTHER_EXTERNAL = "198.51.100.7", "198.51.100.8"


def web(ports: str | int = 80, **keys: Any) -> dict[str, Any]:
    """TCP ports led to HOST."""
    return {"protocol": "tcp", "external_port": ports, "to": HOST, **keys}


def forwards(*tables: dict[str, Any]) -> list[Forward]:
    """These tables in a file."""
    return parse(document(forward=list(tables))).forward


@pytest.mark.parametrize(
    ("table", "identity"),
    [
        (web(8080, to=f"{HOST}:80"), "tcp-8080"),
        (web("8000-8009", to=f"{HOST}:9000-9009"), "tcp-8000-8009"),
        (web("8000-8009", to=f"{HOST}:80"), "tcp-8000-8009"),
        (web("8000-8009"), "tcp-8000-8009"),
        (web(27015, protocol="tcp+udp"), "tcp+udp-27015"),
        (web(80, to=[f"{HOST}:80", f"{OTHER_HOST}:8080"]), "tcp-80"),
        (web(80, external_address=EXTERNAL), f"{EXTERNAL}-tcp-80"),
        ({"external_address": EXTERNAL, "to": HOST}, f"{EXTERNAL}-any"),
        ({"protocol": "any", "external_address": EXTERNAL, "to": [HOST, OTHER_HOST]}, f"{EXTERNAL}-any"),
        ({"to": HOST}, "any"),
        ({"protocol": "udp", "to": HOST}, "udp"),
        ({"protocol": "gre", "to": HOST}, "gre"),
        ({"protocol": 47, "to": HOST}, "gre"),
        ({"protocol": "89", "to": HOST}, "89"),
        ({"protocol": "icmp", "external_address": EXTERNAL, "to": HOST}, f"{EXTERNAL}-icmp"),
    ],
)
def test_each_form_of_a_forward_is_taken_and_can_be_written_again(
    table: dict[str, Any], identity: str
) -> None:
    (forward,) = forwards(table)
    assert forward.id == identity
    assert added_forward(table) == forward
    assert forwards(forward.written()) == [forward]


def test_what_is_left_out_of_a_forward_means_all() -> None:
    (forward,) = forwards({"to": HOST})
    assert (forward.protocol, forward.external_port, forward.external_address) == ("any", None, None)
    assert forward.to == [Target(IPv4Address(HOST), None)]


@pytest.mark.parametrize(
    ("table", "key", "told"),
    [
        (
            {"external_port": 80, "to": HOST},
            "protocol",
            'is missing; external_port needs "tcp" or "udp" or "tcp+udp"',
        ),
        (
            web(protocol="any"),
            "protocol",
            '"any" has no ports; write "tcp" or "udp" or "tcp+udp", or leave external_port out',
        ),
        (web(protocol="gre"), "external_port", "gre is not forwarded by port; leave external_port out"),
        (web(protocol="tpc"), "protocol", 'no such protocol: "tpc"; did you mean "tcp"?'),
        (web(protocol="xyz"), "protocol", 'no such protocol: "xyz"; there are "tcp", "udp"'),
        (web(protocol=256), "protocol", "must be 1 to 255, not 256"),
        (web(protocol=0), "protocol", 'must be 1 to 255, not 0; for all of them write "any"'),
        (web(protocol=True), "protocol", 'must be one of "tcp", "udp", "tcp+udp"'),
        ({"to": f"{HOST}:80"}, "to", "all are forwarded; give protocol and external_port, or write"),
        (
            {"protocol": "tcp", "to": f"{HOST}:80"},
            "to",
            f'"{HOST}:80" has a port, but all are forwarded; give external_port, or write "{HOST}"',
        ),
        (web(to=[HOST, OTHER_HOST, HOST]), "to[2]", f"{HOST} is there twice"),
        (web("80-89", to=f"{HOST}:80-88"), "to", "9 ports for 10 external; give one port, or as many"),
        (web("80-89", to=[f"{HOST}:80-90"]), "to[0]", "11 ports for 10 external; give one port, or as many"),
        (web(to=[]), "to", "must not be empty; for instance to ="),
        (web(external_address="198.51.100.0/24"), "external_address", "is a network; write one address"),
        (web(external_address=HOST), "to", f"{HOST} is an external address; name the internal host's own"),
        (web(extrnal_port=1), "extrnal_port", 'unknown key; did you mean "external_port"?'),
        ({}, "to", 'is missing; for instance to = "192.168.1.10:80"'),
    ],
)
def test_keys_that_do_not_fit_are_told_in_the_file_and_when_added(
    table: dict[str, Any], key: str, told: str
) -> None:
    in_file = reason(document(forward=[table]), f"forward[0].{key}")
    assert told in in_file
    with pytest.raises(ConfigInvalid) as caught:
        added_forward(table)
    (error,) = caught.value.errors
    assert (error.key, error.reason) == (key, in_file)


@pytest.mark.parametrize(
    "tables",
    [
        [web(80), web(80, protocol="udp"), web("81-89")],
        [web("1-100"), web(80), web("80-89"), web("50-90")],
        [web(80), web(80, external_address=EXTERNAL), web(80, external_address=OTHER_EXTERNAL)],
        [{"to": HOST}, {"protocol": "tcp", "to": OTHER_HOST}, {"protocol": "gre", "to": HOST}, web(80)],
        [{"external_address": EXTERNAL, "to": HOST}, {"to": HOST}, web(80, external_address=EXTERNAL)],
        [{"external_address": EXTERNAL, "to": HOST}, {"external_address": OTHER_EXTERNAL, "to": OTHER_HOST}],
        [web("80-89"), web("80-88"), web("82-89")][:2],
    ],
)
def test_a_more_specific_forward_may_stand_beside_another(tables: list[dict[str, Any]]) -> None:
    made = forwards(*tables)
    assert len({forward.id for forward in made}) == len(tables)


@pytest.mark.parametrize(
    ("one", "other", "key", "told"),
    [
        (web(80), web(80), "external_port", "tcp 80 is forwarded already, by {}; take one out"),
        (
            web("80-89"),
            web("85-99"),
            "external_port",
            "tcp 85-89 is forwarded already, by {}; take what they share out of one",
        ),
        (
            web(80),
            web(80, protocol="tcp+udp"),
            "external_port",
            "tcp 80 is forwarded already, by {}; take one out",
        ),
        (
            {"to": HOST},
            {"to": OTHER_HOST},
            "protocol",
            "everything is forwarded already, by {}; take one out",
        ),
        (
            {"external_address": EXTERNAL, "to": HOST},
            {"external_address": EXTERNAL, "to": OTHER_HOST},
            "external_address",
            f"{EXTERNAL} everything is forwarded already, by {{}}; take one out",
        ),
        (
            {"external_address": EXTERNAL, "to": HOST},
            {"external_address": OTHER_EXTERNAL, "to": HOST},
            "to",
            f"{HOST} has {EXTERNAL} of its own already, by {{}}; give protocol, or lead both elsewhere",
        ),
        (
            web(80, external_address=EXTERNAL),
            web(81, to=EXTERNAL),
            "to",
            f"{EXTERNAL} is an external address; name the internal host's own",
        ),
        (
            web(80, to=OTHER_EXTERNAL),
            web(81, external_address=OTHER_EXTERNAL),
            "external_address",
            f"{OTHER_EXTERNAL} is a host that {{}} leads to; it cannot be external",
        ),
    ],
)
def test_forwards_that_clash_are_told_in_the_file_and_when_added(
    one: dict[str, Any], other: dict[str, Any], key: str, told: str
) -> None:
    assert reason(document(forward=[one, other]), f"forward[1].{key}") == told.format("forward[0]")
    first = added_forward(one)
    with pytest.raises(ConfigInvalid) as caught:
        added_forward(other, [first])
    (error,) = caught.value.errors
    assert (error.key, error.reason) == (key, told.format(first.id))


def test_a_forward_that_is_wrong_by_itself_still_clashes_by_what_is_right() -> None:
    errors = reasons(document(forward=[web(80, to="x"), web(80)]))
    assert set(errors) == {"forward[0].to", "forward[1].external_port"}


def test_with_a_pool_a_forward_may_name_any_address_and_targets_are_none_of_the_pool() -> None:
    """An address outside the pool may be the interface's own; the status says so while it is not there."""
    pool = {"addresses": [EXTERNAL, "198.51.100.16/30"]}
    for address in ("198.51.100.18", OTHER_EXTERNAL):
        assert parse(document(nat=pool, forward=[web(80, external_address=address)]))
    wrong = document(nat=pool, forward=[web(80, to="198.51.100.17:80")])
    assert "198.51.100.17 is an external address" in reason(wrong, "forward[0].to")
    assert added_forward(
        web(80, external_address=OTHER_EXTERNAL), [], parse(document(nat=pool)).nat.addresses
    )


def test_there_are_as_many_forwards_as_the_core_holds() -> None:
    many = [web(port) for port in range(1, MOST_FORWARDS + 1)]
    made = forwards(*many)
    assert len(made) == MOST_FORWARDS
    told = f"{MOST_FORWARDS + 1} forwards in all, tcp+udp counted twice; at most {MOST_FORWARDS}"
    assert reason(document(forward=[*many, web(5000)]), "forward") == told
    with pytest.raises(ConfigInvalid, match="1025 forwards in all"):
        added_forward(web(5000), made)
    half = [web(port, protocol="tcp+udp") for port in range(1, MOST_FORWARDS // 2 + 1)]
    assert reason(document(forward=[*half, web(5000)]), "forward") == told


def test_there_are_as_many_targets_as_the_core_holds() -> None:
    hosts = [f"10.0.{number >> 8}.{number & 255}" for number in range(MOST_FORWARD_TARGETS)]
    assert forwards(web(80, to=hosts))
    told = f"{MOST_FORWARD_TARGETS + 1} targets in all, tcp+udp counted twice; at most {MOST_FORWARD_TARGETS}"
    assert reason(document(forward=[web(80, to=hosts), web(81)]), "forward") == told


ranges = st.tuples(st.integers(1, 12), st.integers(0, 6)).map(lambda each: PortRange(each[0], sum(each)))


@unhurried
@given(st.lists(ranges, max_size=7))
def test_forwards_clash_exactly_when_two_are_alike_or_overlap_in_part(ports: list[PortRange]) -> None:
    claims = [Claim(None, 6, each, place) for place, each in enumerate(ports)]
    wrong = {(one.place, other.place) for one, other in combinations(claims, 2) if _clash(one, other)}
    found = {(one.place, other.place) for one, other in crossing(claims)}
    assert found <= wrong
    assert bool(found) == bool(wrong)


def _clash(one: Claim, other: Claim) -> bool:
    mine, theirs = (set(range(each.ports.first, each.ports.last + 1)) for each in (one, other))
    return mine == theirs or (bool(mine & theirs) and not mine < theirs and not theirs < mine)
