"""All the checks together."""

import sys
from pathlib import Path as FilePath

import pytest
from support.path import Path

import nfmasq
from doctor.answers import answers_of, config_of, not_ok
from nfmasq.machine import programs as program

pytestmark = pytest.mark.root

SAY = """
from nfmasq.doctor import checks
for check in checks():
    print(check.name, check.status, check.mend, sep="|")
"""


def test_a_router_that_lacks_nothing_gets_ok_only(router: Path, state: FilePath) -> None:
    answers = answers_of(router, config_of(state))
    assert not_ok(answers) == []
    assert set(answers) >= {
        "privileges",
        "netfilter queues",
        "diversion",
        "guard",
        "egress program",
        "forwarding",
        "interfaces",
    }


def test_without_a_configuration_only_the_machine_is_looked_at(router: Path) -> None:
    answers = answers_of(router, None)
    assert list(answers) == [
        "privileges",
        "netfilter queues",
        "diversion",
        "guard",
        "egress program",
        "forwarding",
        "fragments",
    ]
    assert not_ok(answers) == []


def test_a_machine_without_the_programs_fails_with_the_packages_to_install(
    router: Path, state: FilePath, monkeypatch: pytest.MonkeyPatch, tmp_path: FilePath
) -> None:
    monkeypatch.setattr(program, "search_path", lambda: str(tmp_path))
    answers = answers_of(router, config_of(state))
    for name, package in (("diversion", "iptables"), ("guard", "nftables"), ("interfaces", "iproute2")):
        assert (answers[name].status, f"apt install {package}" in answers[name].mend) == ("fail", True)


def test_without_the_capability_everything_that_needs_it_fails_and_says_so(router: Path) -> None:
    said = router.router.run(
        *("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", sys.executable, "-c", SAY),
        cwd=FilePath(nfmasq.__file__).parent.parent,
    )
    answers = {line.split("|")[0]: line.split("|")[1:] for line in said.splitlines()}
    for name in ("privileges", "netfilter queues", "diversion", "guard"):
        status, mend = answers[name]
        assert (name, status) == (name, "fail")
        assert "root" in mend
