"""The switchboard: what the file says, what is set while it runs, what the core gets."""

from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from nfmasq.config import Config, parse
from nfmasq.core.policy import HelperPort
from nfmasq.helpers import protocols, registry
from nfmasq.helpers.switches import Switch
from nfmasq.runtime.helpers import HelperRefused, NoSuchHelper, Switchboard

LAN = IPv4Network("192.168.1.0/24")
GUESTS = IPv4Network("192.168.2.0/24")
BOTH = (LAN, GUESTS)
TCP, UDP = 6, 17
FTP, IRC = registry.number("ftp"), registry.number("irc")


def configured(**tables: Any) -> Config:
    """A configuration with these tables."""
    return parse({"nat": {"internal": ["lan0"], "external": "wan0"}, **tables})


def test_ftp_alone_is_enabled_by_default() -> None:
    """RFC 5382 REQ-6, RFC 4787 REQ-10."""
    board = Switchboard(configured())
    assert [name for name, entry in board.entries.items() if entry.switch.anywhere] == ["ftp"]
    assert board.ports(BOTH) == (HelperPort(FTP, TCP, 21),)


def test_the_file_says_for_whom_each_is_enabled_and_on_which_ports() -> None:
    network = {"cidr": str(GUESTS), "helpers": {"ftp": False}}
    helpers = {"irc": {"enabled": True, "ports": [6667, 7000, 6667]}}
    board = Switchboard(configured(helpers=helpers, network=[network], timeouts={"expectation": "90s"}))
    assert board.ports(BOTH) == (
        HelperPort(FTP, TCP, 21, (LAN,)),
        HelperPort(IRC, TCP, 6667),
        HelperPort(IRC, TCP, 7000),
    )
    assert board.ports((GUESTS,)) == board.ports(BOTH)[1:]
    assert board.expectation_s == 90


def test_the_narrowest_network_of_the_file_counts() -> None:
    networks = [
        {"cidr": "192.168.2.128/25", "helpers": {"ftp": True}},
        {"cidr": "192.168.0.0/16", "helpers": {"ftp": False}},
    ]
    board = Switchboard(configured(network=networks))
    assert board.ports(BOTH) == (HelperPort(FTP, TCP, 21, (IPv4Network("192.168.2.128/25"),)),)


def test_a_change_lasts_until_a_reload() -> None:
    board = Switchboard(configured())
    board.set_enabled("ftp", False, None)
    assert board.ports(BOTH) == ()
    board.set_enabled("irc", True, GUESTS)
    assert board.ports(BOTH) == (HelperPort(IRC, TCP, 6667, (GUESTS,)),)
    board.adopt(configured())
    assert board.ports(BOTH) == (HelperPort(FTP, TCP, 21),)


def test_a_helper_there_is_none_of_or_that_does_not_load_is_refused(others: Path) -> None:
    board = Switchboard(configured())
    assert board.entries.keys() == {*protocols.NAMES, "telephone"}
    with pytest.raises(NoSuchHelper, match=r'no helper "fpt"; did you mean "ftp"\?'):
        board.set_enabled("fpt", True, None)
    with pytest.raises(HelperRefused, match="cannot be loaded: ModuleNotFoundError"):
        board.set_enabled("broken", True, None)


def test_a_helper_that_would_share_a_port_is_not_enabled() -> None:
    board = Switchboard(configured(helpers={"irc": {"enabled": False, "ports": [21]}}))
    with pytest.raises(HelperRefused, match="tcp port 21 is the ftp helper's, which is enabled; disable"):
        board.set_enabled("irc", True, GUESTS)
    board.set_enabled("ftp", False, None)
    board.set_enabled("irc", True, GUESTS)
    with pytest.raises(HelperRefused):
        board.set_enabled("ftp", True, LAN)


def test_a_helper_is_made_with_its_options_and_anew_when_they_change(others: Path) -> None:
    def written(**options: Any) -> Config:
        return configured(helpers={"telephone": {"enabled": True, **options}})

    board = Switchboard(written(loud=True))
    first = board.entries["telephone"]
    assert first.options == {"loud": True}
    assert first.helper.loud  # type: ignore[attr-defined]
    assert first.number == len(protocols.NAMES) + 2, "broken has the number before it"
    board.adopt(written(loud=True, ports=[1, 2]))
    assert board.entries["telephone"].helper is first.helper
    assert [port.port for port in board.ports(BOTH) if port.protocol == UDP] == [1, 2]
    board.adopt(written())
    assert board.entries["telephone"].helper is not first.helper


def test_a_helper_that_is_enabled_later_has_its_options() -> None:
    board = Switchboard(configured(helpers={"sip": {"enabled": False, "mode": "full"}}))
    board.set_enabled("sip", True, None)
    assert vars(board.entries["sip"].helper) == vars(registry.kind("sip")(mode="full"))


def test_what_the_core_cannot_hold_is_left_out_and_told() -> None:
    many = [{"cidr": f"192.168.1.{2 * odd}/32", "helpers": {"ftp": False, "irc": True}} for odd in range(100)]
    helpers = {"irc": {"enabled": False, "ports": list(range(7000, 7009))}}
    board = Switchboard(configured(network=many, helpers=helpers))
    assert {port.helper for port in board.ports((LAN,))} == {FTP, IRC}
    assert board.problem == ""
    helpers = {"irc": {"enabled": False, "ports": list(range(7000, 7020))}}
    board.adopt(configured(network=many, helpers=helpers))
    assert {port.helper for port in board.ports((LAN,))} == {FTP}
    assert board.problem == "no room for the networks of irc: disabled; name fewer or wider ones"


def test_a_switch_says_whether_it_is_enabled_anywhere() -> None:
    assert Switch(True).anywhere
    assert Switch(False, ((LAN, True),)).anywhere
    assert not Switch(False).anywhere
