"""A daemon that runs: reloads, a lost address, a lost interface, a second daemon, its end."""

import json
import signal
import stat
import sys
from typing import Any

import pytest
from click.testing import CliRunner

from nfmasq.cli import main
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.waiting import wait_until
from nfmasq.machine.queues import kernel_queues


def status(daemon: DaemonUnderLab) -> dict[str, Any]:
    """What /v1/status says."""
    answer: dict[str, Any] = daemon.api("/v1/status")
    return answer


def problems(daemon: DaemonUnderLab) -> str:
    """Why it is degraded, in one string; "" when it is not."""
    return "; ".join(status(daemon)["problems"])


def rules(router: Namespace) -> str:
    """All rules of the router, by either program."""
    return router.run("iptables-save") + router.run("nft", "--stateless", "list", "ruleset")


def bare(listing: str) -> list[str]:
    """The lines of a listing that are about nfmasq."""
    return sorted(line for line in listing.splitlines() if "nfmasq" in line)


def exit_code(daemon: DaemonUnderLab, *arguments: str) -> tuple[int, str]:
    """Run a client command against the daemon: its exit code and what it printed."""
    result = CliRunner().invoke(main, [*arguments, "--socket", str(daemon.socket_path)])
    return result.exit_code, result.output


def _only_the_guard(router: Namespace) -> bool:
    return {line.split()[2] for line in bare(rules(router))} == {"nfmasq_guard"}


def test_it_is_ready_with_all_in_place_and_leaves_the_guard_alone(
    daemon: DaemonUnderLab, router: Namespace
) -> None:
    assert "ready: 192.168.1.0/24 behind lan0 appears as 203.0.113.2 on wan0" in daemon.log
    assert stat.S_IMODE(daemon.socket_path.stat().st_mode) == 0o660
    now = status(daemon)
    assert (now["state"], now["external_addresses"]) == ("ok", ["203.0.113.2"])
    assert now["internal_networks"] == ["192.168.1.0/24"]
    assert "nfmasq" in rules(router)
    assert daemon.stop() == 0
    assert _only_the_guard(router)
    assert not daemon.socket_path.exists()
    assert "Traceback" not in daemon.log


@pytest.mark.parametrize("name", ["state.saved", "state.saved.new"])
def test_what_another_put_where_the_sessions_are_saved_stays_and_is_told(
    daemon: DaemonUnderLab, name: str
) -> None:
    precious = daemon.socket_path.with_name(name)
    precious.write_bytes(b"precious")
    assert daemon.stop() == 0
    assert precious.read_bytes() == b"precious"
    assert f"the sessions are not saved: {precious} is another program's file" in daemon.log
    assert "Move it away, or set engine.saved" in daemon.log


def test_every_worker_has_its_queues_in_status_and_metrics(daemon: DaemonUnderLab, router: Namespace) -> None:
    queues = status(daemon)["queues"]
    shown = exit_code(daemon, "status")[1].splitlines()
    for queue in queues:
        first, last = queue["queue"], queue["last"]
        title = f"queue {first}" if first == last else f"queues {first}-{last}"
        assert any(line.startswith(f"{title}  ") for line in shown), "a title touches its value"
    series = daemon.metrics()
    numbers = [number for queue in queues for number in range(queue["queue"], queue["last"] + 1)]
    assert numbers == sorted(router.call(kernel_queues))
    for queue in queues:
        number = queue["queue"]
        assert series[f'nfmasq_queue_depth{{queue="{number}"}}'] == 0
        assert series[f'nfmasq_queue_dropped_packets_total{{queue="{number}"}}'] == 0


def test_idle_it_stays_below_60_megabytes(daemon: DaemonUnderLab) -> None:
    for path in ("/v1/status", "/v1/sessions", "/v1/hosts", "/v1/drops"):
        daemon.api(path)
    assert daemon.metrics()["process_resident_memory_bytes"] < 60 * 2**20


def test_without_an_address_it_starts_degraded_and_takes_over_when_one_comes(
    prepared: DaemonUnderLab, router: Namespace
) -> None:
    router.ip("address del 203.0.113.2/24 dev wan0")
    prepared.start()
    assert problems(prepared) == "no external address on wan0; waiting for one"
    code, shown = exit_code(prepared, "status")
    assert code == 6
    assert "no external address on wan0" in shown
    router.ip("address add 203.0.113.9/24 dev wan0")
    wait_until(lambda: status(prepared)["state"] == "ok", "the state to be good")
    assert status(prepared)["external_addresses"] == ["203.0.113.9"]
    assert "203.0.113.9" in rules(router)
    assert status(prepared)["address_changes"] == 0


def test_a_changed_address_is_followed_and_counted_once(daemon: DaemonUnderLab, router: Namespace) -> None:
    router.ip("address del 203.0.113.2/24 dev wan0", "address add 203.0.113.9/24 dev wan0")
    wait_until(lambda: status(daemon)["external_addresses"] == ["203.0.113.9"], "the address")
    wait_until(lambda: status(daemon)["state"] == "ok", "rules for the new address")
    laid = rules(router)
    assert "203.0.113.9" in laid
    assert "203.0.113.2" not in laid
    assert daemon.metrics()["nfmasq_address_changes_total"] == 1


def test_a_lost_interface_is_a_problem_until_it_is_back(daemon: DaemonUnderLab, router: Namespace) -> None:
    router.ip("link del wan0")
    wait_until(lambda: "wan0" in problems(daemon), "the missing interface to be told")
    assert daemon.running
    router.ip("link add wan0 type bridge", "address add 203.0.113.2/24 dev wan0", "link set wan0 up")
    wait_until(lambda: status(daemon)["state"] == "ok", "all to be well")
    assert status(daemon)["external_addresses"] == ["203.0.113.2"]


def test_with_an_interface_that_is_away_it_starts_and_serves_the_others(
    prepared: DaemonUnderLab, router: Namespace
) -> None:
    prepared.write_config({"nat": {"internal": ["lan0", "wlan0"], "external": ["wan0", "wwan0"]}})
    prepared.start()
    assert 'nat.internal[1]: no interface "wlan0" here' in prepared.log
    assert 'nat.external[1]: no interface "wwan0" here; did you mean "wan0"?' in prepared.log
    assert problems(prepared) == (
        "internal interface wlan0 does not exist: no host is behind it; "
        "external interface wwan0 does not exist: nothing leaves by it"
    )
    now = status(prepared)
    assert now["internal_networks"] == ["192.168.1.0/24"]
    assert [each["state"] for each in now["uplinks"]][1] == "away"
    assert now["uplinks"][0]["addresses"] == now["external_addresses"] == ["203.0.113.2"]
    router.ip(
        "link add wlan0 type bridge", "address add 192.168.8.1/24 dev wlan0", "link set wlan0 up",
        "link add wwan0 type bridge", "address add 100.99.0.2/24 dev wwan0", "link set wwan0 up",
    )  # fmt: skip
    wait_until(lambda: status(prepared)["state"] == "ok", "both to be taken in")
    now = status(prepared)
    assert now["internal_networks"] == ["192.168.1.0/24", "192.168.8.0/24"]
    assert now["external_addresses"] == ["203.0.113.2", "100.99.0.2"]
    assert now["external_interface"] == "wan0"
    assert "100.99.0.2" in rules(router)


def test_flushed_rules_come_back_and_the_status_tells_for_a_while(
    daemon: DaemonUnderLab, router: Namespace
) -> None:
    whole = bare(rules(router))
    router.run("nft", "flush", "ruleset")
    wait_until(lambda: bare(rules(router)) == whole, "the rules to be back")
    wait_until(lambda: status(daemon)["rules"]["in_place"], "it to be known")
    once_or_twice = (1, 2)  # the flush may fall between the looks at guard and rules
    assert status(daemon)["rules"]["reinstalled"] in once_or_twice
    for name in ("reinstalled", "restored"):
        assert daemon.metrics()[f"nfmasq_rules_{name}_total"] in once_or_twice
    assert "rules were flushed " in problems(daemon)


@pytest.mark.parametrize("way", ["signal", "command"])
def test_a_bad_configuration_is_refused_and_the_old_one_stays(daemon: DaemonUnderLab, way: str) -> None:
    good = daemon.config_path.read_text(encoding="utf-8")
    daemon.write_config({"nat": {"ports": "9-1"}, "limits": {"sesions": 5}})
    if way == "signal":
        daemon.signal(signal.SIGHUP)
    else:
        code, shown = exit_code(daemon, "reload")
        assert code == 5
        assert "nat.ports: " in shown
        assert 'did you mean "sessions"?' in shown
    wait_until(lambda: daemon.metrics()["nfmasq_config_last_reload_successful"] == 0, "the refusal")
    assert "reload refused: nat.ports: " in daemon.log
    assert "reload refused: limits.sesions: " in daemon.log
    assert status(daemon)["state"] == "ok"
    assert status(daemon)["ports"]["tcp"]["capacity"] == 32767 - 600 + 1
    daemon.config_path.write_text(good, encoding="utf-8")
    assert exit_code(daemon, "reload")[0] == 0
    assert daemon.metrics()["nfmasq_config_last_reload_successful"] == 1


def test_a_reload_takes_over_ports_and_interfaces(daemon: DaemonUnderLab, router: Namespace) -> None:
    router.ip("link add lan1 type bridge", "address add 10.0.0.1/24 dev lan1", "link set lan1 up")
    daemon.write_config({"nat": {"ports": "20000-20099", "internal": ["lan0", "lan1"]}})
    answer = daemon.api("/v1/reload", "POST")
    assert answer["reloaded"] is True
    now = status(daemon)
    assert now["ports"]["tcp"]["capacity"] == 100
    assert set(now["internal_networks"]) == {"192.168.1.0/24", "10.0.0.0/24"}
    laid = rules(router)
    assert "lan1" in laid
    assert "20099" in laid


def test_a_key_that_is_fixed_at_the_start_is_refused_with_a_word(daemon: DaemonUnderLab) -> None:
    daemon.write_config({
        "engine": {"first_queue": 200},
        "limits": {"sessions": 5000},
        "metrics": {"listen": "127.0.0.1:9854"},
    })  # fmt: skip
    code, shown = exit_code(daemon, "reload", "--json")
    assert code == 5
    errors = {error["key"]: error["reason"] for error in json.loads(shown)["errors"]}
    assert set(errors) == {"engine.first_queue", "limits.sessions", "metrics.listen"}
    assert all("restart" in reason for reason in errors.values())


def test_a_second_daemon_is_refused_with_a_line_that_names_the_first(
    daemon: DaemonUnderLab, router: Namespace
) -> None:
    said = router.run(
        sys.executable, "-m", "nfmasq", "run", "--config", str(daemon.config_path), check=False,
    )  # fmt: skip
    first = f"(pid {daemon.pid}, config {daemon.config_path})"
    assert f"another nfmasq runs in this network namespace {first}" in said
    assert status(daemon)["state"] == "ok"


def test_killed_it_leaves_its_rules_and_a_new_one_takes_its_place(
    daemon: DaemonUnderLab, router: Namespace
) -> None:
    daemon.kill()
    assert daemon.socket_path.exists()
    assert "nfmasq_guard" in router.run("nft", "--stateless", "list", "ruleset")
    daemon.start()
    assert status(daemon)["state"] == "ok"
    assert daemon.stop() == 0
    assert _only_the_guard(router)
