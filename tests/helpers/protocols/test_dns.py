"""The addresses in DNS that the outside must not see, of real captures and of hosts that mean harm."""

import struct
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.conversations import heard
from support.router import CLIENT, OTHER_CLIENT, SERVER

from helpers.protocols.ends import Ends, bed_of
from nfmasq.helpers.kit.base import Side
from nfmasq.helpers.kit.listener import Listener
from nfmasq.helpers.protocols.dns import MOST_TRANSFERS, Dns, DnsDialogue

IN, OUT = Side.INSIDE, Side.OUTSIDE
CAPTURES = Path(__file__).parent / "dns" / "captures"
A, SOA, WKS, TXT, AAAA, SVCB, HTTPS = 1, 6, 11, 16, 28, 64, 65
IN_CLASS, NONE_CLASS = 1, 254
ANSWER, QUERY, UPDATE = 0x8500, 0x0100, 0x2800
BOTH = pytest.mark.parametrize("transport", ["udp", "tcp"])


def record(kind: int, data: bytes, group: int = IN_CLASS) -> bytes:
    """A record whose name is the question's."""
    return b"\xc0\x0c" + struct.pack("!HHIH", kind, group, 3600, len(data)) + data


def message(*records: bytes, flags: int = ANSWER, number: int = 7, kind: int = A, section: int = 0) -> bytes:
    """A message with one question. section: 0 to 2, where its records stand."""
    counts = [0, 0, 0]
    counts[section] = len(records)
    head = struct.pack("!6H", number, flags, 1, *counts)
    return head + b"\3www\7example\0" + struct.pack("!HH", kind, IN_CLASS) + b"".join(records)


def hint(*addresses: IPv4Address) -> bytes:
    """The data of a record HTTPS."""
    hints = b"".join(each.packed for each in addresses)
    return b"\0\1\0" + b"\0\1\0\3\2h2" + struct.pack("!HH", 4, len(hints)) + hints + b"\0\3\0\2\1\xbb"


class Server(Ends):
    """A server inside that was asked. say: messages with TCP's length where there must be one."""

    def __init__(self, transport: str) -> None:
        super().__init__(bed_of(Dns(), server_inside=True), transport)
        self._is_stream = transport == "tcp"
        self.say(OUT, message(flags=QUERY))

    def say(self, side: Side, payload: bytes) -> bytes:
        if not self._is_stream:
            return super().say(side, payload)
        heard = super().say(side, Dns.framed(payload))
        assert int.from_bytes(heard[:2]) == len(heard) - 2
        return heard[2:]


def test_every_private_address_of_a_real_server_is_found() -> None:
    read = heard(Dns(), CAPTURES / "rec-inside-server.pcap", None, server_inside=True)
    zone = [address for frame, _, address, _ in read.places if frame not in {26, 32, 54}]
    assert set(zone) == {f"192.168.77.{host}" for host in (10, 11, 12)}
    found = [frame for frame, *_ in read.places]
    assert {frame: found.count(frame) for frame in (2, 6, 12, 14, 20, 26, 32, 46, 60)} == {
        2: 3, 6: 4, 12: 2, 14: 2, 20: 0, 26: 63, 32: 63, 46: 0, 60: 2,
    }  # fmt: skip
    assert 54 in found
    assert (read.left_alone, read.left) == ([], 0)


@pytest.mark.parametrize(
    "name",
    [
        "tcpdump-bad-label.pcap",
        "tcpdump-dnssec.pcap",
        "tcpdump-forward-pointer.pcap",
        "tcpdump-zlip-1.pcap",
        "tcpdump-zlip-2.pcap",
        "zeek-corrupt.pcap",
        "zeek-count-too-large.pcap",
        "zeek-fragmented-v6.pcap",
    ],
)
def test_nothing_is_found_where_nothing_is(name: str) -> None:
    for server_inside in (False, True):
        assert heard(Dns(), CAPTURES / name, None, server_inside=server_inside).places == []


def test_a_real_update_that_is_signed_stays_and_the_other_is_found() -> None:
    read = heard(Dns(), CAPTURES / "zeek-dynamic-update.pcap", None, server_inside=False)
    assert read.places == [(3, "Named", "192.168.1.105", 0)]
    assert read.left_alone == [(1, "not_allowed")]


def test_well_known_services_have_an_address() -> None:
    read = heard(Dns(), CAPTURES / "zeek-wks.pcap", None, server_inside=True)
    assert [(frame, address) for frame, _, address, _ in read.places] == [(2, "192.168.0.1")] * 2


@BOTH
@pytest.mark.parametrize("section", range(3))
def test_private_addresses_of_all_sections_become_the_external_one(transport: str, section: int) -> None:
    server = Server(transport)
    inside = [CLIENT, OTHER_CLIENT, *map(IPv4Address, ("10.1.2.3", "172.16.0.1", "172.31.255.255"))]
    outside = [SERVER, *map(IPv4Address, ("172.32.0.1", "9.255.255.255", "127.0.0.1", "100.64.0.1"))]
    said = message(*(record(A, each.packed) for each in inside + outside), section=section)
    told = [server.external[0]] * len(inside) + outside
    assert server.say(IN, said) == message(*(record(A, each.packed) for each in told), section=section)


@BOTH
@pytest.mark.parametrize("kind", [SVCB, HTTPS])
def test_hints_of_a_service(transport: str, kind: int) -> None:
    server = Server(transport)
    said = message(record(kind, hint(CLIENT, SERVER, OTHER_CLIENT)))
    external = server.external[0]
    assert server.say(IN, said) == message(record(kind, hint(external, SERVER, external)))


@BOTH
@pytest.mark.parametrize("kind", [24, 25, 43, 46, 47, 48, 50, 51, 250])
def test_what_is_signed_stays(transport: str, kind: int) -> None:
    said = message(record(A, CLIENT.packed), record(kind, b"x" * 20))
    assert Server(transport).say(IN, said) == said


def test_a_transfer_that_was_signed_stays_to_its_end() -> None:
    server = Server("tcp")
    signed = message(record(A, CLIENT.packed), record(46, b"x" * 20))
    rest = message(record(A, CLIENT.packed))
    other = message(record(A, CLIENT.packed), number=8)
    assert [server.say(IN, each) for each in (signed, rest)] == [signed, rest]
    assert server.say(IN, other) != other


def test_of_signed_transfers_only_so_many_are_remembered() -> None:
    listener = Listener(Dns(), False, transport="tcp")
    for number in range(3 * MOST_TRANSFERS):
        listener.hear(IN, Dns.framed(message(record(46, b"x"), number=number)))
    assert isinstance(listener._dialogue, DnsDialogue)
    assert len(listener._dialogue._signed) == MOST_TRANSFERS


@BOTH
@pytest.mark.parametrize("group", [IN_CLASS, NONE_CLASS])
def test_a_client_inside_updates_its_own_address(transport: str, group: int) -> None:
    listener = Listener(Dns(), True, CLIENT, transport)
    framed = Dns.framed if transport == "tcp" else bytes
    asked, update = (
        message(flags=QUERY, kind=SOA),
        message(
            record(A, CLIENT.packed, group), record(A, OTHER_CLIENT.packed), flags=UPDATE, kind=SOA, section=1
        ),
    )
    listener.hear_all([(IN, framed(asked)), (OUT, framed(message(kind=SOA))), (IN, framed(update))])
    assert [(str(each.what.address), each.what.hide) for each in listener.places] == [(str(CLIENT), False)]  # type: ignore[union-attr]


@BOTH
def test_a_client_inside_that_only_asks_is_left_alone(transport: str) -> None:
    framed = Dns.framed if transport == "tcp" else bytes
    listener = Listener(Dns(), True, CLIENT, transport).hear_all([(IN, framed(message(flags=QUERY)))])
    assert listener.left


@pytest.mark.parametrize(
    "said",
    [
        message(record(A, CLIENT.packed), flags=QUERY),
        message(record(A, CLIENT.packed + b"\0")),
        message(record(A, CLIENT.packed, 3)),
        message(record(AAAA, CLIENT.packed * 4)),
        message(record(TXT, b"\x0c192.168.1.10")),
        message(record(A, CLIENT.packed))[:-1],
        message(record(HTTPS, hint(CLIENT)[:-1])),
        message(record(HTTPS, b"")),
        message(record(HTTPS, b"\0\1\x07")),
        message(record(A, CLIENT.packed)).replace(b"\0\1\0\1\0\0", b"\0\1\xff\xff\0\0", 1),
        b"\0\0",
        b"",
    ],
    ids=repr,
)
def test_anything_else_stays(said: bytes) -> None:
    assert Server("udp").say(IN, said) == said


def test_a_message_with_too_many_addresses_stays() -> None:
    for transport in ("udp", "tcp"):
        said = message(*[record(A, CLIENT.packed)] * 257)
        framed = Dns.framed(said) if transport == "tcp" else said
        listener = Listener(Dns(), False, transport=transport).hear_all([(IN, framed)])
        assert (listener.places, listener.not_acted_on, listener.waiting[IN]) == ([], ["too_long"], b"")


def test_messages_in_one_segment_are_each_read() -> None:
    said = Dns.framed(message(*[record(A, CLIENT.packed)] * 100))
    listener = Listener(Dns(), False, transport="tcp").hear_all([(IN, said * 3)])
    assert (len(listener.places), listener.not_acted_on, listener.waiting[IN]) == (200, ["too_long"], b"")


def test_two_clients_at_once_with_equal_ports() -> None:
    server = Server("udp")
    other = Ends(server.bed, "udp", far=IPv4Address("198.51.100.2"))
    other.say(OUT, message(flags=QUERY))
    for each in (server, other):
        told = each.say(IN, message(record(A, OTHER_CLIENT.packed)))
        assert told == message(record(A, each.external[0].packed))
