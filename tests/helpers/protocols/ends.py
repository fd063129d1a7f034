"""The two ends of a helped session, played through the real core and engine, over UDP or TCP."""

from ipaddress import IPv4Address
from typing import Any

from support.packets import ACK, FIN, udp
from support.router import CLIENT, EXTERNAL, SERVER

from helpers.engine.bed import NEAR_PORT, PORT, Bed, Connection
from nfmasq.core.policy import Filtering
from nfmasq.helpers.kit.base import Helper, Side

HEADERS = 28
STRICT = Filtering.ADDRESS_AND_PORT_DEPENDENT


def bed_of(helper: Helper, *, server_inside: bool, **changes: Any) -> Bed:
    """The strictest filtering and this helper. server_inside: CLIENT serves PORT, which is the helper's."""
    if server_inside:
        helper.ports = (PORT,)
    changes.setdefault("filtering", STRICT)
    changes.setdefault("low_ports", ((600, 1023),))
    return Bed(helper, forward=server_inside, **changes)


class Ends:
    """A session of `near` inside with `far` outside. port: the client's own; service: the server's.

    say: what the other end hears.
    """

    def __init__(
        self,
        bed: Bed,
        transport: str,
        *,
        near: IPv4Address = CLIENT,
        far: IPv4Address = SERVER,
        port: int = NEAR_PORT,
        service: int = PORT,
        numbers: tuple[int, int] = (7, 1007),
    ) -> None:
        self.bed = bed
        forwarded = bool(bed.rules.forwards)
        self.near, self.far = ((near, service), (far, port)) if forwarded else ((near, port), (far, service))
        self.external = (EXTERNAL, service)
        self._at, self._heard = [0, 0], [0, 0]
        self._connection: Connection | None = None
        if transport == "tcp":
            self._connection = Connection(bed, numbers, port=service, near=port)
            self._connection.near, self._connection.far = self.near, self.far
            self._connection.open()
            self.external = self._connection.external

    def say(self, side: Side, payload: bytes) -> bytes:
        """A datagram, or bytes of the stream, acknowledged. What was lost is sent once more."""
        if self._connection is None:
            return self._datagram(side, payload)
        me = side.value
        for _ in range(2):
            heard = self._connection.say(me, payload, at=self._at[me], acked=self._heard[me])
            if heard:
                break
        self._at[me] += len(payload)
        self._heard[1 - me] += len(heard)
        self._connection.send(1 - me, at=self._at[1 - me], acked=self._heard[1 - me])
        return heard

    def close(self) -> None:
        """Both ends send a FIN, and acknowledge the other's."""
        assert self._connection is not None
        for me in (0, 1):
            self._connection.send(me, at=self._at[me], acked=self._heard[me], flags=ACK | FIN)
            self._at[me] += 1
            self._heard[1 - me] += 1
            self._connection.send(1 - me, at=self._at[1 - me], acked=self._heard[1 - me])

    def _datagram(self, side: Side, payload: bytes) -> bytes:
        is_inbound = side is Side.OUTSIDE
        ends = (*self.far, *self.external) if is_inbound else (*self.near, *self.far)
        sent = self.bed.send(udp(*ends, payload), inbound=is_inbound)
        if not is_inbound and sent:
            self.external = (IPv4Address(sent[0][12:16]), int.from_bytes(sent[0][20:22]))
        return b"".join(packet[HEADERS:] for packet in sent)


def expected(bed: Bed) -> dict[int, tuple[IPv4Address, int]]:
    """The external endpoint of each expectation, by the internal port."""
    return {row.internal[1]: row.external for row in bed.table.sessions() if row.state == "expected"}
