"""Messages in the manner of RFC 4475: right ones in odd forms are read, wrong ones pass and end nothing."""

import pytest

from helpers.protocols.sip.sayings import IN, PHONE, Heard, invite, request
from nfmasq.helpers.kit.listener import INTERNAL, REMOTE

SDP = (
    f"v=0\r\no=x 1 1 IN IP4 {INTERNAL}\r\ns=-\r\nc=IN IP4 {INTERNAL}\r\nt=0 0\r\nm=audio 49217 RTP/AVP 0\r\n"
)
TORTUOUS = (
    "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\r\n"
    "TO :\r\n sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n\r\n"
    'from   : "J Rosenberg \\\\\\""       <sip:jdrosen@example.com>\r\n  ;\r\n  tag = 98asjd8\r\n'
    "MaX-fOrWaRdS: 0068\r\nCall-ID: wsinv.ndaksdj@192.0.2.1\r\n"
    f"Content-Length   : {len(SDP)}\r\ncseq: 0009\r\n  INVITE\r\n"
    f"Via  : SIP  /   2.0\r\n /UDP\r\n    {PHONE};branch=390skdjuw\r\n"
    "s :\r\nNewFangledHeader:   newfangled value\r\n continued newfangled value\r\n"
    "UnknownHeaderWithUnusualValue: ;;,,;;,;\r\nContent-Type: application/sdp\r\n"
    "Route:\r\n <sip:services.example.com;lr;unknownwith=value;unknown-no-value>\r\n"
    "v:  SIP  / 2.0  / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8  ,\r\n"
    " SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n z9hG4bK30239\r\n"
    f'm:"Quoted string \\"\\"" <sip:jdrosen@{PHONE}> ; newparam =\r\n      newvalue ;\r\n'
    f"  secondparam ; q = 0.33\r\n\r\n{SDP}"
)
"""RFC 4475 section 3.1.1.1, with this network's endpoints."""
OFFER = [str(len(SDP)), str(INTERNAL), "49217"]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_short_tortuous_invite(transport: str) -> None:
    assert Heard((IN, TORTUOUS.encode()), transport=transport).found == OFFER
    full = Heard((IN, TORTUOUS.encode()), transport=transport, mode="full")
    assert full.found == [OFFER[0], PHONE, PHONE, *OFFER[1:]]
    assert not full.left_alone


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_wide_range_of_valid_characters(transport: str) -> None:
    """Section 3.1.1.2: the method is an extension's."""
    text = (
        "!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:"
        "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {PHONE};branch=z9hG4bK-.!%66*_+`'~\r\n"
        'To: "BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f" <sip:1_unusual.URI~(to-be!sure)@example.com>\r\n'
        "From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;tag=_token~1'+`*%!-.\r\n"
        "Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{\r\n"
        "CSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~\r\nContent-Length: 0\r\n\r\n"
    )
    shown = request("OPTIONS", f"Contact: <sip:ann@{PHONE}>")
    heard = Heard((IN, shown), (IN, text.encode()), transport=transport, mode="full")
    assert (heard.found, heard.left_alone) == ([PHONE, PHONE, PHONE], [])
    assert not heard.listener.left


@pytest.mark.parametrize(
    "change",
    [
        (b"CSeq: 1 INVITE", b"CSeq: 36893488147419103232 REGISTER"),
        (b"Content-Length: ", b"Content-Length: -"),
        (b"Content-Length: ", b"Content-Length: 99"),
        (b"INVITE sip:bob@203.0.113.10 SIP/2.0", b"INVITE <sip:bob@203.0.113.10> SIP/2.0 x"),
        (b"INVITE sip:bob@203.0.113.10 SIP/2.0", b"INVITE sip:bob@203.0.113.10; lr SIP/2.0"),
        (b"INVITE sip:bob@203.0.113.10 SIP/2.0", b"INVITE  sip:bob@203.0.113.10  SIP/2.0"),
        (b"INVITE sip:bob@203.0.113.10 SIP/2.0", b"INVITE sip:bob@203.0.113.10 SIP/7.0"),
        (b"To: ", b'To: "unterminated '),
        (b"Via: SIP/2.0/UDP", b"Via: SIP/2.0/UDP ,,,;"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_invalid_messages_raise_nothing(change: tuple[bytes, bytes], transport: str) -> None:
    """Section 3.1.2. What is found at all is the sender's own."""
    text = invite().replace(*change)
    assert text != invite()
    heard = Heard((IN, text), (IN, text[:-5]), transport=transport, mode="full")
    assert set(heard.found) <= {PHONE, str(INTERNAL), "6000", str(len(text.partition(b"\r\n\r\n")[2]))}


def test_several_values_of_what_may_be_once() -> None:
    """Section 3.3.8 and 3.3.9."""
    for header in (b"CSeq: 2 INVITE", b"Call-ID: 2@here", b"Content-Length: 5"):
        heard = Heard((IN, invite().replace(b"From:", header + b"\r\nFrom:")))
        assert (heard.found, heard.left_alone) == ([], ["malformed"])


@pytest.mark.parametrize(
    "piece", [b",", b'"', b"<", b">", b";", b"\\", b"(", b"\r\n ", b"a=", b"sip:", b'"\\']
)
def test_long_values_take_no_long_time(piece: bytes) -> None:
    """The listener limits each reading's time; every header that is read is tried."""
    for name in (b"Contact", b"Via", b"Record-Route", b"From", b"Content-Type", b"Authorization"):
        text = invite().replace(b"CSeq:", name + b": " + piece * (50000 // len(piece)) + b"\r\nCSeq:")
        Heard((IN, text), mode="full")
        Heard((IN, text.replace(b"INVITE", b"REGISTER")), mode="full")


def test_the_registrar_s_address_is_not_taken_for_the_phone_s() -> None:
    assert str(REMOTE) not in Heard((IN, TORTUOUS.encode()), mode="full").found


@pytest.mark.parametrize(
    "text",
    [
        invite().replace(b"CSeq:", b"Contact: <sip:x>\r\n" * 71 + b"CSeq:"),
        invite().replace(b"CSeq:", b"X: " + b"y" * 17000 + b"\r\nCSeq:"),
        invite(*["a=x"] * 600),
    ],
    ids=["headers of one name", "bytes before the empty line", "lines of a description"],
)
def test_too_much_of_anything_is_counted(text: bytes) -> None:
    heard = Heard((IN, text))
    assert (heard.found, heard.left_alone) == ([], ["malformed"])
