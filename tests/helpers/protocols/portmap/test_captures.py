"""Which endpoints are found in real captures, and how much may wait."""

from pathlib import Path

import pytest
from support.conversations import heard

from helpers.protocols.portmap.calls import GETPORT, IN, OUT, TCP, call, getport, reply, words
from nfmasq.helpers.kit.base import Side
from nfmasq.helpers.kit.listener import Listener
from nfmasq.helpers.kit.pairing import MOST_WAITING
from nfmasq.helpers.protocols.portmap import Portmap
from nfmasq.helpers.protocols.portmap.dialogue import LONGEST, MOST_RPC_RECORDS, PortmapDialogue

CAPTURES = Path(__file__).parent / "captures"
FOUND = {
    "cthelper-nfsv3.pcap": [(2, 37726), (10, 2049), (26, 60260), (38, 2049)],
    "ndpi-nfsv2.pcap": [(2, 1048), (6, 2049), (154, 1048)],
    "rec-rpcbind.pcap": [(2, 32765), *[(20, 32765)] * 2, *[(30, 32765)] * 2, (40, 32765)]
    + [(60, 32765)] * 2 + [(76, 32765), (84, 32765), (100, 32765), (102, 32765)],
    "zeek-nfs-write.pcap": [(7, 2049), (23, 20048), (35, 2049), (146, 20048)],
    "zeek-portmapper-unanswered.pcapng": [],
}  # fmt: skip


def hear(*said: tuple[Side, bytes], transport: str = "tcp", inside_began: bool = False) -> Listener:
    """What is found in bytes of a stream."""
    return Listener(Portmap(), inside_began, transport=transport).hear_all(said)


@pytest.mark.parametrize("name", FOUND)
def test_every_program_of_a_capture_is_found(name: str) -> None:
    read = heard(Portmap(), CAPTURES / name, None, server_inside=True)
    assert [(frame, port) for frame, kind, _, port in read.places if kind == "Found"] == FOUND[name]
    assert (read.left_alone, read.left) == ([], 0)


@pytest.mark.parametrize("name", FOUND)
def test_a_server_outside_is_left_alone(name: str) -> None:
    read = heard(Portmap(), CAPTURES / name, None, server_inside=False)
    assert (read.places, read.left_alone) == ([], [])


def test_every_capture_is_read() -> None:
    assert {path.name for path in CAPTURES.glob("*.pcap*")} == set(FOUND)


def test_of_calls_without_a_reply_only_so_many_are_remembered() -> None:
    listener = hear(*((OUT, Portmap.framed(getport(TCP, number=number))) for number in range(1000)))
    assert isinstance(listener._dialogue, PortmapDialogue)
    assert len(list(listener._dialogue._calls)) == MOST_WAITING
    listener.hear(IN, Portmap.framed(reply(words(2049), number=5)))
    assert listener.places == []


@pytest.mark.parametrize(
    "said",
    [
        b"POST / HTTP/1.1\r\n",
        Portmap.framed(call(2, GETPORT, words(1, 2, 6, 0), program=100003)),
        Portmap.framed(getport(TCP)[:-8]),
        Portmap.framed(words(7, 1, 0, 0, 0, 0)),
        Portmap.framed(words(7, 0, 3, 100000, 2, 3, 0, 0, 0, 0, 1, 2, 6, 0)),
        Portmap.framed(words(7, 0, 2, 100000, 2, 3, 0, 401) + bytes(420)),
        Portmap.framed(b""),
    ],
    ids=repr,
)
def test_a_caller_of_something_else_is_left(said: bytes) -> None:
    """Of HTTP the first bytes would be a record of 1.3 GB, that passes."""
    listener = hear(
        (OUT, said), (OUT, Portmap.framed(getport(TCP))), (IN, Portmap.framed(reply(words(2049))))
    )
    assert listener.places == []


def test_datagrams_of_something_else_are_passed_over() -> None:
    listener = hear(
        (OUT, b"?"), (OUT, getport(TCP)), (IN, b"?" * 60), (IN, reply(words(2049))), transport="udp"
    )
    assert [each.start for each in listener.places] == [60 + 24]


def test_a_client_inside_that_asks_is_left_alone() -> None:
    listener = hear((IN, getport(TCP)), (OUT, reply(words(2049))), transport="udp", inside_began=True)
    assert (listener.places, listener.left) == ([], True)


@pytest.mark.parametrize("mark", [0x00000040, 0x80000000 | LONGEST + 1])
def test_records_in_several_fragments_and_longer_ones_pass(mark: int) -> None:
    asked = Portmap.framed(getport(TCP))
    size = mark & 0x7FFFFFFF
    long = words(mark) + bytes(size)
    listener = hear((OUT, asked), (IN, long + Portmap.framed(reply(words(2049)))))
    assert [each.start for each in listener.places] == [4 + size, 4 + size + 28]
    assert listener.waiting[IN] == b""


def test_too_many_records_at_once_end_the_helper() -> None:
    asked = Portmap.framed(getport(TCP))
    assert not hear((OUT, asked * MOST_RPC_RECORDS)).left
    assert hear((OUT, asked * (MOST_RPC_RECORDS + 1))).left
