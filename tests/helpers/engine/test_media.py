"""Media of a call: whom they are open to, and what they give way to."""

import itertools
import time

import pytest
from support.router import OTHER_SERVER, SERVER

from helpers.engine.scripted import always, bed_of, expected, meet, once, say, spanless
from nfmasq.core.policy import Filtering, Mapping
from nfmasq.helpers.engine import standing
from nfmasq.helpers.kit.base import Admitted, Found, Reading

BEHAVIOURS = pytest.mark.parametrize(
    ("mapping", "filtering"), list(itertools.product(Mapping, Filtering)), ids=lambda each: each.name.lower()
)


class TestMedia:
    """Of a call: open to anyone once, and none gives way to newer ones."""

    @staticmethod
    def media(port: int = 5000, **more: object) -> Found:
        return spanless(port, media=True, **more)  # type: ignore[arg-type]

    @BEHAVIOURS
    def test_open_to_anyone_they_are_open_to_the_first_host(
        self, mapping: Mapping, filtering: Filtering
    ) -> None:
        bed = bed_of(always(self.media(anyone=True)), mapping=mapping, filtering=filtering)
        say(bed)
        assert meet(bed, remote=OTHER_SERVER)
        say(bed)
        assert meet(bed, remote=SERVER) == [] or filtering is Filtering.ENDPOINT_INDEPENDENT
        assert bed.engine.expectations() == 0

    def test_they_are_closed_when_an_expected_host_has_come(self) -> None:
        bed = bed_of(once(Reading(0, [self.media()]), Reading(0, [self.media(anyone=True)])))
        say(bed)
        say(bed)
        assert meet(bed, remote=SERVER)
        bed.engine.tick()
        assert not meet(bed, remote=OTHER_SERVER)
        assert bed.engine.expectations() == 0

    def test_they_are_closed_when_another_host_is_admitted(self) -> None:
        admitted = [Admitted("udp", 5000, OTHER_SERVER)]
        bed = bed_of(always(self.media(anyone=True, patience_s=300), admitted=admitted))
        say(bed)
        (row,) = expected(bed).values()
        assert row.remote[0] == OTHER_SERVER
        assert row.expires_s == pytest.approx(300, abs=5)

    @BEHAVIOURS
    def test_who_has_come_may_come_from_another_port(self, mapping: Mapping, filtering: Filtering) -> None:
        """Music on hold comes from another port of the same host, and so do media behind early ones."""
        helper = always(self.media(), admitted=[Admitted("udp", 5000, OTHER_SERVER)])
        bed = bed_of(helper, mapping=mapping, filtering=filtering)
        for from_port in (7000, 7010, 7020):
            say(bed)
            for remote in (OTHER_SERVER, SERVER):
                assert meet(bed, remote=remote, from_port=from_port)
        assert len({row.external for row in bed.table.sessions() if row.internal[1] == 5000}) == 1

    def test_who_came_where_anyone_might_is_the_only_one(self) -> None:
        bed = bed_of(always(self.media(anyone=True)), filtering=Filtering.ADDRESS_AND_PORT_DEPENDENT)
        say(bed)
        assert meet(bed, remote=OTHER_SERVER)
        say(bed)
        assert bed.engine.expectations() == 0

    def test_who_comes_no_more_is_expected_again(self) -> None:
        bed = bed_of(always(self.media()))
        say(bed)
        assert meet(bed)
        bed.engine.tick()
        (row,) = [row for row in bed.table.sessions() if row.internal[1] == 5000]
        bed.table.expire(now=int(time.monotonic()) + row.expires_s + 1)
        say(bed)
        assert meet(bed, from_port=6001)

    def test_none_gives_way_to_newer_ones(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(standing, "MOST_EXPECTED_MEDIA", 3)
        bed = bed_of(always(*(self.media(port) for port in range(5000, 5005))))
        say(bed)
        assert sorted(expected(bed)) == [5000, 5001, 5002]
        assert bed.engine.counters()["scripted"].not_acted_on["no_room"] == 2

    def test_nor_to_other_expectations(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(standing, "MOST_EXPECTATIONS", 2)
        bed = bed_of(always(self.media(5000), spanless(5001), spanless(5002), self.media(5003)))
        say(bed)
        assert sorted(expected(bed)) == [5000, 5002, 5003]
