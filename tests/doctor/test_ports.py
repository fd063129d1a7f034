"""The external ports that nfmasq hands out."""

from pathlib import Path as FilePath

import pytest
from support.path import Path

from doctor.answers import answers_of, config_of

pytestmark = pytest.mark.root


@pytest.mark.parametrize(
    ("local", "ports", "status"),
    [
        ("32768 60999", "1024-32767", "ok"),
        ("32768 60999", "1024-32768", "warn"),
        ("10000 20000", "1024-32767", "warn"),
        ("10000 20000", "15000-32767", "warn"),
        ("10000 20000", "20001-60000", "ok"),
    ],
)
def test_ports_that_overlap_the_routers_own_are_warned_of(
    router: Path, state: FilePath, local: str, ports: str, status: str
) -> None:
    router.router.sysctl("ipv4/ip_local_port_range", local)
    assert answers_of(router, config_of(state, nat={"ports": ports}))["external ports"].status == status
