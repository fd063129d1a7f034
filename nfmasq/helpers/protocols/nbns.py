"""NetBIOS name service (RFC 1002 section 4.2): the addresses of a name, in requests and in answers.

The format is that of DNS. A record NB has, for each address of the name, two bytes of flags and four of the
address. A record A has an address alone. Hosts send them in registrations, refreshes and releases to a WINS
server, and in answers to queries. 137/udp.

Rewritten: the speaker's own address, to the external one. Where the outside names the external one, it
becomes the internal one again: a server's reply to a registration does so. Not rewritten: addresses of other
hosts, and node statistics. A host outside that is given the external address finds the host there where a
forward leads 137/udp, 138/udp and 139/tcp to it.
"""

from collections.abc import Iterator

from nfmasq.helpers.kit import records
from nfmasq.helpers.kit.base import MOST_FOUND, Dialogue, Reading, Session, Side
from nfmasq.helpers.kit.endpoints import packed_alone
from nfmasq.helpers.kit.records import Record

A, NB, INTERNET = 1, 0x20, 1
OPERATIONS = {0, 5, 6, 8, 9, 15}
"""Query, registration, release, refresh in its two values, and registration of several addresses."""
MOST_OF_A_NAME = 4
"""Of one message, each with any number of addresses; messages of the service have one or two."""

_ENTRY = 6


class Nbns:
    """The helper. It has no options."""

    name = "nbns"
    transport = "udp"
    ports: tuple[int, ...] = (137,)
    enabled_by_default = False
    about = "NetBIOS name service: a host's own address in registrations and answers"

    examples = (
        (
            Side.INSIDE,
            b"\0\1\x79\0\0\1\0\0\0\0\0\1 EJEOEDEMEJCACACACACACACACACACACA\0\0 \0\1"
            b"\xc0\x0c\0 \0\1\0\3\xf4\x80\0\6`\0" + bytes((192, 168, 1, 10)),
        ),
        (
            Side.OUTSIDE,
            b"\0\1\xad\x80\0\0\0\1\0\0\0\0 EJEOEDEMEJCACACACACACACACACACACA\0\0 \0\1\0\3\xf4\x80\0\6`\0"
            + bytes((203, 0, 113, 2)),
        ),
    )

    def begin(self, session: Session) -> Dialogue:
        """A dialogue for the messages of two hosts."""
        return NbnsDialogue()


class NbnsDialogue:
    """The messages of two hosts. Stored: nothing."""

    def read(self, side: Side, data: bytes) -> Reading:
        """The addresses in a message."""
        try:
            message = records.message(data, 0, len(data), {A, NB})
        except records.Malformed:
            return Reading(len(data))
        if message.operation not in OPERATIONS or len(message.records) > MOST_OF_A_NAME:
            return Reading(len(data))
        begins = [begin for record in message.records for begin in _addresses(record)]
        if len(begins) > MOST_FOUND:
            return Reading(len(data), not_acted_on=["too_long"])
        return Reading(len(data), [packed_alone(side, data, begin) for begin in begins])


def _addresses(record: Record) -> Iterator[int]:
    """Where the addresses of a record begin."""
    length = record.end - record.begin
    if record.group == INTERNET and record.kind == NB and length % _ENTRY == 0:
        yield from range(record.begin + 2, record.end, _ENTRY)
    elif record.group == INTERNET and record.kind == A and length == 4:
        yield record.begin


HELPER = Nbns
