"""Errors name the key as it is written in the file, and the mend."""

from typing import Any

import pytest

from config.documents import document, reason, reasons


def test_a_wrong_key_names_the_nearest_right_one() -> None:
    assert (
        reason(document(nat={"hairpining": True}), "nat.hairpining")
        == 'unknown key; did you mean "hairpinning"?'
    )
    assert reason(document(timeout={}), "timeout") == 'unknown key; did you mean "timeouts"?'
    assert reason(document(engine={"worker": 1}), "engine.worker") == 'unknown key; did you mean "workers"?'


@pytest.mark.parametrize(
    ("wrong", "key", "right"),
    [
        ({"nat": {"udp": {"filtring": "x"}}}, "nat.udp.filtring", "filtering"),
        ({"helpers": {"irc": {"enabled": True, "prots": []}}}, "helpers.irc.prots", "ports"),
        ({"network": [{"cidr": "10.0.0.0/8", "maping": "x"}]}, "network[0].maping", "mapping"),
        ({"timeouts": {"tcp-established": 1}}, "timeouts.tcp-established", "tcp_established"),
        ({"engine": {"Workers": 1}}, "engine.Workers", "workers"),
    ],
)
def test_a_wrong_key_is_found_in_every_table(wrong: dict[str, Any], key: str, right: str) -> None:
    assert reason(document(**wrong), key) == f'unknown key; did you mean "{right}"?'


def test_a_key_in_the_wrong_table_names_the_right_one() -> None:
    assert reason(document(workers=2), "workers") == "unknown key here; it belongs in [engine]"
    assert (
        reason(document(limits={"cidr": 2}), "limits.cidr") == "unknown key here; it belongs in [[network]]"
    )


def test_a_key_near_no_other_gets_a_list_of_all() -> None:
    assert reason(document(metrics={"zzz": 2}), "metrics.zzz") == "unknown key; there are: listen, hosts"


def test_the_names_inside_the_program_are_not_keys() -> None:
    assert set(reasons(document(engine={"written_workers": 1}, written_helpers={}))) == {
        "engine.written_workers",
        "written_helpers",
    }


@pytest.mark.parametrize(
    ("wrong", "key", "expected"),
    [
        (
            {"forward": {"protocol": "tcp"}},
            "forward",
            "must be written as [[forward]], once for each, not as a table",
        ),
        ({"network": [5]}, "network[0]", "must be a table, written as [[network]], not 5"),
        ({"limits": []}, "limits", "must be a table, written as [limits], not a list"),
        ({"nat": {"udp": True}}, "nat.udp", "must be a table, written as [nat.udp], not true"),
        ({"helpers": 5}, "helpers", "must be a table, written as [helpers], not 5"),
    ],
)
def test_a_table_written_in_another_way_shows_the_right_one(
    wrong: dict[str, Any], key: str, expected: str
) -> None:
    assert reason(document(**wrong), key) == expected


def test_a_helper_that_is_neither_switch_nor_table_shows_both() -> None:
    assert reason(document(helpers={"ftp": "on"}), "helpers.ftp").startswith(
        "must be true, false or a table such as"
    )
    assert (
        reason(document(helpers={"irc": {}}), "helpers.irc.enabled")
        == "is missing; for instance enabled = true"
    )


def test_an_item_of_a_list_is_named_by_its_place_and_a_value_alone_is_not() -> None:
    forward = {"protocol": "tcp", "external_port": 80}
    assert list(reasons(document(forward=[{**forward, "to": "x"}]))) == ["forward[0].to"]
    assert list(reasons(document(forward=[{**forward, "to": ["192.168.1.10:80", "x"]}]))) == [
        "forward[0].to[1]"
    ]


def test_every_error_is_told_at_once_those_across_keys_too() -> None:
    wrong = document(
        nat={
            "internal": ["lan0", "wan0", "a" * 16],
            "addresses": ["1.2.3.4", "1.2.3.4", 5],
            "ports": "9-1",
            "x": 1,
        },
        forward=[
            {"protocol": "tcp", "external_port": 80, "to": "x"},
            {"protocol": "tcp", "external_port": 80, "to": "192.168.1.10:80"},
        ],
        engine={"workers": 2, "first_queue": 65535, "diversion": "nftable"},
    )
    assert set(reasons(wrong)) == {
        "nat.internal[2]",
        "nat.external",
        "nat.addresses[1]",
        "nat.addresses[2]",
        "nat.ports",
        "nat.x",
        "forward[0].to",
        "forward[1].external_port",
        "engine.first_queue",
        "engine.diversion",
    }


def test_a_message_stays_on_one_short_line_whatever_the_file_says() -> None:
    wrong = document(nat={"mapping": "a\nb\x1b[31m" + "c" * 1000}, **{"k\ny": 1, "z" * 1000: 2})
    for key, why in reasons(wrong).items():
        assert f"{key}{why}".isprintable()
        assert len(key) + len(why) < 400
