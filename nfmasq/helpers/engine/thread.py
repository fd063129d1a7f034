"""The thread that runs the helpers: takes the packets the core sets aside, and gives each its verdict.

What is stored: a conversation for each session that has a helper (`talks`); families of announced sessions
(`expecting`); counters. Who writes: this thread, for each packet under `_lock`; a turn of a switch takes the
same lock, so that what is switched off reads not one packet more. What ends a conversation: its helper left
and all it wrote was acknowledged, so the core is told to let it go and goes on by the correction it knows; or
the core knows the session no more, which is looked up bit by bit.

Every packet is answered at once (`intake` tells why). Whatever goes wrong ends the helper on that session,
is counted, and drops one packet at most: never is sent what may be the wrong text. A helper that takes too
long again and again is switched off. One that never returns holds the lock for ever: nobody waits for it for
long, and whoever stops such an engine leaves the thread behind, which touches nothing any more.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network

from nfmasq.core.rows import SetAside
from nfmasq.helpers.engine import segment as tcp
from nfmasq.helpers.engine import trust as acting
from nfmasq.helpers.engine.counters import HelperCounters
from nfmasq.helpers.engine.expectations import Expecting, Name
from nfmasq.helpers.engine.intake import Store
from nfmasq.helpers.engine.interfaces import Core, Entry, Registry
from nfmasq.helpers.engine.leash import AT_ALL_S, Leash, TookTooLong
from nfmasq.helpers.engine.remainder import Rest, Sender
from nfmasq.helpers.engine.segment import ACK, LONGEST_ALONE, SYN, TCP, UDP
from nfmasq.helpers.engine.sessions import AnyTalk, Talks
from nfmasq.helpers.engine.tally import Tally
from nfmasq.helpers.engine.tcp_session import Conversation, Talk
from nfmasq.helpers.engine.trust import Edit
from nfmasq.helpers.engine.udp_session import Datagrams, untouched
from nfmasq.helpers.kit.base import Dialogue, Session, Side
from nfmasq.helpers.switches import Switch

TICK_S = 1.0
STOP_WITHIN_S = 2.0
"""A helper that hangs in C cannot be ended; the daemon must end all the same."""
CUT_OFF_WITHIN_S = 1.0
"""After its time a call that runs in Python has been cut off for sure."""
DRAINED_WITHIN_S = 1.0
"""When stopping: with packets that go on coming there is no end to them."""
TURNED_WITHIN_S = 0.5
"""A turn of a switch waits so long for the call under way, and is made behind it otherwise."""
MOST_WAITING_IN_ALL = 64 << 20
"""Bytes of all sessions that wait for dialogues."""
MOST_CUT_OFF = 5
"""Calls of one helper that took too long, until it is switched off."""

log = logging.getLogger("nfmasq")


@dataclass(frozen=True)
class State:
    """How a helper stands. problem: why it is off although nobody said so, or ""."""

    switch: Switch
    problem: str = ""


class Engine:
    """Runs the helpers of one table. failure: why its thread ended; beats: turns of its loop.

    rest: sends what a packet has no room for; else a raw socket, made by `start`. clock: seconds.
    takes_over: another engine read the sessions before, and what it knew is lost: a packet of those is
    dropped, and comes again by the core's correction.
    """

    def __init__(
        self,
        table: Core,
        registry: Registry,
        *,
        rest: Sender | None = None,
        clock: Callable[[], float] = time.monotonic,
        takes_over: bool = False,
    ) -> None:
        self.failure: str | None = None
        self.beats = 0
        self._table = table
        self._registry = registry
        self._lock = threading.Lock()
        self._talks = Talks()
        self._store = Store(MOST_WAITING_IN_ALL)
        self._expecting = Expecting(table, registry.expectation_s)
        self._numbered: tuple[Mapping[str, Entry], dict[int, Entry]] = {}, {}
        self._switches = {name: entry.switch for name, entry in registry.entries.items()}
        self._turns: deque[tuple[str, Switch]] = deque()
        self._has_turned = False
        self._tallies = {name: Tally() for name in registry.entries}
        self._nobody = Tally()
        self._cut_off: dict[str, int] = {}
        self._problems: dict[str, str] = {}
        self._leash = Leash()
        self._rest = rest
        self._clock = clock
        self._takes_over = takes_over
        self._called = ""
        self._in_hand: SetAside | None = None
        self._stopping = self._is_left_behind = False
        self._was_empty = True
        self._thread = threading.Thread(target=self._run, name="helpers", daemon=True)

    def start(self) -> None:
        """Begin to take packets."""
        if self._rest is None:
            self._rest = Rest()
        self._thread.start()

    def stop(self, within_s: float = STOP_WITHIN_S) -> None:
        """Answer what is there, and end. Harmless when never started.

        A thread that hangs in a helper is left behind: the packet it holds is dropped, and it touches nothing
        any more when it comes back.
        """
        self._stopping = True
        if self._thread.ident is not None:
            self._thread.join(within_s)
            self._is_left_behind = self._thread.is_alive()
        if self._is_left_behind:
            log.error("the helper %s does not return: its thread is left behind", self._called)
        if self._in_hand is not None:
            self._release(self._in_hand, [])
        if self._rest is not None:
            self._rest.close()

    @property
    def hangs_in(self) -> str:
        """The helper that is in a call which could not be cut off when its time was over, or ""."""
        return self._called if self._leash.lasts_s > AT_ALL_S + CUT_OFF_WITHIN_S else ""

    def switch(self, name: str, enabled: bool, network: IPv4Network | None = None) -> None:
        """Switch a helper on or off, for one network's hosts or for all; at once.

        Off: nothing is read, rewritten or expected any more; numbers go on being corrected. On: for sessions
        that begin from now on.
        """
        self.turn(name, self._switches.get(name, Switch(False)).turned(enabled, network))

    def turn(self, name: str, switch: Switch) -> None:
        """Set a helper's switch as a whole; as `switch`."""
        self._turns.append((name, switch))
        if self._lock.acquire(timeout=TURNED_WITHIN_S):
            try:
                self._make_turns()
            finally:
                self._lock.release()

    def _make_turns(self) -> None:
        while self._turns:
            name, switch = self._turns.popleft()
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
        self._has_turned = True
        for talk in self._talks:
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
        except BaseException as error:  # nobody answers the sessions with helpers any more
            self.failure = f"the helpers' thread failed: {error}"
            log.exception("the helpers' thread failed")
        finally:
            self._leash.stop()

    def _serve(self) -> None:
        due = time.monotonic() + TICK_S
        while not self._stopping:
            self.beats += 1
            held = self._table.next_set_aside(max(due - time.monotonic(), 0.0))
            if held is not None:
                self.answer(held)
            self._was_empty |= held is None
            if time.monotonic() >= due:
                due = time.monotonic() + TICK_S
                with self._lock:
                    self.tick()
        due = time.monotonic() + DRAINED_WITHIN_S
        while not self._is_left_behind and time.monotonic() < due:
            if (held := self._table.next_set_aside(0.0)) is None:
                break
            self.answer(held)

    def answer(self, held: SetAside) -> None:
        """Give one packet its verdict."""
        packets: list[bytearray] = []
        began = time.perf_counter()
        self._in_hand = held
        with self._lock:
            if self._turns:
                self._make_turns()
            entry = self._entry(held.helper)
            tally = self._tally(entry) if entry is not None else self._nobody
            try:
                packets = self._packets(held)
            except Exception:
                tally.errors += 1
                if _is_worth_a_line(tally.errors):
                    log.exception("a packet for a helper was dropped")
            if self._is_left_behind:
                return
            is_through = self._tell((held.session, held.serial))
            tally.seconds += time.perf_counter() - began
        self._release(held, packets)
        if is_through:
            self._table.let_go(held.session, held.serial)

    def _release(self, held: SetAside, packets: list[bytearray]) -> None:
        own, self._in_hand = packets[:1], None
        if len(held.packet) > LONGEST_ALONE >= len(packets[0] if packets else b"") and self._rest is not None:
            own = []  # the kernel would drop it where it takes a train apart; we send it instead
        try:
            self._table.release(held, own[0] if own else None)
        except OSError as error:  # its queue is closed, and with it the packet gone
            log.debug("a verdict was not taken: %s", error)
        if len(packets) > len(own) and self._rest is not None:
            self._rest.send(packets[len(own) :])

    def _tell(self, name: Name) -> bool:
        """Tell the core the corrections; True when it can go on by them alone."""
        talk = self._talks.get(name)
        if talk is None:
            return True
        shifts = talk.shifts
        if talk.told != shifts and isinstance(talk, Conversation):
            talk.told = shifts
            self._table.correct(*name, *talk.told)
        if not talk.is_over or not talk.is_settled:
            return False
        if talk.told != (0, 0):
            self._table.correct(*name, *talk.told)  # the core forgets it at a SYN that came to nothing
        self._count_out(talk)
        self._talks.part_with(name)
        return True

    def _packets(self, held: SetAside) -> list[bytearray]:
        """What to send on in place of a packet."""
        try:
            protocol, at = tcp.transport_of(held.packet)
            segment = tcp.read(held.packet, at) if protocol == TCP else None
        except ValueError:
            return [bytearray(held.packet)]
        side = Side.INSIDE if held.outbound else Side.OUTSIDE
        name = held.session, held.serial
        talk = self._talks.get(name) or self._talks.parted(name) or self._begin(held, name, segment)
        if isinstance(talk, Conversation) and segment is not None:
            return talk.pass_on(segment, side, self, self._clock())
        if isinstance(talk, Datagrams) and protocol == UDP:
            return [talk.pass_on(held.packet, at, side, self)]
        if talk is None and segment is not None and self._takes_over and not segment.flags & SYN:
            return []
        return [untouched(held.packet)]

    def _begin(self, held: SetAside, name: Name, segment: tcp.Segment | None) -> AnyTalk | None:
        """A conversation, if this packet begins one; what is met in the middle is nobody's to read."""
        entry = self._entry(held.helper)
        if entry is None or self._talks.is_full:
            return None
        session = Session(held.internal, held.external, held.remote, held.inside_began)
        talk: AnyTalk
        if segment is not None:
            if segment.flags & (SYN | ACK) != SYN:
                return None
            talk = Conversation(name, held.helper, session, self._store)
        else:
            talk = Datagrams(name, held.helper, session)
            talk.dialogue = self.begin(talk)
            talk.is_over = talk.dialogue is None
        self._talks.add(talk)
        self._tally(entry).sessions += 1
        return talk

    def begin(self, talk: Talk) -> Dialogue | None:
        """A dialogue, if the helper is on for this host and can make one."""
        entry = self._entry(talk.number)
        if entry is None or not self._switches.get(entry.name, entry.switch).on_for(talk.session.internal[0]):
            return None
        try:
            self._called = entry.name
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
        self._called = entry.name
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
        for name in self._talks.share():
            if self._table.seen(*name) is None:
                talk = self._talks.remove(name)
                if talk is not None:
                    self._count_out(talk)
        if self._was_empty:
            self._talks.turn()
            self._was_empty = False
        if self._has_turned:
            self._has_turned = False
            self._part_with_settled()

    def _part_with_settled(self) -> None:
        """Those that a switch has ended need not wait for their next packet."""
        for name in [talk.name for talk in self._talks if talk.is_settled]:
            if self._tell(name):
                self._table.let_go(*name)

    def _count_out(self, talk: Talk) -> None:
        entry = self._entry(talk.number)
        if entry is not None:
            self._tally(entry).sessions -= 1


def _is_worth_a_line(count: int) -> bool:
    """Each power of two: traffic must not fill the log."""
    return count & (count - 1) == 0
