"""A session is held as long as its registrars say, not as long as the phone asks for."""

import pytest

from helpers.protocols.sip.sayings import IN, OUT, PHONE, Heard, request, response
from nfmasq.helpers.kit.base import Side
from nfmasq.helpers.kit.listener import EXTERNAL
from nfmasq.helpers.protocols.sip.registrations import GRACE_S, MOST_PENDING, MOST_REGISTRATIONS

OWN = f"Contact: <sip:ann@{PHONE}>"
OTHERS = "Contact: <sip:ann@10.0.0.1:5060>;expires=3000"

Said = tuple[Side, bytes]


class TestRegistration:
    """A session is held as long as the registrar says, not as long as the phone asks for."""

    ASKED = IN, request("REGISTER", f"Contact: <sip:ann@{PHONE}>;expires=7000")

    def held(self, status: int, *headers: str, number: int = 1) -> int:
        answered = response(status, "REGISTER", *headers, number=number)
        return Heard(self.ASKED, (OUT, answered)).listener.hold_s

    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ([f"Contact: <sip:ann@{PHONE}>;expires=60"], 60),
            ([f"Contact: <sip:ann@{EXTERNAL}:40000>;expires=60"], 60),
            ([f"m: <sip:ann@{PHONE}>", "Expires: 120"], 120),
            ([f"Contact: <sip:ann@10.0.0.1>;expires=9, <sip:ann@{PHONE}>;expires=60"], 60),
            (["Contact: <sip:ann@10.0.0.1>;expires=9", f"Contact: <sip:ann@{PHONE}>;expires=60"], 60),
            (["Contact: <sip:ann@10.0.0.1>;expires=9"], 9),
            ([f"Contact: <sip:ann@{PHONE}>;expires=999999"], 7200),
        ],
    )
    def test_it_is_held(self, headers: list[str], seconds: int) -> None:
        assert self.held(200, *headers) == seconds + 32

    @pytest.mark.parametrize(
        "headers",
        [[], [f"Contact: <sip:ann@{PHONE}>;expires=0"], [f"Contact: <sip:ann@{PHONE}>", "Expires: 0"]],
    )
    def test_it_is_over(self, headers: list[str]) -> None:
        assert self.held(200, *headers) == 1

    @pytest.mark.parametrize("status", [100, 401, 403, 423, 500])
    def test_what_is_not_granted_is_not_held(self, status: int) -> None:
        assert self.held(status, f"Contact: <sip:ann@{PHONE}>;expires=60") == 0

    def test_an_answer_to_nothing_is_not_heard(self) -> None:
        assert self.held(200, f"Contact: <sip:ann@{PHONE}>;expires=60", number=2) == 0
        answered = response(200, "REGISTER", f"Contact: <sip:ann@{PHONE}>;expires=60")
        assert Heard((OUT, answered)).listener.hold_s == 0
        assert Heard(self.ASKED, (IN, answered)).listener.hold_s == 0


def asks(line: str, *headers: str, number: int = 1) -> Said:
    """A line asks its registrar."""
    return IN, request("REGISTER", *(headers or (OWN,)), number=number, call=line)


def grants(line: str, *headers: str, number: int = 1) -> Said:
    """The registrar answers it."""
    return OUT, response(200, "REGISTER", *headers, number=number, call=line)


def lasts(seconds: int) -> str:
    """The phone's contact in an answer."""
    return f"{OWN};expires={seconds}"


def held(*said: Said) -> int:
    """How long the session is held by the last message that says so."""
    return Heard(*said).listener.hold_s


def is_about(seconds: int, wanted: int) -> bool:
    """A second may have passed between the messages."""
    return wanted - 2 <= seconds <= wanted


class TestSeveralLines:
    """They have one session, which lives as long as the last of them."""

    def test_both_ask_before_either_is_answered(self) -> None:
        asked = asks("1"), asks("2")
        one, other = grants("1", lasts(3600)), grants("2", lasts(60))
        assert is_about(held(*asked, one), 3600 + GRACE_S)
        for answered in ((one, other), (other, one)):
            assert is_about(held(*asked, *answered), 3600 + GRACE_S)

    def test_one_that_unregisters_leaves_the_other(self) -> None:
        both = asks("1"), grants("1", lasts(3600)), asks("2"), grants("2", lasts(60))
        gone = asks("2", f"{OWN};expires=0", number=2), grants("2", number=2)
        assert is_about(held(*both, *gone), 3600 + GRACE_S)
        last = asks("1", f"{OWN};expires=0", number=2), grants("1", number=2)
        assert held(*both, *gone, *last) == 1

    def test_one_that_is_renewed_for_less(self) -> None:
        assert is_about(
            held(asks("1"), grants("1", lasts(3600)), asks("1", number=2), grants("1", lasts(60), number=2)),
            60 + GRACE_S,
        )

    def test_one_that_must_show_credentials(self) -> None:
        refused = OUT, response(401, "REGISTER", call="1")
        asked = asks("1"), refused, asks("2"), asks("1", number=2)
        assert is_about(held(*asked, grants("1", lasts(600), number=2)), 600 + GRACE_S)
        assert held(*asked, grants("1", lasts(600), number=1)) == 0

    def test_they_are_bounded(self) -> None:
        """The one that ends first is forgotten, and the question that is oldest."""
        lines = [str(nth) for nth in range(MOST_REGISTRATIONS + 1)]
        many = [said for line in lines for said in (asks(line), grants(line, lasts(600 + int(line))))]
        assert is_about(held(*many), 600 + MOST_REGISTRATIONS + GRACE_S)
        asked = [asks(str(nth)) for nth in range(MOST_PENDING + 1)]
        assert held(*asked, grants("0", lasts(60))) == 0
        assert held(*asked, grants("1", lasts(60))) > 0


class TestOtherPhonesOfTheAddress:
    """An address-of-record has the bindings of several phones; those of others hold no session."""

    @pytest.mark.parametrize("goes", [f"{OWN};expires=0", "Contact: *"])
    def test_a_phone_that_unregisters(self, goes: str) -> None:
        before = asks("1"), grants("1", lasts(3600), OTHERS)
        gone = asks("1", goes, "Expires: 0", number=2), grants("1", OTHERS, number=2)
        assert held(*before, *gone) == 1
        assert held(*gone) == 1

    def test_a_phone_that_only_asks(self) -> None:
        asked = asks("1", "Expires: 0")
        assert held(asked, grants("1", OTHERS)) == 0
        assert held(asked, grants("1")) == 0
        assert is_about(held(asked, grants("1", OTHERS, lasts(60))), 60 + GRACE_S)

    def test_a_phone_whose_contact_the_registrar_writes_otherwise(self) -> None:
        named = "Contact: <sip:ann@phone.example>"
        assert is_about(held(asks("1", named), grants("1", f"{named};expires=60")), 60 + GRACE_S)
