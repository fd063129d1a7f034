"""Which endpoints are acted on, and what is written in their place."""

from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Any

import pytest
from support.packets import read, udp
from support.router import OTHER_CLIENT

from helpers.engine.announcing import not_acted_on, said, strict, waiting
from helpers.engine.bed import CLIENT, NEAR_PORT, PORT, SERVER, Bed, Connection
from helpers.engine.here import HI
from helpers.engine.scripted import always, bed_of, say, spanless
from nfmasq.helpers.kit.base import Endpoint, Found, Mentioned, Named, Reading, Size


def test_an_address_without_a_port_is_hidden_and_nothing_expected() -> None:
    bed = strict()
    connection = Connection(bed).open()
    heard = connection.say(0, HI + said(b"SELF", CLIENT, 0))
    assert heard == HI + said(b"SELF", connection.external[0], 0)
    at = len(HI + said(b"SELF", CLIENT, 0))
    assert connection.say(0, said(b"SELF", OTHER_CLIENT, 0), at=at) == said(b"SELF", OTHER_CLIENT, 0)
    assert connection.say(1, HI + said(b"SELF", SERVER, 0)) == HI + said(b"SELF", SERVER, 0)
    assert (waiting(bed), not_acted_on(bed)) == (0, {})


def test_the_external_address_is_the_speaker_s_own_only_where_the_helper_says_so() -> None:
    bed = strict()
    line = HI + said(b"HERE", bed.rules.addresses[0], 5000)
    assert Connection(bed).open().say(0, line) == line
    assert (waiting(bed), not_acted_on(bed)) == (0, {"forged": 1})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (said(b"HERE", OTHER_CLIENT, 5000), "forged"),
        (said(b"HERE", SERVER, 5000), "forged"),
        (said(b"HERE", CLIENT, 1023), "privileged"),
        (said(b"HERE", CLIENT, 65536), "malformed"),
        (said(b"PAIR", CLIENT, 65535), "malformed"),
        (b"LONG\r\n", "too_long"),
        (said(b"AGAIN", CLIENT, 5000), "not_allowed"),
    ],
)
def test_what_is_not_to_be_trusted_stays_as_it_is(line: bytes, reason: str) -> None:
    bed = strict()
    connection = Connection(bed).open()
    assert connection.say(0, HI + line) == HI + line
    assert waiting(bed) == 0
    assert not_acted_on(bed) == {reason: 1}


@pytest.mark.parametrize(("address", "reasons"), [(SERVER, {}), (CLIENT, {"forged": 1})])
def test_what_the_outside_announces_is_only_read(address: IPv4Address, reasons: dict[str, int]) -> None:
    bed = strict()
    line = HI + said(b"HERE", address, 5000)
    assert Connection(bed).open().say(1, line) == line
    assert waiting(bed) == 0
    assert not_acted_on(bed) == reasons
    assert bed.engine.counters()["here"].seen == 1


def text_of(address: IPv4Address, port: int) -> bytes:
    """An endpoint as these messages write it."""
    return b"%s:%d" % (str(address).encode(), port)


def payload(packets: list[bytes]) -> bytes:
    """What the only datagram of these carries."""
    (packet,) = packets
    return packet[28:]


class TestNamed:
    """An address with the port of this very session (SIP Via)."""

    @pytest.mark.parametrize("hide", [False, True])
    @pytest.mark.parametrize("port", [0, NEAR_PORT, 5000])
    def test_the_session_s_own_port_is_written_with_the_address(self, port: int, hide: bool) -> None:
        bed = bed_of(always(Named(0, 4, CLIENT, text_of, hide, port)))
        packets = say(bed, b"name")
        address, external = read(packets[0])[:2]
        if port in {0, NEAR_PORT} or hide:
            assert payload(packets) == text_of(address, external if port == NEAR_PORT else port)
        else:
            assert payload(packets) == b"name"
        assert (bed.engine.expectations(), not_acted_on(bed, "scripted")) == (0, {})

    def test_another_host_s_address_stays(self) -> None:
        assert payload(
            say(bed_of(always(Named(0, 4, OTHER_CLIENT, text_of, False, NEAR_PORT))), b"name")
        ) == (b"name")


class TestMentioned:
    """The outside writes an external endpoint of ours, and the inside reads its own."""

    @staticmethod
    def mention(
        endpoint: Callable[[Endpoint], Mentioned], *announced: Found, near: int = NEAR_PORT
    ) -> tuple[bytes, Bed]:
        """What CLIENT hears of a message from outside, after it has announced something."""
        helper = always(*announced)
        bed = bed_of(helper)
        say(bed)
        helper.script = lambda _, side, data: Reading(len(data))
        (sent,) = say(bed, near=near)
        external = read(sent)[:2]
        helper.script = lambda _, side, data: Reading(len(data), [endpoint(external)])
        return payload(bed.send(udp(SERVER, PORT, *external, b"name"), inbound=True)), bed

    def test_the_session_s_own(self) -> None:
        for address in (True, False):
            for transport in ("", "udp"):
                heard, _ = self.mention(
                    lambda own, address=address, transport=transport: Mentioned(  # type: ignore[misc]
                        0, 4, own[1], text_of, own[0] if address else None, transport
                    )
                )
                assert heard == text_of(CLIENT, NEAR_PORT)

    def test_not_of_another_transport_or_address(self) -> None:
        for transport, address in (("tcp", None), ("", SERVER), ("udp", CLIENT)):
            heard, _ = self.mention(
                lambda own, address=address, transport=transport: Mentioned(  # type: ignore[misc]
                    0, 4, own[1], text_of, address, transport
                )
            )
            assert heard == b"name"

    @pytest.mark.parametrize("near", [NEAR_PORT, NEAR_PORT + 1], ids=["this session's", "another's"])
    def test_an_endpoint_that_was_announced(self, near: int) -> None:
        heard, _ = self.mention(
            lambda own: Mentioned(0, 4, 5001, text_of, own[0], "udp"), spanless(5001), near=near
        )
        assert heard == text_of(CLIENT, 5001)

    def test_the_external_address_alone(self) -> None:
        """An entry of a list has no port, and neither has what is written."""
        heard, _ = self.mention(lambda own: Mentioned(0, 4, 0, text_of, own[0]))
        assert heard == text_of(CLIENT, 0)
        for other in (SERVER, CLIENT, OTHER_CLIENT):
            heard, _ = self.mention(lambda own, other=other: Mentioned(0, 4, 0, text_of, other))  # type: ignore[misc]
            assert heard == b"name"

    def test_not_what_another_host_announced(self) -> None:
        """Nor what no host did: the text stays, and tells the outside nothing."""
        helper = always(spanless(5001))
        bed = bed_of(helper)
        say(bed, host=OTHER_CLIENT)
        helper.script = lambda _, side, data: Reading(len(data))
        (sent,) = say(bed)
        helper.script = lambda _, side, data: Reading(len(data), [Mentioned(0, 4, 5001, text_of)])
        assert payload(bed.send(udp(SERVER, PORT, *read(sent)[:2], b"name"), inbound=True)) == b"name"

    def test_not_by_the_inside(self) -> None:
        bed = bed_of(always(Mentioned(0, 4, NEAR_PORT, text_of)))
        assert payload(say(bed, b"name")) == b"name"


def number(length: int) -> bytes:
    """A length in two digits."""
    return b"%02d" % length


class TestSizes:
    """Numbers that depend on what was written."""

    FOUND = Found(4, 8, CLIENT, 5000, text_of, "udp")

    def test_a_length_is_that_of_what_was_written(self) -> None:
        bed = bed_of(always(Size(0, 2, 3, 12, number), self.FOUND))
        head, body = payload(say(bed, b"09:(name)...!")).split(b":", 1)
        assert len(body) == int(head) + 1
        assert body.endswith(b")...!")

    def test_in_a_stream(self) -> None:
        bed = bed_of(always(Size(0, 2, 3, 12, number), self.FOUND))
        head, body = Connection(bed).open().say(0, b"09:(name)...!").split(b":", 1)
        assert len(body) == int(head) + 1

    @pytest.mark.parametrize("write", [lambda length: b"x" * 600, lambda length: 1 // 0, lambda length: None])
    def test_where_it_cannot_be_written_the_whole_message_stays(self, write: Any) -> None:
        bed = bed_of(always(Size(0, 2, 3, 12, write), self.FOUND))
        assert payload(say(bed, b"09:(name)...!")) == b"09:(name)...!"
        assert bed.engine.expectations() == 0

    def test_where_the_endpoint_is_not_acted_on_it_stays(self) -> None:
        bed = bed_of(always(Size(0, 2, 3, 12, number), self.FOUND._replace(address=OTHER_CLIENT)))
        assert payload(say(bed, b"09:(name)...!")) == b"09:(name)...!"
        assert not_acted_on(bed, "scripted") == {"forged": 1}


class TestAPartThatIsWhole:
    """All places of it are written, or none: SDP says an address once for several ports."""

    PLACES = (Found(0, 4, CLIENT, 5000, text_of, "udp", consecutive=2), Named(5, 9, CLIENT, text_of))

    def test_it_is_written_where_all_places_are_acted_on(self) -> None:
        bed = bed_of(always(*self.PLACES, whole=[(0, 14)]))
        assert payload(say(bed, b"here self")).endswith(b":0")
        assert bed.engine.expectations() == 2

    @pytest.mark.parametrize(
        "refused",
        [
            Found(10, 14, OTHER_CLIENT, 5004, text_of),
            Found(10, 14, CLIENT, 22, text_of),
            Found(10, 14, OTHER_CLIENT, 5004, text_of, hide=True),
            Named(10, 14, CLIENT, lambda address, port: b"x" * 600),
        ],
        ids=["another host's", "privileged", "to be hidden", "too long"],
    )
    def test_it_stays_as_a_whole_where_one_is_not_acted_on(self, refused: Found | Named) -> None:
        """Nothing stays expected either, not a port of a row, and nothing counts as rewritten."""
        bed = bed_of(always(*self.PLACES, refused, whole=[(0, 14)]))
        assert payload(say(bed, b"here self last")) == b"here self last"
        assert bed.engine.expectations() == 0
        counters = bed.engine.counters()["scripted"]
        assert (counters.rewritten, sum(counters.not_acted_on.values())) == (0, 1)

    def test_a_text_that_stays_by_itself_spoils_nothing(self) -> None:
        bed = bed_of(always(*self.PLACES, Named(10, 14, OTHER_CLIENT, text_of), whole=[(0, 14)]))
        assert payload(say(bed, b"here self last")).endswith(b" last")
        assert bed.engine.expectations() == 2

    def test_other_parts_are_written_where_one_stays(self) -> None:
        """A call without room for its media is signalled all the same."""
        good, refused = Found(10, 14, CLIENT, 5004, text_of, "udp"), Found(20, 24, CLIENT, 22, text_of)
        beside = Named(15, 19, CLIENT, text_of)
        bed = bed_of(always(*self.PLACES, good, beside, refused, whole=[(10, 14), (15, 24)]))
        heard = payload(say(bed, b"here self more self last"))
        assert heard.endswith(b" self last")
        assert not heard.startswith(b"here")
        assert b"more" not in heard
        assert bed.engine.expectations() == 3
        assert bed.engine.counters()["scripted"].rewritten == 3
