"""What stands beside nfmasq, and what fills its table."""

from pathlib import Path

import pytest

from nfmasq._fastpath import Table
from nfmasq.bench.bed import EXTERNAL, INTERNAL
from nfmasq.bench.reading import Unavailable
from nfmasq.bench.router import LONG
from nfmasq.core.policy import Policy
from nfmasq.lab.namespace import Namespace
from perf import filling, loop, taps


@pytest.mark.parametrize("sessions", [0, 1, filling.MAPPINGS + 1])
def test_the_table_is_filled_with_just_so_many_sessions(sessions: int) -> None:
    table = Table(None, 2 * filling.MAPPINGS)
    table.configure(Policy((EXTERNAL,), (INTERNAL,), timeouts=LONG))
    filling.fill(table, sessions)
    gauges = table.gauges()
    assert sum(gauges.sessions) == sessions
    assert sum(gauges.mappings) == min(sessions, filling.MAPPINGS)


@pytest.mark.root
@pytest.mark.parametrize("name", ["slirp4netns", "pasta"])
def test_a_program_that_is_not_installed_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with Namespace("router") as router, Namespace("client") as client:
        monkeypatch.setenv("PATH", "/nowhere")
        with pytest.raises(Unavailable, match=f"apt-get install {taps.PACKAGES[name]}"):
            taps.start(name, router, client)


def test_without_a_compiler_there_is_no_loop_in_c(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Unavailable, match="apt-get install gcc"):
        loop.compiled()


def test_a_loop_that_does_not_compile_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = tmp_path / "loop.c"
    source.write_text("#include <no/such/header.h>\n")
    monkeypatch.setattr(loop, "SOURCE", source)
    with pytest.raises(Unavailable, match="apt-get install libnetfilter-queue-dev"):
        loop.compiled()
