"""What a file may say of helpers."""

from pathlib import Path
from typing import Any

import pytest

from config.documents import document, reason, reasons
from nfmasq.config import parse, warnings_of
from nfmasq.core.limits import MOST_HELPER_PORTS
from nfmasq.helpers import registry
from nfmasq.helpers.kit.base import transports_of
from nfmasq.helpers.protocols import NAMES


def helpers(**written: Any) -> dict[str, Any]:
    """A document with this [helpers]."""
    return document(helpers=written)


def test_a_helper_there_is_none_of_names_the_nearest_or_all() -> None:
    assert reason(helpers(irk=True), "helpers.irk") == 'there is no helper "irk"; did you mean "irc"?'
    assert reason(helpers(zzz={"enabled": False}), "helpers.zzz") == (
        f'there is no helper "zzz"; there are: {", ".join(NAMES)}'
    )
    wrong = document(network=[{"cidr": "10.0.0.0/8", "helpers": {"fpt": False}}])
    assert reason(wrong, "network[0].helpers.fpt") == 'there is no helper "fpt"; did you mean "ftp"?'


def test_a_helper_of_others_is_known_by_its_entry_point(others: Path) -> None:
    assert parse(helpers(telephone=True)).helpers["telephone"].enabled
    assert reason(helpers(telefone=True), "helpers.telefone").endswith('did you mean "telephone"?')


def test_the_options_of_a_helper_are_its_own(others: Path) -> None:
    config = parse(helpers(telephone={"enabled": True, "loud": True, "rings": 5, "lines": [1, 2]}))
    assert config.helpers["telephone"].options == {"loud": True, "rings": 5, "lines": [1, 2]}
    wrong = helpers(telephone={"enabled": True, "ring": 5, "loud": 1, "rings": "5", "lines": ["x"], "zzz": 1})
    told = reasons(wrong)
    assert told.pop("helpers.telephone.lines").startswith("must be otherwise: ")
    assert told == {
        "helpers.telephone.ring": 'unknown key; did you mean "rings"?',
        "helpers.telephone.loud": "must be true or false, not 1",
        "helpers.telephone.rings": 'must be a whole number, not the string "5"',
        "helpers.telephone.zzz": (
            "unknown key; there are: enabled, ports, loud, rings, greeting, lines"
        ),
    }  # fmt: skip


def test_what_a_helper_says_of_a_value_is_told(others: Path) -> None:
    wrong = helpers(telephone={"enabled": True, "rings": 10})
    assert reason(wrong, "helpers.telephone") == "nobody waits for more than 9 rings"


def test_a_helper_that_cannot_be_loaded_is_a_warning_and_not_an_error(others: Path) -> None:
    config = parse(helpers(broken={"enabled": True, "who_knows": 1}))
    (told,) = warnings_of(config)
    assert told == (
        "helpers.broken: cannot be loaded: ModuleNotFoundError: No module named 'nothing_of_this_name'; "
        "it stays disabled"
    )


def test_two_helpers_that_are_on_do_not_share_a_port(others: Path) -> None:
    assert parse(helpers(irc={"enabled": False, "ports": [21]}))
    assert parse(helpers(telephone={"enabled": True, "ports": [21]})), "tcp and udp ports are others"
    wrong = helpers(irc={"enabled": True, "ports": [6667, 21]})
    assert reason(wrong, "helpers.irc.ports[1]") == (
        "tcp port 21 is the ftp helper's already; give each ports of its own"
    )
    wrong = helpers(irc={"enabled": True, "ports": [2121]}, ftp={"enabled": True, "ports": [2121]})
    assert list(reasons(wrong)) == ["helpers.irc.ports[0]"]
    wrong = helpers(irc={"enabled": False, "ports": [21]})
    wrong["network"] = [{"cidr": "10.0.0.0/8", "helpers": {"irc": True}}]
    assert list(reasons(wrong)) == ["helpers.irc.ports[0]"]


def test_a_helper_minds_its_own_ports_when_the_other_took_them_by_name(others: Path) -> None:
    assert parse(helpers(ftp={"enabled": True, "ports": [2121]}, irc={"enabled": True, "ports": [21]}))
    wrong = helpers(irc={"enabled": True, "ports": [21]}, ftp=True)
    assert list(reasons(wrong)) == ["helpers.irc.ports[0]"]


def test_there_are_as_many_ports_as_the_core_holds() -> None:
    others = [registry.kind(name)() for name in NAMES if name != "irc"]
    room = MOST_HELPER_PORTS - sum(len(each.ports) * len(transports_of(each)) for each in others)
    assert parse(helpers(irc={"enabled": True, "ports": list(range(7000, 7000 + room))}))
    wrong = helpers(irc={"enabled": True, "ports": list(range(7000, 7001 + room))})
    assert reason(wrong, "helpers") == "257 ports for all helpers together; at most 256"


@pytest.mark.parametrize("enabled", [False, True])
def test_an_option_is_judged_whether_its_helper_is_enabled_or_not(enabled: bool) -> None:
    assert parse(helpers(sip={"enabled": enabled, "mode": "full"}))
    assert "must be otherwise" in reason(
        helpers(sip={"enabled": enabled, "mode": "half"}), "helpers.sip.mode"
    )
    assert "unknown key" in reason(helpers(sip={"enabled": enabled, "mood": "full"}), "helpers.sip.mood")


def test_one_network_may_have_a_helper_otherwise() -> None:
    config = parse(document(network=[{"cidr": "10.0.0.0/8", "helpers": {"ftp": False, "irc": True}}]))
    assert config.network[0].helpers == {"ftp": False, "irc": True}
    wrong = document(network=[{"cidr": "10.0.0.0/8", "helpers": {"ftp": "off"}}])
    assert reason(wrong, "network[0].helpers.ftp") == 'must be true or false, not the string "off"'
    wrong = document(network=[{"cidr": "10.0.0.0/8", "helpers": ["ftp"]}])
    assert "must be a table" in reason(wrong, "network[0].helpers")
