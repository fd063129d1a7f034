"""How long a helper may take over one call: whoever loops, or sleeps, is cut off.

It is processor time that counts: a busy machine is not the helper's fault.

What is stored: when the call under way began, by both clocks (None: none is). The engine's thread writes
it, a watching thread reads it and, past the limit, raises CutOff inside the engine's thread, which Python
does at its next bytecode. A call into C that never returns is out of reach: a helper must not search with
expressions that backtrack without end.

Why no CutOff strays: the watcher says that it is aiming before it looks whether a call is under way, and
the engine's thread says that none is before it looks whether anybody is aiming. One of the two sees the
other.
"""

import ctypes
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

LONGEST_S = 0.25
"""Of processor time."""
AT_ALL_S = 5.0
"""By the clock: for a helper that waits for something, which it must not."""

Result = TypeVar("Result")


class TookTooLong(Exception):
    """A call was cut off, or returned after its time."""


class Escaped(Exception):
    """A call raised what is no Exception (sys.exit does), and would have ended the thread."""


class CutOff(BaseException):
    """Raised inside the call; no Exception, or a helper might swallow it."""


class Leash:
    """One thread's: it calls, another one watches. longest_s, at_all_s: seconds one call may take."""

    def __init__(self, longest_s: float = LONGEST_S, at_all_s: float = AT_ALL_S) -> None:
        self._longest = longest_s
        self._at_all = at_all_s
        self._shortest = min(longest_s, at_all_s)
        self._began: tuple[float, float] | None = None
        self._clock = 0
        self._aiming = self._fired = False
        self._thread = 0
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="helpers-leash", daemon=True)

    def start(self) -> None:
        """Watch the calls of the thread this is called in."""
        self._thread = threading.get_ident()
        self._clock = time.pthread_getcpuclockid(self._thread)
        self._watcher.start()

    def stop(self) -> None:
        """Watch no more."""
        self._ended.set()
        if self._watcher.ident is not None:
            self._watcher.join()

    @property
    def lasts_s(self) -> float:
        """Seconds by the clock since the call under way began; 0.0: there is none."""
        began = self._began
        return time.monotonic() - began[1] if began else 0.0

    def call(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """What the function returns, or raises; TookTooLong when it took longer than it may.

        No BaseException comes out of it that is not an Exception.
        """
        try:
            self._began = began = time.thread_time(), time.monotonic()
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
        may_be_over = time.monotonic() - began[1] > self._shortest
        if self._aiming or self._fired or (may_be_over and self._is_over(began, time.thread_time())):
            self._settle()
            raise TookTooLong
        return result

    def _settle(self) -> None:
        """Make sure that nothing more is going to be raised.

        What was fired may have come or not. Another one takes its place, and is waited for: one that is taken
        back leaves the interpreter looking for it at every step.
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
    """Raise something in a thread, in place of what it was to raise and has not yet."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(exception))
