"""Calls through the engine and the core: which ids either side hears, and whose packets pass."""

from ipaddress import IPv4Address
from typing import Any

import pytest
from support.packets import ACK, FIN, GRE, TCP, call, key_of, read
from support.router import CLIENT, EXTERNAL, OTHER_CLIENT, SERVER

from helpers.engine.bed import Bed, Connection
from helpers.protocols.pptp.messages import (
    ANSWERED,
    CALLED,
    CLEAR,
    CONNECTED,
    GONE,
    LINK,
    REPLY,
    REQUEST,
    START,
    STARTED,
    ids_of,
    message,
)
from nfmasq.core.policy import Filtering, Forward, ForwardTarget, Timeouts
from nfmasq.helpers.engine.lifetimes import LOOK_AT_DATA_S
from nfmasq.helpers.protocols.pptp import Pptp

PORT = 1723
FORWARD = Forward(TCP, None, (PORT, PORT), (ForwardTarget(CLIENT, (PORT, PORT)),))


class Control:
    """A control connection whose ends have greeted each other. Without a forward `host` has begun it."""

    def __init__(self, bed: Bed, host: IPv4Address = CLIENT, near: int = 40000) -> None:
        self.bed = bed
        self.connection = Connection(bed, port=PORT, near=near)
        self.host = host
        if not self.connection.forwarded:
            self.connection.near = (host, near)
        self.connection.open()
        self.ends = [0, 0]
        inside = 1 if self.connection.forwarded else 0
        self.say(inside, message(START))
        self.say(1 - inside, message(STARTED))

    def say(self, side: int, text: bytes) -> bytes:
        """What the other side hears."""
        heard = self.connection.say(side, text, at=self.ends[side], acked=self.ends[1 - side])
        self.ends[side] += len(text)
        assert len(heard) == len(text)
        return heard

    def ids(self, side: int, text: bytes) -> tuple[int, int]:
        """The ids that the other side hears."""
        return ids_of(self.say(side, text))

    def out(self, key: int) -> tuple[IPv4Address, int] | None:
        """Whom a packet of the call seems to come from outside, and its key."""
        sent = self.bed.send(call(self.host, SERVER, key), inbound=False)
        return (read(sent[0]).source, key_of(sent[0])) if sent else None

    def into(self, key: int) -> tuple[IPv4Address, int] | None:
        """Whom a packet of the call reaches, and its key; None: nobody inside."""
        packet = call(SERVER, EXTERNAL, key)
        came = self.bed.send(packet, inbound=True)
        return (read(came[0]).destination, key_of(came[0])) if came and came[0] != packet else None


@pytest.fixture
def bed() -> Bed:
    """A router that lets nobody in unasked."""
    return Bed(Pptp(), filtering=Filtering.ADDRESS_AND_PORT_DEPENDENT)


def serving(**changes: Any) -> Bed:
    """CLIENT is a server, reached by a forward."""
    return Bed(Pptp(), filtering=Filtering.ADDRESS_AND_PORT_DEPENDENT, forwards=(FORWARD,), **changes)


def called(
    bed: Bed, own: int, theirs: int, host: IPv4Address = CLIENT, near: int = 40000
) -> tuple[Control, int]:
    """A call of a client inside that stands, and its external id."""
    control = Control(bed, host, near)
    external, _ = control.ids(0, message(REQUEST, own, 1))
    assert control.ids(1, message(REPLY, theirs, external)) == (theirs, own)
    return control, external


def keys(bed: Bed) -> list[str]:
    """The states of all sessions with a key."""
    return [row.state for row in bed.table.sessions(protocol=GRE)]


@pytest.mark.parametrize(("own", "theirs"), [(0, 0), (0, 7), (1990, 0), (5, 5)])
def test_a_call_outwards(bed: Bed, own: int, theirs: int) -> None:
    control, external = called(bed, own, theirs)
    assert external == own
    assert control.out(theirs) == (EXTERNAL, theirs)
    assert control.into(external) == (CLIENT, own)
    assert control.ids(0, message(LINK, theirs))[0] == theirs
    assert control.ids(1, message(LINK, external))[0] == own


def test_two_clients_with_equal_ids(bed: Bed) -> None:
    one, _ = called(bed, 5, 100)
    two, external = called(bed, 5, 101, OTHER_CLIENT, 40001)
    assert external != 5
    assert (one.into(5), two.into(external)) == ((CLIENT, 5), (OTHER_CLIENT, 5))
    assert (one.out(100), two.out(101)) == ((EXTERNAL, 100), (EXTERNAL, 101))
    assert two.ids(1, message(LINK, external))[0] == 5
    assert two.ids(0, message(CLEAR, 5))[0] == external
    assert two.into(external) is None
    assert one.into(5) == (CLIENT, 5)


def test_packets_of_the_server_may_come_before_its_reply(bed: Bed) -> None:
    control = Control(bed)
    control.say(0, message(REQUEST, 5, 1))
    assert control.into(5) == (CLIENT, 5)


def test_a_call_inwards() -> None:
    control = Control(serving())
    assert control.ids(1, message(REQUEST, 7, 1)) == (7, 1)
    external, peer = control.ids(0, message(REPLY, 128, 7))
    assert (external, peer) == (128, 7)
    assert control.into(128) == (CLIENT, 128)
    assert control.out(7) == (EXTERNAL, 7)
    assert control.ids(1, message(LINK, 128))[0] == 128


def test_two_clients_outside_may_have_equal_ids() -> None:
    """Those of one remote host differ; those of two need not."""
    control = Control(serving())
    control.say(1, message(REQUEST, 7, 1))
    control.say(0, message(REPLY, 0, 7))
    assert (control.into(0), control.out(7)) == ((CLIENT, 0), (EXTERNAL, 7))


def test_a_server_calls_a_client_back(bed: Bed) -> None:
    """An incoming call (RFC 2637 section 2.9): the server asks, the client answers."""
    control = Control(bed)
    control.say(1, message(CALLED, 9, 1))
    assert control.ids(0, message(ANSWERED, 5, 9)) == (5, 9)
    assert control.ids(1, message(CONNECTED, 5))[0] == 5
    assert (control.out(9), control.into(5)) == ((EXTERNAL, 9), (CLIENT, 5))


def test_many_calls_by_one_connection(bed: Bed) -> None:
    other, _ = called(bed, 3, 1000, OTHER_CLIENT, 40001)
    control = Control(bed)
    calls = {}
    for own in range(8):
        external, _ = control.ids(0, message(REQUEST, own, own))
        assert control.ids(1, message(REPLY, 100 + own, external))[1] == own
        calls[own] = external
    assert len(set(calls.values())) == 8
    assert calls[3] != 3
    for own, external in calls.items():
        assert control.into(external) == (CLIENT, own)
        assert control.out(100 + own) == (EXTERNAL, 100 + own)
    assert other.into(3) == (OTHER_CLIENT, 3)


# Ends ---------------------------------------------------------------------------------------------------


def test_a_hang_up_ends_both_halves(bed: Bed) -> None:
    control, external = called(bed, 5, 100)
    control.out(100)
    control.into(external)
    control.say(0, message(CLEAR, 5))
    assert keys(bed) == []
    assert control.ids(1, message(GONE, 100))[0] == 100


@pytest.mark.parametrize("taken", [False, True])
def test_a_hang_up_of_the_server_does_too(bed: Bed, taken: bool) -> None:
    if taken:
        called(bed, 5, 99, OTHER_CLIENT, 40001)
    before = len(keys(bed))
    control, external = called(bed, 5, 100)
    control.out(100)
    control.into(external)
    control.say(1, message(GONE, 100))
    assert len(keys(bed)) == before


def test_a_disconnect_that_names_the_client_s_id_is_translated(bed: Bed) -> None:
    called(bed, 5, 99, OTHER_CLIENT, 40001)
    control, external = called(bed, 5, 100)
    assert control.ids(1, message(GONE, external))[0] == 5


def test_the_end_of_the_connection_ends_its_calls(bed: Bed) -> None:
    control, external = called(bed, 5, 100)
    other, _ = called(bed, 6, 101, OTHER_CLIENT, 40001)
    for each, own, theirs in ((control, external, 100), (other, 6, 101)):
        each.out(theirs)
        each.into(own)
    for side in (0, 1):
        control.connection.send(side, at=control.ends[side], acked=control.ends[1 - side], flags=FIN | ACK)
    control.connection.send(0, at=control.ends[0] + 1, acked=control.ends[1] + 1)
    bed.engine.tick()
    assert control.into(external) is None
    assert other.into(6) == (OTHER_CLIENT, 6)
    assert len(keys(bed)) == 2


def test_a_silent_call_lives_as_long_as_its_connection_and_does_not_keep_that() -> None:
    bed = Bed(Pptp(), timeouts=Timeouts(other=10, tcp_established=30))
    control, external = called(bed, 5, 100)
    control.out(100)
    control.into(external)
    for _ in range(LOOK_AT_DATA_S + 1):
        bed.engine.tick()
    rows = bed.table.sessions()
    assert min(row.expires_s for row in rows if row.protocol == GRE) > 50
    assert max(row.expires_s for row in rows if row.protocol == TCP) <= 30


# What is not to be trusted ------------------------------------------------------------------------------


def test_an_id_that_nobody_gave_stays(bed: Bed) -> None:
    control, _ = called(bed, 5, 100)
    assert control.ids(0, message(CLEAR, 6))[0] == 6
    assert control.ids(1, message(LINK, 6))[0] == 6
    assert control.ids(1, message(CONNECTED, 100))[0] == 100
    assert keys(bed) == ["expected", "expected"]


def test_an_id_of_another_control_connection_is_not_restored(bed: Bed) -> None:
    """Its numbers are those of another remote host, or of another call."""
    called(bed, 5, 100)
    _, external = called(bed, 5, 101, OTHER_CLIENT, 40001)
    third, _ = called(bed, 8, 102, OTHER_CLIENT, 40002)
    assert third.ids(1, message(LINK, external))[0] == external


def test_one_connection_does_not_take_what_another_host_has(bed: Bed) -> None:
    control, external = called(bed, 5, 100)
    thief = Control(bed, OTHER_CLIENT, 40001)
    for key in range(64):
        thief.say(0, message(REQUEST, key, key))
    control.out(100)
    assert control.into(external) == (CLIENT, 5)


def test_bytes_that_are_no_pptp_pass_and_announce_nothing(bed: Bed) -> None:
    connection = Connection(bed, port=PORT).open()
    text = b"POST / HTTP/1.1\r\n\r\n" + message(REQUEST, 5, 1)
    assert connection.say(0, text) == text
    assert connection.say(0, message(REQUEST, 5, 1), at=len(text)) == message(REQUEST, 5, 1)
    assert keys(bed) == []
