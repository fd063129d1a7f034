"""What the parts of an engine know of each other, of the core's table and of the helpers as they are set."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address
from typing import Protocol

from nfmasq.core.rows import Expected, SessionRow, SetAside
from nfmasq.helpers.kit.base import Dialogue, Endpoint, Helper, Session, Side
from nfmasq.helpers.switches import Switch

Name = tuple[int, int]
"""A session of the core: its number and its serial."""
Edit = tuple[int, int, bytes]
"""A span of what was read, and the text that takes its place."""


class ExpectingCore(Protocol):
    """What expectations ask of the core's table."""

    def expect(  # noqa: PLR0917  the core's own signature
        self,
        parent: int,
        serial: int,
        protocol: int,
        internal: Endpoint,
        remote: IPv4Address | None,
        remote_port: int,
        seconds: int,
        external_port: int = 0,
        helper: int = 0,
    ) -> Expected: ...
    def find_row(  # noqa: PLR0917  as expect
        self,
        parent: int,
        serial: int,
        protocol: int,
        internal: Endpoint,
        remote: IPv4Address | None,
        remote_port: int,
        count: int,
    ) -> int: ...
    def withdraw(self, session: int, serial: int, now: None = None, told: bool = True) -> bool: ...
    def end(self, session: int, serial: int) -> bool: ...
    def is_expected(self, session: int, serial: int) -> bool: ...
    def seen(self, session: int, serial: int) -> SessionRow | None: ...
    def keep(self, session: int, serial: int, seconds: int) -> bool: ...
    def remember(self, session: int, serial: int, number: int) -> None: ...


class Core(ExpectingCore, Protocol):
    """What the engine asks of the core's table."""

    def next_set_aside(self, timeout_s: float) -> SetAside | None: ...
    def release(self, waiting: SetAside, packet: bytes | bytearray | None) -> None: ...
    def let_go(self, session: int, serial: int) -> None: ...
    def correct(self, session: int, serial: int, outbound: int, inbound: int) -> None: ...
    def remembered(self, session: int, serial: int) -> int: ...


class Entry(Protocol):
    """A helper as it is set. number: 1 to 31, by which the core knows it."""

    @property
    def name(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def helper(self) -> Helper: ...
    @property
    def switch(self) -> Switch: ...


class Registry(Protocol):
    """All helpers by name, in a mapping that is replaced as a whole whenever anything is set.

    expectation_s: seconds an expectation waits for its session.
    """

    @property
    def entries(self) -> Mapping[str, Entry]: ...
    @property
    def expectation_s(self) -> int: ...


class HelpedSession(Protocol):
    """A session that a helper reads. number: the helper's; endpoints: as the dialogue knows them."""

    @property
    def name(self) -> Name: ...
    @property
    def number(self) -> int: ...
    @property
    def endpoints(self) -> Session: ...
    @property
    def dialogue(self) -> Dialogue | None: ...


class Reader(Protocol):
    """Calls dialogues, and judges what they found."""

    def begin(self, session: HelpedSession) -> Dialogue | None:
        """A dialogue for a session that begins; None: its helper is disabled for the host, or failed."""

    def longest_of(self, session: HelpedSession) -> int:
        """Bytes of one side that a session's dialogue may leave untaken."""

    def read(self, session: HelpedSession, side: Side, data: bytes) -> tuple[int, Sequence[Edit], bool]:
        """How many bytes the dialogue is done with, what to write in them, and whether it leaves."""
