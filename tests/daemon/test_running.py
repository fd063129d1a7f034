"""A running daemon answers, whatever its hand is busy with."""

import shutil
from pathlib import Path

import pytest

from nfmasq.lab.namespace import Namespace
from nfmasq.lab.programs import sbin_too
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.waiting import wait_until

GUARD = 'nfmasq_guard_dropped_packets_total{reason="guard_source"}'


class Nft:
    """A program in nft's place that does what nft does, but for one thing while it is told to."""

    def __init__(self, place: Path) -> None:
        self._told, self.ended = place / "told", place / "ended"
        real = shutil.which("nft", path=sbin_too())
        program = place / "nft"
        program.write_text(
            "#!/bin/sh\n"
            f'if [ -e {self._told} ]; then case "$*" in *counters*) . {self._told};; esac; fi\n'
            f'exec {real} "$@"\n'
        )
        program.chmod(0o755)

    def when_counting(self, script: str) -> None:
        """Do this first when the guard's counters are asked for."""
        self._told.write_text(f"{script}\n")

    def get_stuck(self) -> None:
        """Not end for a while."""
        self.when_counting(f"sleep 15; touch {self.ended}")

    def recover(self) -> None:
        """Be as nft again."""
        self._told.unlink()


@pytest.fixture
def nft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Nft:
    """For programs that are started from now on."""
    made = Nft(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:{sbin_too()}")
    return made


def test_scrapes_and_listings_do_not_wait_for_a_stuck_program(
    prepared: DaemonUnderLab, router: Namespace, nft: Nft
) -> None:
    prepared.start()
    nft.get_stuck()
    for _ in range(3):
        assert prepared.metrics()[GUARD] == 0
        assert prepared.drops().get("guard_source", 0) == 0
    assert not nft.ended.exists()
    nft.recover()
    wait_until(nft.ended.exists, "the stuck program's end", 30)


def test_drops_that_cannot_be_read_are_a_warning_and_those_of_before_stay(
    prepared: DaemonUnderLab, router: Namespace, nft: Nft
) -> None:
    prepared.start()
    nft.when_counting("echo nonsense; exit 0")
    assert GUARD in prepared.metrics()
    wait_until(
        lambda: "what the guard dropped cannot be read" in str(prepared.api("/v1/status")["warnings"]),
        "a warning",
    )
    nft.recover()
    assert GUARD in prepared.metrics()
    wait_until(lambda: "guard dropped" not in str(prepared.api("/v1/status")["warnings"]), "no warning")
