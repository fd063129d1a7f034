"""SANE end to end: saned inside with its test scanner, scanimage outside."""

import os
from collections.abc import Iterator

import pytest

from netns.unpacked import directory, listens, names, running, script
from nfmasq.lab.lab import Lab
from nfmasq.lab.topology import CLIENT2, EXTERNAL, SERVER1, Topology

LAB = {
    "config": {
        "helpers": {"sane": True},
        "network": [{"cidr": "192.168.1.0/24", "filtering": "address-and-port-dependent"}],
        "forward": [{"protocol": "tcp", "external_port": 6566, "to": f"{CLIENT2}:6566"}],
    }
}


@pytest.fixture(scope="module", autouse=True)
def scanner(lab: Lab) -> Iterator[None]:
    """saned inside."""
    host = lab.topology.client2
    with directory() as place:
        (place / "saned.conf").write_text(f"data_portrange = 10000 - 10100\n{SERVER1}\n")
        (place / "dll.conf").write_text("test\n")
        own = names({"scanner": CLIENT2, "client": SERVER1, os.uname().nodename: CLIENT2})
        with running(
            host, place, own, f"SANE_CONFIG_DIR={place} exec saned -l -e -d 2 -b {CLIENT2}",
            ready=lambda: listens(host, 6566), what="saned",
        ):  # fmt: skip
            yield


def scan(net: Topology, more: str = "") -> list[bytes]:
    """The pictures that a client outside gets."""
    with directory() as place:
        (place / "dll.conf").write_text("net\n")
        (place / "net.conf").write_text(f"connect_timeout = 20\n{EXTERNAL}\n")
        command = (
            f"scanimage -d net:{EXTERNAL}:test:0 --mode Gray --resolution 50 -x 20 -y 20 --format=pnm {more}"
        )
        steps = names({"client": SERVER1}), f"export SANE_CONFIG_DIR={place}", f"{command} >one.pnm"
        net.server1.run(*script(place, *steps))
        return [path.read_bytes() for path in place.glob("*.pnm") if path.stat().st_size]


def test_a_picture_comes_out(net: Topology) -> None:
    (picture,) = scan(net)
    assert picture.startswith(b"P5")


def test_several_pages_of_one_session(net: Topology) -> None:
    pages = scan(net, "--batch=page%d.pnm --batch-count=3")
    assert [page[:2] for page in pages] == [b"P5"] * 3
