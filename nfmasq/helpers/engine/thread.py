"""The thread that runs the helpers: it takes the packets the core sets aside, and gives each its verdict.

What is stored here: the lock, and the packet that is being answered. `sessions`, `expectations`, `enabled`
and `reading` store the rest. Who writes: this thread, for each packet under the lock. Whoever sets a switch
takes the same lock, so that a disabled helper reads no further packet.

Every packet is answered as soon as it is read (`intake` says why). An error ends the helper on that session,
is counted, and drops one packet at most: a text that may be wrong is never sent. A helper that takes too long
again and again is disabled. A helper that never returns keeps the lock: others wait for it a bounded time.
Stopping such an engine leaves the thread behind, which touches nothing any more.
"""

import logging
import threading
import time
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network

from nfmasq.core.rows import SetAside
from nfmasq.helpers.engine.enabled import EnabledHelpers, State
from nfmasq.helpers.engine.expectations import Expectations
from nfmasq.helpers.engine.interfaces import Core, Registry
from nfmasq.helpers.engine.leash import AT_ALL_S
from nfmasq.helpers.engine.reading import DialogueReader, is_worth_a_line
from nfmasq.helpers.engine.remainder import Remainder, Sender
from nfmasq.helpers.engine.segment import LONGEST_ALONE, sent_from
from nfmasq.helpers.engine.sessions import Sessions
from nfmasq.helpers.engine.tally import HelperCounters
from nfmasq.helpers.engine.verdicts import Verdicts
from nfmasq.helpers.switches import Switch

TICK_S = 1.0
STOP_WITHIN_S = 2.0
"""A helper that hangs in C cannot be ended; the daemon must end all the same."""
CUT_OFF_WITHIN_S = 1.0
"""After its time a call that runs in Python has been cut off for sure."""
DRAINED_WITHIN_S = 1.0
"""When stopping: packets that go on coming must not keep the thread."""
SET_WITHIN_S = 0.5
"""Setting a switch waits so long for the call under way; past that the switch is set behind the call."""

log = logging.getLogger("nfmasq")


class Engine:
    """Runs the helpers of one table. failure: why its thread ended. beats: rounds of its loop.

    remainder: sends bytes that a packet has no room for; None: a raw socket. clock: in seconds.
    takes_over: another engine read the sessions before, and its knowledge is lost. A packet of such a session
    is dropped, and TCP sends it again by the core's correction.
    """

    def __init__(
        self,
        table: Core,
        registry: Registry,
        *,
        remainder: Sender | None = None,
        clock: Callable[[], float] = time.monotonic,
        takes_over: bool = False,
    ) -> None:
        self.failure: str | None = None
        self.beats = 0
        self._table = table
        self._registry = registry
        self._lock = threading.Lock()
        self._sessions = Sessions()
        self._expectations = Expectations(table, registry.expectation_s, self._number_of)
        self._enabled = EnabledHelpers(registry, self._sessions, self._expectations)
        self._reader = DialogueReader(registry, self._enabled, self._expectations)
        self._verdicts = Verdicts(table, self._sessions, self._reader, clock=clock, takes_over=takes_over)
        self._remainder = remainder
        self._answering: SetAside | None = None
        self._stopping = self._is_left_behind = False
        self._was_empty = True
        self._thread = threading.Thread(target=self._run, name="helpers", daemon=True)

    def start(self) -> None:
        """Begin to take packets."""
        if self._remainder is None:
            self._remainder = Remainder()
        self._thread.start()

    def stop(self, within_s: float = STOP_WITHIN_S) -> None:
        """Answer the packets that wait, and end. Harmless when never started.

        A thread that hangs in a helper is left behind. The packet it answers is dropped, and the thread
        touches nothing any more when it comes back.
        """
        self._stopping = True
        if self._thread.ident is not None:
            self._thread.join(within_s)
            self._is_left_behind = self._thread.is_alive()
        if self._is_left_behind:
            log.error("the helper %s does not return: its thread is left behind", self._reader.called)
        if self._answering is not None:
            self._release(self._answering, [])
        if self._remainder is not None:
            self._remainder.close()

    @property
    def hangs_in(self) -> str:
        """The helper that is in a call which could not be cut off when its time was over, or ""."""
        return self._reader.called if self._reader.leash.lasts_s > AT_ALL_S + CUT_OFF_WITHIN_S else ""

    def set_enabled(self, name: str, enabled: bool, network: IPv4Network | None = None) -> None:
        """Enable or disable a helper, for one network's hosts or, with None, for all.

        Disabled: nothing is read, rewritten or expected any more, and numbers go on being corrected. Enabled:
        sessions that begin from now on are read, and those over UDP from their next packet on.
        """
        self.set_switch(name, self._enabled.switch(name).with_enabled(enabled, network))

    def set_switch(self, name: str, switch: Switch) -> None:
        """Set a helper's switch as a whole, with the effects of `set_enabled`."""
        self._enabled.request(name, switch)
        if self._lock.acquire(timeout=SET_WITHIN_S):
            try:
                self._apply()
            finally:
                self._lock.release()

    def counters(self) -> dict[str, HelperCounters]:
        """What was counted of each helper, by its name."""
        return self._reader.counters()

    def expectations(self) -> int:
        """How many expectations wait for their session."""
        return self._expectations.waiting

    def states(self) -> dict[str, State]:
        """How each helper stands, by its name."""
        return self._enabled.states()

    def answer(self, aside: SetAside) -> None:
        """Give one packet its verdict."""
        packets: list[bytearray] = []
        began = time.perf_counter()
        self._answering = aside
        with self._lock:
            if self._enabled.requested:
                self._apply()
            tally = self._reader.tally(aside.helper)
            try:
                packets = self._verdicts.packets(aside)
            except Exception:
                tally.errors += 1
                if is_worth_a_line(tally.errors):
                    log.exception("a packet for a helper was dropped")
            if self._is_left_behind:
                return
            partner = aside.receiver and (aside.receiver.session, aside.receiver.serial)
            settled = self._verdicts.settle((aside.session, aside.serial), partner)
            tally.seconds += time.perf_counter() - began
        self._release(aside, packets)
        for name in settled:
            self._table.let_go(*name)

    def _apply(self) -> None:
        self._enabled.apply()
        self._verdicts.forget_left()

    def tick(self) -> None:
        """Once a second: look up expectations and a part of the sessions, and retire settled ones."""
        self._expectations.seconds = self._registry.expectation_s
        self._expectations.tick()
        self._verdicts.forget_ended()
        if self._was_empty:
            self._sessions.next_generation()
            self._was_empty = False
        if self._enabled.has_changed:
            self._enabled.has_changed = False
            self._verdicts.retire_settled()

    def _number_of(self, helper: str, host: IPv4Address) -> int:
        """The number of a helper that is enabled for an internal host; 0: there is none."""
        entry = self._registry.entries.get(helper)
        return entry.number if entry is not None and self._enabled.is_enabled_for(entry, host) else 0

    def _run(self) -> None:
        self._reader.leash.start()
        try:
            self._serve()
        except BaseException as error:  # from here on the sessions with helpers get no answer
            self.failure = f"the helpers' thread failed: {error}"
            log.exception("the helpers' thread failed")
        finally:
            self._reader.leash.stop()

    def _serve(self) -> None:
        due = time.monotonic() + TICK_S
        while not self._stopping:
            self.beats += 1
            aside = self._table.next_set_aside(max(due - time.monotonic(), 0.0))
            if aside is not None:
                self.answer(aside)
            self._was_empty |= aside is None
            if time.monotonic() >= due:
                due = time.monotonic() + TICK_S
                with self._lock:
                    self.tick()
        due = time.monotonic() + DRAINED_WITHIN_S
        while not self._is_left_behind and time.monotonic() < due:
            if (aside := self._table.next_set_aside(0.0)) is None:
                break
            self.answer(aside)

    def _release(self, aside: SetAside, packets: list[bytearray]) -> None:
        own, more = packets[0] if packets else None, packets[1:]
        self._answering = None
        if len(aside.packet) > LONGEST_ALONE >= len(own or b"") and self._remainder is not None:
            own, more = None, packets  # the kernel drops it where it takes a train apart; we send it instead
        try:
            self._table.release(aside, own)
        except OSError as error:  # its queue is closed, and with it the packet gone
            log.debug("a verdict was not taken: %s", error)
        if not more or self._remainder is None:
            return
        if aside.receiver is not None:  # the kernel's second pass, which rewrites the source, is not for ours
            more = [sent_from(packet, *aside.external) for packet in more]
        self._remainder.send(more)
