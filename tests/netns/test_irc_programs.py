"""IRC end to end: irssi inside and outside, ngIRCd outside, DCC in both directions, files and words."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from netns.irc_programs import Irssi, ngircd
from nfmasq.lab.lab import Lab
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import EXTERNAL, SERVER1
from nfmasq.lab.waiting import wait_until

LAB = {"config": {"helpers": {"irc": True}}}
SIZE = 3_000_000

Users = tuple[Irssi, Irssi]


@pytest.fixture(scope="module")
def users(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Users]:
    """ann is behind the router, bob outside, and not on the server's own host."""
    place = tmp_path_factory.mktemp("irc")
    net = lab.topology
    with (
        ngircd(net.server1),
        Irssi(net.client1, "ann", place / "ann") as ann,
        Irssi(net.isp, "bob", place / "bob") as bob,
    ):
        ann.connect(SERVER1)
        bob.connect(SERVER1)
        yield ann, bob


def rewritten(daemon: DaemonUnderLab) -> float:
    """How many messages the helper has rewritten so far."""
    return daemon.metrics()['nfmasq_helper_messages_total{helper="irc",result="rewritten"}']


def send(sender: Irssi, receiver: Irssi, name: str, place: Path, how: str = "") -> None:
    """A file goes from one to the other and arrives as it was."""
    file = place / name
    file.write_bytes(os.urandom(SIZE))
    sender.type(f'/dcc send {how}{receiver.nick} "{file}"')
    if how:  # nobody takes these by itself
        receiver.sees(f"port 0]: {name}")
        receiver.type(f"/dcc get {sender.nick}")
    arrived = receiver.downloads / name.replace(" ", "_")
    choices = (receiver.downloads / name, arrived)

    def whole() -> bool:
        return any(each.exists() and each.stat().st_size == SIZE for each in choices)

    try:
        wait_until(whole, f"{name} to arrive", 20)
    except TimeoutError as error:
        shown = (sender.shown[-1500:] + receiver.shown[-1500:]).decode(errors="replace")
        raise AssertionError(f"{error}; there are {os.listdir(receiver.downloads)}\n{shown}") from None
    got = next(each for each in choices if each.exists())
    assert hashlib.sha256(got.read_bytes()).digest() == hashlib.sha256(file.read_bytes()).digest()


@pytest.mark.parametrize("name", ["plain.bin", "with spaces in it.bin"])
def test_a_file_goes_out(users: Users, daemon: DaemonUnderLab, tmp_path: Path, name: str) -> None:
    """DCC SEND from inside: bob calls in to the endpoint that was written in place of ann's."""
    before = rewritten(daemon)
    send(users[0], users[1], name, tmp_path)
    assert rewritten(daemon) - before == 1


def test_a_file_comes_in(users: Users, daemon: DaemonUnderLab, tmp_path: Path) -> None:
    """DCC SEND from outside: ann calls out, nothing is rewritten."""
    before = rewritten(daemon)
    send(users[1], users[0], "from bob.bin", tmp_path)
    assert rewritten(daemon) == before


def test_a_passive_offer_goes_out(users: Users, daemon: DaemonUnderLab, tmp_path: Path) -> None:
    """Port 0: she calls bob, who says where. irssi writes an address of nobody: it stays."""
    before = rewritten(daemon)
    send(users[0], users[1], "passive from ann.bin", tmp_path, "-passive ")
    assert rewritten(daemon) == before


def test_a_passive_offer_comes_in(users: Users, daemon: DaemonUnderLab, tmp_path: Path) -> None:
    """ann's answer has an endpoint of hers, at which bob calls."""
    before = rewritten(daemon)
    send(users[1], users[0], "passive from bob.bin", tmp_path, "-passive ")
    assert rewritten(daemon) - before == 1


def test_an_offer_with_the_external_address(users: Users, daemon: DaemonUnderLab, tmp_path: Path) -> None:
    """Programs can be told, or ask, how they look from outside; the port is ann's own all the same."""
    users[0].type(f"/set dcc_own_ip {EXTERNAL}")
    try:
        before = rewritten(daemon)
        send(users[0], users[1], "from outside.bin", tmp_path)
        assert rewritten(daemon) - before == 1
    finally:
        users[0].type("/set -clear dcc_own_ip")


def test_a_file_is_resumed(users: Users, daemon: DaemonUnderLab, tmp_path: Path) -> None:
    """RESUME and ACCEPT name the port of the offer, each as its reader knows it."""
    ann, bob = users
    before = rewritten(daemon)
    file, half = tmp_path / "resumed.bin", bob.downloads / "resumed.bin"
    file.write_bytes(os.urandom(SIZE))
    half.write_bytes(file.read_bytes()[: SIZE // 2])
    ann.type(f"/dcc send bob {file}")
    wait_until(lambda: half.stat().st_size == SIZE, "the rest to arrive", 20)
    assert half.read_bytes() == file.read_bytes()
    assert rewritten(daemon) - before == 3


def test_words_both_ways(users: Users) -> None:
    """DCC CHAT, offered by either side."""
    ann, bob = users
    ann.type("/dcc chat bob")
    ann.sees("DCC CHAT connection with bob")
    ann.type("/msg =bob greetings-from-ann")
    bob.sees("greetings-from-ann")
    bob.type("/msg =ann greetings-from-bob")
    ann.sees("greetings-from-bob")
    ann.type("/dcc close chat bob")
    bob.sees("DCC lost chat to ann")
    bob.type("/dcc chat ann")
    ann.sees("DCC CHAT connection with bob")
    bob.sees("DCC CHAT connection with ann")
    bob.type("/msg =ann second-greetings-from-bob")
    ann.sees("second-greetings-from-bob")
