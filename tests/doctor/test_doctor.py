"""Each thing a router may lack is told by a check of its own, with its mend."""

import os
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

import pytest
from support.nfqueue import KernelQueue
from support.path import EXTERNAL, SERVER, Path

import nfmasq
from nfmasq.config import Config, Forward
from nfmasq.core.queue_socket import QUEUES_EACH
from nfmasq.doctor import Check, checks
from nfmasq.doctor import router as asked
from nfmasq.doctor.fragments import ORPHAN
from nfmasq.machine import kernel
from nfmasq.machine import programs as program

pytestmark = pytest.mark.root

FIRST_QUEUE = 100
TELL = """
from nfmasq.doctor import checks
for check in checks():
    print(check.name, check.status, check.mend, sep="|")
"""
HOLD_A_QUEUE = f"""
import sys
from netfilterqueue import NetfilterQueue
queue = NetfilterQueue()
queue.bind({FIRST_QUEUE}, lambda packet: packet.drop())
print("bound", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def state() -> Iterator[FilePath]:
    """A place for the state file on a tmpfs."""
    place = FilePath(f"/dev/shm/nfmasq-test-{os.getpid()}")
    place.mkdir()
    yield place / "state"
    place.rmdir()


@pytest.fixture
def router(path: Path) -> Path:
    """A router that lacks nothing."""
    path.router.ip("route add default via 203.0.113.9")
    return path


def _config(state: FilePath, **tables: dict[str, Any]) -> Config:
    whole: dict[str, dict[str, Any]] = {
        "nat": {"internal": ["lan0"], "external": "wan0"},
        "limits": {"sessions": 1000},
        "engine": {"first_queue": FIRST_QUEUE, "workers": 2, "state": str(state)},
    }
    for name, table in tables.items():
        whole[name] = {**whole[name], **table}
    return Config.model_validate(whole)


def _all(path: Path, config: Config | None) -> dict[str, Check]:
    found = path.router.call(checks, config)
    assert len({check.name for check in found}) == len(found)
    for check in found:
        assert check.status == "ok" or check.mend, f"{check.name} names no mend"
        assert "\n" not in check.why + check.mend
    return {check.name: check for check in found}


def _but(answers: dict[str, Check], *names: str) -> list[Check]:
    """What is not ok apart from those."""
    return [check for check in answers.values() if check.status != "ok" and check.name not in names]


def test_a_router_that_lacks_nothing_is_told_so(router: Path, state: FilePath) -> None:
    answers = _all(router, _config(state))
    assert _but(answers) == []
    assert set(answers) >= {
        "privileges",
        "netfilter queues",
        "diversion",
        "guard",
        "forwarding",
        "interfaces",
    }


def test_without_a_configuration_only_the_machine_is_looked_at(router: Path) -> None:
    answers = _all(router, None)
    assert list(answers) == [
        "privileges",
        "netfilter queues",
        "diversion",
        "guard",
        "forwarding",
        "fragments",
    ]
    assert _but(answers) == []


def test_a_router_that_does_not_forward_fails(router: Path, state: FilePath) -> None:
    router.router.sysctl("ipv4/ip_forward", 0)
    check = _all(router, _config(state))["forwarding"]
    assert (check.status, "net.ipv4.ip_forward=1" in check.mend) == ("fail", True)


def test_an_interface_that_does_not_forward_fails(router: Path, state: FilePath) -> None:
    router.router.sysctl("ipv4/conf/lan0/forwarding", 0)
    check = _all(router, _config(state))["forwarding"]
    assert (check.status, "net/ipv4/conf/lan0/forwarding=1" in check.mend) == ("fail", True)


def test_little_room_for_fragments_is_warned_of_and_more_is_advised(router: Path, state: FilePath) -> None:
    check = _all(router, _config(state))["fragments"]
    assert check.status == "ok"
    assert "where such floods are likely: sysctl -w" in check.mend
    for key, value in (("ipfrag_time", 60), ("ipfrag_high_thresh", 3 << 20)):
        before = router.router.run("cat", f"/proc/sys/net/ipv4/{key}")
        router.router.sysctl(f"ipv4/{key}", value)
        assert _all(router, _config(state))["fragments"].status == "warn"
        router.router.sysctl(f"ipv4/{key}", before)
    router.router.run(*check.mend.partition(": ")[2].split())
    check = _all(router, _config(state))["fragments"]
    assert (check.status, check.mend) == ("ok", "")


def test_what_the_doctor_says_fills_the_store_of_fragments_does(router: Path) -> None:
    header = struct.pack("!BBHHHBBH", 0x45, 0, 1420, 1, 0x2000, 64, socket.IPPROTO_UDP, 0)
    addresses = socket.inet_aton(SERVER) + socket.inet_aton(EXTERNAL)
    with router.server.call(socket.socket, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sender:
        for number in range(1, 101):
            orphan = header[:4] + struct.pack("!H", number) + header[6:] + addresses + bytes(1400)
            sender.sendto(orphan, (EXTERNAL, 0))
    told = router.router.run("cat", "/proc/net/sockstat")
    held = int(told.partition("FRAG: inuse 100 memory ")[2].split()[0])
    assert 0.5 * ORPHAN < held / 100 < 2 * ORPHAN, "another kernel counts otherwise"


def test_a_network_on_both_sides_is_warned_of(router: Path, state: FilePath) -> None:
    assert _all(router, _config(state))["inside and outside"].status == "ok"
    router.router.ip("route add 192.168.0.0/16 via 203.0.113.9")
    check = _all(router, _config(state))["inside and outside"]
    assert (check.status, "192.168.1.0/24 is behind lan0 and on the side of wan0" in check.why) == (
        "warn",
        True,
    )
    assert "renumber one side, or take away the route to 192.168.0.0/16 by wan0" in check.mend


def test_half_a_default_route_is_no_network_of_the_outside(router: Path, state: FilePath) -> None:
    router.router.ip("route add 128.0.0.0/1 via 203.0.113.9", "route add 0.0.0.0/1 via 203.0.113.9")
    assert _all(router, _config(state))["inside and outside"].status == "ok"


def test_a_pool_inside_an_internal_network_is_warned_of(router: Path, state: FilePath) -> None:
    check = _all(router, _config(state, nat={"addresses": ["192.168.1.77"]}))["inside and outside"]
    assert (check.status, "192.168.1.77 lies in 192.168.1.0/24" in check.why) == ("warn", True)
    assert "give nat.addresses another address" in check.mend


def test_a_missing_interface_fails_and_those_there_are_are_named(router: Path, state: FilePath) -> None:
    check = _all(router, _config(state, nat={"external": "ppp0"}))["interfaces"]
    assert (check.status, check.why) == ("fail", "ppp0 does not exist")
    assert "lan0, lo, wan0" in check.mend


def test_an_interface_that_is_down_is_warned_of(router: Path, state: FilePath) -> None:
    router.router.ip("link set lan0 down")
    check = _all(router, _config(state))["interfaces"]
    assert (check.status, check.mend.partition(",")[0]) == ("warn", "ip link set lan0 up")


def test_a_port_of_a_bridge_fails_and_the_bridge_is_named(router: Path, state: FilePath) -> None:
    router.router.ip("link add br0 type bridge", "link set br0 up", "link set lan0 master br0")
    check = _all(router, _config(state))["interfaces"]
    assert (check.status, check.mend) == ("fail", "name br0 in place of lan0 in the configuration")


def test_no_external_address_fails(router: Path, state: FilePath) -> None:
    router.router.ip("address flush dev wan0")
    assert _all(router, _config(state))["external address"].status == "fail"


@pytest.mark.parametrize("mend", ["the mend", "address add 203.0.113.77/32 dev wan0"])
def test_a_pool_address_nobody_answers_for_is_warned_of(router: Path, state: FilePath, mend: str) -> None:
    config = _config(state, nat={"addresses": ["203.0.113.77"]})
    check = _all(router, config)["external address"]
    assert (check.status, check.mend) == ("warn", "ip route add local 203.0.113.77/32 dev lo")
    assert not _answered(router, "203.0.113.77")
    router.router.ip((check.mend if mend == "the mend" else "ip " + mend).removeprefix("ip "))
    assert _answered(router, "203.0.113.77")
    assert _all(router, config)["external address"].status == "ok"


def test_a_pool_in_pieces_is_mended_piece_by_piece(router: Path, state: FilePath) -> None:
    config = _config(state, nat={"addresses": ["203.0.113.96/30", "198.51.100.7", "203.0.113.5"]})
    check = _all(router, config)["external address"]
    assert "203.0.113.96 and 4 more" in check.why
    for command in check.mend.split("; "):
        router.router.ip(command.removeprefix("ip "))
    assert _all(router, config)["external address"].status == "ok"
    assert _answered(router, "203.0.113.99")


def _answered(path: Path, address: str) -> bool:
    """Does anybody answer ARP for this address on the outside?"""
    path.server.ip("neighbour flush dev s0")
    return " 1 received" in path.server.run("ping", "-c", "1", "-W", "1", address, check=False)


def test_a_pool_that_is_routed_here_is_good(router: Path, state: FilePath) -> None:
    config = _config(state, nat={"addresses": ["198.51.100.16/30"]})
    check = _all(router, config)["external address"]
    assert (check.status, check.why) == ("ok", "198.51.100.16 and 3 more")


def test_no_internal_network_fails(router: Path, state: FilePath) -> None:
    router.router.ip("address flush dev lan0")
    assert _all(router, _config(state))["internal networks"].status == "fail"


def test_no_default_route_is_warned_of_and_strict_reverse_path_filtering_told(
    router: Path, state: FilePath
) -> None:
    router.router.ip("route del default")
    check = _all(router, _config(state))["default route"]
    assert (check.status, "rp_filter" in check.why) == ("warn", False)
    router.router.sysctl("ipv4/conf/wan0/rp_filter", 1)
    assert "rp_filter" in _all(router, _config(state))["default route"].why


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
    assert _all(router, _config(state, nat={"ports": ports}))["external ports"].status == status


@pytest.mark.parametrize("number", [FIRST_QUEUE, FIRST_QUEUE + 2 * QUEUES_EACH])
def test_a_queue_that_another_program_holds_fails_and_the_program_is_named(
    router: Path, state: FilePath, number: int
) -> None:
    with KernelQueue(router.router, number).open():
        check = _all(router, _config(state))["queue numbers"]
        assert (check.status, f"queue {number} is held by" in check.why) == ("fail", True)
        assert "first_queue" in check.mend
    assert _all(router, _config(state))["queue numbers"].status == "ok"


def test_a_daemon_that_holds_its_queues_is_well(router: Path, state: FilePath, tmp_path: FilePath) -> None:
    (tmp_path / "nfmasq").write_text(HOLD_A_QUEUE, encoding="ascii")
    daemon = router.router.popen(sys.executable, str(tmp_path / "nfmasq"), stdin=-1, stdout=-1)
    with daemon:
        assert daemon.stdout is not None
        assert daemon.stdout.readline() == "bound\n"
        check = _all(router, _config(state))["queue numbers"]
        assert (check.status, "running already" in check.why) == ("ok", True)
        daemon.kill()


def test_a_queue_is_tried_whose_number_nobody_holds(router: Path) -> None:
    with KernelQueue(router.router, 65535).open(), KernelQueue(router.router, 65534).open():
        assert router.router.call(kernel.bind_a_queue) == 65533
    assert router.router.call(kernel.held_queues) == {}


def test_a_state_file_on_a_disk_is_warned_of(router: Path, tmp_path: FilePath) -> None:
    kind = kernel.filesystem(tmp_path)[1]
    if kind == "tmpfs":
        pytest.skip("the place for temporary files is on a tmpfs here")
    check = _all(router, _config(tmp_path / "state"))["state file"]
    assert (check.status, kind in check.why) == ("warn", True)


def test_a_state_file_that_cannot_be_written_fails(router: Path, tmp_path: FilePath) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert _all(router, _config(tmp_path / "file" / "state"))["state file"].status == "fail"


def test_a_file_system_too_small_for_the_sessions_is_warned_of(
    router: Path, state: FilePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, "BYTES_A_SESSION", 1 << 50)
    check = _all(router, _config(state))["state file"]
    assert (check.status, "limits.sessions" in check.mend) == ("warn", True)


def test_another_masquerade_is_warned_of(router: Path, state: FilePath) -> None:
    router.iptables("-t nat -A POSTROUTING -o wan0 -j MASQUERADE")
    check = _all(router, _config(state))["other translations"]
    assert (check.status, "nat" in check.why) == ("warn", True)


def test_too_small_a_connection_tracking_table_is_warned_of_when_it_is_in_use(
    router: Path, state: FilePath
) -> None:
    many = {"sessions": 20_000_000}
    assert _all(router, _config(state, limits=many))["connection tracking"].status == "ok"
    router.iptables("-A FORWARD -m conntrack --ctstate NEW -j ACCEPT")
    with router.sender() as sender, router.receiver() as receiver:
        sender.send(b"tracked")
        receiver.recv(100)
        check = _all(router, _config(state, limits=many))["connection tracking"]
    assert (check.status, "nf_conntrack_max=20000000" in check.mend) == ("warn", True)


def test_diversion_none_is_told(router: Path, state: FilePath) -> None:
    assert _all(router, _config(state, engine={"diversion": "none"}))["diversion"].status == "warn"


def test_a_machine_without_the_programs_fails_with_the_packages_to_install(
    router: Path, state: FilePath, monkeypatch: pytest.MonkeyPatch, tmp_path: FilePath
) -> None:
    monkeypatch.setattr(program, "search_path", lambda: str(tmp_path))
    answers = _all(router, _config(state))
    for name, package in (("diversion", "iptables"), ("guard", "nftables"), ("interfaces", "iproute2")):
        assert (answers[name].status, f"apt install {package}" in answers[name].mend) == ("fail", True)


def test_without_the_capability_everything_that_needs_it_fails_and_says_so(router: Path) -> None:
    told = router.router.run(
        *("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", sys.executable, "-c", TELL),
        cwd=FilePath(nfmasq.__file__).parent.parent,
    )
    answers = {line.split("|")[0]: line.split("|")[1:] for line in told.splitlines()}
    for name in ("privileges", "netfilter queues", "diversion", "guard"):
        status, mend = answers[name]
        assert (name, status) == (name, "fail")
        assert "root" in mend


def test_rules_that_overwrite_marks_are_warned_of_while_hairpinning(router: Path, state: FilePath) -> None:
    router.iptables("-t mangle -A PREROUTING -j CONNMARK --restore-mark")
    check = _all(router, _config(state))["hairpinning"]
    assert (check.status, "CONNMARK" in check.why, "--mark 0" in check.mend) == ("warn", True, True)
    assert _all(router, _config(state, nat={"hairpinning": False}))["hairpinning"].status == "ok"
    router.iptables("-t mangle -F", "-t mangle -A PREROUTING -m mark --mark 0 -j CONNMARK --restore-mark")
    assert _all(router, _config(state))["hairpinning"].status == "ok"


def test_redirects_are_warned_of_where_no_rule_of_ours_stops_them(router: Path, state: FilePath) -> None:
    by_hand = _config(state, engine={"diversion": "none"})
    assert _all(router, _config(state))["hairpinning"].status == "ok"
    check = _all(router, by_hand)["hairpinning"]
    assert (check.status, "redirects" in check.why) == ("warn", True)
    router.router.run(*check.mend.split())
    assert _all(router, by_hand)["hairpinning"].status == "ok"


def _forwarding(state: FilePath, **keys: Any) -> Config:
    forward = Forward.model_validate({"to": "192.168.1.2", **keys})
    return _config(state).model_copy(update={"forward": [forward]})


def test_forwards_apart_from_the_routers_own_ports_are_good(router: Path, state: FilePath) -> None:
    check = _all(router, _forwarding(state, protocol="tcp", external_port="80-89"))["forwards"]
    assert (check.status, check.why) == ("ok", "1 configured, on no port of the router's own")


def test_a_forward_of_ports_the_router_calls_from_is_warned_of(router: Path, state: FilePath) -> None:
    router.router.sysctl("ipv4/ip_local_reserved_ports", "40000-40009")
    config = _forwarding(state, protocol="tcp", external_port="40005-40015")
    check = _all(router, config)["forwards"]
    assert check.status == "warn"
    assert "ip_local_reserved_ports=40005-40015" in check.mend
    router.router.run(*check.mend.partition(",")[0].split())
    assert _all(router, config)["forwards"].status == "ok"


@pytest.mark.parametrize(("protocol", "status"), [("tcp", "warn"), ("any", "warn"), ("udp", "ok")])
def test_a_forward_that_hides_a_socket_of_the_routers_is_warned_of(
    router: Path, state: FilePath, protocol: str, status: str
) -> None:
    with router.router.call(socket.create_server, ("0.0.0.0", 80)):
        check = _all(router, _forwarding(state, external_port="79-81", protocol=protocol))["forwards"]
    assert (check.status, "tcp 80" in check.why) == (status, status == "warn")


def test_a_default_host_hides_nothing(router: Path, state: FilePath) -> None:
    with router.router.call(socket.create_server, ("0.0.0.0", 80)):
        assert _all(router, _forwarding(state))["forwards"].status == "ok"
