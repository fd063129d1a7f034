"""An FTP control connection without a network: both ends, through the core's table and the engine.

What is stored: the bytes that each end has sent, and the bytes that the other end has got in their place,
which it acknowledges. `say` alone writes them. The connection stays in the table when this object goes.
"""

import time
from ipaddress import IPv4Address, IPv4Network

from nfmasq._fastpath import SetAside, Table
from nfmasq.config import Config
from nfmasq.core.policy import Limits, Policy, Uplink
from nfmasq.helpers.engine.thread import Engine
from nfmasq.lab.packets import ACK, SYN, Endpoint, tcp
from nfmasq.runtime.helpers import Switchboard

HOSTS = IPv4Network("10.0.0.0/8")
SERVER: Endpoint = IPv4Address("203.0.113.9"), 21
EXTERNALS = (IPv4Address("198.51.100.1"), IPv4Address("198.51.100.2"))
GREETING = (
    (False, b"220 Service ready\r\n"),
    (True, b"USER anonymous\r\n"),
    (False, b"331 Any password will do\r\n"),
    (True, b"PASS me@\r\n"),
    (False, b"230 Logged in\r\n"),
)
"""Who says what before anything may be announced; True: the client."""

_HEADERS = 40
_CONFIG = {"nat": {"internal": ["lan0"], "external": "wan0"}}


class Weighing(Table):
    """A table that tells how much payload the last verdict let through: no queue takes the packets."""

    through = 0

    def release(self, waiting: SetAside, packet: bytes | bytearray | None) -> None:
        self.through = 0 if packet is None else len(packet) - _HEADERS


class Router:
    """A table and an engine, as a daemon has them.

    sessions: the most it can hold. expectation_s, helpers: as in the configuration.
    """

    def __init__(
        self, sessions: int, expectation_s: int = 60, helpers: dict[str, object] | None = None
    ) -> None:
        board = Switchboard(Config.model_validate({**_CONFIG, "helpers": helpers or {}}))
        board.expectation_s = expectation_s
        self.table = Weighing(None, sessions)
        rows = board.ports([HOSTS])
        self.table.configure(
            Policy((Uplink.pool(*EXTERNALS),), (HOSTS,), helper_ports=rows, limits=Limits(sessions))
        )
        self.engine = Engine(self.table, board)


class Control:
    """A client's connection, open and logged in. client: its end."""

    def __init__(self, router: Router, client: Endpoint) -> None:
        self.router = router
        self._client = self._external = client
        self._sent = {True: 0, False: 0}
        self._heard = {True: 0, False: 0}
        self._say(True, b"", SYN)
        self._say(False, b"", SYN | ACK)
        self.say(True, b"")
        for outbound, line in GREETING:
            self.say(outbound, line)

    def announce(self, port: int) -> float:
        """The client's PORT; as `say`."""
        address = ",".join(str(self._client[0]).split("."))
        return self.say(True, b"PORT %s,%d,%d\r\n" % (address.encode(), port >> 8, port & 255))

    def say(self, outbound: bool, text: bytes) -> float:
        """Let the client (outbound) or the server send this, and acknowledge all that it got.

        Returns the processor's seconds that the engine took over it. Raises RuntimeError when the helper did
        not get it.
        """
        taken = self._say(outbound, text, ACK)
        self._sent[outbound] += len(text)
        self._heard[outbound] += self.router.table.through
        return taken

    def _say(self, outbound: bool, text: bytes, flags: int) -> float:
        table, far = self.router.table, not outbound
        ends = (self._client, SERVER) if outbound else (SERVER, self._external)
        # The SYNs have the number 0, what follows them begins at 1.
        numbers = self._sent[outbound] + (not flags & SYN), self._heard[far] + 1 if flags & ACK else 0
        reason, _ = table.translate(tcp(*ends, flags, *numbers, payload=text), inbound=far)
        waiting = None if reason else table.next_set_aside(0)
        if waiting is None:
            raise RuntimeError(f"the helper did not get {text!r}: {reason or 'the session has none'}")
        self._external = waiting.external
        began = time.thread_time()
        self.router.engine.answer(waiting)
        return time.thread_time() - began
