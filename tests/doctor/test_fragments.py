"""How large a flood of fragments the router bears."""

import socket
import struct
from pathlib import Path as FilePath

import pytest
from support.path import EXTERNAL, SERVER, Path

from doctor.answers import answers_of, config_of
from nfmasq.doctor.fragments import ORPHAN

pytestmark = pytest.mark.root


def test_little_room_for_fragments_is_warned_of_and_more_is_advised(router: Path, state: FilePath) -> None:
    check = answers_of(router, config_of(state))["fragments"]
    assert check.status == "ok"
    assert "where such floods are likely: sysctl -w" in check.mend
    for key, value in (("ipfrag_time", 60), ("ipfrag_high_thresh", 3 << 20)):
        before = router.router.run("cat", f"/proc/sys/net/ipv4/{key}")
        router.router.sysctl(f"ipv4/{key}", value)
        assert answers_of(router, config_of(state))["fragments"].status == "warn"
        router.router.sysctl(f"ipv4/{key}", before)
    router.router.run(*check.mend.partition(": ")[2].split())
    check = answers_of(router, config_of(state))["fragments"]
    assert (check.status, check.mend) == ("ok", "")


def test_what_the_doctor_says_fills_the_store_of_fragments_does(router: Path) -> None:
    header = struct.pack("!BBHHHBBH", 0x45, 0, 1420, 1, 0x2000, 64, socket.IPPROTO_UDP, 0)
    addresses = socket.inet_aton(SERVER) + socket.inet_aton(EXTERNAL)
    with router.server.call(socket.socket, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sender:
        for number in range(1, 101):
            orphan = header[:4] + struct.pack("!H", number) + header[6:] + addresses + bytes(1400)
            sender.sendto(orphan, (EXTERNAL, 0))
    said = router.router.run("cat", "/proc/net/sockstat")
    stored = int(said.partition("FRAG: inuse 100 memory ")[2].split()[0])
    assert 0.5 * ORPHAN < stored / 100 < 2 * ORPHAN, "another kernel counts otherwise"
