"""Steps of Python's interpreter that a call takes: a regression shows on the busiest machine.

What C does within a step is not counted. Of expressions tests/helpers/test_expressions.py says how they grow.
"""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

Result = TypeVar("Result")


def counted(function: Callable[..., Result], *arguments: object) -> tuple[Result, int]:
    """What a function returns, and how many steps it took with all it calls."""
    steps = 0

    def note(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal steps
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        steps += event == "opcode"
        return note

    before = sys.gettrace()
    sys.settrace(note)
    try:
        result = function(*arguments)
    finally:
        sys.settrace(before)
    return result, steps
