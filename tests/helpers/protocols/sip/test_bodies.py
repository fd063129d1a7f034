"""Which parts of a body are descriptions, and which lengths count them."""

import pytest

from helpers.protocols.sip.sayings import AUDIO, IN, Heard, request, sdp
from nfmasq.helpers.kit.base import Size
from nfmasq.helpers.kit.listener import INTERNAL

OWN = str(INTERNAL)
SDP = sdp(*AUDIO)


def multipart(
    *parts: tuple[str, str], mark: str = "cut", kind: str = "mixed", more: str = ""
) -> tuple[str, str]:
    """A content type and a body. parts: headers and a body each."""
    text = "".join(f"--{mark}\r\n{headers}\r\n\r\n{body}\r\n" for headers, body in parts)
    return f'multipart/{kind};boundary="{mark}"{more}', f"{text}--{mark}--\r\n"


def heard(kind: str, body: str, *headers: str) -> Heard:
    """An INVITE with this body."""
    return Heard((IN, request("INVITE", *headers, body=body, kind=kind)))


@pytest.mark.parametrize(
    "parts",
    [
        [("Content-Type: application/sdp", SDP)],
        [("Content-Type: application/sdp\r\nContent-Transfer-Encoding: 8bit", SDP)],
        [("content-type : application/SDP;charset=utf-8", SDP), ("Content-Type: text/plain", SDP)],
        [("Content-Type: application/isup", "\x01\x02"), ("Content-Type: application/sdp", SDP)],
    ],
)
def test_the_part_that_is_a_description_is_found(parts: list[tuple[str, str]]) -> None:
    kind, body = multipart(*parts)
    assert heard(kind, body).found == [str(len(body)), OWN, "6000"]


def test_in_parts_within_parts() -> None:
    inner = multipart(("Content-Type: application/sdp", SDP), mark="inner", kind="alternative")
    kind, body = multipart(("Content-Type: text/plain", "hello"), (f"Content-Type: {inner[0]}", inner[1]))
    assert heard(kind, body).found == [str(len(body)), OWN, "6000"]


def test_the_length_of_a_part_is_found_too() -> None:
    kind, body = multipart((f"Content-Length: {len(SDP)}\r\nContent-Type: application/sdp", SDP))
    one = heard(kind, body)
    assert one.found == [str(len(body)), str(len(SDP)), OWN, "6000"]
    sizes = [each.what for each in one.listener.places if isinstance(each.what, Size)]
    assert [one.said[IN][each.begin : each.until].decode() for each in sizes] == [body, SDP]


@pytest.mark.parametrize("kind", ["text/plain", "application/sdpx", "message/sip", "application/json", ""])
def test_other_bodies_are_not_read(kind: str) -> None:
    one = heard(kind or "x", SDP)
    assert (one.found, one.left_alone) == ([], [])


@pytest.mark.parametrize(
    "headers",
    [
        'Authorization: Digest username="ann", qop=auth-int',
        'Proxy-Authorization: Digest qop="auth-int", username="ann"',
        "Content-Encoding: gzip",
        "e: deflate",
        'Identity: "x"\r\nIdentity-Info: <https://x>;alg=rsa-sha1',
    ],
)
def test_a_body_that_must_not_change_stays(headers: str) -> None:
    one = heard("application/sdp", SDP, headers)
    assert (one.found, one.left_alone) == ([], ["not_allowed"])


@pytest.mark.parametrize(
    "headers", ['Authorization: Digest qop="auth"', "Identity: x;info=<https://x>;alg=ES256"]
)
def test_credentials_that_do_not_cover_the_body_are_no_obstacle(headers: str) -> None:
    """RFC 8224 signs no description."""
    assert heard("application/sdp", SDP, headers).found


@pytest.mark.parametrize("kind", ["signed", "encrypted"])
def test_a_signed_body_stays(kind: str) -> None:
    content, body = multipart(("Content-Type: application/sdp", SDP), kind=kind)
    one = heard(content, body)
    assert (one.found, one.left_alone) == ([], ["not_allowed"])


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/mixed", multipart(("Content-Type: application/sdp", SDP))[1]),
        ("multipart/mixed;boundary=other", multipart(("Content-Type: application/sdp", SDP))[1]),
        ("multipart/mixed;boundary=cut", f"--cut\r\nContent-Type: application/sdp\r\n\r\n{SDP}"),
        multipart(*[("Content-Type: application/sdp", SDP)] * 17),
        multipart(("Content-Type: application/sdp\r\nContent-Length: x", SDP)),
    ],
    ids=range(5),
)
def test_parts_that_cannot_be_read_are_counted(kind: str, body: str) -> None:
    one = heard(kind, body)
    assert (one.found, one.left_alone) == ([], ["malformed"])


@pytest.mark.parametrize("coding", ["base64", "quoted-printable"])
def test_an_encoded_part_stays(coding: str) -> None:
    content, body = multipart((f"Content-Type: application/sdp\r\nContent-Transfer-Encoding: {coding}", SDP))
    assert heard(content, body).found == []
