"""What a helper keeps of an internal host, and what it remembers with a session."""

import gc
from ipaddress import IPv4Address
from weakref import ref

import pytest
from support.router import CLIENT, OTHER_CLIENT

from helpers.engine.bed import NEAR_PORT, Bed, Connection
from helpers.engine.scripted import Scripted, bed_of, expected, say, spanless
from nfmasq.helpers.engine.thread import Engine
from nfmasq.helpers.kit.base import LARGEST_REMEMBERED, Admitted, Reading, Session, Side


class Kept:
    """What is kept of a host."""

    def __init__(self, host: IPv4Address) -> None:
        self.host = host


class Meeting(Scripted):
    """A helper that keeps something."""

    @staticmethod
    def meet(host: IPv4Address) -> Kept:
        return Kept(host)


def nothing(_: Session, __: Side, data: bytes) -> Reading:
    """A message that says nothing."""
    return Reading(len(data))


class TestMeet:
    def test_all_sessions_of_a_host_have_the_same(self) -> None:
        helper = Meeting(nothing)
        bed = bed_of(helper)
        say(bed)
        say(bed, near=NEAR_PORT + 1)
        say(bed, host=OTHER_CLIENT)
        Connection(bed).open()
        kept = [each.host for each in helper.sessions]
        assert [each.host for each in kept if isinstance(each, Kept)] == [
            CLIENT,
            CLIENT,
            OTHER_CLIENT,
            CLIENT,
        ]
        assert kept[0] is kept[1] is kept[3]

    def test_it_ends_with_the_last_session(self) -> None:
        helper = Meeting(nothing)
        bed = bed_of(helper)
        say(bed)
        kept = ref(helper.sessions.pop().host)
        say(bed, near=NEAR_PORT + 1)
        helper.sessions.clear()
        gc.collect()
        assert kept() is not None
        bed.engine.set_enabled("scripted", False)
        gc.collect()
        assert kept() is None

    @pytest.mark.parametrize("made", [5, None, ()])
    def test_what_cannot_be_kept_ends_the_helper_on_the_session(self, made: object) -> None:
        helper = Meeting(nothing)
        helper.meet = lambda host: made  # type: ignore[method-assign,assignment,return-value]
        bed = bed_of(helper)
        assert say(bed)
        assert bed.engine.counters()["scripted"].errors == 1
        assert not helper.sessions

    def test_a_helper_without_it_has_none(self) -> None:
        helper = Scripted(nothing)
        say(bed_of(helper))
        assert helper.sessions[0].host is None


def speaking(kind: type[Scripted], of_another: Reading) -> Bed:
    """One session announces port 5000, and another of the same host says this."""
    announcing = Reading(0, [spanless(5000)])

    def script(session: Session, _: Side, data: bytes) -> Reading:
        reading = announcing if session.internal[1] == NEAR_PORT else of_another
        return reading._replace(taken=len(data))

    bed = bed_of(kind(script))
    say(bed)
    assert 5000 in expected(bed)
    say(bed, near=NEAR_PORT + 1)
    return bed


class TestSpeakingForTheHost:
    """A session ends and widens what another one announced, if its helper keeps something of the host."""

    ENDED = Reading(0, ended=[("udp", 5000)])
    ADMITTED = Reading(0, admitted=[Admitted("udp", 5000, OTHER_CLIENT)])

    @pytest.mark.parametrize("kind", [Scripted, Meeting])
    def test_it_ends(self, kind: type[Scripted]) -> None:
        assert (5000 in expected(speaking(kind, self.ENDED))) == (kind is Scripted)

    @pytest.mark.parametrize("kind", [Scripted, Meeting])
    def test_it_widens(self, kind: type[Scripted]) -> None:
        bed = speaking(kind, self.ADMITTED)
        assert bed.engine.counters()["scripted"].not_acted_on["not_allowed"] == (kind is Scripted)
        assert bed.engine.expectations() == (1 if kind is Scripted else 2)

    def test_no_session_of_another_host_does(self) -> None:
        announcing = Reading(0, [spanless(5000)])

        def script(session: Session, _: Side, data: bytes) -> Reading:
            reading = announcing if session.internal[0] == CLIENT else self.ENDED
            return reading._replace(taken=len(data))

        bed = bed_of(Meeting(script))
        say(bed)
        say(bed, host=OTHER_CLIENT)
        assert 5000 in expected(bed)


class TestRemember:
    """Over UDP a dialogue that begins again knows what the one before remembered."""

    @pytest.mark.parametrize("number", [1, 7, LARGEST_REMEMBERED])
    def test_the_next_engine_knows_it(self, number: int) -> None:
        helper = Scripted(lambda _, __, data: Reading(len(data), remember=number))
        bed = bed_of(helper)
        say(bed)
        say(bed, near=NEAR_PORT + 1)
        bed.engine = Engine(bed.table, bed.registry, remainder=bed.remainder, takes_over=True)
        say(bed)
        assert [each.remembered for each in helper.sessions] == [0, 0, number]

    @pytest.mark.parametrize("number", [-1, LARGEST_REMEMBERED + 1, "1", True])
    def test_what_is_no_such_number_is_an_error(self, number: int) -> None:
        bed = bed_of(Scripted(lambda _, __, data: Reading(len(data), remember=number)))
        say(bed)
        assert bed.engine.counters()["scripted"].errors == 1

    def test_a_connection_remembers_nothing(self) -> None:
        helper = Scripted(lambda _, __, data: Reading(len(data), remember=5))
        bed = bed_of(helper)
        connection = Connection(bed).open()
        assert connection.say(0, b"x") == b"x"
        assert bed.engine.counters()["scripted"].errors == 0
