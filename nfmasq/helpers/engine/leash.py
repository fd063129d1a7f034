"""Bounds the time of one call of a helper: a call that loops or sleeps is cut off.

Processor time counts: a busy machine is not the helper's fault.

What is stored: when the call under way began, by both clocks (None: there is no call). Also what both clocks
said when they were last read. The engine's thread writes both. A watching thread reads the former and, past
the limit, raises CutOff inside the engine's thread; Python does that at the next bytecode. A call into C that
never returns is out of reach, so a helper must not search with expressions that backtrack without end.

Why no CutOff goes astray: the watcher sets `_aiming` before it reads whether a call is under way. The
engine's thread clears the call before it reads `_aiming`. So one of the two threads always sees the other.
"""

import ctypes
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

LONGEST_S = 0.25
"""Processor time of one call, in seconds."""
FRESH_S = 0.001
"""Calls that begin so soon after the processor's clock was read begin at that time: asking it is dear."""
AT_ALL_S = 5.0
"""Time of one call by the clock, in seconds: for a helper that waits for something, which it must not."""

Result = TypeVar("Result")


class TookTooLong(Exception):
    """A call was cut off, or returned after its time."""


class Escaped(Exception):
    """A call raised a BaseException (sys.exit does), which would have ended the thread."""


class CutOff(BaseException):
    """Raised inside the call. It is no Exception, because a helper might swallow one."""


class Leash:
    """One thread calls, another one watches. longest_s, at_all_s: seconds that one call may take."""

    def __init__(self, longest_s: float = LONGEST_S, at_all_s: float = AT_ALL_S) -> None:
        self._longest = longest_s
        self._at_all = at_all_s
        self._shortest = min(longest_s, at_all_s)
        self._began: tuple[float, float] | None = None
        self._read_at = 0.0, float("-inf")
        self._clock = 0
        self._aiming = self._fired = False
        self._thread = 0
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="helpers-leash", daemon=True)

    def start(self) -> None:
        """Watch the calls of the current thread."""
        self._thread = threading.get_ident()
        self._read_at = 0.0, float("-inf")
        self._clock = time.pthread_getcpuclockid(self._thread)
        self._watcher.start()

    def stop(self) -> None:
        """End the watching thread."""
        self._ended.set()
        if self._watcher.ident is not None:
            self._watcher.join()

    @property
    def lasts_s(self) -> float:
        """Seconds by the clock since the call under way began; 0.0: there is none."""
        began = self._began
        return time.monotonic() - began[1] if began else 0.0

    def call(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """The function's result. Raises its exceptions; TookTooLong when the call took longer than it may.

        Only an Exception comes out of it: any other BaseException becomes Escaped.
        """
        now, read_at = time.monotonic(), self._read_at
        if now - read_at[1] > FRESH_S:
            self._read_at = read_at = time.thread_time(), now
        began = read_at[0], now
        try:
            self._began = began
            try:
                result = function(*arguments)
            finally:
                self._began = None
        except CutOff:
            self._settle()
            raise TookTooLong from None
        except Exception:
            self._settle()
            raise
        except BaseException as error:
            self._settle()
            raise Escaped(repr(error)) from error
        # By the clock first, which is cheaper to ask: no thread computes for longer than time passes.
        may_be_over = time.monotonic() - now > self._shortest
        if self._aiming or self._fired or (may_be_over and self._is_over(began, time.thread_time())):
            self._settle()
            raise TookTooLong
        return result

    def _settle(self) -> None:
        """Make sure that no CutOff is raised any more.

        A CutOff that was fired may have been raised or not. Another one takes its place, and is waited for:
        withdrawing it would leave the interpreter looking for it at every step.
        """
        while True:
            with suppress(CutOff):
                self._began = None
                while self._aiming:
                    time.sleep(0)
                if self._fired:
                    self._fired = False
                    _raise_in(self._thread, CutOff)
                    while True:
                        time.sleep(0)  # until it comes, at one of the next steps
                return

    def _is_over(self, began: tuple[float, float], processor: float) -> bool:
        return processor - began[0] > self._longest or time.monotonic() - began[1] > self._at_all

    def _watch(self) -> None:
        while not self._ended.wait(self._longest / 2):
            self._aiming = True
            began = self._began
            if began and self._is_over(began, time.clock_gettime(self._clock)):
                self._fired = True
                _raise_in(self._thread, CutOff)
            self._aiming = False


def _raise_in(thread: int, exception: type[BaseException]) -> None:
    """Raise an exception in a thread, in place of one that was requested and not raised yet."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(exception))
