"""SNMP versions 1 and 2c (RFC 1157, 3416): addresses among the values of a management message.

A message is BER: a sequence of the version, the community and one PDU. Values of the type IpAddress (tag
0x40) stand in variable bindings, and the agent's address in a trap of version 1. Both have four bytes.
161/udp, traps 162/udp.

Rewritten: each such value that is the speaker's own address. Where the outside names the external one, it
becomes the internal one again. This is the basic helper of RFC 2962. Not rewritten: addresses that are part
of an object identifier (ipAdEntAddr.192.168.1.10), so a value then contradicts its index. Addresses in octet
strings and of other hosts stay, too. Version 3 is authenticated, and is left alone. `nfmasq check` warns of
an enabled one.
"""

from collections.abc import Iterator

from nfmasq.helpers.kit.base import MOST_FOUND, Dialogue, Reading, Session, Side
from nfmasq.helpers.kit.endpoints import packed_alone

SEQUENCE, INTEGER, OCTETS, IP_ADDRESS = 0x30, 0x02, 0x04, 0x40
VERSIONS = (b"\0", b"\1")
"""1 and 2c."""
MOST_TAGS = 4096
"""Tags in one message: a datagram has hardly more of them."""

_PDUS = range(0xA0, 0xA9)
_LONG, _LENGTH_BYTES = 0x80, 0x7F

Value = tuple[int, int, int]
"""Tag, and where the contents begin and end."""


class Malformed(Exception):
    """This is no SNMP of these versions."""


class Snmp:
    """The helper. It has no options."""

    name = "snmp"
    transport = "udp"
    ports: tuple[int, ...] = (161, 162)
    enabled_by_default = False
    about = "SNMP v1 and v2c: the speaker's own address among the values"
    warning = (
        "values are rewritten, object identifiers are not: a row may contradict its index (RFC 2962), "
        "and communities go in clear text; SNMP v3 needs no helper"
    )

    examples = (
        (
            Side.INSIDE,
            bytes.fromhex(
                "3036 020100 0406 7075626c6963 a429 06062b0601040101 4004c0a8010a 020106 020111 430101"
            )
            + bytes.fromhex("3010 300e 06062b0601040101 4004c0a8010a"),
        ),
    )

    def begin(self, session: Session) -> Dialogue:
        """A dialogue for an agent and its manager."""
        return SnmpDialogue()


class SnmpDialogue:
    """The messages of an agent and its manager. Stored: nothing."""

    def read(self, side: Side, data: bytes) -> Reading:
        """The addresses in a message."""
        try:
            begins = [begin for tag, begin, end in _values(data) if tag == IP_ADDRESS and end - begin == 4]
        except Malformed:
            return Reading(len(data))
        if len(begins) > MOST_FOUND:
            return Reading(len(data), not_acted_on=["too_long"])
        return Reading(len(data), [packed_alone(side, data, begin) for begin in begins])


def _values(data: bytes) -> Iterator[Value]:
    """The simple values of the PDU, in order. Raises Malformed."""
    tag, at, end = _value(data, 0, len(data))
    version = _value(data, at, end)
    community = _value(data, version[2], end)
    pdu = _value(data, community[2], end)
    if (tag, version[0], community[0]) != (SEQUENCE, INTEGER, OCTETS) or pdu[0] not in _PDUS:
        raise Malformed
    if data[version[1] : version[2]] not in VERSIONS or end != len(data) or pdu[2] != end:
        raise Malformed
    ends, here = [end], pdu[1]
    for _ in range(MOST_TAGS):
        while ends and here == ends[-1]:
            ends.pop()
        if not ends:
            return
        tag, begin, behind = _value(data, here, ends[-1])
        if tag == SEQUENCE:
            ends.append(behind)
            here = begin
        else:
            yield tag, begin, behind
            here = behind
    raise Malformed


def _value(data: bytes, at: int, end: int) -> Value:
    """The value that begins there, and ends at `end` at the latest. Raises Malformed."""
    if at + 2 > end:
        raise Malformed
    tag, length = data[at], data[at + 1]
    begin = at + 2
    if length & _LONG:
        begin += length & _LENGTH_BYTES
        if not 1 <= length & _LENGTH_BYTES <= 4 or begin > end:
            raise Malformed
        length = int.from_bytes(data[at + 2 : begin])
    if begin + length > end:
        raise Malformed
    return tag, begin, begin + length


HELPER = Snmp
