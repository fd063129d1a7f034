"""What a phone and its registrar say to each other, and what the helper makes of it."""

from typing import Literal

from nfmasq.helpers.kit.base import Admitted, Found, Side
from nfmasq.helpers.kit.listener import INTERNAL, REMOTE, Listener
from nfmasq.helpers.protocols.sip import Sip

Mode = Literal["media", "full"]
IN, OUT = Side.INSIDE, Side.OUTSIDE
PHONE = f"{INTERNAL}:40000"
ANN, BOB = f"<sip:ann@{REMOTE}>;tag=ann", f"<sip:bob@{REMOTE}>"
AUDIO = ("m=audio 6000 RTP/AVP 0",)


def sdp(*lines: str, host: object = INTERNAL) -> str:
    """A description whose media come to this host."""
    return "\r\n".join(("v=0", f"o=- 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0", *lines, ""))


def said(
    first: str,
    *more: str,
    cseq: str,
    body: str = "",
    kind: str = "application/sdp",
    call: str = "1@here",
    via: str = PHONE,
    to: str = BOB,
) -> bytes:
    """A message. first: its first line. more: headers behind those that every message has."""
    own = f"Via: SIP/2.0/UDP {via};branch=z9hG4bK1", f"From: {ANN}", f"To: {to}", f"Call-ID: {call}"
    typed = [f"Content-Type: {kind}"] if body else []
    lines = first, *own, f"CSeq: {cseq}", *more, *typed, f"Content-Length: {len(body)}", "", body
    return "\r\n".join(lines).encode()


def request(method: str, *more: str, number: int = 1, body: str = "", **rest: str) -> bytes:
    """A request to bob."""
    return said(f"{method} sip:bob@{REMOTE} SIP/2.0", *more, cseq=f"{number} {method}", body=body, **rest)


def response(status: int, method: str, *more: str, number: int = 1, body: str = "", **rest: str) -> bytes:
    """An answer to a request."""
    return said(f"SIP/2.0 {status} Why", *more, cseq=f"{number} {method}", body=body, **rest)


def invite(*lines: str, call: str = "1@here", to: str = BOB) -> bytes:
    """An INVITE with a description."""
    return request("INVITE", body=sdp(*(lines or AUDIO)), call=call, to=to)


class Heard:
    """What a dialogue found in all that was said. found: the texts. media: transports and internal ports."""

    def __init__(
        self, *said: tuple[Side, bytes], mode: Mode = "media", transport: str = "udp", port: int = 0
    ) -> None:
        self.listener = Listener(Sip(mode=mode), True, transport=transport, port=port)
        self.said = {side: b"".join(text for each, text in said if each is side) for side in Side}
        self.listener.hear_all(said)

    @property
    def found(self) -> list[str]:
        """The texts that are found, in order."""
        return [self.said[each.side][each.start : each.end].decode() for each in self.listener.places]

    @property
    def left_alone(self) -> list[str]:
        """Reasons."""
        return self.listener.not_acted_on

    @property
    def ended(self) -> list[tuple[str, int]]:
        """The media that are over."""
        return self.listener.ended

    @property
    def anyone(self) -> list[bool]:
        """May anyone come to the media? For each endpoint that is announced."""
        places = [each.what for each in self.listener.places]
        return [each.anyone for each in places if isinstance(each, Found)]

    @property
    def admitted(self) -> list[Admitted]:
        """The hosts that may come, too."""
        return self.listener.admitted


def of_media(*lines: str) -> Heard:
    """An INVITE with these media was heard."""
    return Heard((IN, invite(*lines)))
