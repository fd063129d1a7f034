"""What a restart finds again of the sessions in the file: all of them, as they were."""

import json
import os
import signal
import struct
from pathlib import Path

import pytest
from support.packets import ACK, ESP, GRE, SYN, portless, read, tcp, udp
from support.records import seal
from support.router import (
    CLIENT,
    EXTERNAL,
    LAN,
    OTHER_CLIENT,
    OTHER_EXTERNAL,
    OTHER_SERVER,
    SERVER,
    Router,
    policy,
)
from support.whole import assert_whole

from hot.restarting import LEFT, busy_router, child, restarted
from nfmasq._fastpath import Table
from nfmasq.core.arena import RECORD
from nfmasq.core.policy import Filtering, Mapping
from nfmasq.core.protocols import INWARD, OUTWARD

PAGE = os.sysconf("SC_PAGESIZE")
STATE, SCOPE, REMOTE_PORT, SCALE, CREATED, MORE_PACKETS_OUT = 6, 7, 24, 26, 56, 80
"""Where in its record a session says these."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the state file is to be."""
    return tmp_path / "state"


def test_a_restart_finds_every_session_as_it_was(path: Path) -> None:
    before = busy_router(path)
    rows = before.rows()
    after = restarted(before, path)
    assert after.table.recovered == len(LEFT)
    assert after.table.warning == ""
    assert after.rows() == rows
    assert after.table.hosts() == before.table.hosts()
    assert after.table.gauges()[:4] == before.table.gauges()[:4]
    told = [{row[1:5] for row in router.table.mappings()} for router in (before, after)]
    assert told[0] == told[1]
    assert_whole(after.table)


def test_a_mapping_is_as_old_as_its_oldest_session(path: Path) -> None:
    """The second session of the third mapping is younger, as its record tells."""
    before = busy_router(path)
    before.table.close()
    younger, older = (PAGE + RECORD * number + CREATED for number in (4, 3))
    data = bytearray(path.read_bytes())
    struct.pack_into("=I", data, older, before.now - 50)
    struct.pack_into("=I", data, younger, before.now - 10)
    for created in (older, younger):
        seal(data, created - CREATED)
    path.write_bytes(data)
    after = Router(policy(), 64, str(path))
    (mapping,) = [row for row in after.table.mappings() if row.sessions == 2]
    assert mapping.age_s in (50, 51)


def test_after_a_restart_packets_go_on_both_ways(path: Path) -> None:
    before = busy_router(path)
    sent = [before.out(packet) for packet in LEFT]
    counted = before.rows()[0].packets_out
    after = restarted(before, path)
    assert [after.out(packet) for packet in LEFT] == sent
    near = read(sent[0]).source_port
    assert read(after.into(tcp(SERVER, 80, EXTERNAL, near, ACK))).destination == CLIENT
    assert read(after.into(udp(SERVER, 54, EXTERNAL, read(sent[2]).source_port)))[2:] == (CLIENT, 40000)
    assert read(after.into(portless(SERVER, EXTERNAL, GRE))).destination == CLIENT
    assert after.rows()[0].packets_out == counted + 1


def test_sessions_found_again_end_when_they_are_due(path: Path) -> None:
    after = restarted(busy_router(path), path)
    after.wait(60)
    assert after.table.gauges().sessions == (2, 5 - 2, 0, 2)
    after.wait(240)
    assert [row.state for row in after.rows()] == ["established"]
    after.wait(7440)
    assert after.rows() == []
    assert after.table.gauges().ports_in_use == (0, 0, 0, 0)


def test_ports_of_sessions_found_again_are_not_handed_out(path: Path) -> None:
    rules = policy(ports=((2000, 2003),))
    before = Router(rules, 64, str(path))
    for port in range(40000, 40003):
        before.out(udp(CLIENT, port, SERVER, 53))
    used = {row.external[1] for row in before.rows()}
    after = restarted(before, path, rules=rules)
    assert {read(after.out(udp(CLIENT, 40003, SERVER, 53))).source_port} == {2000, 2001, 2002, 2003} - used
    assert after.try_out(udp(CLIENT, 40004, SERVER, 53))[0] == "ports_exhausted"
    after.wait(300)
    after.wait(120)
    for port in range(40000, 40004):
        assert after.out(udp(CLIENT, port, SERVER, 53))


def test_a_new_mapping_of_a_host_found_again_uses_the_host_s_address(path: Path) -> None:
    rules = policy(external=(EXTERNAL, OTHER_EXTERNAL))
    before = Router(rules, 64, str(path))
    hosts = list(LAN.hosts())[::8]
    used = {host: read(before.out(udp(host, 40000, SERVER, 53))).source for host in hosts}
    after = restarted(before, path, rules=rules)
    assert {host: read(after.out(tcp(host, 40000, SERVER, 80))).source for host in used} == used


def test_sessions_of_an_address_lost_meanwhile_end(path: Path) -> None:
    before = busy_router(path)
    before.table.close()
    table = Table(str(path), 64)
    assert table.configure(policy(external=(OTHER_EXTERNAL,))) == len(LEFT)
    assert table.sessions() == []


def test_ended_sessions_stay_ended(path: Path) -> None:
    before = busy_router(path)
    before.table.flush(CLIENT)
    after = restarted(before, path)
    assert after.table.recovered == 4
    assert set(after.table.hosts()) == {OTHER_CLIENT}
    after.table.flush()
    assert restarted(after, path).table.recovered == 0


@pytest.mark.parametrize(
    "runs", [[1], [31, 1, 1], [1, 1, 30, 2, 1, 31], [100, 40, 3, 32, 1, 33, 16, 17, 200]], ids=str
)
def test_sessions_are_found_again_whatever_gaps_are_between_them(path: Path, runs: list[int]) -> None:
    """One host's sessions and another's in turns, so many at a time; then those of the other end."""
    rules = policy(sessions=1000)
    before = Router(rules, 1000, str(path))
    hosts = [host for turn, run in enumerate(runs) for host in run * [(CLIENT, OTHER_CLIENT)[turn % 2]]]
    packets = [udp(host, 40000 + number, SERVER, 53) for number, host in enumerate(hosts)]
    sent = [before.out(packet) for packet in packets]
    before.table.flush(OTHER_CLIENT)
    rows = before.rows()
    after = restarted(before, path, 1000, rules)
    assert after.table.recovered == len(rows) == sum(runs[::2])
    assert after.rows() == rows
    assert_whole(after.table)
    for packet, translated, host in zip(packets, sent, hosts, strict=True):
        assert host != CLIENT or after.out(packet) == translated
    assert sum(after.table.gauges().sessions) == len(rows)


def test_places_of_ended_sessions_are_used_again(path: Path) -> None:
    before = busy_router(path, capacity=9, rules=policy(sessions=9))
    before.table.flush(CLIENT)
    after = restarted(before, path, capacity=9, rules=policy(sessions=9))
    for packet in LEFT:
        assert after.out(packet)
    assert after.try_out(udp(CLIENT, 50000, SERVER, 53))[0] == "sessions_full"
    assert restarted(after, path, capacity=9).table.recovered == 9


def test_sessions_outlive_any_number_of_restarts(path: Path) -> None:
    router = busy_router(path)
    rows = router.rows()
    for _ in range(10):
        router = restarted(router, path)
        assert router.rows() == rows


@pytest.mark.parametrize("capacity", [len(LEFT), 63, 65, 5000])
def test_a_table_of_another_capacity_takes_over_what_fits(path: Path, capacity: int) -> None:
    before = busy_router(path)
    rows = before.rows()
    after = restarted(before, path, capacity)
    assert (after.table.warning, after.rows()) == ("", rows)
    assert restarted(after, path, 64).rows() == rows


@pytest.mark.parametrize("mapping", [Mapping.ADDRESS_DEPENDENT, Mapping.ADDRESS_AND_PORT_DEPENDENT])
def test_a_session_let_in_beside_those_its_mapping_is_for_lives_on_with_them(
    path: Path, mapping: Mapping
) -> None:
    """Filtering may be wider than mapping."""
    rules = policy(mapping=mapping, filtering=Filtering.ENDPOINT_INDEPENDENT)
    before = Router(rules, 64, str(path))
    near = read(before.out(udp(CLIENT, 40000, SERVER, 53))).source_port
    before.into(udp(OTHER_SERVER, 9, EXTERNAL, near))
    other = read(before.out(udp(CLIENT, 40000, OTHER_SERVER, 10))).source_port
    after = restarted(before, path, rules=rules)
    assert after.table.recovered == 3
    assert read(after.into(udp(OTHER_SERVER, 9, EXTERNAL, near)))[2:] == (CLIENT, 40000)
    assert read(after.into(udp(OTHER_SERVER, 10, EXTERNAL, other)))[2:] == (CLIENT, 40000)
    if mapping == Mapping.ADDRESS_DEPENDENT:
        assert read(after.out(udp(CLIENT, 40000, SERVER, 54))).source_port == near
        assert read(after.out(udp(CLIENT, 40000, OTHER_SERVER, 11))).source_port == other


def spoilt(router: Router, path: Path, *changes: tuple[int, bytes]) -> Router:
    """The next daemon, the first record of its file changed at these places meanwhile."""
    router.table.close()
    data = bytearray(path.read_bytes())
    for at, new in changes:
        data[PAGE + RECORD + at : PAGE + RECORD + at + len(new)] = new
    seal(data, PAGE + RECORD)
    path.write_bytes(data)
    return Router(policy(half_open=1), 64, str(path))


@pytest.mark.parametrize("sent", [1 << 15, (1 << 16) - 1])
def test_a_counter_about_to_begin_again_is_not_believed(path: Path, sent: int) -> None:
    """Sessions that the host has not answered are told by it; `sent` is its upper sixteen bits."""
    router = Router(policy(), 64, str(path))
    router.out(udp(CLIENT, 40000, SERVER, 53))
    assert spoilt(router, path, (MORE_PACKETS_OUT, struct.pack("=H", sent))).table.recovered == 0


def test_a_connection_that_just_begins_is_not_being_begun_anew(path: Path) -> None:
    """It would leave that state uncounted, and handshakes under way would be too many for ever."""
    router = Router(policy(), 64, str(path))
    near = read(router.out(tcp(CLIENT, 40000, SERVER, 80))).source_port
    router.into(tcp(SERVER, 80, EXTERNAL, near, SYN | ACK))
    reopening, syn_out = 0x20, 1
    after = spoilt(router, path, (STATE, bytes([syn_out])), (SCALE, bytes([0, reopening])))
    after.try_out(tcp(CLIENT, 40000, SERVER, 80, SYN | ACK, acked=0))
    after.table.flush()
    assert after.out(tcp(CLIENT, 40001, SERVER, 80)), "no handshake is under way"


def test_a_state_is_tcp_s_alone(path: Path) -> None:
    router = Router(policy(), 64, str(path))
    router.out(udp(CLIENT, 40000, SERVER, 53))
    assert spoilt(router, path, (STATE, b"\x03")).table.recovered == 0


@pytest.mark.parametrize(
    ("protocol", "way", "scope", "recovered"),
    [
        (GRE, INWARD, 2, 1),
        (GRE, OUTWARD, 2, 1),
        (GRE, 0x0303, 2, 0),
        (GRE, 1, 2, 0),
        (GRE, INWARD, 0, 0),
        (ESP, INWARD, 2, 0),
    ],
)
def test_a_key_is_gre_s_goes_one_of_two_ways_and_is_for_one_remote_host(
    path: Path, protocol: int, way: int, scope: int, recovered: int
) -> None:
    router = Router(policy(), 64, str(path))
    router.out(portless(CLIENT, SERVER, protocol))
    changes = (REMOTE_PORT, struct.pack("!H", way)), (SCOPE, bytes([scope]))
    assert spoilt(router, path, *changes).table.recovered == recovered


KILLED = """
import json, random, sys
from support.packets import *
from support.router import *

router = Router(policy(sessions=400), 400, sys.argv[1])
keep = [read(router.table.translate(tcp(CLIENT, port, SERVER, 80))[1]).source_port for port in range(1, 51)]
for near in keep:
    router.table.translate(tcp(SERVER, 80, EXTERNAL, near, SYN | ACK), inbound=True)
print(json.dumps(keep), flush=True)
dice = random.Random(sys.argv[2])
while True:
    for _ in range(300):
        port = dice.randrange(1, 200)
        make = dice.choice([tcp, udp, lambda host, port, server, far: query(host, server, port)])
        sent = router.table.translate(make(OTHER_CLIENT, port, SERVER, dice.randrange(1, 4)))[1]
        if sent and dice.random() < 0.3:
            near = read(sent)
            router.table.translate(udp(SERVER, 9, EXTERNAL, near.source_port), inbound=True)
    if dice.random() < 0.5:
        router.table.flush(OTHER_CLIENT)
    print("on", flush=True)
"""


def test_a_daemon_killed_at_work_leaves_every_session_or_none_of_it(path: Path) -> None:
    """Killed wherever it just was, four times over, each time with the file of the one before."""
    kept: list[int] = []
    for turn in range(4):
        with child(KILLED, path, turn) as daemon:
            assert daemon.stdout is not None
            ports = json.loads(daemon.stdout.readline())
            for _ in range(3 + turn):
                assert daemon.stdout.readline() == "on\n"
            os.kill(daemon.pid, signal.SIGKILL)
            daemon.stdout.read()
        assert ports == kept or not kept, "the ports of the round before"
        kept = ports
        router = Router(policy(sessions=400), 400, str(path))
        assert router.table.warning == ""
        assert router.table.recovered == len(router.rows()) >= 50
        assert_whole(router.table)
        found = {row.internal[1]: row for row in router.rows() if row.internal[0] == CLIENT}
        assert {port: row.external[1] for port, row in found.items()} == dict(enumerate(kept, 1))
        assert {row.state for row in found.values()} == {"established"}
        router.table.close()
