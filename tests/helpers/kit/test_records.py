"""Messages of DNS and NetBIOS: what is in them, and that no bytes make the walk long."""

import pytest

from nfmasq.helpers.kit.records import Malformed, Record, behind_name, message

HEAD = b"\x12\x34\x85\0"
QUESTION = b"\3www\7example\0\0\1\0\1"
ANSWER = b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4\xc0\xa8\1\x0a"


def test_a_message_has_questions_and_records_of_three_sections() -> None:
    counts = b"\0\1\0\1\0\1\0\1"
    data = b"??" + HEAD + counts + QUESTION + ANSWER * 3
    read = message(data, 2, len(data), {1})
    assert (read.number, read.flags, read.operation, read.questions) == (0x1234, 0x8500, 0, [1])
    first = 2 + 12 + len(QUESTION) + 12
    assert read.records == [Record(1, 1, first + 16 * nth, first + 16 * nth + 4) for nth in range(3)]


def test_records_of_other_types_are_passed_over() -> None:
    data = HEAD + b"\0\0\0\2\0\0\0\0" + ANSWER.replace(b"\0\1\0\1", b"\0\2\0\1") + ANSWER
    assert [record.kind for record in message(data, 0, len(data), {1}).records] == [1]


def test_what_is_behind_the_records_is_not_read() -> None:
    data = HEAD + b"\0\0\0\1\0\0\0\0" + ANSWER + b"more"
    assert len(message(data, 0, len(data), {1}).records) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        HEAD,
        HEAD + b"\0\1\0\0\0\0\0\0",
        HEAD + b"\0\1\0\0\0\0\0\0" + QUESTION[:-1],
        HEAD + b"\0\0\0\1\0\0\0\0" + ANSWER[:-1],
        HEAD + b"\0\0\0\2\0\0\0\0" + ANSWER,
        HEAD + b"\xff\xff\xff\xff\xff\xff\xff\xff" + QUESTION,
        HEAD + b"\0\0\0\1\0\0\0\0" + ANSWER.replace(b"\0\4", b"\xff\xff"),
        HEAD + b"\0\1\0\0\0\0\0\0" + b"\x40" + QUESTION,
        HEAD + b"\0\1\0\0\0\0\0\0" + b"\x3f" * 1000,
        HEAD + b"\0\x41\0\0\0\0\0\0" + QUESTION * 65,
    ],
    ids=repr,
)
def test_a_message_that_contradicts_itself(data: bytes) -> None:
    with pytest.raises(Malformed):
        message(data, 0, len(data), {1})


@pytest.mark.parametrize(("name", "end"), [(b"\0", 1), (b"\1a\0", 3), (b"\xc0\x0c", 2), (b"\1a\xff\xff", 4)])
def test_a_name_ends_with_its_root_or_with_a_pointer(name: bytes, end: int) -> None:
    assert behind_name(b"?" + name, 1, 1 + len(name)) == 1 + end


@pytest.mark.parametrize("name", [b"", b"\1", b"\1a", b"\x40a\0", b"\xbf\0", b"\1a" * 128 + b"\0"])
def test_a_name_that_does_not_end(name: bytes) -> None:
    with pytest.raises(Malformed):
        behind_name(name, 0, len(name))
