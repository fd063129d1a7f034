"""All forwards of a running daemon: the configuration's, and those added while it runs.

What is stored: the forwards, each with its source, in an immutable tuple that is replaced whole. Also the
faults of the file of kept ones. Only the daemon's hand calls the methods that change something; any thread
may read `entries`. An added forward ends when it is removed, or at a stop unless it is kept. It also ends
when a reload or a start brings a configuration that clashes with it; a warning then names it.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from typing import Any, NamedTuple

from nfmasq.config import Config, ConfigError, ConfigInvalid, Forward, added_forward, forwards_of
from nfmasq.core.policy import Forward as PolicyForward
from nfmasq.machine.surroundings import Surroundings
from nfmasq.runtime import kept

CONFIG, RUNTIME, KEPT = "config", "runtime", "kept"
"""The source of a forward: the configuration, a command, or a command with --persist."""


class ForwardRefused(Exception):
    """A forward that cannot be removed or kept; the message is one line and says what to do."""


class NoSuchForward(Exception):
    """No forward has this id; the message is one line and says what to do."""


class Entry(NamedTuple):
    """A forward in force, and its source."""

    forward: Forward
    source: str


class Forwards:
    """The forwards of one daemon. Making it reads the kept ones, which never fails."""

    def __init__(self, config: Config) -> None:
        self._path = config.engine.forwards
        self._pool = config.nat.addresses
        self.entries: tuple[Entry, ...] = tuple(Entry(forward, CONFIG) for forward in config.forward)
        self.warnings: list[str] = self._read_kept()
        self._made_of: tuple[Entry, ...] = ()
        self._made: tuple[PolicyForward, ...] = ()

    def policy(self) -> tuple[PolicyForward, ...]:
        """All of them, as the core reads them."""
        if self._made_of is not self.entries:
            self._made_of = self.entries
            self._made = tuple(forwards_of(entry.forward for entry in self.entries))
        return self._made

    def add(
        self, table: dict[str, Any], persist: bool, external: Iterable[IPv4Address] = ()
    ) -> tuple[Entry, bool]:
        """Add the forward that `table` means; return it, and whether the policy changed by it.

        external: the addresses there are now. The same forward once more with `persist` only keeps it.
        Raises ConfigInvalid with everything that is wrong, ForwardRefused when it cannot be kept.
        """
        same = self._same_added(table) if persist else None
        others = [entry for entry in self.entries if entry is not same]
        forward = added_forward(table, [entry.forward for entry in others], self._pool)
        own = {str(address) for address in external}
        for target in forward.to:
            if str(target.address) in own:
                reason = f"{target.address} is an external address; name the internal host's own"
                raise ConfigInvalid([ConfigError("to", reason)])
        entry = Entry(forward, KEPT if persist else RUNTIME)
        self._replace([*others, entry])
        return entry, same is None

    def remove(self, identity: str) -> Entry:
        """End a forward that was added. Raises NoSuchForward, ForwardRefused."""
        found = next((entry for entry in self.entries if entry.forward.id == identity), None)
        if found is None:
            raise NoSuchForward(f"there is no forward {identity}; `nfmasq forwards` lists them")
        if found.source == CONFIG:
            raise ForwardRefused(
                f"forward {identity} is in the configuration; take it out there, then `nfmasq reload`"
            )
        self._replace(entry for entry in self.entries if entry is not found)
        return found

    def adopt(self, config: Config) -> list[str]:
        """Adopt another configuration's; return a line for each added forward that gives way to them."""
        self._pool = config.nat.addresses
        added = [entry for entry in self.entries if entry.source != CONFIG]
        entries = [Entry(forward, CONFIG) for forward in config.forward]
        warnings = []
        for entry in added:
            try:
                self._judge(entry.forward.written(), entries)
            except ConfigInvalid as invalid:
                warnings.append(_gives_way(entry, invalid))
            else:
                entries.append(entry)
        try:
            self._replace(entries)
        except ForwardRefused as refused:
            self.entries = tuple(entries)
            warnings.append(str(refused))
        return warnings

    def problems(self, surroundings: Surroundings) -> list[str]:
        """A line for each forward that cannot work with the present addresses and networks."""
        lines = []
        external = {address for outside in surroundings.outsides for address in outside.addresses}
        internal = surroundings.internal
        for forward, _ in self.entries:
            outside = forward.external_address
            if external and outside and outside not in external:
                lines.append(f"forward {forward.id}: there is no external address {outside}; it waits for it")
            for target in forward.to:
                if internal and not _within(target.address, internal):
                    lines.append(f"forward {forward.id}: {target.address} is in no internal network")
        return lines

    def _judge(self, table: Any, others: Iterable[Entry]) -> Forward:
        if not isinstance(table, dict):
            raise ConfigInvalid([ConfigError("forward", "must be a table")])
        return added_forward(table, [entry.forward for entry in others], self._pool)

    def _same_added(self, table: dict[str, Any]) -> Entry | None:
        try:
            wanted = added_forward(table)
        except ConfigInvalid:
            return None
        return next((each for each in self.entries if each == Entry(wanted, RUNTIME)), None)

    def _replace(self, entries: Iterable[Entry]) -> None:
        """Replace all forwards, in the file first. Raises ForwardRefused, and then nothing has changed."""
        new = tuple(entries)
        now, then = (
            [entry.forward for entry in some if entry.source == KEPT] for some in (self.entries, new)
        )
        if now != then:
            try:
                kept.write(self._path, then)
            except OSError as error:
                raise ForwardRefused(
                    f"{self._path} cannot be written: {error.strerror or error}; "
                    "correct that, set engine.forwards, or leave --persist out"
                ) from None
        self.entries = new

    def _read_kept(self) -> list[str]:
        """Adopt the good forwards of the file; return a line for the others."""
        try:
            tables = kept.read(self._path)
        except kept.Damaged as damage:
            return [f"the kept forwards in {self._path} are given up: {damage}{self._saved()}"]
        except OSError as error:
            return [f"the kept forwards in {self._path} cannot be read: {error.strerror or error}"]
        clashing, wrong = [], []
        for place, table in enumerate(tables):
            try:
                forward = self._judge(table, self.entries)
            except ConfigInvalid as invalid:
                try:
                    alone = Entry(self._judge(table, ()), KEPT)
                except ConfigInvalid:
                    wrong.append(f"forwards[{place}].{invalid.errors[0]}")
                else:
                    clashing.append(_gives_way(alone, invalid))
            else:
                self.entries = (*self.entries, Entry(forward, KEPT))
        if wrong:
            many = f"{len(wrong)} of {len(tables)} kept forwards in {self._path} are given up"
            clashing.append(f"{many}: {wrong[0]}{self._saved()}")
        return clashing

    def _saved(self) -> str:
        try:
            return f"; a copy is in {kept.copy_damaged(self._path)}"
        except OSError:
            return ""


def _gives_way(entry: Entry, invalid: ConfigInvalid) -> str:
    how = "kept" if entry.source == KEPT else "added while it ran"
    return f"forward {entry.forward.id}, {how}, gives way to the configuration: {invalid.errors[0].reason}"


def _within(address: IPv4Address, networks: Iterable[IPv4Network]) -> bool:
    return any(address in network for network in networks)
