"""Sessions that the router has lost: programs go on, or hear that the connection is over. None hangs."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from ipaddress import IPv4Address

import pytest

from nfmasq.lab.clients import Download
from nfmasq.lab.packets import ACK, PSH, RST, Endpoint, tcp
from nfmasq.lab.programs import ProgramError
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import CLIENT1, CLIENT2, EXTERNAL, SERVER1, Topology
from nfmasq.lab.waiting import wait_until
from nfmasq.lab.wire import Wire

PORT, FORWARDED = 2222, 8022
PATIENCE_S = 10.0
"""Far less than TCP takes to give up, far more than an RST needs."""


@pytest.fixture(autouse=True)
def _as_before(daemon: DaemonUnderLab) -> Iterator[None]:
    """Each test begins without sessions, and with the lab's own configuration."""
    before = {section: dict(values) for section, values in daemon.config.items() if section != "forward"}
    yield
    daemon.config = before
    daemon.write_config({})
    daemon.cli("reload")
    daemon.cli("flush", "--all")


def _flushed(daemon: DaemonUnderLab) -> None:
    daemon.cli("flush", "--all")


def _rebooted_unplanned(daemon: DaemonUnderLab) -> None:
    """What is left after the power was cut: no file of sessions."""
    daemon.kill()
    for path in daemon.config_path.parent.glob("state*"):
        path.unlink()
    daemon.start()


def _expired(daemon: DaemonUnderLab) -> None:
    """The timer of an open connection is a second; nothing was sent for two."""
    daemon.write_config({"timeouts": {"tcp_established": "1s", "tcp_transitory": "1s"}})
    daemon.cli("reload")


LOSSES = {"flushed": _flushed, "rebooted": _rebooted_unplanned}
every_loss = pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
Loss = Callable[[DaemonUnderLab], None]


@pytest.fixture
def connected(net: Topology) -> Iterator[Callable[..., tuple[socket.socket, socket.socket]]]:
    """Connect from one host to a listener of another, as an idle ssh is: returns both ends."""
    with ExitStack() as stack:

        def connect(
            near: str, far: str, to: Endpoint, port: int = PORT
        ) -> tuple[socket.socket, socket.socket]:
            def listen() -> socket.socket:
                made = socket.create_server(("", port))
                made.settimeout(PATIENCE_S)
                return made

            listener = stack.enter_context(getattr(net, far).call(listen))
            address = (str(to[0]), to[1])
            one = stack.enter_context(getattr(net, near).call(socket.create_connection, address, PATIENCE_S))
            other, _ = listener.accept()
            stack.enter_context(other)
            other.settimeout(PATIENCE_S)
            exchange(one, other)
            return one, other

        yield connect


def exchange(one: socket.socket, other: socket.socket) -> None:
    """A word each way."""
    for sender, receiver in ((one, other), (other, one)):
        sender.sendall(b"word")
        assert receiver.recv(100) == b"word"


def is_over(used: socket.socket) -> bool:
    """Does the program hear, when it uses the connection, that there is none any more?"""
    try:
        used.sendall(b"word")
        return used.recv(100) == b""
    except (ConnectionResetError, BrokenPipeError):
        return True


@every_loss
def test_a_program_inside_that_uses_a_lost_connection_hears_that_it_is_over(
    daemon: DaemonUnderLab, connected: Callable[..., tuple[socket.socket, socket.socket]], lose: Loss
) -> None:
    one, _ = connected("client1", "server1", (SERVER1, PORT))
    lose(daemon)
    assert is_over(one)


def test_a_program_whose_connection_was_idle_for_too_long_hears_it(
    daemon: DaemonUnderLab, connected: Callable[..., tuple[socket.socket, socket.socket]]
) -> None:
    _expired(daemon)
    one, _ = connected("client1", "server1", (SERVER1, PORT))
    wait_until(lambda: not daemon.api(f"/v1/sessions?host={CLIENT1}")["sessions"], "the session to end")
    assert is_over(one)


@every_loss
def test_a_lost_connection_from_outside_goes_on_by_its_forward_whoever_speaks_first(
    daemon: DaemonUnderLab, connected: Callable[..., tuple[socket.socket, socket.socket]], lose: Loss
) -> None:
    daemon.write_config(
        {"forward": [{"protocol": "tcp", "external_port": str(FORWARDED), "to": f"{CLIENT1}:{PORT}"}]}
    )
    daemon.cli("reload")
    one, other = connected("server1", "client1", (EXTERNAL, FORWARDED))
    lose(daemon)
    exchange(one, other)
    lose(daemon)
    exchange(other, one)
    states = {row["state"] for row in daemon.api(f"/v1/sessions?host={CLIENT1}")["sessions"]}
    assert states == {"established"}


@every_loss
def test_two_hosts_that_meet_by_the_external_address_hear_it(
    daemon: DaemonUnderLab, connected: Callable[..., tuple[socket.socket, socket.socket]], lose: Loss
) -> None:
    daemon.write_config(
        {"forward": [{"protocol": "tcp", "external_port": str(FORWARDED), "to": f"{CLIENT1}:{PORT}"}]}
    )
    daemon.cli("reload")
    one, other = connected("client2", "client1", (EXTERNAL, FORWARDED))
    lose(daemon)
    assert is_over(one)
    assert is_over(other)


@every_loss
def test_curl_hears_that_its_transfer_is_over(net: Topology, daemon: DaemonUnderLab, lose: Loss) -> None:
    transfer = Download(net.client1, SERVER1, "--limit-rate", "200K")
    wait_until(lambda: transfer.received > 0, "the transfer to begin")
    lose(daemon)
    with pytest.raises(ProgramError, match=r"[Rr]eset by peer"):
        transfer.wait()


def test_a_connection_outlives_a_planned_reboot(
    daemon: DaemonUnderLab, connected: Callable[..., tuple[socket.socket, socket.socket]]
) -> None:
    """What a reboot takes is the state file; the copy that the daemon saved at its end stays."""
    one, other = connected("client1", "server1", (SERVER1, PORT))
    assert daemon.stop() == 0
    (daemon.config_path.parent / "state").unlink()
    daemon.start("--keep-rules")
    exchange(one, other)


def test_where_refusals_are_off_nothing_is_said(net: Topology, daemon: DaemonUnderLab) -> None:
    daemon.write_config({"nat": {"refusals": False}})
    daemon.cli("reload")
    with Wire(net.client1, "eth0", (net.router, "lan0")) as wire:
        before = daemon.drops().get("tcp_no_session", 0)
        wire.send_ip(tcp((CLIENT1, 40000), (SERVER1, 80), ACK, 1, 1))
        wait_until(lambda: daemon.drops().get("tcp_no_session", 0) > before, "the drop to be counted")
        assert not [packet for packet in wire.seen() if _is_reset(packet)]


def test_a_forged_source_inside_gets_no_more_than_was_sent_and_nobody_outside_anything(
    net: Topology, daemon: DaemonUnderLab
) -> None:
    """As one host would who wants another to be flooded, or a connection of another to be ended."""
    with (
        Wire(net.client1, "eth0", (net.router, "lan0")) as forger,
        Wire(net.client2, "eth0") as victim,
        Wire(net.server1, "eth0") as outside,
    ):
        sent = [
            tcp((CLIENT2, port), (SERVER1, 80), ACK | PSH, 1000 + port, 2000 + port, payload=b"word")
            for port in range(1, 501)
        ]
        for packet in sent:
            forger.send_ip(packet)
        wait_until(lambda: daemon.drops().get("tcp_no_session", 0) >= len(sent), "all to be dropped")
        victim.expect(_is_reset)
        resets = [packet for packet in victim.seen() if _is_reset(packet)]
        assert sum(map(len, resets)) < sum(map(len, sent)) // 2
        assert not [packet for packet in outside.seen() if _is_reset(packet)]


def _is_reset(packet: bytes) -> bool:
    return packet[9] == socket.IPPROTO_TCP and bool(packet[33] & RST)


def test_the_reset_is_in_the_remote_host_s_name_and_just_what_is_awaited(net: Topology) -> None:
    """RSTs have a rate, and others were sent before: the host sends its segment again, as TCP does."""
    resets: list[bytes] = []

    def is_answered() -> bool:
        wire.send_ip(tcp((CLIENT2, 40000), (SERVER1, 80), ACK, 1000, 2000, payload=b"word"))
        time.sleep(0.3)
        resets.extend(filter(_is_reset, wire.seen()))
        return bool(resets)

    with Wire(net.client2, "eth0", (net.router, "lan0")) as wire:
        wait_until(is_answered, "an RST", 10)
    reset = resets[0]
    assert (IPv4Address(reset[12:16]), IPv4Address(reset[16:20])) == (SERVER1, CLIENT2)
    assert reset[20:] == tcp((SERVER1, 80), (CLIENT2, 40000), RST, 2000, 0, window=0)[20:]


def test_ncat_or_whatever_reads_its_input_ends(net: Topology, daemon: DaemonUnderLab) -> None:
    """A shell's own TCP, as an idle ssh has it: it is written to, and ends with the word that says why."""
    script = f"exec 3<>/dev/tcp/{SERVER1}/80; echo begun; read -r _; echo word >&3 && cat <&3"
    with net.client1.popen(
        "bash", "-c", script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        assert shell.stdout.readline() == "begun\n"
        daemon.cli("flush", "--all")
        said, _ = shell.communicate("go on\n", timeout=PATIENCE_S)
    assert "reset by peer" in said.lower()
