"""Application gateways at work: what a server hears of an endpoint that a client names in its payload."""

from contextlib import suppress
from ipaddress import IPv4Address

from nfmasq.lab.packets import TCP, Endpoint, read
from nfmasq.lab.rfc.ground import Ground
from nfmasq.lab.rfc.not_met import NotMet, demand
from nfmasq.lab.rfc.way import CLIENT, SERVER, Stream, Way, port

FTP = 21
DATA = 5001
"""The port CLIENT is going to be called at."""


class Patient(Way):
    """A ground on which packets are waited for: what a gateway reads may be overtaken by a marker."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def out(self, packet: bytes) -> bytes | None:
        """A TCP packet leaves."""
        seen = read(packet)
        return self._across(packet, seen.source[0], seen.destination[0])

    def into(self, packet: bytes, to: IPv4Address = CLIENT) -> bytes | None:
        """A TCP packet arrives."""
        return self._across(packet, read(packet).source[0], to)

    def _across(self, packet: bytes, sender: IPv4Address, receiver: IPv4Address) -> bytes | None:
        self._ground[receiver].ignore()
        self._ground[sender].send(packet)
        with suppress(NotMet):
            return self._ground[receiver].expect("what was sent", TCP)
        return None


def enabled(ground: Ground) -> dict[str, bool]:
    """Which helpers are enabled, by name."""
    return {row["name"]: row["enabled"] for row in ground.daemon.api("/v1/helpers")["helpers"]}


def heard_of(ground: Ground) -> Endpoint:
    """The endpoint that an FTP server hears of when CLIENT says that it will listen on its port DATA."""
    control = Stream(Patient(ground), (CLIENT, port()), (SERVER, FTP))
    control.shake_hands()
    way = Patient(ground)
    for said, answered in ((b"", b"220"), (b"USER u", b"331"), (b"PASS p", b"230")):
        if said:
            demand(way.sent(control.outward(payload=said + b"\r\n")).payload != b"", "a command was lost")
        way.received(control.inward(payload=answered + b" Fine\r\n"))
    named = ",".join((*str(CLIENT).split("."), str(DATA >> 8), str(DATA & 255)))
    heard = way.sent(control.outward(payload=f"PORT {named}\r\n".encode())).payload
    *address, high, low = (int(number) for number in heard.removeprefix(b"PORT ").split(b","))
    return IPv4Address(bytes(address)), high << 8 | low
