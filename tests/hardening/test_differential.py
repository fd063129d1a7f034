"""nfmasq beside the kernel's own MASQUERADE: the same bytes, but for a list of differences."""

import random
from collections.abc import Iterator

import pytest

from hardening.ends import CLIENT, Ends
from hardening.normal import external_port, normal
from hardening.odd_packets import EXCHANGES, INTENDED, INTO, OUT, PORT, Step
from hardening.random_packets import RandomPackets
from nfmasq.lab.lab import Lab

ANY = 1
"""For protocols without ports."""
NUMBER = {name: number for number, name in enumerate(EXCHANGES)}


@pytest.fixture(scope="module")
def kernel() -> Iterator[Ends]:
    """The same network with the kernel's MASQUERADE on the router."""
    with Lab(masquerade="kernel") as lab, Ends(lab.topology) as made:
        yield made


def _hold(ends: Ends, name: str) -> list[list[bytes]]:
    """What came of each step of an exchange, in its normal form."""
    near, outcomes = 0, []
    port = PORT + NUMBER[name]
    for step in EXCHANGES[name]:
        packets = [] if step.way == INTO and not near else [step.make(port, near)]
        passed = ends.out(packets) if step.way == OUT else ends.into(packets)
        if step.way == OUT and passed and not near:
            near = external_port(passed[0]) or ANY
        outcomes.append([normal(packet, step.way == OUT) for packet in passed])
    return outcomes


def _in_words(step: Step, passed: list[bytes]) -> str:
    """One letter a packet: t(ranslated), l(eaked), - for nothing."""
    if not passed:
        return "-"
    return "".join("l" if step.way == OUT and packet[12:16] == CLIENT.packed else "t" for packet in passed)


@pytest.mark.parametrize("name", EXCHANGES)
def test_what_both_translate_is_the_same(name: str, kernel: Ends, ends: Ends) -> None:
    """Legal-odd packets; where only one lets a packet pass, it is one of the reviewed differences."""
    theirs, ours = _hold(kernel, name), _hold(ends, name)
    words = [
        " ".join(_in_words(step, passed) for step, passed in zip(EXCHANGES[name], side, strict=True))
        for side in (theirs, ours)
    ]
    intended = INTENDED.get(name)
    assert words == ([intended.kernel, intended.nfmasq] if intended else [words[0]] * 2)
    if intended and not intended.same:
        assert ours != theirs
        return
    for their_step, our_step in zip(theirs, ours, strict=True):
        if their_step and our_step and their_step[0][12:16] != CLIENT.packed:
            assert our_step == their_step


def test_every_difference_is_of_a_conversation_and_has_its_reason() -> None:
    assert set(INTENDED) <= set(EXCHANGES)
    assert all(each.why and (each.kernel != each.nfmasq or not each.same) for each in INTENDED.values())


@pytest.mark.parametrize("seed", range(4))
def test_what_any_host_may_send_both_translate_the_same(seed: int, kernel: Ends, ends: Ends) -> None:
    """A hundred flows of a packet each way, every other field at random: not one difference."""
    ports = random.Random(seed).sample(range(10000, 60000), 100)
    for port in ports:
        sides = []
        for side in (kernel, ends):
            packets = RandomPackets(random.Random(port), port)
            sent = packets.first()
            (left,) = side.out([sent])
            (came,) = side.into([packets.answer(external_port(left))])
            sides.append((normal(left, True), normal(came, False)))
        assert sides[0] == sides[1], sent.hex()
