"""Connections in which a helper has made messages longer or shorter, once the core goes on alone."""

import struct
from pathlib import Path
from typing import Any

import pytest
from support.packets import ACK, HEADER, RST, START, SYN, TCP, error, put, quote_of, sums_are_right, tcp
from support.router import CLIENT, EXTERNAL, HOP, SERVER, Router, policy

from hot.restarting import restarted
from nfmasq._fastpath import SetAside
from nfmasq.core.policy import Filtering, HelperPort

FTP = HelperPort(3, TCP, 21)
SEQUENCE_AT, ACKED_AT = HEADER + 4, HEADER + 8
ODD_SACK = b"\1\5\x12"
EVEN_SACK = b"\1\1\5\x12"


def number(packet: bytes, at: int) -> int:
    """A sequence number of the packet."""
    return int(struct.unpack_from("!I", packet, at)[0])


def numbers(packet: bytes) -> tuple[int, int]:
    """Sequence and acknowledgment number, the checksum looked at in passing."""
    assert sums_are_right(packet)
    return number(packet, SEQUENCE_AT), number(packet, ACKED_AT)


class Connection:
    """CLIENT's with SERVER's port 21, established, its segments set aside until it is let go."""

    def __init__(self, path: Path | None = None) -> None:
        rules = policy(helper_ports=(FTP,), filtering=Filtering.ADDRESS_AND_PORT_DEPENDENT)
        self.router = Router(rules, path=str(path) if path else None)
        self.router.try_out(tcp(CLIENT, 40000, SERVER, 21))
        self.name = self.set_aside()
        self.near = self.name.external[1]
        self.router.try_in(self.from_server(flags=SYN | ACK, sequence=START))
        self.router.try_out(self.from_client())
        while self.router.table.next_set_aside(0):
            pass

    def set_aside(self) -> SetAside:
        """The packet that was set aside."""
        packet = self.router.table.next_set_aside(0.5)
        assert packet is not None
        return packet

    def let_go(self, outbound: int, inbound: int) -> None:
        """What CLIENT sent has become so much longer for SERVER, and the other way round; no more to come."""
        self.router.table.correct(self.name.session, self.name.serial, outbound, inbound)
        self.router.table.let_go(self.name.session, self.name.serial)

    def from_client(
        self, sequence: int = START + 1, acked: int = START + 1, flags: int = ACK, **how: Any
    ) -> bytes:
        """A segment as CLIENT sends it."""
        return tcp(CLIENT, 40000, SERVER, 21, flags, sequence=sequence, acked=acked, **how)

    def from_server(
        self, sequence: int = START + 1, acked: int = START + 1, flags: int = ACK, **how: Any
    ) -> bytes:
        """A segment as SERVER sends it."""
        return tcp(SERVER, 21, EXTERNAL, self.near, flags, sequence=sequence, acked=acked, **how)


@pytest.fixture
def connection() -> Connection:
    """One in which nothing was corrected yet."""
    return Connection()


@pytest.mark.parametrize(("outbound", "inbound"), [(5, 0), (-3, 0), (0, 7), (12, -9), (1 << 20, -(1 << 20))])
def test_numbers_of_both_sides_are_corrected(connection: Connection, outbound: int, inbound: int) -> None:
    connection.let_go(outbound, inbound)
    heard = (START + 1 + inbound) % 2**32
    sent = connection.router.out(connection.from_client(acked=heard, payload=b"NOOP\r\n"))
    assert numbers(sent) == ((START + 1 + outbound) % 2**32, START + 1)
    answer = connection.from_server(acked=(START + 7 + outbound) % 2**32, payload=b"200 \r\n")
    assert numbers(connection.router.into(answer)) == (heard, START + 7)


@pytest.mark.parametrize("option", [ODD_SACK, EVEN_SACK])
def test_edges_of_what_is_acknowledged_out_of_order_are_corrected(
    connection: Connection, option: bytes
) -> None:
    connection.let_go(5, 0)
    edges = (START + 10, START + 20, START + 30, START + 40)
    filled = option + struct.pack("!4I", *edges)
    filled += b"\0" * (-len(filled) % 4)
    came = connection.router.into(connection.from_server(acked=START + 6, options=filled))
    assert numbers(came) == (START + 1, START + 1)
    found = struct.unpack_from("!4I", came, 2 * HEADER + len(option))
    assert found == tuple(edge - 5 for edge in edges)


def test_a_checksum_left_to_the_device_is_made_whole_after_the_correction(connection: Connection) -> None:
    connection.let_go(5, 0)
    packet = connection.from_client(payload=b"NOOP\r\n")
    assert numbers(connection.router.out(packet, checksum_ready=False)) == (START + 6, START + 1)


def test_a_session_that_a_helper_reads_is_left_to_it(connection: Connection) -> None:
    connection.router.table.correct(connection.name.session, connection.name.serial, 5, 0)
    connection.router.try_out(connection.from_client())
    assert numbers(connection.set_aside().packet)[0] == START + 1


def test_windows_are_judged_in_the_senders_own_numbers(connection: Connection) -> None:
    far = 1 << 24
    connection.router.table.correct(connection.name.session, connection.name.serial, far, 0)
    assert connection.router.try_in(connection.from_server(acked=START + 1 + far))[0] == ""
    assert connection.router.try_in(connection.from_server(acked=START + 1))[0] == "tcp_out_of_window"


@pytest.mark.parametrize("quoted", [8, 16, 20])
def test_an_error_quotes_what_its_receiver_sent(connection: Connection, quoted: int) -> None:
    connection.let_go(5, 3)
    sent = connection.router.out(connection.from_client(payload=b"NOOP\r\n"))
    came = connection.router.into(error(HOP, EXTERNAL, sent[: HEADER + quoted]))
    inner = HEADER + 8
    assert number(came, inner + SEQUENCE_AT) == START + 1
    if quoted >= 16:
        assert number(came, inner + ACKED_AT) == START + 1
    if quoted >= 20:
        assert (
            came[inner + HEADER : inner + 2 * HEADER]
            == connection.from_client(payload=b"NOOP\r\n")[HEADER : 2 * HEADER]
        )


@pytest.mark.parametrize("option", [ODD_SACK, EVEN_SACK])
def test_an_error_quotes_selective_acknowledgments_as_they_were_sent(
    connection: Connection, option: bytes
) -> None:
    connection.let_go(5, 3)
    options = option + struct.pack("!4I", *range(START + 10, START + 50, 10))
    packet = connection.from_client(options=options + b"\0" * (-len(options) % 4))
    sent = connection.router.out(packet)
    assert sent[2 * HEADER :] != packet[2 * HEADER :]
    for length in (HEADER + 8, 2 * HEADER, len(sent)):
        got = connection.router.into(error(HOP, EXTERNAL, sent[:length]))
        assert sums_are_right(got)
        if length != 2 * HEADER:
            assert quote_of(got) == packet[:length]


def test_an_error_is_believed_by_the_senders_own_numbers(connection: Connection) -> None:
    far = 1 << 24
    connection.let_go(far, 0)
    sent = connection.router.out(connection.from_client(payload=b"NOOP\r\n"))
    assert connection.router.try_in(error(HOP, EXTERNAL, sent))[0] == ""
    as_it_was = put(sent, SEQUENCE_AT, struct.pack("!I", START + 1))
    assert connection.router.try_in(error(HOP, EXTERNAL, as_it_was))[0] == "icmp_quote_out_of_window"


def test_a_connection_begun_anew_is_not_corrected(connection: Connection) -> None:
    """CLIENT has forgotten the connection and sends a SYN; SERVER believes it."""
    connection.let_go(5, 3)
    again = START + 500_000
    assert numbers(connection.router.out(connection.from_client(again, 0, SYN)))[0] == again
    answer = connection.from_server(9000, again + 1, SYN | ACK)
    assert numbers(connection.router.into(answer)) == (9000, again + 1)
    assert numbers(connection.router.out(connection.from_client(again + 1, 9001))) == (again + 1, 9001)


def test_an_end_that_knows_nothing_refuses_what_was_not_corrected(connection: Connection) -> None:
    connection.let_go(5, 3)
    again = START + 500_000
    connection.router.out(connection.from_client(again, 0, SYN))
    refusal = connection.from_server(0, again + 1, RST | ACK)
    assert number(connection.router.into(refusal), ACKED_AT) == again + 1
    assert connection.router.row().state == "reset"


def test_a_challenge_is_corrected_like_all_else(connection: Connection) -> None:
    connection.let_go(5, 3)
    connection.router.out(connection.from_client(START + 500_000, 0, SYN))
    assert numbers(connection.router.into(connection.from_server(acked=START + 6))) == (START + 4, START + 1)


@pytest.mark.parametrize("let_go", [True, False])
def test_corrections_outlive_a_restart_and_helpers_do_not(tmp_path: Path, let_go: bool) -> None:
    path = tmp_path / "state"
    connection = Connection(path)
    connection.router.table.correct(connection.name.session, connection.name.serial, 5, 3)
    if let_go:
        connection.router.table.let_go(connection.name.session, connection.name.serial)
    after = restarted(connection.router, path)
    assert numbers(after.out(connection.from_client())) == (START + 6, START - 2)
    assert after.row().helper == 0


def test_a_name_that_is_gone_corrects_nothing(connection: Connection) -> None:
    connection.router.table.correct(connection.name.session, connection.name.serial + 1, 5, 0)
    connection.router.table.let_go(connection.name.session, connection.name.serial)
    assert numbers(connection.router.out(connection.from_client())) == (START + 1, START + 1)


def test_counters_of_a_session_go_on_past_32_bits(tmp_path: Path) -> None:
    """A record a little short of 2**32 packets and bytes, as a long life would leave it."""
    path = tmp_path / "state"
    before = Connection(path)
    before.let_go(0, 0)
    counted = before.router.row()
    high = b"\xff" * 16
    at = 4096 + 128 + 64
    before.router.table.close()
    data = path.read_bytes()
    path.write_bytes(put(data, at, high))
    after = restarted(before.router, path)
    after.out(before.from_client())
    row = after.row()
    assert (row.packets_out, row.packets_in) == (1 << 32, (1 << 32) - 1)
    assert row.bytes_out == (1 << 32) + 39
    assert counted.packets_out == 2
