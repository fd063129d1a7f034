"""The sender of refusals alone: hand-made ones, sent by a real router to real programs."""

import asyncio
import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address
from pathlib import Path as FilePath

import pytest
from support.path import CLIENT, EXTERNAL, PORT, ROUTER_INSIDE, SERVER, Path
from support.wire import Seen, Wire

import nfmasq
from nfmasq.core.reasons import Icmp
from nfmasq.core.rows import Refusal
from nfmasq.daemon.refuse import LOOK_S, Refuser, message
from nfmasq.lab.packets import ACK, FIN, PSH, RST, SYN, checksum, tcp

pytestmark = pytest.mark.root

PORT_UNREACHABLE, PROHIBITED = 3, 13
POOL = "198.51.100.7"
"""An external address that is on no interface."""

WITHOUT = """
from ipaddress import IPv4Address
from types import SimpleNamespace
import nfmasq
from nfmasq.daemon.refuse import Refuser
from nfmasq.core.rows import Refusal
taken = []
refusal = Refusal(IPv4Address("192.0.2.1"), None, 13, bytes(28))
sender = Refuser(SimpleNamespace(refusals=lambda: taken.append("taken") or [refusal]))
sender.send_due()
sender.close()
print(*taken)
"""


class Due:
    """Stands for the table: what is due, and the bell it rings."""

    def __init__(self) -> None:
        self.refusal_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.waiting: list[Refusal] = []

    def refusals(self) -> list[Refusal]:
        """Take what is due."""
        with suppress(BlockingIOError):
            os.eventfd_read(self.refusal_fd)
        taken, self.waiting = self.waiting, []
        return taken


@pytest.fixture
def path() -> Iterator[Path]:
    """A client, a router and a server of this test alone."""
    with Path() as made:
        yield made


@pytest.fixture
def due() -> Iterator[Due]:
    """What the sender is to send."""
    made = Due()
    yield made
    os.close(made.refusal_fd)


@contextmanager
def _sender(path: Path, due: Due) -> Iterator[Refuser]:
    made: Refuser = path.router.call(Refuser, due)
    yield made
    made.close()


def _seen(path: Path, due: Due, at: tuple[str, str], refusal: Refusal) -> Seen:
    """What arrives at an interface ("client", "c0") when this refusal is sent."""
    namespace, interface = at
    with Wire(getattr(path, namespace), interface) as wire, _sender(path, due) as sender:
        due.waiting.append(refusal)
        sender.send_due()
        return wire.next()


def _quote(source: str, destination: str, payload: bytes = b"") -> bytes:
    """An IP header and the first bytes of a datagram."""
    ports = struct.pack("!HHHH", 4000, PORT, 8 + len(payload), 0)
    header = struct.pack(
        "!BBHHHBBH4s4s",
        *(0x45, 0, 28 + len(payload), 1, 0, 63, socket.IPPROTO_UDP, 0),
        socket.inet_aton(source),
        socket.inet_aton(destination),
    )
    return header + ports + payload


def test_an_internal_host_is_told_by_the_router_s_own_address(path: Path, due: Due) -> None:
    quote = _quote(CLIENT, SERVER)
    seen = _seen(path, due, ("client", "c0"), Refusal(IPv4Address(CLIENT), None, PROHIBITED, quote))
    icmp = seen.packet[20:]
    assert (seen.source, seen.protocol) == (ROUTER_INSIDE, socket.IPPROTO_ICMP)
    assert (icmp[0], icmp[1], icmp[8:]) == (3, PROHIBITED, quote)
    assert checksum(icmp) == checksum(seen.packet[:20]) == 0
    assert struct.unpack_from("!H", seen.packet, 2)[0] == 28 + len(quote)


@pytest.mark.parametrize("source", [EXTERNAL, POOL])
def test_a_remote_host_is_told_by_the_address_it_spoke_to(path: Path, due: Due, source: str) -> None:
    refusal = Refusal(IPv4Address(SERVER), IPv4Address(source), PORT_UNREACHABLE, _quote(SERVER, source))
    assert _seen(path, due, ("server", "s0"), refusal).source == source


def test_a_long_packet_is_quoted_in_part(path: Path, due: Due) -> None:
    quote = _quote(CLIENT, SERVER, bytes(1401))
    seen = _seen(path, due, ("client", "c0"), Refusal(IPv4Address(CLIENT), None, PROHIBITED, quote))
    assert len(seen.packet) == 576
    assert checksum(seen.packet[20:]) == 0


def test_the_socket_the_refusal_is_about_gets_its_error(path: Path, due: Due) -> None:
    with path.sender() as asking, _sender(path, due) as sender:
        asking.settimeout(5)
        port = asking.getsockname()[1]
        quote = _quote(CLIENT, SERVER)
        quote = quote[:20] + struct.pack("!H", port) + quote[22:]
        due.waiting.append(Refusal(IPv4Address(CLIENT), None, PROHIBITED, quote))
        sender.send_due()
        with pytest.raises(OSError, match="No route to host"):
            asking.recv(100)


def test_what_cannot_be_sent_does_not_keep_the_rest(path: Path, due: Due) -> None:
    nowhere = Refusal(IPv4Address("192.0.2.1"), None, PROHIBITED, _quote(CLIENT, SERVER))
    due.waiting += [nowhere, nowhere]
    good = Refusal(IPv4Address(CLIENT), None, PROHIBITED, _quote(CLIENT, SERVER))
    assert _seen(path, due, ("client", "c0"), good).packet[21] == PROHIBITED


def test_what_is_due_is_sent_when_the_bell_rings_and_once_a_second(path: Path, due: Due) -> None:
    async def ring(sender: Refuser, wire: Wire) -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        serving = loop.create_task(sender.serve())
        waits = []
        for rings in (True, False):
            await asyncio.sleep(0.05)
            due.waiting.append(Refusal(IPv4Address(CLIENT), None, PROHIBITED, _quote(CLIENT, SERVER)))
            begin = loop.time()
            if rings:
                os.eventfd_write(due.refusal_fd, 1)
            await loop.run_in_executor(None, wire.next)
            waits.append(loop.time() - begin)
        serving.cancel()
        return waits[0], waits[1]

    with Wire(path.client, "c0") as wire, _sender(path, due) as sender:
        at_once, later = asyncio.run(ring(sender, wire))
    assert at_once < LOOK_S / 2
    assert later <= LOOK_S + 0.5


def test_without_the_capability_it_warns_and_goes_on(path: Path) -> None:
    told = path.router.run(
        *("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw", sys.executable, "-c", WITHOUT),
        cwd=FilePath(nfmasq.__file__).parent.parent,
    )
    assert "CAP_NET_RAW" in told
    assert told.endswith("taken\n")


@pytest.mark.parametrize(
    ("flags", "options", "payload", "answer"),
    [
        (ACK, b"", b"", (2000, 0, RST)),
        (ACK | PSH, b"\1" * 12, b"word", (2000, 0, RST)),
        (ACK | FIN, b"", b"", (2000, 0, RST)),
        (SYN | ACK, b"", b"", (2000, 0, RST)),
        (SYN, b"", b"", (0, 1001, RST | ACK)),
        (FIN, b"\1" * 40, b"word", (0, 1005, RST | ACK)),
    ],
    ids=["ACK", "data", "FIN", "SYN+ACK", "SYN", "FIN without ACK"],
)
@pytest.mark.parametrize("ip_options", [b"", b"\1" * 40], ids=["", "options"])
def test_a_reset_has_the_numbers_its_receiver_awaits(
    flags: int, options: bytes, payload: bytes, answer: tuple[int, int, int], ip_options: bytes
) -> None:
    """RFC 9293 section 3.10.7.1."""
    own, remote = (IPv4Address(CLIENT), 40000), (IPv4Address(SERVER), 80)
    segment = tcp(own, remote, flags, 1000, 2000, options=options, payload=payload, ip_options=ip_options)
    quote = segment[: 40 + len(ip_options)]
    reset = message(Refusal(own[0], None, Icmp.RESET, quote))
    sequence, acked, kind = answer
    assert reset[12:] == tcp(remote, own, kind, sequence, acked, window=0)[12:]
    assert len(reset) <= len(segment)


def test_a_reset_arrives_in_the_remote_host_s_name(path: Path, due: Due) -> None:
    segment = tcp((IPv4Address(CLIENT), 40000), (IPv4Address(SERVER), 80), ACK, 1000, 2000)
    seen = _seen(path, due, ("client", "c0"), Refusal(IPv4Address(CLIENT), None, Icmp.RESET, segment[:40]))
    assert (seen.source, seen.protocol) == (SERVER, socket.IPPROTO_TCP)
    assert checksum(seen.packet[:20]) == 0


def test_a_message_has_the_precedence_and_the_addresses_of_an_error() -> None:
    packet = message(Refusal(IPv4Address(CLIENT), None, PROHIBITED, _quote(CLIENT, SERVER)))
    assert (packet[1], packet[12:16], packet[16:20]) == (0xC0, bytes(4), socket.inet_aton(CLIENT))
