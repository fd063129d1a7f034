"""The phone's own signalling endpoint in headers: where it is translated, and where it is left alone.

Nothing is stored. In mode "full" the outside sees the phone's external endpoint in Via, Contact and
Record-Route. The phone sees its internal one, in what comes back: Request-URI, Via with `received` and
`rport`, Contact, Route, Record-Route. So each side sees what it would see without a NAT.

Identifiers stay: From, To, Call-ID, CSeq, branches, tags, credentials, and the Request-URI on its way out,
which a digest covers.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import NamedTuple

from nfmasq.helpers.kit.base import Mentioned, Named, Place, Session
from nfmasq.helpers.kit.numbers import written
from nfmasq.helpers.protocols.sip.addresses import (
    SIP_PORT,
    Entry,
    Host,
    Uri,
    Via,
    entries,
    read_uri,
    topmost,
)
from nfmasq.helpers.protocols.sip.message import Message

TRAVERSING = frozenset({b"gr", b"ob"})
"""Parameters of a URI that leads to a phone by itself: a GRUU (RFC 5627) or a flow (RFC 5626)."""


class Bare(NamedTuple):
    """Does the phone write its own endpoint without the port 5060? It hears it so again."""

    via: bool = False
    contact: bool = False


def contacts_of(message: Message) -> list[Entry]:
    """The entries of Contact. Raises NotActedOn("malformed")."""
    values = message.headers.get(b"contact", ())
    return [entry for value in values if value.text != b"*" for entry in entries(value)]


def is_own(uri: Uri | None, session: Session) -> bool:
    """Does a URI of the inside lead to the endpoint that this session comes from?"""
    return (
        uri is not None
        and (uri.host.address, uri.host.port) == session.internal
        and uri.transport in {"", session.transport}
    )


def is_translated(contacts: Sequence[Entry], session: Session) -> bool | None:
    """Does the sender inside leave its NAT traversal to the router? None: the message has none.

    It does if each of its contacts is the endpoint that the message comes from. It does not if it names
    another address, a name, another port or another transport. Nor does it with a GRUU (RFC 5627) or a flow
    (RFC 5626).
    """
    for entry in contacts:
        if not is_own(entry.uri, session) or b"reg-id" in entry.parameters or is_traversing(entry.uri):
            return False
    return True if contacts else None


def is_traversing(uri: Uri | None) -> bool:
    """Does a URI lead to its phone through NATs, whatever its host is?"""
    return uri is not None and not TRAVERSING.isdisjoint(uri.parameters)


def request_uri(data: bytes, message: Message) -> Uri | None:
    """The Request-URI; None: it is none of SIP, or this is an answer. Raises NotActedOn("malformed")."""
    return None if message.status else read_uri(data, *message.uri)


def outbound(message: Message, via: Via | None, contacts: Sequence[Entry], session: Session) -> list[Place]:
    """The places in what the inside says. via: of a request. Raises NotActedOn("malformed")."""
    places: list[Place] = []
    own = (session.internal[0],)
    if via is not None and not via.asks_rport and via.host.address in own:
        places.append(_named(via.host))
        if via.maddr is not None and via.maddr[2] in own:
            places.append(Named(*via.maddr, _write_address))
    routes = [entry for value in message.headers.get(b"record-route", ()) for entry in entries(value)]
    for each in (*contacts, *routes):
        if each.uri is not None and is_own(each.uri, session):
            places.append(_named(each.uri.host))
    return places


def inbound(message: Message, uri: Uri | None, session: Session, bare: Bare) -> list[Place]:
    """The places in what the outside says. uri: of a request. Raises NotActedOn("malformed")."""
    own = session.external[0], session.internal[0]
    places: list[Place] = []
    uris = [uri]
    names: tuple[bytes, ...] = (b"route",)
    if message.status:
        places += _in_via(topmost_via(message), own, bare)
        names = b"contact", b"record-route"
    for name in names:
        for value in message.headers.get(name, ()):
            if written(own[0]) in value.text or written(own[1]) in value.text:
                uris += [entry.uri for entry in entries(value)]
    for each in uris:
        if each is not None and each.host.address in own and each.transport in {"", "udp", "tcp"}:
            places.append(_mentioned(each.host, each.transport or session.transport, is_bare=bare.contact))
    return places


def bare_in(via: Via | None, contacts: Sequence[Entry], before: Bare) -> Bare:
    """Which headers of a request the phone wrote without a port; of those it did not write, as before."""
    in_via, in_contact = before
    if via is not None:
        in_via = not via.host.has_port
    if contacts:
        in_contact = any(each.uri is not None and not each.uri.host.has_port for each in contacts)
    return before if (in_via, in_contact) == before else Bare(in_via, in_contact)


def topmost_via(message: Message) -> Via | None:
    """The topmost Via. Raises NotActedOn("malformed")."""
    values = message.headers.get(b"via")
    return topmost(values[0]) if values else None


def _in_via(via: Via | None, own: tuple[IPv4Address, IPv4Address], bare: Bare) -> list[Place]:
    """The phone's own Via in an answer, with what the outside has added to it."""
    if via is None:
        return []
    host, asks_rport, rport, received, maddr = via
    places: list[Place] = []
    if not asks_rport and host.address in own:
        places.append(_mentioned(host, "", is_bare=bare.via))
    port = host.port if rport is None else rport[2]
    for each in (received, maddr):
        if each is not None and each[2] in own:
            places.append(Mentioned(each[0], each[1], port, _write_address, each[2]))
    if rport is not None and received is not None and received[2] in own:
        places.append(Mentioned(*rport, _write_port, received[2]))
    return places


def _named(host: Host) -> Named:
    assert host.address is not None
    return Named(host.start, host.end, host.address, _write_both, port=host.port)


def _mentioned(host: Host, transport: str, *, is_bare: bool) -> Mentioned:
    write = _write_bare if is_bare else _write_both
    return Mentioned(host.start, host.end, host.port, write, host.address, transport)


def _write_both(address: IPv4Address, port: int) -> bytes:
    return b"%s:%d" % (written(address), port)


def _write_bare(address: IPv4Address, port: int) -> bytes:
    return written(address) if port == SIP_PORT else _write_both(address, port)


def _write_address(address: IPv4Address, _: int) -> bytes:
    return written(address)


def _write_port(_: IPv4Address, port: int) -> bytes:
    return b"%d" % port
