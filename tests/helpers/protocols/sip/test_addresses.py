"""Endpoints in URIs, lists of contacts, and the topmost Via."""

from ipaddress import IPv4Address

import pytest

from nfmasq.helpers.kit.base import NotActedOn
from nfmasq.helpers.protocols.sip.addresses import Host, entries, read_uri, topmost
from nfmasq.helpers.protocols.sip.message import Value

HOST = IPv4Address("192.168.1.10")


def value(text: str, at: int = 0) -> Value:
    """A header's value that begins there."""
    return Value(at, at + len(text), text.encode())


@pytest.mark.parametrize(
    ("uri", "host"),
    [
        ("sip:ann@192.168.1.10", (8, 20, HOST, 5060, False)),
        ("sip:192.168.1.10:5062", (4, 21, HOST, 5062, True)),
        ("SIPS:ann@192.168.1.10", (9, 21, HOST, 5061, False)),
        ("sip:ann:pw@192.168.1.10:5060;lr?x=y", (11, 28, HOST, 5060, True)),
        ("sip:a;b=c@192.168.1.10", (10, 22, HOST, 5060, False)),
        ("sip:a;b?c=d@192.168.1.10", None),
        ("sip:proxy.example?X=a@192.168.1.10:40000", None),
        ("sip:proxy.example;x=y?X=a@192.168.1.10", None),
        ("sip:192.168.1.10?x=a@proxy.example", None),
        ("sip:192.168.1.10;x=a@proxy.example", (21, 34, None, 5060, False)),
        ("sip:a@b@192.168.1.10", None),
        ("sip:ann@example.com:5070", (8, 24, None, 5070, True)),
        ("sip:ann@[2001:db8::1]:5060", (8, 26, None, 5060, True)),
        ("tel:+12", None),
        ("mailto:ann@192.168.1.10", None),
        ("", None),
    ],
)
def test_the_host_of_a_uri(uri: str, host: tuple[object, ...] | None) -> None:
    data = uri.encode()
    found = read_uri(data, 0, len(data))
    assert (found and found.host) == (host and Host(*host))  # type: ignore[arg-type]


def test_the_parameters_of_a_uri_and_of_an_entry() -> None:
    (entry,) = entries(value("<sip:ann@192.168.1.10;ob;x=y>;q=0.5;Reg-ID=1"))
    assert entry.uri is not None
    assert (entry.uri.user, entry.uri.parameters) == (b"ann", {b"ob": b"", b"x": b"y"})
    assert entry.parameters == {b"q": b"0.5", b"reg-id": b"1"}


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("<sip:a@192.168.1.10:1>", [1]),
        ("<sip:a@192.168.1.10:1>,<sip:a@192.168.1.10:2>", [1, 2]),
        ('"x, <sip:a@10.0.0.1:9>" <sip:a@192.168.1.10:1>;q=1, sip:a@192.168.1.10:2;x=y', [1, 2]),
        ("sip:a@192.168.1.10:1 , sip:a@192.168.1.10:2", [1, 2]),
        ("<sip:a,b@192.168.1.10:1>", [1]),
        ("<tel:+1>, <sip:a@192.168.1.10:2>", [None, 2]),
    ],
)
def test_the_entries_of_a_list(text: str, ports: list[int | None]) -> None:
    found = list(entries(value(text, 100)))
    assert [each.uri and each.uri.host.port for each in found] == ports
    for each in found:
        if each.uri is not None:
            assert text[each.uri.host.start - 100 : each.uri.host.end - 100].startswith("192.168.1.10:")


@pytest.mark.parametrize(
    ("uri", "transport"),
    [
        ("sip:a@192.168.1.10", ""),
        ("sips:a@192.168.1.10;transport=tcp", "tls"),
        ("sip:a@192.168.1.10;x=y;Transport=TCP", "tcp"),
        ("sip:a@192.168.1.10;transport=udp?x=y", "udp"),
        ("sip:a;transport=ws@192.168.1.10", ""),
    ],
)
def test_the_transport_that_a_uri_asks_for(uri: str, transport: str) -> None:
    found = read_uri(uri.encode(), 0, len(uri))
    assert found is not None
    assert found.transport == transport


@pytest.mark.parametrize(
    "text", ["<sip:a@192.168.1.10", '"x <sip:a@192.168.1.10>', ",".join(["<sip:a@b>"] * 33)]
)
def test_a_list_that_cannot_be_read(text: str) -> None:
    with pytest.raises(NotActedOn, match="malformed"):
        list(entries(value(text)))


@pytest.mark.parametrize(
    "text",
    [
        "SIP/2.0/UDP 192.168.1.10:5062;branch=z9",
        "SIP / 2.0 / udp   192.168.1.10 : 5062 ; branch = z9",
        "SIP/2.0/UDP 192.168.1.10:5062, SIP/2.0/UDP 10.0.0.1",
        'SIP/2.0/UDP 192.168.1.10:5062;x="a;rport,b"',
    ],
)
def test_the_topmost_via(text: str) -> None:
    via = topmost(value(text))
    assert (via.host.address, via.host.port) == (HOST, 5062)
    assert (via.asks_rport, via.rport, via.received, via.maddr) == (False, None, None, None)


def test_its_parameters() -> None:
    text = "SIP/2.0/TLS example.com;rport=7;Received=192.168.1.10;maddr=192.168.1.10, SIP/2.0/UDP x;rport"
    via = topmost(value(text, 10))
    assert (via.host.address, via.host.port) == (None, 5061)
    spans = [text[start - 10 : end - 10] for start, end, _ in (via.rport, via.received, via.maddr) if start]  # type: ignore[misc]
    assert spans == ["7", "192.168.1.10", "192.168.1.10"]
    assert topmost(value("SIP/2.0/UDP x;rport;branch=1")).asks_rport
    assert topmost(value("SIP/2.0/UDP x;rport;branch=1")).rport is None
    assert not topmost(value("SIP/2.0/UDP x;rportx=1;branch=1")).asks_rport
