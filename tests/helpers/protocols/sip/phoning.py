"""A phone behind a router: what it says to several proxies crosses the engine and the core's own table."""

import re
from ipaddress import IPv4Address
from typing import Any

from support.packets import l4_at, read, udp
from support.router import CLIENT, EXTERNAL, SERVER

from helpers.engine.bed import Bed
from helpers.protocols.sip.sayings import Mode, said
from nfmasq.core.policy import Filtering
from nfmasq.helpers.engine.thread import Engine
from nfmasq.helpers.protocols.sip import Sip

PORT = 5060
HERE = f"{CLIENT}:{PORT}"
"""The phone's endpoint, as it writes it."""


class Phoning(Bed):
    """CLIENT's phone. Its calls leave from PORT; near: its external port, once it has spoken."""

    def __init__(self, mode: Mode = "media", **changes: Any) -> None:
        changes.setdefault("filtering", Filtering.ENDPOINT_INDEPENDENT)
        super().__init__(Sip(mode=mode), **changes)
        self.near = 0

    @property
    def abroad(self) -> str:
        """The phone's endpoint, as the outside knows it."""
        return f"{EXTERNAL}:{self.near}"

    def say(self, text: bytes, to: IPv4Address = SERVER) -> bytes:
        """What the outside hears of a message."""
        (packet,) = self.send(udp(CLIENT, PORT, to, PORT, text), inbound=False)
        self.near = read(packet).source_port
        return packet[l4_at(packet) + 8 :]

    def hear(self, text: bytes, by: IPv4Address = SERVER) -> bytes:
        """What the phone hears of a message."""
        (packet,) = self.send(udp(by, PORT, EXTERNAL, self.near, text), inbound=True)
        return packet[l4_at(packet) + 8 :]

    def restart(self) -> None:
        """Another engine goes on, which knows nothing; the core has its sessions."""
        self.engine = Engine(
            self.table, self.registry, remainder=self.remainder, clock=lambda: self.now, takes_over=True
        )

    def is_open(self, port: int, by: IPv4Address) -> bool:
        """Do media of this host reach the phone at this external port?"""
        return bool(self.send(udp(by, 9000, EXTERNAL, port, b"rtp"), inbound=True))

    @property
    def not_acted_on(self) -> dict[str, int]:
        """Messages that were left alone, by reason."""
        counted = self.engine.counters()["sip"]
        assert counted.errors == 0
        return {reason: count for reason, count in counted.not_acted_on.items() if count}


def audio_port(text: bytes) -> int:
    """The port of the only media that a message describes."""
    (port,) = re.findall(rb"(?m)^m=\w+ (\d+)", text)
    return int(port)


def request_uri(text: bytes) -> str:
    """The Request-URI."""
    return text.split(b" ")[1].decode()


def contact(text: bytes) -> str:
    """What stands in the Contact."""
    (found,) = re.findall(rb"(?m)^Contact: <([^>]*)>", text)
    return bytes(found).decode()


def called(uri: str, method: str = "INVITE", *more: str, number: int = 1, **rest: str) -> bytes:
    """The outside's request to this URI."""
    rest.setdefault("via", f"{SERVER}:5060")
    return said(f"{method} {uri} SIP/2.0", *more, cseq=f"{number} {method}", **rest)
