"""FTP through the engine and the core: what is seen of an internal server, and who gets in."""

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from support.packets import ACK, RST, SYN, read, tcp
from support.router import OTHER_CLIENT, OTHER_SERVER

from helpers.engine.bed import CLIENT, PORT, SERVER, Bed, Connection
from helpers.engine.crossing import Crossing, CrossingBed
from nfmasq.core.policy import Filtering
from nfmasq.helpers.engine import standing
from nfmasq.helpers.protocols.ftp import Ftp

LOGIN = (
    (1, b"220 ready\r\n"),
    (0, b"USER ann\r\nPASS secret\r\n"),
    (1, b"331 Password\r\n230 Logged in\r\n"),
)
"""0: the client, 1: the server."""


def helper() -> Ftp:
    """The helper, on the port of these tests."""
    made = Ftp()
    made.ports = (PORT,)
    return made


class Spoken:
    """A control connection after the login, between the sides of a connection. client: its side there."""

    def __init__(self, connection: Connection, client: int) -> None:
        self.connection, self.client = connection, client
        self.ends, self.heard = [0, 0], [0, 0]
        for who, text in LOGIN:
            self.say(who, text)

    def say(self, who: int, text: bytes) -> bytes:
        """What is heard for what the client (0) or the server (1) says."""
        side = who ^ self.client
        heard = self.connection.say(side, text, at=self.ends[side], acked=self.heard[1 - side])
        self.ends[side] += len(text)
        self.heard[side] += len(heard)
        return heard


def served(**changes: Any) -> Spoken:
    """CLIENT serves SERVER by a forward."""
    changes.setdefault("filtering", Filtering.ENDPOINT_INDEPENDENT)
    return Spoken(Connection(Bed(helper(), forward=True, **changes)).open(), 1)


def called(**changes: Any) -> Spoken:
    """CLIENT is SERVER's client."""
    return Spoken(Connection(Bed(helper(), **changes)).open(), 0)


def hairpinned() -> Spoken:
    """CLIENT serves OTHER_CLIENT, who calls it by the external address."""
    return Spoken(Crossing(CrossingBed(helper())).open(), 0)


def six(address: IPv4Address, port: int) -> bytes:
    """As FTP writes an endpoint."""
    return b"%d,%d,%d,%d,%d,%d" % (*address.packed, port >> 8, port & 255)


def announced(text: bytes) -> tuple[IPv4Address, int]:
    """The endpoint in a reply or a command."""
    match = re.search(rb"(\d+,\d+,\d+,\d+),(\d+),(\d+)", text)
    assert match, text
    return IPv4Address(match[1].replace(b",", b".").decode()), int(match[2]) << 8 | int(match[3])


def waiting(spoken: Spoken) -> int:
    """Expectations in the core."""
    return sum(row.state == "expected" for row in spoken.connection.bed.table.sessions())


REFUSED = {
    "privileged": six(CLIENT, 80),
    "container": six(IPv4Address("172.17.0.2"), 5000),
    "third host": six(OTHER_CLIENT, 5000),
    "out of range": b"192,168,1,10,256,1",
}


@pytest.mark.parametrize("endpoint", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("form", [b"227 Passive (%b)\r\n", b"227-Passive %b.\r\n227 go on\r\n"])
def test_a_reply_that_is_not_acted_on_shows_no_internal_address(endpoint: bytes, form: bytes) -> None:
    spoken = served()
    spoken.say(0, b"PASV\r\n")
    heard = spoken.say(1, form % endpoint)
    external = spoken.connection.external[0]
    assert heard.count(b",".join(b"%d" % octet for octet in external.packed)) == 1
    assert not re.search(rb"192,168|172,17", heard)
    assert waiting(spoken) == 0
    assert sum(spoken.connection.bed.engine.counters()["ftp"].not_acted_on.values()) == 1


def test_another_internal_address_beside_the_endpoint_is_not_shown() -> None:
    spoken = served()
    spoken.say(0, b"PASV\r\n")
    heard = spoken.say(1, b"227-172.17.0.2 for 10,9,8,7:\r\n227 (%b)\r\n" % six(CLIENT, 5000))
    assert not re.search(rb"192,168|172\.17|10,9", heard)
    assert waiting(spoken) == 1


def test_a_reply_for_which_there_is_no_room_shows_no_internal_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(standing, "MOST_EXPECTATIONS_IN_ALL", 0)
    spoken = served()
    spoken.say(0, b"PASV\r\n")
    heard = spoken.say(1, b"227 (%b)\r\n" % six(CLIENT, 5000))
    assert announced(heard) == (spoken.connection.external[0], 5000)
    assert waiting(spoken) == 0


def test_what_a_client_says_that_is_not_acted_on_stays_as_it_is() -> None:
    """Its server answers such a PORT with 500, and the client goes on by PASV."""
    spoken = called()
    assert spoken.say(0, b"PORT %b\r\n" % six(CLIENT, 80)) == b"PORT %b\r\n" % six(CLIENT, 80)


def test_a_server_that_names_its_external_address_is_reached_there() -> None:
    spoken = served()
    external = spoken.connection.external[0]
    spoken.say(0, b"PASV\r\n")
    place = announced(spoken.say(1, b"227 (%b)\r\n" % six(external, 5000)))
    (came,) = spoken.connection.bed.send(tcp(SERVER, 1234, *place), inbound=True)
    assert read(came)[2:] == (CLIENT, 5000)


@pytest.mark.parametrize("speak", [served, called])
def test_one_data_connection_comes_in(speak: Callable[..., Spoken]) -> None:
    """Not a second one of the same host, nor one of another host, however wide the filtering is."""
    spoken = speak(filtering=Filtering.ENDPOINT_INDEPENDENT)
    place = data_endpoint(spoken, CLIENT)
    bed = spoken.connection.bed
    assert bed.send(tcp(OTHER_SERVER, 20, *place), inbound=True) == []
    assert bed.send(tcp(SERVER, 20, *place), inbound=True)
    for caller in ((SERVER, 21), (OTHER_SERVER, 20)):
        assert bed.send(tcp(*caller, *place), inbound=True) == []


def data_endpoint(spoken: Spoken, host: IPv4Address) -> tuple[IPv4Address, int]:
    """Where a host announces that it waits, at its port 5000: the client by PORT, the server by 227."""
    if host == CLIENT and spoken.client == 0 and not isinstance(spoken.connection, Crossing):
        return announced(spoken.say(0, b"PORT %b\r\n" % six(host, 5000)))
    if host == OTHER_CLIENT:
        return announced(spoken.say(0, b"PORT %b\r\n" % six(host, 5000)))
    spoken.say(0, b"PASV\r\n")
    return announced(spoken.say(1, b"227 (%b)\r\n" % six(host, 5000)))


@pytest.mark.parametrize("speak", [served, called])
def test_none_comes_in_once_the_control_connection_is_reset(speak: Callable[..., Spoken]) -> None:
    spoken = speak()
    place = data_endpoint(spoken, CLIENT)
    spoken.connection.send(0, at=spoken.ends[0], acked=spoken.heard[1], flags=RST | ACK)
    assert spoken.connection.bed.send(tcp(SERVER, 20, *place), inbound=True) == []


@pytest.mark.parametrize("network", [None, IPv4Network(f"{CLIENT}/32")])
def test_none_comes_in_once_the_helper_is_disabled(network: IPv4Network | None) -> None:
    spoken = served()
    place = data_endpoint(spoken, CLIENT)
    spoken.connection.bed.engine.set_enabled("ftp", False, network)
    assert waiting(spoken) == 0
    assert spoken.connection.bed.engine.expectations() == 0
    assert spoken.connection.bed.send(tcp(SERVER, 20, *place), inbound=True) == []


def test_disabled_for_others_it_still_comes_in() -> None:
    spoken = served()
    place = data_endpoint(spoken, CLIENT)
    spoken.connection.bed.engine.set_enabled("ftp", False, IPv4Network(f"{OTHER_CLIENT}/32"))
    assert spoken.connection.bed.send(tcp(SERVER, 20, *place), inbound=True)


@pytest.mark.parametrize(("host", "other"), [(CLIENT, OTHER_CLIENT), (OTHER_CLIENT, CLIENT)])
def test_hairpinned_each_side_is_called_at_its_external_endpoint(
    host: IPv4Address, other: IPv4Address
) -> None:
    """By PORT and by 227; the caller is seen by its external address."""
    spoken = hairpinned()
    place = data_endpoint(spoken, host)
    external = spoken.connection.far[0]
    assert place[0] == external
    (came,) = spoken.connection.bed.send(tcp(other, 20, *place), inbound=False)
    assert (read(came).source, read(came)[2:]) == (external, (host, 5000))
    answer = tcp(host, 5000, *read(came)[:2], SYN | ACK)
    (answered,) = spoken.connection.bed.send(answer, inbound=False)
    assert read(answered) == (*place, other, 20)
    assert not spoken.connection.bed.engine.counters()["ftp"].by_result()["refused"]


def test_hairpinned_tls_ends_the_helper_on_both_sides() -> None:
    spoken = hairpinned()
    spoken.say(0, b"AUTH TLS\r\n")
    spoken.say(1, b"234 Go on\r\n")
    line = b"PORT %b\r\n" % six(OTHER_CLIENT, 5000)
    assert spoken.say(0, line) == line
    spoken.say(1, b"\x16\x03\x01")
    assert len(spoken.connection.bed.table.let) == 2
