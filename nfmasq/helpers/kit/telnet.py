"""A stream of lines in which Telnet commands (RFC 854) may stand before a line, as FTP clients send them.

What is stored: as in Speech. Commands at a line's begin are skipped: the line begins behind them. A command
that has only begun is still part of its line.
"""

import re

from nfmasq.helpers.kit.lines import Line, Speech

IAC = b"\xff"
"""The byte that a Telnet command begins with."""

_COMMANDS = re.compile(rb"(?:\xff(?:[\xfb-\xfe].|[\xf0-\xf9]))*", re.DOTALL)


class TelnetSpeech(Speech):
    """The lines of one side, without the commands before them."""

    __slots__ = ()

    def cut(self, data: bytes) -> tuple[list[Line], Line]:
        """As Speech.cut."""
        lines, begun = super().cut(data)
        return ([_skipped(each) for each in lines] if IAC in data else lines), _skipped(begun)


def _skipped(line: Line) -> Line:
    at, text = line
    match = _COMMANDS.match(text) if text.startswith(IAC) else None
    return (at + match.end(), text[match.end() :]) if match else line
