"""The rights that deploy/nfmasq.service grants are enough for the guard's egress program and its stand-in."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.path import Path as Cable

from nfmasq.lab.programs import python_environment

pytestmark = pytest.mark.root

UNIT = (Path(__file__).parents[2] / "deploy" / "nfmasq.service").read_text(encoding="utf-8")
NOBODY = ("--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs")

GUARD = """
from ipaddress import IPv4Address, IPv4Network
from nfmasq.diversion import DiversionPlan, External
from nfmasq.diversion.egress import EgressGuard, unavailable
from nfmasq.doctor.diversion import egress
from nfmasq.doctor.privileges import privileges
lan, outside = (IPv4Network("192.168.1.0/24"),), (External("wan0", (IPv4Address("203.0.113.1"),)),)
plan = DiversionPlan(("lan0",), outside, lan, ((1024, 32767),), (7, 1), hairpinning=True)
print(unavailable(), egress().status, privileges().status)
guard = EgressGuard()
guard.install(plan)
print(guard.present())
guard.remove()
"""
STAND_IN = """
from nfmasq.diversion.forwarding_stop import ForwardingStop, guard_stands
from nfmasq.doctor.diversion import egress
from nfmasq.machine.forwarding import forwards
print(egress().status, egress().mend, guard_stands())
stop = ForwardingStop()
stop.stop(["lan0"])
print(forwards("lan0"))
stop.resume()
print(forwards("lan0"))
"""


@pytest.fixture
def router() -> Iterator[Cable]:
    """A router with an interface on each side."""
    with Cable() as made:
        yield made


def granted(key: str) -> list[str]:
    """The capabilities of a line of the unit, as setpriv names them."""
    line = re.search(rf"^{key}=(.*)$", UNIT, re.MULTILINE)
    assert line is not None
    return [name.removeprefix("CAP_").lower() for name in line[1].split()]


def run(router: Cable, code: str, *capabilities: str) -> str:
    """What Python code prints as nobody with these capabilities alone."""
    these = ",".join(["-all", *(f"+{name}" for name in capabilities)])
    python = shutil.which("python") or sys.executable
    rights = (f"--bounding-set={these}", f"--inh-caps={these}", f"--ambient-caps={these}")
    return str(router.router.run("setpriv", *NOBODY, *rights, python, "-c", code, env=python_environment()))


def test_the_unit_grants_the_same_to_the_daemon_and_at_most() -> None:
    assert granted("AmbientCapabilities") == granted("CapabilityBoundingSet")


def test_with_the_units_rights_the_egress_program_stands(router: Cable) -> None:
    assert run(router, GUARD, *granted("CapabilityBoundingSet")) == " ok ok\nTrue\n"
    assert router.router.run("tc", "filter", "show", "dev", "wan0", "egress") == ""


def test_without_cap_bpf_doctor_names_it_and_forwarding_can_be_stopped(router: Cable) -> None:
    rights = [name for name in granted("CapabilityBoundingSet") if name != "bpf"]
    told, stopped, after = run(router, STAND_IN, *rights).splitlines()
    assert told.startswith("warn give nfmasq CAP_BPF")
    assert told.endswith("False")
    assert (stopped, after) == ("False", "True")


def test_the_units_filter_of_system_calls_lets_the_program_be_loaded() -> None:
    line = re.search(r"^SystemCallFilter=(.*)$", UNIT, re.MULTILINE)
    assert line is not None
    assert "bpf" in line[1].split()
    families = re.search(r"^RestrictAddressFamilies=(.*)$", UNIT, re.MULTILINE)
    assert families is not None
    assert "AF_NETLINK" in families[1].split()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd")
def test_systemd_understands_every_line(tmp_path: Path) -> None:
    unit = tmp_path / "nfmasq.service"
    unit.write_text(UNIT.replace("/opt/nfmasq/venv/bin/nfmasq", "/bin/true"), encoding="utf-8")
    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    assert [line for line in said.stderr.splitlines() if "nfmasq.service" in line] == []
