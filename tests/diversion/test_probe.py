"""The back end is found by trying, and its absence explained."""

import sys
from pathlib import Path as FilePath

import pytest
from support.path import Path

import nfmasq
from diversion.rules import listed, saved
from nfmasq.diversion import DiversionPlan, DiversionUnavailable, probe
from nfmasq.machine import programs as program

pytestmark = pytest.mark.root

TELL_WHY = """
from nfmasq.diversion import DiversionUnavailable, probe
try:
    probe("auto")
except DiversionUnavailable as error:
    print(error)
"""
QUEUE_IN_NFT = "table ip t {\n chain c {\n queue num 1\n }\n}\n"


def test_auto_takes_nftables_where_the_kernel_has_its_queue_expression_and_else_iptables(path: Path) -> None:
    refused = path.router.run("nft", "-c", "-f", "-", input=QUEUE_IN_NFT, check=False)
    assert path.router.call(probe, "auto").name == ("iptables" if refused else "nftables")


def test_probing_leaves_nothing_behind(path: Path) -> None:
    path.router.call(probe, "auto")
    assert "nfmasq" not in listed(path)
    assert saved(path) == []


def test_none_lays_no_rule_and_misses_none(path: Path, plan: DiversionPlan) -> None:
    diversion = path.router.call(probe, "none")
    path.router.call(diversion.install, plan)
    assert path.router.call(diversion.present)
    path.router.call(diversion.remove)
    assert listed(path) == ""
    assert saved(path) == []


def test_an_unknown_word_names_the_known_ones() -> None:
    with pytest.raises(DiversionUnavailable, match="auto, nftables, iptables or none"):
        probe("ebpf")


def test_missing_programs_are_named_with_the_packages_that_bring_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: FilePath
) -> None:
    monkeypatch.setattr(program, "search_path", lambda: str(tmp_path))
    with pytest.raises(DiversionUnavailable) as refused:
        probe("auto")
    assert "apt install nftables" in str(refused.value)
    assert "apt install iptables" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_without_the_capability_the_message_names_it(path: Path) -> None:
    told = path.router.run(
        *("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", sys.executable, "-c"),
        TELL_WHY,
        cwd=FilePath(nfmasq.__file__).parent.parent,
    )
    assert "CAP_NET_ADMIN" in told
    assert len(told.splitlines()) == 1
