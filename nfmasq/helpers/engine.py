"""The thread that runs the helpers: takes the packets the core sets aside, and gives each its verdict.

What is stored: a conversation for each session that has a helper, until its dialogue and its corrections
have ended, or the session; families of announced sessions (`expecting`); counters. Who writes: this thread,
for each packet under `_lock`; `switch` takes the same lock, so that what is switched off reads
not one packet more. What ends a conversation: its helper left and nothing was ever rewritten, so the core
is told to let it go; or the core knows the session no more, which is looked up bit by bit.

Every packet is answered at once (`intake` tells why). Whatever goes wrong ends the helper on that session,
is counted, and drops one packet at most: never is sent what may be the wrong text. A helper that takes too
long again and again is switched off.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Protocol

from nfmasq.helpers import acting, expecting
from nfmasq.helpers import segment as tcp
from nfmasq.helpers.acting import Edit
from nfmasq.helpers.base import Dialogue, Helper, Session, Side
from nfmasq.helpers.conversation import Conversation, Talk
from nfmasq.helpers.counters import HelperCounters
from nfmasq.helpers.datagrams import Datagrams, untouched
from nfmasq.helpers.expecting import Expecting, Name
from nfmasq.helpers.intake import Store
from nfmasq.helpers.leash import Leash, TookTooLong
from nfmasq.helpers.rest import Rest, Sender
from nfmasq.helpers.segment import ACK, SYN, TCP, UDP
from nfmasq.helpers.switches import Switch
from nfmasq.helpers.tally import Tally
from nfmasq.rows import Held

TICK_S = 1.0
STOP_WITHIN_S = 2.0
"""A helper that hangs in C cannot be ended; the daemon must end all the same."""
MOST_CONVERSATIONS = 32768
MOST_WAITING_IN_ALL = 64 << 20
"""Bytes of all sessions that wait for dialogues."""
MOST_CUT_OFF = 5
"""Calls of one helper that took too long, until it is switched off."""
LOOKED_UP_IN_S = 64
"""Each conversation is looked up in the core once in so many seconds."""

log = logging.getLogger("nfmasq")


class Core(expecting.Core, Protocol):
    """What the engine asks of the core's table."""

    def next_held(self, timeout_s: float) -> Held | None: ...
    def release(self, held: Held, packet: bytes | bytearray | None) -> None: ...
    def let_go(self, session: int, serial: int) -> None: ...


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


@dataclass(frozen=True)
class State:
    """How a helper stands. problem: why it is off although nobody said so, or ""."""

    switch: Switch
    problem: str = ""


class Engine:
    """Runs the helpers of one table. failure: why its thread ended; beats: turns of its loop.

    rest: sends what a packet has no room for; else a raw socket, made by `start`. clock: seconds.
    """

    def __init__(
        self,
        table: Core,
        registry: Registry,
        *,
        rest: Sender | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.failure: str | None = None
        self.beats = 0
        self._table = table
        self._registry = registry
        self._lock = threading.Lock()
        self._talks: dict[Name, Conversation | Datagrams] = {}
        self._to_look_up: list[Name] = []
        self._store = Store(MOST_WAITING_IN_ALL)
        self._expecting = Expecting(table, registry.expectation_s)
        self._numbered: tuple[Mapping[str, Entry], dict[int, Entry]] = {}, {}
        self._switches = {name: entry.switch for name, entry in registry.entries.items()}
        self._tallies = {name: Tally() for name in registry.entries}
        self._nobody = Tally()
        self._cut_off: dict[str, int] = {}
        self._problems: dict[str, str] = {}
        self._leash = Leash()
        self._rest = rest
        self._clock = clock
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="helpers", daemon=True)

    def start(self) -> None:
        """Begin to take packets."""
        if self._rest is None:
            self._rest = Rest()
        self._thread.start()

    def stop(self) -> None:
        """Answer what is there, and end. Harmless when never started."""
        self._stopping = True
        if self._thread.ident is not None:
            self._thread.join(STOP_WITHIN_S)
        if self._rest is not None:
            self._rest.close()

    def switch(self, name: str, enabled: bool, network: IPv4Network | None = None) -> None:
        """Switch a helper on or off, for one network's hosts or for all; at once.

        Off: nothing is read, rewritten or expected any more; numbers go on being corrected. On: for sessions
        that begin from now on.
        """
        self.turn(name, self._switches.get(name, Switch(False)).turned(enabled, network))

    def turn(self, name: str, switch: Switch) -> None:
        """Set a helper's switch as a whole; as `switch`."""
        with self._lock:
            self._turn(name, switch)
            self._problems.pop(name, None)
            self._cut_off.pop(name, None)

    def counters(self) -> dict[str, HelperCounters]:
        """What was counted of each helper, by its name."""
        return {name: tally.counters() for name, tally in list(self._tallies.items())}

    def expectations(self) -> int:
        """How many announced sessions nobody has come to yet."""
        return self._expecting.waiting

    def states(self) -> dict[str, State]:
        """How each helper stands, by its name."""
        return {
            name: State(switch, self._problems.get(name, "")) for name, switch in list(self._switches.items())
        }

    def _turn(self, name: str, switch: Switch) -> None:
        self._switches[name] = switch
        for talk in self._talks.values():
            entry = self._entry(talk.number)
            if entry is None or (entry.name == name and not switch.on_for(talk.session.internal[0])):
                talk.leave()

    def _entry(self, number: int) -> Entry | None:
        """The helper of this number, as it is set now."""
        entries, by_number = self._numbered
        if entries is not self._registry.entries:
            entries = self._registry.entries
            by_number = {entry.number: entry for entry in entries.values()}
            self._numbered = entries, by_number
        return by_number.get(number)

    def _tally(self, entry: Entry) -> Tally:
        if entry.name not in self._tallies:
            self._tallies[entry.name] = Tally()
        return self._tallies[entry.name]

    def _run(self) -> None:
        self._leash.start()
        try:
            self._serve()
        except Exception as error:  # nobody answers the sessions with helpers any more
            self.failure = f"the helpers' thread failed: {error}"
            log.exception("the helpers' thread failed")
        finally:
            self._leash.stop()

    def _serve(self) -> None:
        due = time.monotonic() + TICK_S
        while not self._stopping:
            self.beats += 1
            held = self._table.next_held(max(due - time.monotonic(), 0.0))
            if held is not None:
                self.answer(held)
            if time.monotonic() >= due:
                due = time.monotonic() + TICK_S
                with self._lock:
                    self.tick()
        while (held := self._table.next_held(0.0)) is not None:
            self.answer(held)

    def answer(self, held: Held) -> None:
        """Give one packet its verdict."""
        packets: list[bytearray] = []
        began = time.perf_counter()
        with self._lock:
            entry = self._entry(held.helper)
            tally = self._tally(entry) if entry is not None else self._nobody
            try:
                packets = self._packets(held)
            except Exception:
                tally.errors += 1
                if _is_worth_a_line(tally.errors):
                    log.exception("a packet for a helper was dropped")
            tally.seconds += time.perf_counter() - began
        try:
            self._table.release(held, packets[0] if packets else None)
        except OSError as error:  # its queue is closed, and with it the packet gone
            log.debug("a verdict was not taken: %s", error)
        if len(packets) > 1 and self._rest is not None:
            self._rest.send(packets[1:])
        talk = self._talks.get((held.session, held.serial))
        if talk is None or talk.is_plain:
            self._forget((held.session, held.serial))
            self._table.let_go(held.session, held.serial)

    def _packets(self, held: Held) -> list[bytearray]:
        """What to send on in place of a packet."""
        try:
            protocol, at = tcp.transport_of(held.packet)
            segment = tcp.read(held.packet, at) if protocol == TCP else None
        except ValueError:
            return [bytearray(held.packet)]
        side = Side.INSIDE if held.outbound else Side.OUTSIDE
        name = held.session, held.serial
        talk = self._talks.get(name) or self._begin(held, name, segment)
        if isinstance(talk, Conversation) and segment is not None:
            return talk.pass_on(segment, side, self, self._clock())
        if isinstance(talk, Datagrams) and protocol == UDP:
            return [talk.pass_on(held.packet, at, side, self)]
        return [untouched(held.packet)]

    def _begin(self, held: Held, name: Name, segment: tcp.Segment | None) -> Conversation | Datagrams | None:
        """A conversation, if this packet begins one; what is met in the middle is nobody's to read."""
        entry = self._entry(held.helper)
        if entry is None or len(self._talks) >= MOST_CONVERSATIONS:
            return None
        session = Session(held.internal, held.external, held.remote, held.inside_began)
        talk: Conversation | Datagrams
        if segment is not None:
            if segment.flags & (SYN | ACK) != SYN:
                return None
            talk = Conversation(name, held.helper, session, self._store)
        else:
            talk = Datagrams(name, held.helper, session)
            talk.dialogue = self.begin(talk)
            talk.is_over = talk.dialogue is None
        self._talks[name] = talk
        self._tally(entry).sessions += 1
        return talk

    def begin(self, talk: Talk) -> Dialogue | None:
        """A dialogue, if the helper is on for this host and can make one."""
        entry = self._entry(talk.number)
        if entry is None or not self._switches.get(entry.name, entry.switch).on_for(talk.session.internal[0]):
            return None
        try:
            return self._leash.call(entry.helper.begin, talk.session)
        except Exception as error:
            self._failed(entry, error)
            return None

    def read(self, talk: Talk, side: Side, data: bytes) -> tuple[int, Iterable[Edit], bool]:
        """Let the dialogue read, and act on it; all that it is given goes untouched when it fails."""
        entry = self._entry(talk.number)
        if entry is None or talk.dialogue is None:
            return len(data), (), True
        tally = self._tally(entry)
        tally.readings += 1
        edits: list[Edit] = []
        try:
            reading = acting.checked(self._leash.call(talk.dialogue.read, side, data), len(data))
            if reading.found or reading.refused:
                acts = acting.edits(
                    reading,
                    speaker=acting.Speaker(side, talk.name, talk.session),
                    expecting=self._expecting,
                    tally=tally,
                    write=self._leash.call,
                )
                for edit in acts:  # those before a failure count
                    edits.append(edit)
        except Exception as error:
            self._failed(entry, error)
            return len(data), edits, True
        return reading.taken, edits, reading.leave

    def _failed(self, entry: Entry, error: Exception) -> None:
        name, tally = entry.name, self._tally(entry)
        tally.errors += 1
        if _is_worth_a_line(tally.errors):
            what = f"{type(error).__name__}: {error}"
            log.warning("the helper %s left a session it failed on (%d so far): %s", name, tally.errors, what)
        if isinstance(error, TookTooLong):
            self._cut_off[name] = self._cut_off.get(name, 0) + 1
            if self._cut_off[name] >= MOST_CUT_OFF:
                self._problems[name] = "it took too long again and again: switched off"
                log.error("the helper %s took too long %d times: it is switched off", name, MOST_CUT_OFF)
                self._turn(name, Switch(False))

    def tick(self) -> None:
        """Once a second: announced sessions, and a part of the conversations, are looked up."""
        self._expecting.seconds = self._registry.expectation_s
        self._expecting.tick()
        if not self._to_look_up:
            self._to_look_up = list(self._talks)
        share = len(self._talks) // LOOKED_UP_IN_S + 1
        for name in self._to_look_up[-share:]:
            if self._table.seen(*name) is None:
                self._forget(name)
        del self._to_look_up[-share:]

    def _forget(self, name: Name) -> None:
        talk = self._talks.pop(name, None)
        if talk is not None:
            talk.leave()
            entry = self._entry(talk.number)
            if entry is not None:
                self._tally(entry).sessions -= 1


def _is_worth_a_line(count: int) -> bool:
    """Each power of two: traffic must not fill the log."""
    return count & (count - 1) == 0
