"""Keys that a helper finds: the inside's gets an external one, the outside's stays; both are announced."""

from typing import Any

import pytest
from support.packets import GRE, call, key_of, read
from support.router import CLIENT, EXTERNAL, OTHER_CLIENT, SERVER

from helpers.engine.announcing import not_acted_on
from helpers.engine.bed import Bed, Connection
from helpers.engine.scripted import Scripted, bed_of
from nfmasq.helpers.engine.standing import MOST_EXPECTATIONS
from nfmasq.helpers.kit.base import SENT, Admitted, Found, Mentioned, Place, Reading, Side


def key(port: int, **more: Any) -> Found:
    """A key of a speaker's own, in the first two bytes."""
    return Found(0, 2, None, port, lambda _, new: new.to_bytes(2), "gre", ends_with_control=True, **more)


def mentioned(port: int, **more: Any) -> Mentioned:
    """A key that belongs to the other side."""
    return Mentioned(0, 2, port, lambda _, new: new.to_bytes(2), transport="gre", **more)


def finds(place: Place, *, by: Side, **more: Any) -> Scripted:
    """A helper that finds this in each message of one side."""
    return Scripted(
        lambda _, side, data: Reading(
            len(data), [place] if side is by else [], **(more if side is by else {})
        )
    )


def keyed(bed: Bed) -> list[tuple[object, ...]]:
    """Internal, external and remote endpoint of all sessions with a key, and their states."""
    return [row[2:6] for row in bed.table.sessions(protocol=GRE)]


def test_a_key_of_the_inside_is_announced_for_what_comes_in() -> None:
    bed = bed_of(finds(key(5), by=Side.INSIDE))
    assert Connection(bed).open().say(0, b"ab") == b"\0\5"
    assert keyed(bed) == [((CLIENT, 5), (EXTERNAL, 5), (SERVER, 0), "expected")]
    (came,) = bed.send(call(SERVER, EXTERNAL, 5), inbound=True)
    assert (read(came).destination, key_of(came)) == (CLIENT, 5)


def test_a_key_of_the_outside_is_announced_for_what_goes_out_and_stays() -> None:
    bed = bed_of(finds(key(5), by=Side.OUTSIDE))
    assert Connection(bed).open().say(1, b"ab") == b"ab"
    assert keyed(bed) == [((CLIENT, 0), (EXTERNAL, 0), (SERVER, 5), "expected")]
    (sent,) = bed.send(call(CLIENT, SERVER, 5), inbound=False)
    assert (read(sent).source, key_of(sent)) == (EXTERNAL, 5)


@pytest.mark.parametrize("number", [0, 53, 1023])
def test_a_low_key_is_not_privileged(number: int) -> None:
    bed = bed_of(finds(key(number), by=Side.INSIDE))
    assert Connection(bed).open().say(0, b"ab") == number.to_bytes(2)
    assert not_acted_on(bed, "scripted") == {}


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    ("found", "why"),
    [
        (key(5, anyone=True), "not_allowed"),
        (key(5, consecutive=2), "not_allowed"),
        (key(65536), "malformed"),
    ],
)
def test_what_a_key_cannot_be(side: Side, found: Found, why: str) -> None:
    bed = bed_of(finds(found, by=side))
    assert Connection(bed).open().say(side.value, b"ab") == b"ab"
    assert not_acted_on(bed, "scripted") == {why: 1}
    assert keyed(bed) == []


def test_the_inside_cannot_announce_what_it_is_going_to_send() -> None:
    bed = bed_of(finds(key(5)._replace(transport=SENT), by=Side.INSIDE))
    assert Connection(bed).open().say(0, b"ab") == b"ab"
    assert not_acted_on(bed, "scripted") == {"not_allowed": 1}


@pytest.mark.parametrize("side", Side)
def test_only_so_many_keys_wait(side: Side) -> None:
    bed = bed_of(
        Scripted(
            lambda _, by, data: Reading(
                len(data), [key(int.from_bytes(data))] if by is side and data != b"x" else []
            )
        )
    )
    connection = Connection(bed).open()
    for number in range(2 * MOST_EXPECTATIONS):
        connection.say(side.value, number.to_bytes(2), at=2 * number)
    assert len(keyed(bed)) == MOST_EXPECTATIONS


@pytest.mark.parametrize(("ended", "left"), [("gre", "sent"), (SENT, "received")])
def test_each_half_ends_by_itself(ended: str, left: str) -> None:
    """The ids of both sides may be equal."""

    def script(_: object, side: Side, data: bytes) -> Reading:
        if data == b"end":
            return Reading(len(data), ended=[(ended, 5)])
        return Reading(len(data), [key(5)])

    bed = bed_of(Scripted(script))
    connection = Connection(bed).open()
    connection.say(0, b"ab")
    connection.say(1, b"ab", acked=2)
    for packet, inbound in ((call(SERVER, EXTERNAL, 5), True), (call(CLIENT, SERVER, 5), False)):
        bed.send(packet, inbound=inbound)
    assert len(keyed(bed)) == 2
    connection.say(0, b"end", at=2, acked=2)
    (internal, *_), *others = keyed(bed)
    assert others == []
    assert internal == (CLIENT, 0 if left == "sent" else 5)


def test_no_other_host_is_admitted_to_a_key() -> None:
    bed = bed_of(finds(key(5), by=Side.INSIDE, admitted=[Admitted("gre", 5, OTHER_CLIENT)]))
    Connection(bed).open().say(0, b"ab")
    assert not_acted_on(bed, "scripted") == {"not_allowed": 1}
    assert len(keyed(bed)) == 1


@pytest.mark.parametrize(("number", "heard"), [(5, b"\0\5"), (6, b"ab")])
def test_a_key_of_the_inside_is_restored_where_this_connection_has_announced_it(
    number: int, heard: bytes
) -> None:
    bed = bed_of(
        Scripted(
            lambda _, side, data: Reading(len(data), [key(5) if side is Side.INSIDE else mentioned(number)])
        )
    )
    connection = Connection(bed).open()
    connection.say(0, b"ab")
    assert connection.say(1, b"ab", acked=2) == heard
