"""The bench's own programs, `python -m MODULE`, each started in a namespace.

A program that serves prints "ready" when it does. It prints its answer only when its input has ended: the
reader of the first line may have the next one in a buffer already. The programs get no signal from the
terminal, and die with the thread that started them.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nfmasq.bench.reading import BenchError
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.programs import python_environment

ANSWER_WITHIN_S = 20.0

Program = subprocess.Popen[str]


def start(where: Namespace, module: str, *arguments: str) -> Program:
    """Start a program that runs until its input ends, and wait until it is ready; the caller ends it.

    Raises BenchError, with the last line it said, when it ends instead.
    """
    program = _started(where, module, *arguments)
    assert program.stdout is not None
    if program.stdout.readline() != "ready\n":
        program.kill()
        complaint = program.communicate()[1]
        raise BenchError(f"{module} did not start: {last_line(complaint)}")
    return program


def _started(where: Namespace, module: str, *arguments: str) -> Program:
    return where.popen(
        sys.executable, "-m", module, *arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env=_environment(module),
    )  # fmt: skip


def _environment(module: str) -> dict[str, str]:
    """Our environment, in which the child finds the module where we found its package."""
    return python_environment(module.partition(".")[0])


def kill(program: Program) -> None:
    """Kill a program. Harmless when it has ended."""
    program.kill()
    program.communicate()


@contextmanager
def running(where: Namespace, module: str, *arguments: str) -> Iterator[None]:
    """A program that runs meanwhile."""
    program = start(where, module, *arguments)
    try:
        yield
    finally:
        kill(program)


def answer(where: Namespace, module: str, *arguments: str, patience: float = 0) -> dict[str, Any]:
    """The answer of a program that ends by itself, after about `patience` seconds."""
    return answer_of(_started(where, module, *arguments), patience)


def alone(module: str, *arguments: str, patience: float) -> dict[str, Any]:
    """As `answer`, for a program that needs no namespace."""
    with subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=_environment(module),
    ) as program:
        return answer_of(program, patience)


def answer_of(program: Program, patience: float = 0) -> dict[str, Any]:
    """Close the program's input, wait for its end, read the JSON it printed. Raises BenchError."""
    try:
        said, complaint = program.communicate(timeout=ANSWER_WITHIN_S + patience)
    except subprocess.TimeoutExpired:
        raise BenchError("a program of the bench did not end in time") from None
    finally:
        kill(program)
    if program.returncode != 0:
        raise BenchError(f"a program of the bench failed: {last_line(complaint)}")
    try:
        found: dict[str, Any] = json.loads(said)
    except ValueError:
        raise BenchError(f"a program of the bench gave no answer: {last_line(complaint)}") from None
    return found


def last_line(said: str) -> str:
    """The last line a program said, where Python puts what went wrong."""
    lines = said.strip().splitlines()
    return lines[-1] if lines else "it said nothing"
