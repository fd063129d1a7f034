"""The log: no kind of message floods it, and nothing is left out without a word."""

import io
import logging

import pytest

from nfmasq.daemon import messages


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the handler has written; windows are short."""
    monkeypatch.setattr(messages, "WINDOW_S", 60.0)
    return io.StringIO()


def said(handler: messages.Sparing, count: int, line: int = 1, **more: object) -> None:
    """One place of the code logs `count` messages."""
    for number in range(count):
        record = logging.LogRecord("nfmasq", logging.WARNING, "a.py", line, "message %d", (number,), None)
        record.__dict__.update(more)
        handler.handle(record)


def test_a_kind_is_bounded_and_another_kind_is_not_hurt(written: io.StringIO) -> None:
    handler = messages.Sparing(written)
    said(handler, 10_000)
    said(handler, 1, line=2)
    assert len(written.getvalue().splitlines()) == messages.MOST_LINES_A_MINUTE + 1


def test_what_was_left_out_is_counted_once(written: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = messages.Sparing(written)
    said(handler, messages.MOST_LINES_A_MINUTE + 5)
    monkeypatch.setattr(messages, "WINDOW_S", 0.0)
    handler.tell_left_out()
    handler.tell_left_out()
    *_, last = lines = written.getvalue().splitlines()
    assert last == f"5 more messages like this one were left out: message {messages.MOST_LINES_A_MINUTE + 4}"
    assert len(lines) == messages.MOST_LINES_A_MINUTE + 1


def test_messages_with_tracebacks_are_fewer_and_whole_ones_all(written: io.StringIO) -> None:
    handler = messages.Sparing(written)
    said(handler, 10, exc_info=(ValueError, ValueError("injected"), None))
    assert written.getvalue().count("message") == messages.MOST_TRACEBACKS
    said(handler, 1000, line=2, **messages.WHOLE)
    assert written.getvalue().count("message") == messages.MOST_TRACEBACKS + 1000
