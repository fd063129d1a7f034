"""SIP (RFC 3261, 3264, 3581, 8866) over UDP and TCP: the media of calls, and the phone's own endpoint."""

from ipaddress import IPv4Address
from typing import Literal

from nfmasq.helpers.kit.base import LONGEST_MESSAGE, Dialogue, Session, Side
from nfmasq.helpers.protocols.sip.dialogue import SipDialogue
from nfmasq.helpers.protocols.sip.phone import Phone


class Sip:
    """The helper. mode: "media" translates the endpoints in SDP, and holds registered phones' sessions.

    "full" translates Via, Contact and Request-URI as well, for servers that know nothing of NATs.
    """

    name = "sip"
    transport = ("udp", "tcp")
    ports: tuple[int, ...] = (5060,)
    enabled_by_default = False
    about = "Telephony: media in SDP, registrations, and in mode full the phone's own endpoint"
    longest_message = LONGEST_MESSAGE

    examples = (
        (
            Side.INSIDE,
            b"REGISTER sip:203.0.113.10 SIP/2.0\r\n"
            b"Via: SIP/2.0/UDP 192.168.1.10:40000;branch=z9hG4bK1\r\n"
            b"From: <sip:ann@203.0.113.10>;tag=1\r\nTo: <sip:ann@203.0.113.10>\r\n"
            b"Call-ID: 1@192.168.1.10\r\n"
            b"CSeq: 1 REGISTER\r\nContact: <sip:ann@192.168.1.10:40000>;expires=60\r\n"
            b"Content-Length: 0\r\n\r\n",
        ),
        (
            Side.OUTSIDE,
            b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 203.0.113.2:40000;received=203.0.113.2;branch=z9hG4bK1\r\n"
            b"From: <sip:ann@203.0.113.10>;tag=1\r\nTo: <sip:ann@203.0.113.10>;tag=2\r\n"
            b"Call-ID: 1@192.168.1.10\r\nCSeq: 1 REGISTER\r\n"
            b"Contact: <sip:ann@203.0.113.2:40000>;expires=60\r\nContent-Length: 0\r\n\r\n",
        ),
        (
            Side.INSIDE,
            b"INVITE sip:bob@203.0.113.10 SIP/2.0\r\n"
            b"v: SIP/2.0/UDP 192.168.1.10:40000;branch=z9hG4bK2;rport\r\nf: <sip:ann@203.0.113.10>;tag=3\r\n"
            b"t: <sip:bob@203.0.113.10>\r\ni: 2@192.168.1.10\r\nCSeq: 2 INVITE\r\n"
            b"m: <sip:ann@192.168.1.10:40000>\r\nc: application/sdp\r\nl: 172\r\n\r\n"
            b"v=0\r\no=- 1 1 IN IP4 192.168.1.10\r\ns=-\r\nc=IN IP4 192.168.1.10\r\nt=0 0\r\n"
            b"m=audio 6000 RTP/AVP 0\r\n"
            b"m=video 6002 RTP/AVP 31\r\na=rtcp:6005 IN IP4 192.168.1.10\r\nm=image 0 udptl t38\r\n",
        ),
        (
            Side.OUTSIDE,
            b"BYE sip:ann@203.0.113.2:40000 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.10;branch=z9hG4bK3\r\n"
            b"From: <sip:bob@203.0.113.10>;tag=4\r\nTo: <sip:ann@203.0.113.10>;tag=3\r\n"
            b"Call-ID: 2@192.168.1.10\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n",
        ),
    )

    def __init__(self, *, mode: Literal["media", "full"] = "media") -> None:
        self._full = mode == "full"

    def meet(self, host: IPv4Address) -> Phone:
        """What is kept of an internal host."""
        return Phone()

    def begin(self, session: Session) -> Dialogue:
        """A dialogue for a session that begins."""
        return SipDialogue(session, full=self._full)


HELPER = Sip
