"""Which media of a description are translated, and which descriptions stay as they are."""

import pytest

from helpers.protocols.sip.sayings import AUDIO, IN, Heard, invite, of_media, request, sdp
from nfmasq.helpers.kit.base import Found
from nfmasq.helpers.kit.listener import EXTERNAL, INTERNAL
from nfmasq.helpers.kit.rewriting import rewritten

OWN = str(INTERNAL)


def endpoints(heard: Heard) -> list[tuple[str, int, int]]:
    """Transport, port and number of ports of each endpoint that is announced."""
    places = [each.what for each in heard.listener.places]
    return [(each.transport, each.port, each.consecutive) for each in places if isinstance(each, Found)]


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (["m=audio 6000 RTP/AVP 0"], [("udp", 6000, 2)]),
        (["m=audio 6000 RTP/AVP 0", "m=video 6002 RTP/SAVPF 96"], [("udp", 6000, 2), ("udp", 6002, 2)]),
        (["m=audio 6000 RTP/AVP 0", "a=rtcp-mux"], [("udp", 6000, 1)]),
        (["m=audio 6000 RTP/AVP 0", "a=rtcp:6001"], [("udp", 6000, 2)]),
        (["m=audio 6000 RTP/AVP 0", f"a=rtcp:6001 IN IP4 {OWN}"], [("udp", 6000, 2)]),
        (["m=audio 6000 RTP/AVP 0", "a=rtcp:7001"], [("udp", 6000, 1), ("udp", 7001, 1)]),
        (["m=audio 6000 RTP/AVP 0", f"a=rtcp:7001 IN IP4 {OWN}"], [("udp", 6000, 1), ("udp", 7001, 1)]),
        (["m=audio 6000 RTP/AVP 0", "a=rtcp:6000", "a=rtcp-mux"], [("udp", 6000, 1), ("udp", 6000, 1)]),
        (["m=audio 6000 UDP/TLS/RTP/SAVPF 0"], [("udp", 6000, 2)]),
        (["m=image 6000 udptl t38"], [("udp", 6000, 1)]),
        (["m=application 6000 DTLS/SCTP 5000"], [("udp", 6000, 1)]),
        (["m=application 6000 UDP/BFCP *"], [("udp", 6000, 1)]),
        (["m=application 6000 TCP/BFCP *", "a=setup:passive"], [("tcp", 6000, 1)]),
        (["m=application 6000 TCP/BFCP *", "a=setup:active"], []),
        (["m=application 9 TCP/BFCP *", "a=setup:active"], []),
        (["m=audio 0 RTP/AVP 0", "m=audio 6000 RTP/AVP 0"], [("udp", 6000, 2)]),
        (["m=audio 0 RTP/AVP 0"], []),
        (["m=audio 6001 RTP/AVP 0"], [("udp", 6001, 2)]),
        (["m=audio 6000 RTP/AVP 0", "c=IN IP4 0.0.0.0"], []),
        (["m=audio 6000 RTP/AVP 0", f"c=IN IP4 {EXTERNAL}"], []),
        (["m=audio 6000 RTP/AVP 0", "c=IN IP6 2001:db8::1"], [("udp", 6000, 2)]),
        (["m=audio 6000 RTP/AVP 0", f"c=IN IP4 {OWN}", f"c=IN IP4 {OWN}"], [("udp", 6000, 2)]),
    ],
)
def test_what_the_media_come_to(lines: list[str], wanted: list[tuple[str, int, int]]) -> None:
    heard = of_media(*lines)
    assert endpoints(heard) == wanted
    assert not heard.left_alone


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["m=audio 80 RTP/AVP 0"], "privileged"),
        (["m=audio 6000 RTP/AVP 0", "a=rtcp:1023"], "privileged"),
        (["m=audio 6000 RTP/AVP 0", "m=video 22 RTP/AVP 31"], "privileged"),
        (["m=audio 65535 RTP/AVP 0"], "malformed"),
        (["m=audio 65536 RTP/AVP 0"], "malformed"),
        (["m=audio RTP/AVP 0"], "malformed"),
        (["m=audio 6000 RTP/AVP 0", "a=rtcp:x"], "malformed"),
        (["m=audio 6000 RTP/AVP 0", "c=IN IP4 192.168.1.300"], "malformed"),
        (["m=audio 6000 RTP/AVP 0", "c=IN IP4 192.168.1.11"], "forged"),
        (["m=audio 6000 RTP/AVP 0", "c=IN IP4 203.0.113.77"], "forged"),
        (["m=audio 6000 RTP/AVP 0", f"c=IN IP4 {OWN}", "c=IN IP4 192.168.1.11"], "forged"),
        (["m=audio 6000 RTP/AVP 0", "a=rtcp:6001 IN IP4 192.168.1.11"], "forged"),
        (["m=audio 6000 RTP/AVP 0", *[f"c=IN IP4 {OWN}"] * 9], "malformed"),
        ([f"c=IN IP4 {OWN}"] * 8, "malformed"),
        (["m=audio 6000 RTP/AVP 0"] * 9, "no_room"),
        (["m=audio 0 RTP/AVP 0"] * 17, "no_room"),
    ],
    ids=repr,
)
def test_a_description_that_cannot_be_translated_stays_as_a_whole(lines: list[str], reason: str) -> None:
    for order in (lines, [*lines, "m=audio 7000 RTP/AVP 0"]):
        heard = of_media(*order)
        assert not heard.found
        assert heard.left_alone == [reason]


UNKNOWN = pytest.mark.parametrize(
    "lines",
    [
        ["m=message 7000 TCP/MSRP *", f"a=path:msrp://{OWN}:7000/x;tcp"],
        ["m=audio 7000/2 RTP/AVP 0"],
        ["m=control 7000 H323 x"],
    ],
    ids=repr,
)


@UNKNOWN
def test_media_of_an_unknown_kind_alone_are_left_alone(lines: list[str]) -> None:
    heard = of_media(*lines)
    assert not heard.found
    assert heard.left_alone == ["not_allowed"]


@UNKNOWN
@pytest.mark.parametrize("title", [[], ["i=a title"]])
@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_beyond_others_they_keep_the_internal_address(lines: list[str], title: list[str], end: str) -> None:
    """They go on as if there were no helper, and cost nobody the call."""
    body = sdp(*AUDIO, lines[0], *title, *lines[1:]).replace("\r\n", end)
    text = request("INVITE", body=body)
    heard = Heard((IN, text))
    written = rewritten([(IN, text)], heard.listener, (EXTERNAL, 9000))[0][1].decode()
    assert written.count(str(EXTERNAL)) == 1
    assert "m=audio 9000 RTP/AVP 0" in written
    assert end.join([lines[0], *title, f"c=IN IP4 {OWN}", *lines[1:], ""]) in written
    assert heard.left_alone == ["not_allowed"]


@UNKNOWN
def test_with_an_address_of_their_own_they_stay_as_they_are(lines: list[str]) -> None:
    heard = of_media(*AUDIO, lines[0], f"c=IN IP4 {OWN}", *lines[1:])
    assert heard.found[1:] == [OWN, "6000"]
    alone = of_media(lines[0], f"c=IN IP4 {OWN}", *AUDIO, f"c=IN IP4 {OWN}")
    assert alone.found[1:] == ["6000", OWN]


@pytest.mark.parametrize(
    "line",
    [
        f"a=candidate:1 1 UDP 2130706431 {OWN} 6000 typ host",
        "a=candidate:1 1 UDP 2130706431 f3a2.local 6000 typ host",
        "a=ice-ufrag:abcd",
        f"a=remote-candidates:1 {OWN} 6000",
    ],
)
def test_a_phone_with_ice_traverses_the_nat_by_itself(line: str) -> None:
    heard = of_media("m=audio 6000 RTP/AVP 0", line)
    assert not heard.found
    assert not heard.left_alone


def test_the_address_for_all_media_is_written_once() -> None:
    heard = of_media("m=audio 6000 RTP/AVP 0", "m=video 6002 RTP/AVP 31", f"c=IN IP4 {OWN}")
    assert heard.found == ["141", OWN, "6000", "6002", OWN]


def test_a_second_description_has_addresses_of_its_own() -> None:
    body = sdp("m=audio 6000 RTP/AVP 0") + sdp("m=audio 6002 RTP/AVP 0")
    heard = Heard((IN, request("INVITE", body=body)))
    assert heard.found == [str(len(body)), OWN, "6000", OWN, "6002"]


def test_o_is_never_touched() -> None:
    text = invite()
    starts = {each.start for each in Heard((IN, text)).listener.places}
    line = text.index(b"o=")
    assert not starts & set(range(line, text.index(b"\r\n", line)))


def test_rtcp_that_comes_to_a_port_apart_is_named() -> None:
    """RFC 3605. The line goes to the end of its media."""
    text = invite("m=audio 6000 RTP/AVP 0", "a=sendrecv", "m=video 6002 RTP/AVP 31", "a=label:2")
    found = [each.what for each in Heard((IN, text)).listener.places if isinstance(each.what, Found)]
    for each, ports, behind in zip(
        found, ([7000, 8001], [7002, 9003]), (b"sendrecv", b"label:2"), strict=True
    ):
        assert each.apart is not None
        assert text[: each.apart.start].endswith(b"a=" + behind)
        assert text[each.apart.start : each.apart.end] == b"\r\n"
        assert each.apart.write(EXTERNAL, ports) == b"\r\na=rtcp:%d\r\n" % ports[1]


def test_a_body_without_an_end_of_its_last_line_names_none() -> None:
    heard = Heard((IN, request("INVITE", body=sdp("m=audio 6000 RTP/AVP 0").rstrip())))
    assert [each.what.apart for each in heard.listener.places if isinstance(each.what, Found)] == [None]


@pytest.mark.parametrize("line", ["a=rtcp:6001", f"a=rtcp:6001 IN IP4 {OWN}"])
def test_a_line_that_names_the_next_port_is_written_with_the_pair_s(line: str) -> None:
    """A peer that does not know a=rtcp sends to the next port all the same."""
    text = invite(*AUDIO, line)
    written = rewritten([(IN, text)], Heard((IN, text)).listener, (EXTERNAL, 9000))[0][1].decode()
    assert "m=audio 9000 RTP/AVP 0\r\n" + line.replace("6001", "9001").replace(OWN, str(EXTERNAL)) in written
    (found,) = [each.what for each in Heard((IN, text)).listener.places if isinstance(each.what, Found)]
    assert found.apart is not None
    assert found.apart.write(EXTERNAL, [9001, 7000]).decode() == line[7:].replace("6001", "7000").replace(
        OWN, str(EXTERNAL)
    )


@pytest.mark.parametrize("line", ["a=rtcp:7001", "a=rtcp:7001 IN IP4 192.168.1.10"])
def test_rtcp_is_written_as_the_phone_writes_it(line: str) -> None:
    heard = of_media("m=audio 6000 RTP/AVP 0", line)
    place = heard.listener.places[-1].what
    assert isinstance(place, Found)
    assert place.write is not None
    assert place.write(EXTERNAL, 9001).decode() == line[7:].replace("7001", "9001").replace(
        OWN, str(EXTERNAL)
    )
