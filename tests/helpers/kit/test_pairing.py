"""Replies find their requests, by number and by order, in a bounded room."""

from typing import ClassVar

from nfmasq.helpers.kit.pairing import ByNumber, InOrder


def test_a_number_is_repeated() -> None:
    waiting: ByNumber[str] = ByNumber()
    for number in (b"1", b"2", b"3"):
        waiting.add(number, number.decode())
    assert waiting.awaits(b"2") == "2"
    assert waiting.answered(b"2") == "2"
    assert waiting.answered(b"2") is None
    assert waiting.awaits(b"") == waiting.answered(b"") == "1"
    assert list(waiting) == ["3"]


def test_an_empty_one_answers_nothing() -> None:
    waiting: ByNumber[str] = ByNumber()
    assert waiting.awaits(b"") is waiting.awaits(b"1") is waiting.answered(b"") is None


def test_a_number_that_is_used_again() -> None:
    waiting: ByNumber[str] = ByNumber()
    for word in ("a", "b"):
        waiting.add(b"1", word)
    assert list(waiting) == ["b"]


def test_the_oldest_give_way() -> None:
    waiting: ByNumber[int] = ByNumber(most=4)
    for number in range(9):
        waiting.add(b"%d" % number, number)
    assert list(waiting) == [5, 6, 7, 8]


class Passive(InOrder):
    """PASV alone is answered by 227."""

    belongs: ClassVar = {b"227": {b"PASV"}}
    own_success = (b"PASV",)


def test_codes_that_belong_to_a_request() -> None:
    waiting = Passive(most=3)
    for word in (b"OLD", b"NOOP", b"PASV", b"LIST"):
        waiting.add(word)
    assert waiting.awaits(b"227")
    assert waiting.answered(b"227") == b"PASV"
    assert not waiting.awaits(b"227")
    assert (waiting.answered(b"227"), waiting.answered(b"200"), waiting.answered(b"200")) == (
        b"",
        b"LIST",
        b"",
    )


def test_a_success_of_its_own_code_only() -> None:
    waiting = Passive()
    waiting.add(b"PASV")
    assert (waiting.answered(b"200"), waiting.answered(b"500")) == (b"", b"PASV")
