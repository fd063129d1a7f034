"""The programs of the bench, and what is below them."""

import os
import signal

from nfmasq.bench import programs
from nfmasq.bench.family import Child, family_of


def test_a_child_is_of_the_family_until_it_is_ended() -> None:
    child = Child(signal.pause)
    assert len(list(family_of(os.getpid()))) > 1
    child.end()
    assert list(family_of(os.getpid())) == [os.getpid()]


def test_the_last_line_is_where_it_says_what_went_wrong() -> None:
    assert programs.last_line("Traceback\nTypeError: x\n") == "TypeError: x"
