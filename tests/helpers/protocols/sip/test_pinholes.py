"""Who comes in to the media of calls: helper, engine and core together, at the strictest filtering."""

from ipaddress import IPv4Address

import pytest
from support.packets import l4_at, read, udp
from support.router import CLIENT, OTHER_SERVER, SERVER

from helpers.engine.bed import Bed, Connection, counted
from helpers.engine.scripted import expected
from helpers.protocols.sip.sayings import AUDIO, BOB, Mode, invite, request, response, said, sdp
from nfmasq.core.policy import Filtering
from nfmasq.helpers.engine import standing
from nfmasq.helpers.kit.base import Endpoint
from nfmasq.helpers.protocols.sip import Sip

PROXY, OTHER_PROXY = (SERVER, 5060), (OTHER_SERVER, 5060)
PHONE = CLIENT, 40000
RELAY, CALLER = IPv4Address("198.51.100.20"), IPv4Address("198.51.100.21")
STRANGERS = [IPv4Address("198.51.100.66") + nth for nth in range(4)]
TAGGED = f"{BOB};tag=bob"


def described(host: IPv4Address = SERVER) -> str:
    """What the other side describes: its media come to this host."""
    return sdp("m=audio 7000 RTP/AVP 0", host=host)


class Line:
    """A phone or an exchange, behind a router with the helper."""

    def __init__(self, mode: Mode = "media", **changes: object) -> None:
        changes.setdefault("filtering", Filtering.ADDRESS_AND_PORT_DEPENDENT)
        self.bed = Bed(Sip(mode=mode), **changes)  # type: ignore[arg-type]
        self.external = PHONE

    def say(self, text: bytes, proxy: Endpoint = PROXY) -> bytes:
        """What the proxy hears."""
        (sent,) = self.bed.send(udp(*PHONE, *proxy, text), inbound=False)
        self.external = read(sent)[:2]
        return sent[l4_at(sent) + 8 :]

    def hear(self, text: bytes, proxy: Endpoint = PROXY) -> None:
        """What the proxy says arrives."""
        assert self.bed.send(udp(*proxy, *self.external, text), inbound=True)

    def comes_in(self, remote: IPv4Address, port: int = 6000, from_port: int = 7000) -> bool:
        """Does a packet of the media come in?"""
        at = next((row.external for row in self.bed.table.sessions() if row.internal[1] == port), None)
        return at is not None and bool(self.bed.send(udp(remote, from_port, *at, b"rtp"), inbound=True))


def test_early_media_come_from_the_first_host_alone() -> None:
    line = Line()
    line.say(invite())
    assert line.comes_in(RELAY)
    line.bed.engine.tick()
    assert not line.comes_in(STRANGERS[0])
    assert line.comes_in(RELAY)


@pytest.mark.parametrize("again", [invite(), invite().replace(b"CSeq: 1", b"CSeq: 2")], ids=["sent", "asked"])
def test_an_invite_again_opens_the_port_to_nobody_else(again: bytes) -> None:
    """One that is sent again, and one with credentials."""
    line = Line()
    text = line.say(invite())
    assert line.comes_in(RELAY)
    heard = line.say(again)
    assert heard.split(b"\r\n\r\n")[1] == text.split(b"\r\n\r\n")[1], "the same ports"
    assert not line.comes_in(STRANGERS[0])
    assert line.comes_in(RELAY, 6001), "RTCP is still expected"


@pytest.mark.parametrize("begun", [True, False], ids=["media have begun", "nothing came yet"])
def test_once_the_host_is_named_strangers_are_not_let_in(begun: bool) -> None:
    line = Line()
    line.say(invite())
    line.hear(response(200, "INVITE", body=described(RELAY), to=TAGGED))
    if begun:
        assert line.comes_in(RELAY)
    again = request("INVITE", number=2, body=sdp(*AUDIO), to=TAGGED)
    for nth, text in enumerate((again, again, again)):
        assert not line.comes_in(STRANGERS[nth])
        line.say(text)
        line.bed.engine.tick()
    assert not line.comes_in(STRANGERS[3])
    assert line.comes_in(RELAY)
    assert line.comes_in(RELAY, 6001)


def test_a_peer_behind_a_nat_of_its_own_is_let_in() -> None:
    """It names an address that nobody can reach, and its media come from where its messages come from."""
    line = Line()
    line.say(invite())
    line.hear(response(200, "INVITE", body=described(IPv4Address("10.0.0.5")), to=TAGGED))
    assert line.comes_in(SERVER)
    assert not line.comes_in(STRANGERS[0])


def test_the_caller_is_let_in_however_early_strangers_come() -> None:
    line = Line()
    line.say(request("OPTIONS"))
    line.hear(request("INVITE", body=described(CALLER)))
    line.say(response(183, "INVITE", body=sdp(*AUDIO)))
    assert not line.comes_in(STRANGERS[0])
    assert line.comes_in(CALLER)
    assert line.comes_in(CALLER, 6001)


def test_media_that_are_added_later_are_let_in_too() -> None:
    line = Line()
    line.say(invite())
    line.hear(response(200, "INVITE", body=described(RELAY), to=TAGGED))
    line.say(request("INVITE", number=2, body=sdp(*AUDIO, "m=video 6002 RTP/AVP 31"), to=TAGGED))
    assert not line.comes_in(STRANGERS[0], 6002)
    assert all(line.comes_in(RELAY, port) for port in range(6000, 6004))


def test_an_exchange_rings_in_many_calls_and_none_takes_another_s_media() -> None:
    line = Line()
    calls = range(100)
    for nth in calls:
        port = 10000 + 4 * nth
        line.say(invite(f"m=audio {port} RTP/AVP 0", call=f"{nth}@here"))
        line.hear(response(183, "INVITE", body=described(RELAY), call=f"{nth}@here"))
    assert all(line.comes_in(RELAY, 10000 + 4 * nth) for nth in calls)
    assert not any(counted(line.bed, "sip").not_acted_on.values())


@pytest.mark.parametrize("calls", [140, 250])
def test_an_exchange_rings_with_many_calls_and_all_are_answered(calls: int) -> None:
    line = Line(sessions=65536)
    for nth in range(calls):
        line.say(invite(f"m=audio {10000 + 4 * nth} RTP/AVP 0", call=f"{nth}@here"))
    for nth in range(calls):
        line.hear(response(200, "INVITE", body=described(), call=f"{nth}@here", to=TAGGED))
        assert line.comes_in(SERVER, 10000 + 4 * nth)
    assert not any(counted(line.bed, "sip").not_acted_on.values())


@pytest.mark.parametrize("begun", [("udp", 6000), ("udp", 6001)], ids=["RTP", "RTCP"])
def test_an_invite_is_said_again_long_after_its_early_media_began(begun: tuple[str, int]) -> None:
    """A trunk announces hundreds of ports meanwhile."""
    line = Line(sessions=65536)
    text = line.say(invite())
    assert line.comes_in(RELAY, begun[1])
    for nth in range(300):
        line.say(invite(f"m=audio {10000 + 4 * nth} RTP/AVP 0", call=f"{nth}@trunk"))
        line.say(request("CANCEL", call=f"{nth}@trunk"))
        line.hear(response(487, "INVITE", call=f"{nth}@trunk"))
    again = line.say(invite())
    assert again.split(b"\r\n\r\n")[1] == text.split(b"\r\n\r\n")[1]
    assert counted(line.bed, "sip").errors == 0
    assert line.comes_in(RELAY, begun[1])


@pytest.mark.parametrize(
    "host", [RELAY, SERVER, IPv4Address("10.0.0.5")], ids=["relay", "proxy", "behind a NAT"]
)
def test_a_media_host_goes_on_from_other_ports(host: IPv4Address) -> None:
    """Early media, the answer's, and music on hold have a port each."""
    line = Line()
    line.say(invite())
    comes_from = SERVER if host == IPv4Address("10.0.0.5") else host
    for status, port in ((183, 7000), (200, 7010)):
        line.hear(response(status, "INVITE", body=described(host), to=TAGGED))
        assert line.comes_in(comes_from, from_port=port)
    held = "INVITE sip:ann@203.0.113.2 SIP/2.0", "9 INVITE"
    line.hear(said(held[0], cseq=held[1], body=described(host), to=TAGGED))
    line.say(response(200, "INVITE", number=9, body=sdp(*AUDIO), to=TAGGED))
    assert line.comes_in(comes_from, from_port=7020)
    assert not line.comes_in(STRANGERS[0], from_port=7020)


def test_a_call_too_many_is_refused_and_the_others_keep_their_media(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "MOST_EXPECTED_MEDIA", 4)
    line = Line("full")
    for nth in range(3):
        body = sdp(f"m=audio {10000 + 4 * nth} RTP/AVP 0")
        heard = line.say(
            request("INVITE", "Contact: <sip:192.168.1.10:40000>", body=body, call=f"{nth}@here")
        )
        assert (b"m=audio 10008" in heard) == (nth == 2)
        assert (b"Via: SIP/2.0/UDP 192.168.1.10:40000" in heard) == (nth == 2), "as a whole"
    assert counted(line.bed, "sip").not_acted_on["no_room"] == 1
    assert sorted(expected(line.bed)) == [10000, 10001, 10004, 10005]


@pytest.mark.parametrize("side", ["inside", "outside"])
def test_bye_ends_media_that_have_begun(side: str) -> None:
    line = Line()
    line.say(invite())
    line.hear(response(200, "INVITE", body=described(RELAY), to=TAGGED))
    assert line.comes_in(RELAY)
    bye = request("BYE", number=2, to=TAGGED)
    line.say(bye) if side == "inside" else line.hear(bye)
    assert not line.comes_in(RELAY)
    assert not line.comes_in(RELAY, 6001)
    assert line.bed.engine.expectations() == 0


def branched(text: bytes, nth: int) -> bytes:
    """A message of the nth transaction, behind a proxy that forks."""
    return text.replace(b"z9hG4bK1", b"z9hG4bK-%d" % nth)


@pytest.mark.parametrize("status", [480, 482, 486, 603])
def test_one_line_of_two_takes_the_call_up(status: int) -> None:
    line = Line()
    line.say(request("OPTIONS"))
    for nth in range(2):
        line.hear(branched(request("INVITE", body=described(RELAY)), nth))
    line.say(branched(response(183, "INVITE", body=sdp(*AUDIO), to=f"{BOB};tag=one"), 0))
    assert line.comes_in(RELAY)
    line.say(branched(response(status, "INVITE", to=f"{BOB};tag=two"), 1))
    assert line.comes_in(RELAY)
    line.say(branched(response(200, "INVITE", body=sdp(*AUDIO), to=f"{BOB};tag=one"), 0))
    assert line.comes_in(RELAY, 6001)


def test_who_is_called_is_busy_behind_the_same_router_and_a_machine_takes_the_call_up() -> None:
    line = Line()
    line.say(branched(invite(), 0))
    line.hear(branched(request("INVITE", body=described()), 1))
    line.say(branched(response(486, "INVITE", to=f"{BOB};tag=busy"), 1))
    line.hear(branched(response(200, "INVITE", body=described(RELAY), to=TAGGED), 0))
    assert line.comes_in(RELAY)


@pytest.mark.parametrize("seconds", [200, 600])
@pytest.mark.parametrize("host", [RELAY, SERVER], ids=["relay", "proxy"])
def test_a_call_rings_for_longer_than_its_media_wait(seconds: int, host: IPv4Address) -> None:
    line = Line()
    text = line.say(invite())
    let_ring(line, seconds)
    assert expected(line.bed) == {}
    line.hear(response(200, "INVITE", body=described(host), to=TAGGED))
    assert {row.external[1] for row in expected(line.bed).values()} == {port_of(text), port_of(text) + 1}
    assert line.comes_in(host)
    assert not line.comes_in(STRANGERS[0])


@pytest.mark.parametrize("how", ["refused", "over"])
def test_media_that_are_over_are_not_opened_again(how: str) -> None:
    """By an answer that comes again."""
    line = Line()
    line.say(invite())
    if how == "refused":
        line.hear(response(486, "INVITE", to=TAGGED))
    else:
        line.hear(response(200, "INVITE", body=described(RELAY), to=TAGGED))
        line.say(request("BYE", number=2, to=TAGGED))
    line.say(request("INVITE", number=3, body=sdp("m=audio 6100 RTP/AVP 0")))
    line.hear(response(200, "INVITE", number=3, body=described(RELAY), to=TAGGED))
    assert not line.comes_in(RELAY, 6000)
    assert line.comes_in(RELAY, 6100)


def let_ring(line: Line, seconds: int) -> None:
    """So many seconds pass; the proxy says that the phone rings."""
    for second in range(seconds):
        line.bed.table.second += 1
        if second % 60 == 0:
            line.hear(response(180, "INVITE", to=TAGGED))
        line.bed.table.expire(now=line.bed.table.second)
        line.bed.engine.tick()


def port_of(text: bytes) -> int:
    """The port of the audio."""
    return int(text.partition(b"m=audio ")[2].split()[0])


@pytest.mark.parametrize("ended", [True, False], ids=["an ended call", "a call that rings"])
def test_another_proxy_s_older_call_hides_no_live_one(ended: bool) -> None:
    """Both announced the same port, each in its own session."""
    line = Line()
    line.say(invite(call="old"))
    if ended:
        line.hear(response(486, "INVITE", call="old"))
    first = line.external
    line.say(invite(call="new"), OTHER_PROXY)
    line.hear(response(200, "INVITE", call="new", body=described(RELAY), to=TAGGED), OTHER_PROXY)
    assert line.comes_in(RELAY)
    line.external = first
    line.hear(request("INVITE", number=5, call="new", body=described(CALLER), to=TAGGED))
    assert line.comes_in(CALLER)


def test_bye_ends_them_over_tcp_too() -> None:
    bed = Bed(Sip(), filtering=Filtering.ADDRESS_AND_PORT_DEPENDENT)
    connection = Connection(bed, port=5060).open()
    asked = invite()
    connection.say(0, asked)
    at = next(row.external for row in bed.table.sessions() if row.internal[1] == 6000)
    taken = response(200, "INVITE", body=described(), to=TAGGED)
    connection.say(1, taken)
    assert bed.send(udp(SERVER, 7000, *at, b"rtp"), inbound=True)
    bed.engine.tick()
    connection.say(0, request("BYE", number=2, to=TAGGED), at=len(asked))
    assert 6000 not in [row.internal[1] for row in bed.table.sessions()]


def test_rtcp_that_the_phone_names_itself_comes_to_the_next_port() -> None:
    line = Line()
    text = line.say(invite(*AUDIO, "a=rtcp:6001")).decode()
    port = int(text.partition("m=audio ")[2].split()[0])
    assert port % 2 == 0
    assert f"a=rtcp:{port + 1}\r\n" in text
    assert line.comes_in(RELAY, 6001)
