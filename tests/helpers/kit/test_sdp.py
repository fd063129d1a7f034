"""Where a description's addresses and ports stand."""

from ipaddress import IPv4Address

import pytest

from helpers.protocols.sip.sayings import sdp
from nfmasq.helpers.kit import sdp as reader

HOST, OTHER = IPv4Address("192.168.1.10"), IPv4Address("192.168.1.11")


def described(text: str) -> reader.Description:
    """The description in the middle of other bytes."""
    data = b"...\r\n" + text.encode() + b"c=IN IP4 10.0.0.1\r\nm=audio 9 RTP/AVP 0\r\n"
    return reader.read(data, 5, 5 + len(text))


def test_each_medium_has_its_own_addresses_or_the_session_s() -> None:
    text = sdp("m=audio 6000 RTP/AVP 0", "m=video 6002/2 RTP/AVP 31", f"c=IN IP4 {OTHER}")
    audio, video = described(text).media
    assert [each.address for each in audio.connections] == [HOST]
    assert [each.address for each in video.connections] == [OTHER]
    assert (audio.port, audio.has_row, video.port, video.has_row) == (6000, False, 6002, True)
    assert text[audio.start - 5 : audio.end - 5] == "6000"


def test_line_feeds_alone_end_lines_too() -> None:
    (audio,) = described(sdp("m=audio 6000 RTP/AVP 0").replace("\r\n", "\n")).media
    assert audio.tail[1] - audio.tail[0] == 1


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        (sdp("m=audio 6000 RTP/AVP 0", f"c=IN IP4 {OTHER}", f"c=IN IP4 {OTHER}"), [HOST, OTHER]),
        (sdp("m=audio 6000 RTP/AVP 0", host="0.0.0.0"), []),
        (sdp("a=x:c=IN IP4 10.0.0.1", "c=IN IP6 ::1"), [HOST]),
    ],
)
def test_the_addresses_for_media(text: str, addresses: list[IPv4Address]) -> None:
    data = text.encode()
    assert reader.addresses(data, 0, len(data)) == addresses


@pytest.mark.parametrize(
    "line", ["a=rtcp-mux-only", "a=rtcpx:5", "a=setup:other", "a=xcandidate:1", "b=AS:c=IN IP4 10.0.0.1"]
)
def test_lines_of_other_kinds_are_passed_over(line: str) -> None:
    found = described(sdp("m=audio 6000 RTP/AVP 0", line))
    (audio,) = found.media
    assert (audio.rtcp, audio.rtcp_mux, audio.setup, found.has_ice) == (None, False, b"", False)
