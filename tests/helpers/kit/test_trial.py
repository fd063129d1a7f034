"""The contract test: the helpers of the tree keep it, and each way to break it is seen."""

from collections.abc import Callable
from ipaddress import IPv4Address

import pytest

from nfmasq.helpers import protocols
from nfmasq.helpers.__main__ import load, main
from nfmasq.helpers.kit import trial
from nfmasq.helpers.kit.base import Dialogue, Found, Reading, Session, Side, Size
from nfmasq.helpers.kit.listener import Broken
from nfmasq.helpers.kit.skeleton import Meet, MeetDialogue

OWN = protocols.NAMES


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("clause", trial.CLAUSES, ids=trial.name_of)
def test_every_helper_of_the_tree_keeps_it(name: str, clause: trial.Clause) -> None:
    """All that come with nfmasq."""
    clause(load(name))


@pytest.mark.parametrize("name", OWN)
def test_every_helper_of_the_tree_has_examples(name: str) -> None:
    """Without any, the contract test would prove little."""
    assert list(trial.examples(load(name)))


Read = Callable[[Dialogue, Side, bytes], Reading]


class Spoilt(Meet):
    """The skeleton, its reading spoilt by a function."""

    def __init__(self, read: Read) -> None:
        self._read = read

    def begin(self, session: Session) -> Dialogue:
        """A dialogue that asks the function."""
        read, dialogue = self._read, MeetDialogue()

        class Asking:
            def read(self, side: Side, data: bytes) -> Reading:
                return read(dialogue, side, data)

        return Asking()


def change(**values: object) -> Read:
    """Readings with these fields of each Found, or of themselves, otherwise."""

    def read(dialogue: Dialogue, side: Side, data: bytes) -> Reading:
        reading = dialogue.read(side, data)
        own = {name: value for name, value in values.items() if name in {"taken", "leave", "not_acted_on"}}
        found = [
            Found(**{**each._asdict(), **{k: v for k, v in values.items() if k not in own}})
            for each in reading.found
        ]
        return Reading(**{**reading._asdict(), "found": found, **own})

    return read


def loop(dialogue: Dialogue, side: Side, data: bytes) -> Reading:
    """Never end, when there is something to find."""
    while b"MEET" in data:
        pass
    return dialogue.read(side, data)


def fail(dialogue: Dialogue, side: Side, data: bytes) -> Reading:
    """Raise at bytes that are no text."""
    data.decode()
    return dialogue.read(side, data)


def by_segment(dialogue: Dialogue, side: Side, data: bytes) -> Reading:
    """Read each segment for itself: what slipstreaming lives on."""
    return dialogue.read(side, data) if data.endswith(b"\n") else Reading(len(data))


def hold(dialogue: Dialogue, side: Side, data: bytes) -> Reading:
    """Take nothing of the end."""
    reading = dialogue.read(side, data)
    return Reading(
        min(reading.taken, max(0, len(data) - 1)), reading.found if data.endswith(b"BYE\r\n") else ()
    )


def twice(dialogue: Dialogue, side: Side, data: bytes) -> Reading:
    """Find everything two times over."""
    reading = dialogue.read(side, data)
    return Reading(reading.taken, [*reading.found, *reading.found])


def sized(until: int) -> Read:
    """Take the first byte, a digit, for the size of so many bytes behind it."""

    def read(dialogue: Dialogue, side: Side, data: bytes) -> Reading:
        size = Size(0, 1, 1, until, lambda length: b"%d" % (length % 10))
        return Reading(len(data), [size] if len(data) >= until else [])

    return read


@pytest.mark.parametrize(("text", "is_right"), [(b"4MEET", True), (b"5MEET", False)])
def test_a_size_that_says_something_else_is_seen(
    text: bytes, is_right: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = Spoilt(sized(5))
    monkeypatch.setattr(helper, "examples", ((Side.INSIDE, text),))
    if is_right:
        trial.sizes_say_how_long_their_parts_are(helper)
        return
    with pytest.raises(Broken, match="a size says b'5'"):
        trial.sizes_say_how_long_their_parts_are(helper)


@pytest.mark.parametrize(
    ("read", "clause", "said"),
    [
        (fail, trial.survives_random_bytes, "raises UnicodeDecodeError"),
        (loop, trial.survives_spoilt_examples, "takes more than"),
        (change(taken=10**6), trial.survives_random_bytes, "no more can be taken"),
        (change(taken=-1), trial.survives_random_bytes, "no more can be taken"),
        (change(not_acted_on=("because",)), trial.survives_random_bytes, "NOT_ACTED_ON"),
        (change(start=50, end=60), trial.finds_its_examples, "in what is taken"),
        (change(start=9, end=9), trial.finds_its_examples, "not empty"),
        (twice, trial.finds_its_examples, "do not overlap"),
        (change(port=70000), trial.finds_its_examples, "at most 65535"),
        (change(transport="sctp"), trial.finds_its_examples, "tcp or udp"),
        (change(leave=True), trial.finds_its_examples, "leaves in the middle"),
        (hold, trial.finds_its_examples, "still does not take"),
        (lambda *given: Reading(len(given[2])), trial.finds_its_examples, "nothing is found"),
        (lambda *_: None, trial.finds_its_examples, "must return a Reading"),
        (by_segment, trial.reads_alike_however_cut, "cut otherwise"),
        (change(write=lambda address, port: b"nowhere"), trial.reads_what_it_writes, "0 are found"),
        (change(write=lambda address, port: b"1.2.3.4 9"), trial.reads_what_it_writes, "instead of"),
        (change(write=lambda address, port: "text"), trial.reads_what_it_writes, "must return bytes"),
        (change(write=lambda address, port: 1 / 0), trial.reads_what_it_writes, "ZeroDivisionError"),
    ],
)  # fmt: skip
def test_a_broken_contract_is_seen(
    read: Read, clause: trial.Clause, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each clause, broken on purpose; the message says what was read."""
    monkeypatch.setattr("nfmasq.helpers.kit.listener.CPU_S", 0.05)
    with pytest.raises(trial.Broken, match=said):
        clause(Spoilt(read))


def test_a_search_that_backtracks_without_end_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps that grow with the square of the length, or faster."""

    def read(dialogue: Dialogue, side: Side, data: bytes) -> Reading:
        for at in range(len(data)):
            data.count(b"9", at)
        return dialogue.read(side, data)

    monkeypatch.setattr("nfmasq.helpers.kit.listener.CPU_S", 0.2)
    with pytest.raises(trial.Broken, match="takes more than"):
        trial.is_done_soon(Spoilt(read))


def test_by_hand_a_line_a_clause(capsys: pytest.CaptureFixture[str]) -> None:
    """0: all is well."""
    assert main(["nfmasq.helpers.kit.skeleton:Meet"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["ok"] * len(trial.CLAUSES)


def test_by_hand_a_broken_helper(capsys: pytest.CaptureFixture[str]) -> None:
    """1, and every broken clause."""
    assert main([f"{__name__}:Wrong"]) == 1
    assert "broken  reads what it writes: " in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["ftp", "irc"], ["--help"], ["gopher"], ["nowhere:Nobody"]])
def test_by_hand_no_such_helper(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """2, and one line."""
    assert main(arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


class Wrong(Spoilt):
    """Writes another address than it was told."""

    def __init__(self) -> None:
        super().__init__(change(write=lambda address, port: b"%s %d" % (str(IPv4Address(1)).encode(), port)))


def test_the_examples_of_both_transports_are_framed_on_tcp_alone() -> None:
    """Where the helper says how; else a message is the same on both."""
    examples = {(transport, began): example for transport, began, example in trial.examples(load("dns"))}
    assert set(examples) == {("udp", False), ("tcp", False)}
    for (_, datagram), (_, framed) in zip(examples["udp", False], examples["tcp", False], strict=True):
        assert framed == len(datagram).to_bytes(2) + datagram
    assert len({example for _, _, example in trial.examples(load("sip"))}) == 1
