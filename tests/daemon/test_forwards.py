"""Forwards of a daemon that runs: added, kept over a restart and a reload, and what its file can do to it."""

import json
import signal
from typing import Any

import pytest

from nfmasq.lab.namespace import Namespace
from nfmasq.lab.router import DaemonError, DaemonUnderLab
from nfmasq.lab.waiting import wait_until

CLIENT = "192.168.1.10"


def tcp(port: int, **keys: Any) -> dict[str, Any]:
    """A TCP port led to CLIENT."""
    return {"protocol": "tcp", "external_port": port, "to": CLIENT, **keys}


def sources(daemon: DaemonUnderLab) -> dict[str, str]:
    """Where each forward comes from, by id."""
    return {row["id"]: row["source"] for row in daemon.api("/v1/forwards")["forwards"]}


def configure(daemon: DaemonUnderLab, *forwards: dict[str, Any]) -> None:
    """Have these forwards in its file."""
    daemon.write_config({})
    with daemon.config_path.open("a", encoding="utf-8") as file:
        for forward in forwards:
            lines = (f"{key} = {json.dumps(value)}" for key, value in forward.items())
            file.write("\n".join(["[[forward]]", *lines, ""]))


def test_only_kept_forwards_outlast_a_restart_also_by_kill(daemon: DaemonUnderLab) -> None:
    daemon.api("/v1/forwards", "POST", tcp(80))
    assert "forward tcp-81 added, and kept" in daemon.cli(
        "forwards", "add", "--protocol", "tcp", "--port", "81", "--to", CLIENT, "--persist"
    )
    assert sources(daemon) == {"tcp-80": "runtime", "tcp-81": "kept"}
    daemon.kill()
    daemon.start()
    assert sources(daemon) == {"tcp-81": "kept"}
    daemon.cli("forwards", "remove", "tcp-81")
    daemon.stop()
    daemon.start()
    assert sources(daemon) == {}
    assert "Traceback" not in daemon.log


def test_a_reload_keeps_what_was_added_and_says_what_gives_way(prepared: DaemonUnderLab) -> None:
    configure(prepared, tcp(80))
    prepared.start()
    prepared.api("/v1/forwards", "POST", tcp(81))
    prepared.api("/v1/forwards", "POST", tcp(82))
    with pytest.raises(DaemonError, match=r"409.*tcp 80 is forwarded already, by tcp-80"):
        prepared.api("/v1/forwards", "POST", tcp(80, to="192.168.1.11"))
    configure(prepared, tcp(82, to="192.168.1.11"))
    outcome = prepared.api("/v1/reload", "POST")
    assert outcome["reloaded"]
    assert any("forward tcp-82, added while it ran, gives way" in line for line in outcome["warnings"])
    assert sources(prepared) == {"tcp-82": "config", "tcp-81": "runtime"}


def test_a_reload_with_a_wrong_forward_changes_nothing(daemon: DaemonUnderLab) -> None:
    daemon.api("/v1/forwards", "POST", tcp(81))
    configure(daemon, tcp(80), tcp(80))
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: "reload refused: forward[1].external_port" in daemon.log, "the refusal")
    assert sources(daemon) == {"tcp-81": "runtime"}


def test_a_damaged_file_is_one_warning_and_it_starts(prepared: DaemonUnderLab) -> None:
    kept = prepared.config_path.with_name("forwards.json")
    kept.write_text('{"schema": 1, "forw')
    prepared.start()
    warnings = prepared.api("/v1/status")["warnings"]
    assert len([line for line in warnings if "kept forwards" in line]) == 1
    assert prepared.log.count("kept forwards") == 1
    assert prepared.api("/v1/status")["state"] == "ok"


def test_a_target_in_no_internal_network_is_a_warning_until_there_is_one(
    daemon: DaemonUnderLab, router: Namespace
) -> None:
    added = daemon.api("/v1/forwards", "POST", tcp(80, to="10.9.9.9"))
    told = "forward tcp-80: 10.9.9.9 is in no internal network"
    assert added["warnings"] == [told]
    assert told in daemon.api("/v1/status")["warnings"]
    router.ip("address add 10.9.9.1/24 dev lan0")
    wait_until(lambda: told not in daemon.api("/v1/status")["warnings"], "the network to be seen")
    assert daemon.log.count(told) == 1


def test_a_target_that_is_the_routers_external_address_is_refused(daemon: DaemonUnderLab) -> None:
    with pytest.raises(DaemonError, match=r"203\.0\.113\.2 is an external address"):
        daemon.api("/v1/forwards", "POST", tcp(80, to="203.0.113.2"))
    assert sources(daemon) == {}
