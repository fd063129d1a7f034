"""How much work long nonsense makes for a helper whose messages are no lines: steps are counted, not time.

A step is a call of a function, Python's or C's. 64 KB of hostile bytes must cost no more than a few
milliseconds: a step is less than a tenth of a microsecond's work on the slowest router.
"""

import random
import struct

import pytest

from helpers.protocols import test_sane, test_snmp, test_tns
from helpers.protocols.portmap import calls
from helpers.protocols.test_steps import steps
from nfmasq.helpers import registry
from nfmasq.helpers.kit import trial
from nfmasq.helpers.kit.base import Side
from nfmasq.helpers.kit.listener import Listener

NAMES = ("amanda", "dns", "nbdgm", "nbns", "portmap", "rsh", "sane", "snmp", "tns")
LENGTH = 65535
MOST_STEPS, MOST_OF_THE_WORST = 25_000, 100_000

CASES = [
    (name, transport, inside_began, begun)
    for name in NAMES
    for transport, inside_began, example in trial.examples(registry.kind(name)())
    for begun in range(len(example) + 1)
]


def nonsense(message: bytes) -> list[bytes]:
    """64 KB that begin like a message, or consist of one, whole or in part."""
    chance = random.Random(message)
    pieces = [
        message,
        message[: len(message) // 2],
        message[:-4],
        message[-8:],
        b"\0",
        b"\xff",
        b"\0\0\0\1",
        b"0",
    ]
    texts = [piece * (LENGTH // len(piece)) for piece in pieces if piece]
    texts += [message + piece * ((LENGTH - len(message)) // len(piece)) for piece in pieces if piece]
    return [*texts, message + chance.randbytes(LENGTH - len(message))]


@pytest.mark.parametrize(("name", "transport", "inside_began", "begun"), CASES)
def test_64_kilobytes_of_anything_cost_few_steps(
    name: str, transport: str, inside_began: bool, begun: int
) -> None:
    helper = registry.kind(name)()
    (example,) = (
        each
        for carried, began, each in trial.examples(helper)
        if (carried, began) == (transport, inside_began)
    )
    for side in Side:
        for text in {each for _, said in example for each in nonsense(said)}:
            heard = Listener(helper, inside_began, transport=transport).hear_all(example[:begun])
            assert steps(heard, side, text) <= MOST_STEPS


def of_dns(count: int, record: bytes) -> bytes:
    """An answer with so many equal records."""
    return struct.pack("!6H", 1, 0x8500, 0, count, 0, 0) + record * count


def of_snmp(binding: bytes) -> bytes:
    """A response that consists of this."""
    pdu = test_snmp.value(0xA2, binding * (LENGTH // len(binding) // 2), long=4)
    return test_snmp.value(0x30, b"\2\1\1\4\6public" + pdu, long=4)


RECORD = b"\1\0\1\0\0\0\0"
ADDRESS = b"\0\0\1\0\1\0\0\0\0\0\4\xc0\xa8\1\1"
OPTION = calls.words(*[0] * 9)
WORST: dict[str, tuple[str, str, list[tuple[Side, bytes]], bytes]] = {
    "records": ("dns", "udp", [], of_dns(5000, b"\0\0" + RECORD + b"\0\0")),
    "names": ("dns", "udp", [], of_dns(500, b"\1a" * 60 + b"\0\0" + RECORD + b"\0\0")),
    "addresses": ("dns", "udp", [], of_dns(4000, ADDRESS)),
    "tags": ("snmp", "udp", [], of_snmp(b"\5\0")),
    "values": ("snmp", "udp", [], of_snmp(b"\x40\4\xc0\xa8\1\1")),
    "programs": (
        "portmap",
        "udp",
        [(Side.OUTSIDE, calls.call(2, calls.DUMP))],
        calls.reply(calls.words(1, 100003, 3, 6, 2049) * 3200),
    ),
    "options": (
        "sane",
        "tcp",
        [*test_sane.OPENED, *[(Side.OUTSIDE, calls.words(4, 0))] * 8],
        (calls.words(510) + OPTION * 510) * 4,
    ),
    "redirects": ("tns", "tcp", [(Side.OUTSIDE, test_tns.CONNECT)], test_tns.in_one(b"(PORT= " * 270) * 16),
}


@pytest.mark.parametrize("worst", WORST)
def test_what_looks_most_like_a_message(worst: str) -> None:
    name, transport, begun, text = WORST[worst]
    heard = Listener(registry.kind(name)(), False, transport=transport).hear_all(begun)
    assert steps(heard, Side.INSIDE, text) <= MOST_OF_THE_WORST
