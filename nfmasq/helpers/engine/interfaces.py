"""What an engine is given to work with: the core's table, and the helpers as they are set."""

from collections.abc import Mapping
from typing import Protocol

from nfmasq.core.rows import SetAside
from nfmasq.helpers.engine import expectations as expecting
from nfmasq.helpers.kit.base import Helper
from nfmasq.helpers.switches import Switch


class Core(expecting.Core, Protocol):
    """What the engine asks of the core's table."""

    def next_set_aside(self, timeout_s: float) -> SetAside | None: ...
    def release(self, waiting: SetAside, packet: bytes | bytearray | None) -> None: ...
    def let_go(self, session: int, serial: int) -> None: ...
    def correct(self, session: int, serial: int, outbound: int, inbound: int) -> None: ...


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
    """The helpers there are, in a mapping by name that is replaced whole when anything is set anew.

    expectation_s: seconds an announced session may take to arrive.
    """

    @property
    def entries(self) -> Mapping[str, Entry]: ...
    @property
    def expectation_s(self) -> int: ...
