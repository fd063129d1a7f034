"""What was announced: who reads it, who else may come, how long it lives, and what ends it."""

import itertools
import time

import pytest
from support.packets import ACK, RST, SYN, read, tcp, udp
from support.router import CLIENT, OTHER_SERVER, SERVER

from helpers.engine.bed import NEAR_PORT, Connection
from helpers.engine.scripted import Scripted, always, bed_of, expected, meet, once, outside_of, say, spanless
from nfmasq.core.policy import Filtering, Mapping
from nfmasq.helpers.engine import lifetimes, standing
from nfmasq.helpers.kit.base import Admitted, Endpoint, Found, Reading, Side

BEHAVIOURS = pytest.mark.parametrize(
    ("mapping", "filtering"), list(itertools.product(Mapping, Filtering)), ids=lambda each: each.name.lower()
)


def source(packet: bytes) -> Endpoint:
    """The endpoint a packet comes from."""
    return read(packet)[:2]


class TestAnEndpointThatIsWrittenNowhere:
    """TFTP's answer comes from another port, to the port the request came from."""

    @BEHAVIOURS
    def test_the_session_s_own_is_expected_at_its_own_external_port(
        self, mapping: Mapping, filtering: Filtering
    ) -> None:
        bed = bed_of(always(spanless(NEAR_PORT)), mapping=mapping, filtering=filtering)
        (sent,) = say(bed)
        (came,) = bed.send(udp(SERVER, 5555, *source(sent), b"data"), inbound=True)
        assert read(came)[2:] == (CLIENT, NEAR_PORT)
        (answer,) = bed.send(udp(CLIENT, NEAR_PORT, SERVER, 5555, b"ack"), inbound=False)
        assert source(answer) == source(sent)

    @BEHAVIOURS
    def test_it_comes_once_for_each_time_it_was_announced(
        self, mapping: Mapping, filtering: Filtering
    ) -> None:
        bed = bed_of(always(spanless(NEAR_PORT)), mapping=mapping, filtering=filtering)
        strict = filtering is Filtering.ADDRESS_AND_PORT_DEPENDENT
        for nth in range(3):
            (sent,) = say(bed)
            assert bed.send(udp(SERVER, 5555 + nth, *source(sent), b"data"), inbound=True)
            if strict:
                assert not bed.send(udp(SERVER, 6666, *source(sent), b"more"), inbound=True)

    def test_another_host_does_not_open_it(self) -> None:
        bed = bed_of(always(spanless(NEAR_PORT)))
        (sent,) = say(bed)
        assert not bed.send(udp(OTHER_SERVER, 5555, *source(sent), b"data"), inbound=True)

    def test_it_outlives_the_session_it_lent_its_port_from(self) -> None:
        """The port is handed over, and no other host gets it meanwhile."""
        bed = bed_of(always(spanless(NEAR_PORT, lifetime_s=1800)), mapping=Mapping.ADDRESS_AND_PORT_DEPENDENT)
        (sent,) = say(bed)
        assert bed.send(udp(SERVER, 5555, *source(sent), b"data"), inbound=True)
        for _ in range(lifetimes.LOOK_AT_DATA_S):
            bed.engine.tick()
        bed.table.expire(now=int(time.monotonic()) + 900)
        assert [row.remote for row in bed.table.sessions()] == [(SERVER, 5555)]
        assert bed.send(udp(SERVER, 5555, *source(sent), b"data"), inbound=True)

    def test_any_other_port_is_expected_at_the_same_port(self) -> None:
        bed = bed_of(always(spanless(5001)))
        say(bed)
        assert expected(bed)[5001].external[1] == 5001

    def test_where_that_port_is_taken_there_is_no_room(self) -> None:
        bed = bed_of(always(spanless(5001)))
        say(bed)
        say(bed, host=CLIENT + 1)
        assert bed.engine.counters()["scripted"].not_acted_on["no_room"] == 1

    def test_the_session_s_own_may_be_privileged_and_no_other(self) -> None:
        bed = bed_of(always(spanless(69)))
        say(bed, near=69)
        assert bed.engine.expectations() == 1
        say(bed)
        assert bed.engine.counters()["scripted"].not_acted_on["privileged"] == 1


class TestAReader:
    """What was announced may be read by a helper, too."""

    @pytest.mark.parametrize("transport", ["tcp", "udp"])
    def test_it_reads_the_session_that_comes_and_is_told_its_note(self, transport: str) -> None:
        helper = always(spanless(5000, transport, reader="scripted", note={"call": 7}))
        bed = bed_of(helper)
        say(bed)
        assert expected(bed)[5000].helper == 1
        if transport == "udp":
            assert meet(bed)
        else:
            place = outside_of(bed, 5000)
            assert bed.send(tcp(SERVER, 6000, *place, SYN, sequence=100), inbound=True)
            answer = tcp(CLIENT, 5000, SERVER, 6000, SYN | ACK, sequence=200, acked=101)
            assert bed.send(answer, inbound=False)
            assert bed.send(tcp(SERVER, 6000, *place, ACK, sequence=101, acked=201), inbound=True)
        control, data = helper.sessions
        assert (control.note, control.transport, control.inside_began) == (None, "udp", True)
        assert (data.note, data.transport, data.inside_began) == ({"call": 7}, transport, False)
        assert (data.internal, data.remote) == ((CLIENT, 5000), (SERVER, 6000))

    @pytest.mark.parametrize("reader", ["", "nobody"])
    def test_without_one_it_passes_unread(self, reader: str) -> None:
        helper = always(spanless(5000, reader=reader))
        bed = bed_of(helper)
        say(bed)
        assert meet(bed)
        assert len(helper.sessions) == 1

    def test_a_reader_that_is_disabled_reads_nothing(self) -> None:
        helper = always(spanless(5000, reader="scripted"))
        bed = bed_of(helper)
        say(bed)
        bed.engine.set_enabled("scripted", False)
        assert bed.engine.expectations() == 0

    def test_what_it_reads_may_announce_again(self) -> None:
        helper = always(spanless(5000, reader="scripted"))
        bed = bed_of(helper)
        say(bed)
        meet(bed)
        helper.script = lambda session, side, data: Reading(len(data), [spanless(session.internal[1] + 1)])
        bed.send(udp(CLIENT, 5000, SERVER, 6000, b"more"), inbound=False)
        assert 5001 in expected(bed)


class TestAdmitted:
    """Another host may open what was announced."""

    @BEHAVIOURS
    def test_it_comes_in_at_the_same_external_endpoint(self, mapping: Mapping, filtering: Filtering) -> None:
        helper = always(spanless(5000), admitted=[Admitted("udp", 5000, OTHER_SERVER)])
        bed = bed_of(helper, mapping=mapping, filtering=filtering)
        say(bed)
        assert len({row.external for row in bed.table.sessions() if row.internal[1] == 5000}) == 1
        assert meet(bed, remote=OTHER_SERVER)
        assert meet(bed, remote=SERVER)

    @BEHAVIOURS
    @pytest.mark.parametrize("early", [True, False])
    def test_it_comes_although_another_came_where_anyone_might(
        self, early: bool, mapping: Mapping, filtering: Filtering
    ) -> None:
        helper = once(
            Reading(0, [spanless(5000, anyone=True)]), Reading(0, admitted=[Admitted("udp", 5000, SERVER)])
        )
        bed = bed_of(helper, mapping=mapping, filtering=filtering)
        say(bed)
        for is_answer in (not early, early):
            if is_answer:
                say(bed)
            else:
                assert meet(bed, remote=OTHER_SERVER)
        assert meet(bed, remote=SERVER)

    def test_only_what_this_session_announced_can_be_opened(self) -> None:
        bed = bed_of(always(admitted=[Admitted("udp", 5000, OTHER_SERVER)]))
        say(bed)
        assert bed.engine.counters()["scripted"].not_acted_on["not_allowed"] == 1
        assert bed.engine.expectations() == 0

    def test_its_port_may_be_said(self) -> None:
        bed = bed_of(always(spanless(5000), admitted=[Admitted("udp", 5000, OTHER_SERVER, 7078)]))
        say(bed)
        assert not meet(bed, remote=OTHER_SERVER, from_port=7079)
        assert meet(bed, remote=OTHER_SERVER, from_port=7078)

    @pytest.mark.parametrize("limit", ["MOST_EXPECTATIONS", "MOST_EXPECTATIONS_IN_ALL"])
    def test_nothing_gives_way_for_it(self, limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Least of all the expectation that it would widen."""
        monkeypatch.setattr(standing, limit, 2)
        others = [Admitted("udp", 5000, OTHER_SERVER + nth) for nth in range(4)]
        bed = bed_of(always(spanless(5000), admitted=others))
        say(bed)
        assert bed.engine.counters()["scripted"].not_acted_on["no_room"] == 3
        assert bed.engine.expectations() == 2
        assert meet(bed, remote=OTHER_SERVER)
        assert meet(bed, remote=SERVER)


class TestTheEnd:
    """What ends with its control session, and what does not."""

    @pytest.mark.parametrize("bound", [True, False])
    @pytest.mark.parametrize("how", ["its end", "a word"])
    def test_a_session_ends_with_its_control_session_where_the_protocol_means_so(
        self, how: str, bound: bool
    ) -> None:
        """A word of the protocol ends it in any case."""
        found = spanless(5000, ends_with_control=bound)
        bed = bed_of(once(Reading(0, [found]), Reading(0, ended=[("udp", 5000)])))
        control = Connection(bed).open()
        control.say(0, b"x")
        assert meet(bed)
        bed.engine.tick()
        control.send(0, b"x" if how == "a word" else b"", at=1, flags=ACK if how == "a word" else RST | ACK)
        bed.engine.tick()
        is_over = bound or how == "a word"
        assert (5000 in [row.internal[1] for row in bed.table.sessions()]) != is_over

    def test_what_another_control_session_announced_too_goes_on(self) -> None:
        """SIP goes on in another session of the phone, and announces the call's port there again."""
        found = spanless(5000, anyone=True)
        bed = bed_of(always(found))
        control = Connection(bed).open()
        control.say(0, b"x")
        say(bed)
        control.send(0, b"", at=1, flags=RST | ACK)
        bed.engine.tick()
        assert 5000 in expected(bed)
        assert bed.engine.expectations() == 1

    def test_an_expectation_ends_by_word(self) -> None:
        bed = bed_of(once(Reading(0, [spanless(5000), spanless(5002)]), Reading(0, ended=[("udp", 5000)])))
        say(bed)
        assert sorted(expected(bed)) == [5000, 5002]
        say(bed)
        assert sorted(expected(bed)) == [5002]
        assert bed.engine.expectations() == 1

    def test_what_another_session_announced_is_not_ended(self) -> None:
        bed = bed_of(once(Reading(0, [spanless(5000)]), Reading(0, ended=[("udp", 5000)])))
        say(bed)
        say(bed, near=NEAR_PORT + 1)
        assert sorted(expected(bed)) == [5000]

    def test_a_session_that_no_helper_announced_cannot_be_ended(self) -> None:
        bed = bed_of(always())
        say(bed)
        aside = next(iter(bed.engine._sessions))
        assert not bed.table.end(*aside.name)
        assert bed.table.seen(*aside.name)


def test_a_pair_begins_at_an_even_port_and_goes_on() -> None:
    text = b"5000"
    found = Found(
        0, 4, CLIENT, 5001, lambda address, port: b"%d" % port, "udp", consecutive=2, ends_with_control=True
    )
    bed = bed_of(Scripted(lambda _, side, data: Reading(len(data), [found] if side is Side.INSIDE else [])))
    (sent,) = say(bed, text)
    first, second = (expected(bed)[port].external[1] for port in (5001, 5002))
    assert first % 2 == 0
    assert second == first + 1
    assert sent.endswith(b"%d" % first)
