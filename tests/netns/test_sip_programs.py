"""SIP end to end: Kamailio outside, baresip inside and outside, calls from both sides, media both ways.

A Kamailio that knows nothing of NATs needs mode "full". One that does, as providers have it, needs none of
it: mode "media" lets the media in.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import IPv4Address
from typing import NamedTuple

import pytest

from netns.sip_programs import Baresip, kamailio
from nfmasq.lab.lab import Lab
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import CLIENT1, CLIENT2, ISP, SERVER1

ANN_HZ, BOB_HZ, CAL_HZ = 300, 500, 800
"""The tones of ann and cal, who are inside, and of bob, who is outside."""
MEDIA_PORTS = range(10000, 10101)

Phones = dict[str, Baresip]


class Case(NamedTuple):
    """A mode of the helper, a kind of proxy, and the transport of the phones."""

    mode: str
    proxy: str
    transport: str


CASES = [
    Case("full", "plain", "udp"),
    Case("media", "aware of NATs", "udp"),
    Case("media", "aware of NATs", "tcp"),
    Case("full", "aware of NATs", "udp"),
    Case("full", "aware of NATs", "tcp"),
]


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def case(request: pytest.FixtureRequest) -> Case:
    """One of the cases."""
    found: Case = request.param
    return found


@pytest.fixture(scope="module")
def lab(as_root: None, case: Case) -> Iterator[Lab]:
    """A lab whose helper has the case's mode."""
    with Lab(config={"helpers": {"sip": {"enabled": True, "mode": case.mode}}}, megabytes=2) as made:
        yield made


@pytest.fixture(scope="module")
def phones(lab: Lab, case: Case) -> Iterator[Phones]:
    """ann, bob and cal, registered."""
    net = lab.topology
    users = {
        "ann": (net.client1, CLIENT1, ANN_HZ),
        "bob": (net.isp, ISP, BOB_HZ),
        "cal": (net.client2, CLIENT2, CAL_HZ),
    }
    with ExitStack() as stack:
        stack.enter_context(kamailio(net.server1, SERVER1, case.proxy))
        made = {
            user: stack.enter_context(
                Baresip(
                    host, address, user, SERVER1, hertz, transport="udp" if user == "bob" else case.transport
                )
            )
            for user, (host, address, hertz) in users.items()
        }
        for phone in made.values():
            phone.says("200 OK")
        yield made


def media(daemon: DaemonUnderLab, address: IPv4Address) -> dict[str, str]:
    """The external endpoints of a phone's media, by the internal ones."""
    rows = daemon.api("/v1/sessions?protocol=udp")["sessions"]
    return {
        row["internal"]: row["external"]
        for row in rows
        if row["internal"].startswith(f"{address}:") and int(row["internal"].split(":")[1]) in MEDIA_PORTS
    }


def expected(daemon: DaemonUnderLab) -> list[str]:
    """The endpoints at which media are still expected."""
    rows = daemon.api("/v1/sessions?protocol=udp")["sessions"]
    return [row["external"] for row in rows if row["state"] == "expected"]


def call(caller: Baresip, callee: Baresip, tones: tuple[int, int]) -> None:
    """A call is taken, and each hears the other. tones: the caller's, the callee's."""
    caller.do("dial", f"sip:{callee.user}@{SERVER1}")
    caller.says("Call established")
    callee.says("Call established")
    caller.hears(tones[1])
    callee.hears(tones[0])


def hang_up(one: Baresip, other: Baresip) -> None:
    """One ends the call, and the other learns of it."""
    one.do("hangup")
    one.says("audio: destroyed")
    other.says("audio: destroyed")


def test_a_call_goes_out(phones: Phones, daemon: DaemonUnderLab) -> None:
    call(phones["ann"], phones["bob"], (ANN_HZ, BOB_HZ))
    hang_up(phones["ann"], phones["bob"])
    assert not expected(daemon)


def test_a_call_comes_in(phones: Phones, daemon: DaemonUnderLab) -> None:
    call(phones["bob"], phones["ann"], (BOB_HZ, ANN_HZ))
    hang_up(phones["bob"], phones["ann"])
    assert not expected(daemon)


@pytest.mark.parametrize("holding", ["ann", "bob"])
def test_a_call_that_was_held_goes_on_at_the_same_ports(
    phones: Phones, daemon: DaemonUnderLab, holding: str
) -> None:
    ann, bob = phones["ann"], phones["bob"]
    call(ann, bob, (ANN_HZ, BOB_HZ))
    before = media(daemon, CLIENT1)
    phones[holding].do("hold")
    phones["bob" if holding == "ann" else "ann"].says("got re-INVITE")
    phones[holding].do("resume")
    phones["bob" if holding == "ann" else "ann"].says("got re-INVITE")
    ann.hears(BOB_HZ)
    bob.hears(ANN_HZ)
    assert media(daemon, CLIENT1) == before
    hang_up(ann, bob)


def test_a_call_between_phones_inside(phones: Phones) -> None:
    """The proxy outside leads each phone to the other's external endpoint."""
    call(phones["ann"], phones["cal"], (ANN_HZ, CAL_HZ))
    hang_up(phones["cal"], phones["ann"])
