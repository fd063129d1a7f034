"""How plain values are written."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.documents import unhurried
from nfmasq.config.values import (
    LONGEST_TIMEOUT,
    count_or_auto,
    duration,
    flag,
    mark_bit,
    path,
    socket_path,
    whole,
    word,
)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("5m", 300),
        ("2h4m", 7440),
        ("60s", 60),
        ("1d", 86400),
        ("1h0m1s", 3601),
        (60, 60),
        ("365d", LONGEST_TIMEOUT),
    ],
)
def test_a_duration_comes_out_in_seconds(written: Any, seconds: int) -> None:
    assert duration(written) == seconds


@unhurried
@given(st.integers(0, 364), st.integers(0, 23), st.integers(0, 59), st.integers(1, 59))
def test_the_parts_of_a_duration_add_up(days: int, hours: int, minutes: int, seconds: int) -> None:
    written = f"{days}d{hours}h{minutes}m{seconds}s"
    assert duration(written) == days * 86400 + hours * 3600 + minutes * 60 + seconds


@pytest.mark.parametrize(
    "written",
    ["", "5", "5 m", "4m2h", "1.5h", "-5m", "5M", "m", "5m\n", "\N{ARABIC-INDIC DIGIT FIVE}m", "5m5m"],
)
def test_a_duration_of_another_form_shows_the_right_ones(written: str) -> None:
    with pytest.raises(ValueError, match='"5m", "2h4m", "60s", or 60'):
        duration(written)


@pytest.mark.parametrize("wrong", [0, -1, "0s", "366d", "999999999d", LONGEST_TIMEOUT + 1, 1 << 100])
def test_a_duration_out_of_bounds_names_them(wrong: Any) -> None:
    with pytest.raises(ValueError, match="must be 1 second to 365 days"):
        duration(wrong)


@pytest.mark.parametrize("wrong", [True, 1.5, [], {}])
def test_a_duration_of_another_type_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="must be a duration"):
        duration(wrong)


@pytest.mark.parametrize("wrong", ["yes", "true", 1, 0, None])
def test_only_true_and_false_are_switches(wrong: Any) -> None:
    with pytest.raises(ValueError, match="must be true or false"):
        flag(wrong)


@pytest.mark.parametrize(
    ("wrong", "reason"), [(True, "a whole number"), (1.0, "a whole number"), (10, "1 to 9")]
)
def test_a_number_is_whole_and_in_its_range(wrong: Any, reason: str) -> None:
    assert (whole(1, 9)(1), whole(1, 9)(9)) == (1, 9)
    with pytest.raises(ValueError, match=reason):
        whole(1, 9)(wrong)


@pytest.mark.parametrize(
    ("wrong", "right"), [("nftable", "nftables"), ("NFTABLES", "nftables"), ("nft", "nftables")]
)
def test_a_wrong_word_names_the_nearest_right_one(wrong: str, right: str) -> None:
    with pytest.raises(
        ValueError, match=f'must be one of "nftables", "none", not "{wrong}"; did you mean "{right}"'
    ):
        word("nftables", "none")(wrong)


def test_a_word_near_none_names_none() -> None:
    with pytest.raises(ValueError, match=r'not "zebra"$'):
        word("nftables", "none")("zebra")


def test_auto_is_the_only_word_a_count_takes() -> None:
    parse = count_or_auto(1, 64)
    assert (parse("auto"), parse(2)) == (None, 2)
    for wrong in ("Auto", "2", 0, 65, False):
        with pytest.raises(ValueError, match="must be"):
            parse(wrong)


@pytest.mark.parametrize("wrong", ["", "state", "./state", "/run/", "/run/a\0b", "/run/a\nb"])
def test_a_path_is_absolute_and_of_a_file(wrong: str) -> None:
    with pytest.raises(ValueError, match="is not the absolute path of a file"):
        path(wrong)


def test_a_socket_path_fits_the_kernel() -> None:
    assert socket_path("/" + "a" * 106)
    with pytest.raises(ValueError, match="108 bytes long; a unix socket's has at most 107"):
        socket_path("/" + "a" * 107)


@pytest.mark.parametrize("written", [0x80000000, "0x80000000", "0X80000000", "2147483648"])
def test_a_mark_is_one_bit_however_it_is_written(written: Any) -> None:
    assert mark_bit(written) == 0x80000000


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (0, "must be one bit of 32, such as 0x80000000, not 0x0"),
        (3, "not 0x3"),
        ("0x100000000", "not 0x100000000"),
        (-1, "not -0x1"),
        (1 << 100, "not a huge number"),
        ("0x", '"0x" is not a number'),
        ("bit 3", "is not a number"),
        (True, "must be a number such as 0x80000000, not true"),
        ([1], "must be a number such as 0x80000000, not a list"),
    ],
)
def test_what_is_not_one_bit_is_no_mark(wrong: Any, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        mark_bit(wrong)
