"""The kernel's settings below /proc/sys."""

import pytest
from support.path import Path

from nfmasq.machine.sysctl import sysctl


@pytest.mark.root
@pytest.mark.parametrize("value", ["0", "1"])
def test_a_setting_is_that_of_the_network_namespace(path: Path, value: str) -> None:
    path.router.sysctl("ipv4/ip_forward", value)
    assert path.router.call(sysctl, "net/ipv4/ip_forward") == value


def test_a_setting_that_this_kernel_lacks_is_none() -> None:
    assert sysctl("net/ipv4/no_such_setting") is None
