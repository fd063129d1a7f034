"""The state file: who may have it, and what becomes of one that is damaged."""

import os
import random
import struct
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hot.restarting import LEFT, busy_router, child, restarted
from support.packets import udp
from support.records import seal
from support.router import CLIENT, EXTERNAL, SERVER, Router, policy
from support.whole import assert_whole

from nfmasq._fastpath import Table
from nfmasq.core.arena import AHEAD, HEADER, LAYOUT, MAGIC, RECORD, TOP_OFFSET, Arena
from nfmasq.core.state_file import NotOurs

PAGE = os.sysconf("SC_PAGESIZE")
LIVE, PROTOCOL, TRANSPORT, STATE, INTERNAL, EXTERNAL_AT, REMOTE = 0, 4, 5, 6, 8, 12, 16
INTERNAL_PORT, EXTERNAL_PORT, REMOTE_PORT, EXPIRES, CREATED = 20, 22, 24, 28, 56
"""Where the fields of a session lie in its record."""


def test_the_file_is_for_its_owner_only(path: Path) -> None:
    Table(str(path), 8)
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_unused_table_takes_next_to_no_room(path: Path) -> None:
    Table(str(path), 1_000_000)
    assert path.stat().st_size > 128_000_000
    assert path.stat().st_blocks * 512 < 10 << 20


@pytest.mark.parametrize("place", ["missing/state", "."])
def test_a_file_that_cannot_be_made_is_an_error_of_the_system(tmp_path: Path, place: str) -> None:
    with pytest.raises(OSError, match=r"No such file|a directory"):
        Table(str(tmp_path / place), 8)


# One at a time ------------------------------------------------------------------------------------------


def test_a_second_table_is_refused_the_file(path: Path) -> None:
    first = busy_router(path)
    rows = first.rows()
    with pytest.raises(BlockingIOError):
        Table(str(path), 64)
    assert first.rows() == rows
    assert restarted(first, path).rows() == rows


def test_a_second_process_is_refused_the_file(path: Path) -> None:
    first = busy_router(path)
    code = "import sys; from nfmasq._fastpath import Table; Table(sys.argv[1], 64)"
    second = child(code, path)
    assert "BlockingIOError" in second.communicate(timeout=60)[1]
    assert len(first.rows()) == len(LEFT)


def test_a_closed_table_lets_go_of_its_file_at_once(path: Path) -> None:
    first = Table(str(path), 64)
    first.close()
    first.close()
    second = Table(str(path), 64)
    assert second.warning == ""


def test_memory_of_this_process_alone_is_shared_with_nobody() -> None:
    first, second = Router(), Router()
    first.out(LEFT[0])
    assert second.rows() == []
    arena = Arena(None, 8)
    arena.close()
    arena.close()
    assert arena.warning == ""


# Damaged ------------------------------------------------------------------------------------------------


def assert_empty_and_well(router: Router, path: Path) -> None:
    """Nothing was taken over, everything works, and the next start has nothing to complain of."""
    assert router.table.recovered == 0
    assert router.rows() == []
    for packet in LEFT[:3]:
        router.out(packet)
    assert_whole(router.table)
    router.table.close()
    after = Table(str(path), 64)
    assert after.warning == ""


def header(**changes: object) -> Callable[[bytes], bytes]:
    """The file with another header."""

    def change(data: bytes) -> bytes:
        names = ("magic", "layout", "record", "capacity", "top", "boot")
        values = dict(zip(names, HEADER.unpack_from(data), strict=True)) | changes
        return HEADER.pack(*values.values()) + data[HEADER.size :]

    return change


DAMAGES = {
    "less than a page": (lambda data: data[: PAGE - 1], "too short"),
    "no records": (lambda data: data[:PAGE], "cut short"),
    "an older layout": (header(layout=LAYOUT - 1), "layout"),
    "a newer layout": (header(layout=LAYOUT + 1), "layout"),
    "records of another size": (header(record=RECORD + 8), "layout"),
    "another boot": (header(boot=bytes(16)), "reboot"),
}

STRANGERS: dict[str, Callable[[bytes], bytes]] = {
    "one byte": lambda data: data[:1],
    "a page of zeros": lambda data: bytes(PAGE) + data[PAGE:],
    "a script": lambda data: b"#!/bin/sh\nexit 0\n" * 1000,
    "random bytes": lambda data: random.Random(1).randbytes(len(data)),
    "another magic and another boot": header(magic=MAGIC.replace(b"\r\n", b"\n\n"), boot=bytes(16)),
}

PARTLY: dict[str, tuple[Callable[[bytes], bytes], int, str]] = {
    "half a record too few": (
        lambda data: data[: PAGE + RECORD * len(LEFT) + RECORD // 2],
        len(LEFT) - 1,
        "cut short: of 9 records 8 are there",
    ),
    "another magic": (header(magic=MAGIC.replace(b"\r\n", b"\n\n")), len(LEFT), ""),
    "fewer records than there are": (header(top=3), len(LEFT), ""),
    "no records, by the header": (header(top=0), len(LEFT), ""),
    "more records than there are": (header(top=1 << 20), len(LEFT), "cut short"),
    "more records than can be": (header(top=0xFFFFFFFF), len(LEFT), "cut short"),
    "longer": (lambda data: data + bytes(1 << 20), len(LEFT), ""),
    "another capacity": (header(capacity=0), len(LEFT), ""),
}


@pytest.mark.parametrize(("damage", "warning"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_given_up_with_a_warning(
    path: Path, damage: Callable[[bytes], bytes], warning: str
) -> None:
    before = busy_router(path)
    before.table.close()
    path.write_bytes(damage(path.read_bytes()))
    after = Router(policy(), 64, str(path))
    assert warning in after.table.warning
    assert after.table.warning != ""
    assert_empty_and_well(after, path)


@pytest.mark.parametrize("damage", STRANGERS.values(), ids=STRANGERS)
def test_a_file_of_another_program_is_left_as_it_is(path: Path, damage: Callable[[bytes], bytes]) -> None:
    busy_router(path).table.close()
    strange = damage(path.read_bytes())
    path.write_bytes(strange)
    with pytest.raises(NotOurs, match="no state file of nfmasq"):
        Table(str(path), 64)
    assert path.read_bytes() == strange


@pytest.mark.parametrize(("damage", "recovered", "warning"), PARTLY.values(), ids=PARTLY)
def test_what_is_sound_of_a_damaged_file_is_recovered(
    path: Path, damage: Callable[[bytes], bytes], recovered: int, warning: str
) -> None:
    before = busy_router(path)
    before.table.close()
    path.write_bytes(damage(path.read_bytes()))
    after = Router(policy(), 64, str(path))
    assert after.table.recovered == recovered
    assert warning in after.table.warning
    assert bool(warning) == bool(after.table.warning)
    assert_whole(after.table)
    assert restarted(after, path).table.warning == ""


def test_an_empty_file_is_a_new_one(path: Path) -> None:
    path.touch()
    router = Router(policy(), 64, str(path))
    assert router.table.warning == ""
    assert_empty_and_well(router, path)


def record(number: int, at: int = 0) -> int:
    """Where a record's field lies in the file. Number 0 is nobody's."""
    return PAGE + RECORD * number + at


def write(path: Path, at: int, new: bytes) -> None:
    """Overwrite bytes of a file, and keep the check of their record right."""
    data = bytearray(path.read_bytes())
    data[at : at + len(new)] = new
    seal(data, PAGE + (at - PAGE) // RECORD * RECORD)
    path.write_bytes(data)


def spoil(path: Path, at: int, new: bytes) -> None:
    """Overwrite bytes of a file, as damage does."""
    with path.open("r+b") as file:
        file.seek(at)
        file.write(new)


def word(value: int) -> bytes:
    """A 32-bit word as this machine writes it."""
    return struct.pack("=I", value & 0xFFFFFFFF)


def now() -> int:
    """The second of the core's clock."""
    return Router().now


TCP_ONE, UDP_ONE, UDP_SAME_MAPPING, PING, TUNNEL = 1, 3, 4, 6, 8
"""Numbers of records, in the order of LEFT."""

BAD_RECORDS: dict[str, tuple[int, int, Callable[[], bytes]]] = {
    "never written to its end": (UDP_ONE, LIVE, lambda: word(0)),
    "neither free nor in use": (UDP_ONE, LIVE, lambda: word(2)),
    "another protocol": (UDP_ONE, PROTOCOL, lambda: b"\x06"),
    "another class": (UDP_ONE, TRANSPORT, lambda: b"\x00"),
    "a class that is none": (UDP_ONE, TRANSPORT, lambda: b"\xff"),
    "a state that is none": (TCP_ONE, STATE, lambda: b"\x08"),
    "no internal address": (UDP_ONE, INTERNAL, lambda: bytes(4)),
    "no external address": (UDP_ONE, EXTERNAL_AT, lambda: bytes(4)),
    "no remote address": (UDP_ONE, REMOTE, lambda: bytes(4)),
    "no external port": (UDP_ONE, EXTERNAL_PORT, lambda: bytes(2)),
    "a tunnel with a port": (TUNNEL, EXTERNAL_PORT, lambda: b"\x12\x34"),
    "from the future": (UDP_ONE, CREATED, lambda: word(now() + 1000)),
    "never to end": (UDP_ONE, EXPIRES, lambda: word(now() + (1 << 30))),
    "the session of another record": (2, INTERNAL, lambda: CLIENT.packed),
    "two external endpoints of one internal": (UDP_SAME_MAPPING, EXTERNAL_PORT, lambda: b"\x12\x34"),
}


@pytest.mark.parametrize(("number", "at", "new"), BAD_RECORDS.values(), ids=BAD_RECORDS)
def test_a_bad_record_is_given_up_and_only_it(
    path: Path, number: int, at: int, new: Callable[[], bytes]
) -> None:
    before = busy_router(path)
    before.table.close()
    write(path, record(number, at), new())
    after = Router(policy(), 64, str(path))
    assert (after.table.warning == "") == (at == LIVE and new() == word(0))
    assert after.table.recovered == len(LEFT) - 1
    assert_whole(after.table)
    after.now = before.now
    for packet in LEFT:
        assert after.out(packet)
    assert_whole(after.table)


def test_two_records_that_claim_one_external_endpoint_do_not_both_live(path: Path) -> None:
    before = busy_router(path)
    before.table.close()
    data = path.read_bytes()
    theirs = data[record(UDP_ONE, EXTERNAL_PORT) : record(UDP_ONE, EXTERNAL_PORT) + 2]
    write(path, record(5, EXTERNAL_PORT), theirs)
    after = Router(policy(), 64, str(path))
    assert_whole(after.table)
    assert after.table.recovered in (len(LEFT) - 1, len(LEFT) - 2)


def test_what_was_due_while_nobody_looked_has_ended(path: Path) -> None:
    before = busy_router(path)
    before.table.close()
    write(path, record(UDP_ONE, EXPIRES), word(before.now - 100))
    write(path, record(TCP_ONE, EXPIRES), word(before.now))
    after = Router(policy(), 64, str(path))
    assert after.table.recovered == len(after.rows()) == len(LEFT) - 2
    assert_whole(after.table)


@pytest.mark.parametrize("seed", range(60))
def test_random_damage_is_borne(path: Path, seed: int) -> None:
    """Whatever the bytes say: it starts, tells no nonsense, and goes on working."""
    dice = random.Random(seed)
    before = busy_router(path)
    before.table.close()
    for _ in range(dice.choice([1, 3, 10, 100])):
        at = record(dice.randrange(1, len(LEFT) + 1), dice.randrange(RECORD))
        write_or_spoil = dice.choice([write, spoil])
        write_or_spoil(path, at, bytes([dice.choice([0, 1, 0x7F, 0xFF, dice.randrange(256)])]))
    after = Router(policy(), 64, str(path))
    after.now += 1
    assert after.table.warning == "" or "of its records are damaged" in after.table.warning
    assert_whole(after.table)
    for packet in LEFT:
        assert after.try_out(packet)[0] in ("", "portless_remote_taken")
    for row in after.rows():
        assert row.external[0] == EXTERNAL
    assert_whole(after.table)
    after.wait(31 * 86400)
    assert after.rows() == []
    assert_whole(after.table)


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_header_is_borne(path: Path, seed: int) -> None:
    dice = random.Random(seed)
    before = busy_router(path)
    rows = {row[1:6] for row in before.rows()}
    before.table.close()
    spoil(path, dice.randrange(HEADER.size), bytes([dice.randrange(256)]))
    after = Router(policy(), 64, str(path))
    assert_whole(after.table)
    assert after.table.warning or {row[1:6] for row in after.rows()} <= rows


def test_the_header_s_record_of_the_highest_number_is_where_the_core_writes_it(path: Path) -> None:
    router = busy_router(path)
    (top,) = struct.unpack_from("=I", path.read_bytes(), TOP_OFFSET)
    assert top == len(LEFT) == len(router.rows())
    assert router.rows()[-1].internal[0] == IPv4Address(path.read_bytes()[record(top, INTERNAL) :][:4])


def test_a_table_too_small_for_what_was_found_takes_what_fits(path: Path) -> None:
    after = restarted(busy_router(path), path, len(LEFT) - 2, policy(sessions=len(LEFT) - 2))
    assert after.table.warning == "2 of its sessions are given up: limits.sessions = 7"
    assert after.table.recovered == len(LEFT) - 2
    assert_whole(after.table)
    assert restarted(after, path).table.recovered == len(LEFT) - 2


# One flipped byte ---------------------------------------------------------------------------------------


def identities(router: Router) -> set[tuple[object, ...]]:
    """The endpoints of all sessions."""
    return {(row.protocol, row.internal, row.external, row.remote) for row in router.rows()}


@pytest.mark.parametrize("at", range(RECORD))
def test_one_byte_of_a_record_flipped_makes_no_session_that_never_was(path: Path, at: int) -> None:
    """Every byte of the first record, by every single bit, and by all."""
    before = busy_router(path)
    there = identities(before)
    before.table.close()
    data = path.read_bytes()
    for mask in (1, 2, 4, 8, 16, 32, 64, 128, 0xFF):
        path.write_bytes(data)
        spoil(path, record(TCP_ONE, at), bytes([data[record(TCP_ONE, at)] ^ mask]))
        after = Router(policy(), 64, str(path))
        assert identities(after) <= there
        assert after.table.recovered >= len(LEFT) - 1
        assert_whole(after.table)
        after.table.close()


def test_a_session_that_has_ended_is_not_brought_back_by_a_flipped_byte(path: Path) -> None:
    before = busy_router(path)
    before.table.flush(CLIENT)
    left = identities(before)
    before.table.close()
    for number in range(1, len(LEFT) + 1):
        spoil(path, record(number, LIVE), b"\x01")
    assert identities(Router(policy(), 64, str(path))) == left


# Room ---------------------------------------------------------------------------------------------------


def test_sessions_that_memory_is_too_short_for_are_given_up_with_a_line(path: Path) -> None:
    before = Router(policy(sessions=400), 400, str(path))
    for port in range(1, 201):
        before.out(udp(CLIENT, port, SERVER, 53))
    before.table.close()
    table = Table(str(path), 400, 0)
    assert 90 < table.recovered < 120
    assert table.warning == f"{200 - table.recovered} of its sessions are given up: memory is short"


def test_room_is_reserved_ahead_when_the_table_rings(path: Path) -> None:
    table = Table(str(path), 10 * AHEAD)
    first = table.room
    assert AHEAD <= first < 2 * AHEAD
    assert table.reserve() == ""
    assert table.room == first, "nothing was used"
    assert table.reserve(0) == "", "and nothing more is wanted"


def test_where_memory_is_short_no_room_is_reserved(path: Path) -> None:
    table = Table(str(path), 10 * AHEAD, 8 << 20)
    assert 0 < table.room < AHEAD
    assert "memory" in table.shortage
    assert table.reserve() == ""
    assert table.room >= AHEAD
