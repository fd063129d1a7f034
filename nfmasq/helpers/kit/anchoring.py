"""How a session of a protocol begins. One that begins otherwise only uses the port, and is never read.

So a web page opens nothing (slipstreaming): a browser sends HTTP or TLS, whatever stands in it. A script may
choose a request's verb, and choose a word of the protocol. The remainder of the line is HTTP's for all that,
and so are the headers behind it.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from nfmasq.helpers.kit.lines import is_http_request, may_become


class Opening(NamedTuple):
    """One side's. words: with one of them, in upper case, its first line begins. first: the whole first line.

    never_http: none of its lines is a browser's. Set it for the client of a protocol without headers. begun:
    what may have come of the first line, if the words say too little.
    """

    words: Sequence[bytes]
    first: re.Pattern[bytes]
    never_http: bool = False
    begun: re.Pattern[bytes] | None = None

    def fits(self, line: bytes) -> bool:
        """May this be the side's first line, or what has come of it?"""
        if not may_become(line, self.words):
            return False
        if not line.endswith(b"\n"):
            return self.begun is None or self.begun.fullmatch(line) is not None
        return self.first.match(line) is not None and not (self.never_http and is_http_request(line))


ANYHOW = Opening((b"",), re.compile(rb""))
"""Of a side that may begin as it likes."""
NEVER = Opening((), re.compile(rb"(?!)"))
"""Of a side that is not helped: nothing it may say fits."""
