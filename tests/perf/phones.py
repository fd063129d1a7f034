"""The cost of phones: `python -m perf.phones PHONES` prints a PhoneCost as JSON.

No network is needed. The cost is that of the SIP helper in mode "full", the engine and the core: processor
time from a datagram that is set aside to its verdict, without the verdict's way into the kernel.
"""

import gc
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from ipaddress import IPv4Address
from itertools import chain, count, groupby, product
from operator import itemgetter
from statistics import median

from nfmasq.bench.programs import alone
from nfmasq.helpers.kit.base import Session, Side
from nfmasq.helpers.protocols.sip import Sip
from nfmasq.helpers.protocols.sip.message import LONGEST_HEAD
from nfmasq.lab.packets import Endpoint, udp
from perf.control import EXTERNALS, HOSTS, Router
from perf.memory import resident
from perf.steps import counted

PHONES = 10_000
SAMPLES = 1000
REGISTRAR: Endpoint = IPv4Address("203.0.113.9"), 5060
LINES = {
    "register": "SIP REGISTER",
    "registered": "the registrar's 200 to it",
    "ringing": "SIP 180",
    "invite": "SIP INVITE with SDP",
    "answer": "the other side's 200 to it, with SDP",
    "bye": "SIP BYE that ends a call",
}
"""What is timed, for people."""

LONG = 64_000
TRIES = 3
PIECES = (
    *("\r\n", "a", "\0", ",", '"', "<", ";", "\\", "\r\n ", "X: y\r\n"),
    *("v=0\r\n", "m=audio 6000 RTP/AVP 0\r\n", "a=rtcp:5\r\n"),
)
_PATIENCE_S = 300
_SDP = "v=0\r\no=- 1 {nth} IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n" + (
    "m=audio {port} RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\na=ptime:20\r\n"
)


@dataclass(frozen=True)
class PhoneCost:
    """Seconds of processor time, medians, for each of LINES; and bytes.

    hostile: the longest that one dialogue takes over 64 KB of what is no message, of a message of nonsense,
    or of many small messages.
    phones: so many, each registered and idle; memory: bytes all of them take.
    """

    register: float
    registered: float
    ringing: float
    invite: float
    answer: float
    bye: float
    hostile: float
    phones: int
    memory: int


class Phone:
    """A phone. host: its address. It registers when it is made; the costs of that are in `registering`.

    in_steps: costs are steps of Python's interpreter, not seconds.
    """

    def __init__(self, router: Router, host: IPv4Address, *, in_steps: bool = False) -> None:
        self._router = router
        self._in_steps = in_steps
        self._end: Endpoint = host, 5060
        self._external = self._end
        self._said = count(1)
        self.registering = self._register()

    def call(self) -> dict[str, float]:
        """Call out, be taken, and hang up: what each message cost."""
        nth, host = next(self._said), str(self._end[0])
        name, port = f"{nth}@{host}", 10000 + 2 * (nth % 1000)
        offer = _SDP.format(nth=nth, host=host, port=port)
        taken = {"invite": self._say(_request("INVITE", self._end, name, 1, offer))}
        external = self._external
        answer = _SDP.format(nth=nth, host=REGISTRAR[0], port=20000)
        taken["ringing"] = self._hear(_response("180 Ringing", "INVITE", external, name, 1))
        taken["answer"] = self._hear(_response("200 OK", "INVITE", external, name, 1, answer))
        self._say(_request("ACK", self._end, name, 1))
        taken["bye"] = self._say(_request("BYE", self._end, name, 2))
        self._hear(_response("200 OK", "BYE", external, name, 2))
        return taken

    def _register(self) -> dict[str, float]:
        name = f"registration@{self._end[0]}"
        register = self._say(_request("REGISTER", self._end, name, 1))
        contact = f"Contact: <sip:phone@{self._external[0]}:{self._external[1]}>;expires=3600\r\n"
        heard = self._hear(_response("200 OK", "REGISTER", self._external, name, 1, more=contact))
        return {"register": register, "registered": heard}

    def _say(self, text: str) -> float:
        return self._cross(udp(self._end, REGISTRAR, text.encode()), inbound=False)

    def _hear(self, text: str) -> float:
        return self._cross(udp(REGISTRAR, self._external, text.encode()), inbound=True)

    def _cross(self, packet: bytes, *, inbound: bool) -> float:
        table = self._router.table
        reason, _ = table.translate(packet, inbound=inbound)
        waiting = None if reason else table.next_set_aside(0)
        if waiting is None:
            raise RuntimeError(f"the helper did not get {packet!r}: {reason or 'the session has none'}")
        self._external = waiting.external
        if self._in_steps:
            return counted(self._router.engine.answer, waiting)[1]
        began = time.thread_time()
        self._router.engine.answer(waiting)
        return time.thread_time() - began


def steps() -> dict[str, float]:
    """Steps of Python's interpreter that each message takes."""
    phone = Phone(router(100), HOSTS.network_address + 1, in_steps=True)
    phone.call()
    return phone.registering | phone.call()


def hostile_steps() -> Iterator[tuple[str, int]]:
    """How each hostile text begins, who says it, and the steps that one dialogue takes over it."""
    for (text, side, transport), read in _hostile_readings():
        yield f"{side.name} {transport} {text[:80]!r}", counted(read)[1]


def measure(phones: int, samples: int = SAMPLES) -> PhoneCost:
    """Take so many samples of each message, then hold so many registered phones."""
    bed, hosts = router(1 << 16), _hosts()
    rows = []
    for _ in range(samples):
        phone = Phone(bed, next(hosts))
        rows.append(phone.registering | phone.call())
    costs = {name: median(row[name] for row in rows) for name in LINES}
    return PhoneCost(**costs, hostile=max(_hostile()), phones=phones, memory=idle(phones))


def _hostile() -> Iterator[float]:
    """Seconds for each of the texts: the shortest of a few tries."""
    for _, again in groupby(_hostile_readings(TRIES), key=itemgetter(0)):
        tries = []
        for _, read in again:
            began = time.thread_time()
            read()
            tries.append(time.thread_time() - began)
        yield min(tries)


def _hostile_readings(times: int = 1) -> Iterator[tuple[tuple[bytes, Side, str], Callable[[], object]]]:
    """Each text for each side and transport, and what reads it by a new dialogue; so many times each."""
    host = HOSTS.network_address + 1
    ends = (host, 5060), (EXTERNALS[0], 5060), REGISTRAR
    for text in map(str.encode, chain(_nonsense(f"{host}:5060"), _small(host), _parts())):
        for side, transport in product(Side, Sip.transport):
            for _ in range(times):
                dialogue = Sip(mode="full").begin(Session(*ends, inside_began=True, transport=transport))
                yield (text, side, transport), partial(dialogue.read, side, text)


def _small(host: IPv4Address) -> Iterator[str]:
    """Segments of small messages: calls, others, and some that lack nearly all headers."""
    end, offer = (host, 5060), f"c=IN IP4 {host}\r\nm=audio 6000 RTP/AVP 0\r\n"
    for message in (
        _request("INVITE", end, "1", 1, offer), _request("ACK", end, "1", 1), "ACK x SIP/2.0\r\nl:0\r\n\r\n",
    ):  # fmt: skip
        yield message * (LONG // len(message))


def _parts() -> Iterator[str]:
    """Bodies of parts, of which one has a header with a long run: it ends by a byte that spoils it."""
    for piece in (*PIECES, " ", "\t", "Content-Type", "--b\r\n", "--b\r\n\r\n"):
        run = piece * (LONG // len(piece) // 2)
        body = f"--b\r\nContent-Type:{run}\rx\r\n\r\n--b--\r\n"
        yield _request("INVITE", (HOSTS.network_address + 1, 5060), "1", 1, body).replace(
            "application/sdp", "multipart/mixed;boundary=b"
        )


def _nonsense(end: str) -> Iterator[str]:
    """Datagrams of one piece again and again: alone, in each header that is read, and as a body."""
    host = HOSTS.network_address + 1
    for piece in (*PIECES, f"c=IN IP4 {host}\r\n", f"<sip:phone@{end}>,", f"m: <sip:phone@{end}>\r\n"):
        long, short = piece * (LONG // len(piece)), piece * (LONGEST_HEAD * 9 // 10 // len(piece))
        yield long
        yield _request("INVITE", (host, 5060), "1", 1, long)
        for name in ("Contact", "Record-Route", "Via", "From"):
            yield _request("INVITE", (host, 5060), "1", 1).replace("CSeq:", f"{name}: {short}\r\nCSeq:")


def idle(phones: int) -> int:
    """Bytes that so many registered phones hold, in the core too."""
    bed, hosts = router(2 * phones), _hosts()
    gc.collect()
    before = resident("self")
    for _ in range(phones):
        Phone(bed, next(hosts))
    gc.collect()
    return resident("self") - before


def phone_cost(phones: int = PHONES) -> PhoneCost:
    """Measure it in a program of its own. Needs no privilege."""
    return PhoneCost(**alone("perf.phones", str(phones), patience=_PATIENCE_S))


def router(sessions: int) -> Router:
    """A router whose SIP helper is enabled in mode "full"."""
    return Router(sessions, helpers={"sip": {"enabled": True, "mode": "full"}})


def _hosts() -> Iterator[IPv4Address]:
    return (HOSTS.network_address + 1 + nth for nth in count())


def _request(method: str, end: Endpoint, name: str, cseq: int, body: str = "") -> str:
    host, port = end
    tag = ";tag=other" if method in {"ACK", "BYE"} else ""
    return (
        f"{method} sip:{REGISTRAR[0]} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{cseq}{name}\r\nMax-Forwards: 70\r\n"
        f"From: <sip:phone@{REGISTRAR[0]}>;tag=phone\r\nTo: <sip:other@{REGISTRAR[0]}>{tag}\r\n"
        f"Call-ID: {name}\r\nCSeq: {cseq} {method}\r\nContact: <sip:phone@{host}:{port}>\r\n"
        "User-Agent: phone/1.0\r\nAllow: INVITE,ACK,BYE,CANCEL,OPTIONS,NOTIFY\r\n" + _end(body)
    )


def _response(  # noqa: PLR0917  in the order they stand in a message
    status: str, method: str, external: Endpoint, name: str, cseq: int, body: str = "", more: str = ""
) -> str:
    host, port = external
    return (
        f"SIP/2.0 {status}\r\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{cseq}{name};received={host}\r\n"
        f"From: <sip:phone@{REGISTRAR[0]}>;tag=phone\r\nTo: <sip:other@{REGISTRAR[0]}>;tag=other\r\n"
        f"Call-ID: {name}\r\nCSeq: {cseq} {method}\r\n{more}Server: registrar\r\n" + _end(body)
    )


def _end(body: str) -> str:
    kind = "Content-Type: application/sdp\r\n" if body else ""
    return f"{kind}Content-Length: {len(body)}\r\n\r\n{body}"


if __name__ == "__main__":
    print(json.dumps(asdict(measure(int(sys.argv[1])))), flush=True)
