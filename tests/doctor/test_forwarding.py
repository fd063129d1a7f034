"""Does the kernel forward packets?"""

from pathlib import Path as FilePath

import pytest
from support.path import Path

from doctor.answers import answers_of, config_of

pytestmark = pytest.mark.root


def test_a_router_that_does_not_forward_fails(router: Path, state: FilePath) -> None:
    router.router.sysctl("ipv4/ip_forward", 0)
    check = answers_of(router, config_of(state))["forwarding"]
    assert (check.status, "net.ipv4.ip_forward=1" in check.mend) == ("fail", True)


def test_an_interface_that_does_not_forward_fails(router: Path, state: FilePath) -> None:
    router.router.sysctl("ipv4/conf/lan0/forwarding", 0)
    check = answers_of(router, config_of(state))["forwarding"]
    assert (check.status, "net/ipv4/conf/lan0/forwarding=1" in check.mend) == ("fail", True)
