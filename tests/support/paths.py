"""A fresh router for every test, and the ways to lay rules on it: fixtures."""

import shutil
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path as FilePath

import pytest

from nfmasq.diversion import DiversionPlan, External, guard
from nfmasq.diversion.iptables import IptablesDiversion
from nfmasq.diversion.nftables import NftablesDiversion
from nfmasq.machine import programs as program
from support.path import EXTERNAL, QUEUE, Path

POOL = (1024, 32767)
LAN = IPv4Network("192.168.1.0/24")


def outside(*addresses: str, name: str = "wan0") -> tuple[External, ...]:
    """The externals of a plan: this interface with these addresses."""
    return (External(name, tuple(map(IPv4Address, addresses))),)


@pytest.fixture(autouse=True)
def _forget_the_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this process remembers of the guard is of another test's router."""
    monkeypatch.setattr(guard, "_state", {})


@pytest.fixture
def path(as_root: None) -> Iterator[Path]:
    """A client, a router and a server of this test alone."""
    with Path() as made:
        yield made


@pytest.fixture
def plan() -> DiversionPlan:
    """The plan for that router, with one queue."""
    return DiversionPlan(("lan0",), outside(EXTERNAL), (LAN,), (POOL,), (QUEUE, 1))


@pytest.fixture(params=["nftables", "iptables", "iptables-legacy"])
def diversion(
    request: pytest.FixtureRequest, path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: FilePath
) -> NftablesDiversion | IptablesDiversion:
    """Each back end this machine can really use."""
    if request.param == "iptables-legacy":
        only_programs(monkeypatch, tmp_path, legacy=True)
    kind = NftablesDiversion if request.param == "nftables" else IptablesDiversion
    refusal = path.router.call(kind.refusal)
    if refusal:
        pytest.skip(refusal)
    return kind()


def only_programs(monkeypatch: pytest.MonkeyPatch, place: FilePath, *, legacy: bool) -> None:
    """Let nfmasq find iptables, of the kind said, and `ip`, and no other program."""
    kind = "iptables-legacy" if legacy else "iptables"
    programs = {
        "iptables": kind,
        "iptables-save": f"{kind}-save",
        "iptables-restore": f"{kind}-restore",
        "ip": "ip",
    }
    for name, target in programs.items():
        found = shutil.which(target, path="/usr/sbin:/usr/bin:/sbin:/bin")
        if found is None:
            pytest.skip(f"{target} is not installed")
        # A script and no link: iptables is one program that goes by the name it is called with.
        (place / name).write_text(f'#!/bin/sh\nexec {found} "$@"\n', encoding="ascii")
        (place / name).chmod(0o755)
    monkeypatch.setattr(program, "search_path", lambda: str(place))
