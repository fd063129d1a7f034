"""What is wrong with a good configuration on this machine. Every network namespace has a loopback."""

import socket

from config.documents import document
from nfmasq.config import ConfigError, machine_errors, parse

LOOPBACK = "lo"
MISSING = "zz9"


def test_interfaces_that_exist_are_no_error() -> None:
    assert machine_errors(parse(document(nat={"internal": [LOOPBACK], "external": MISSING}))) == [
        ConfigError("nat.external", f'no interface "{MISSING}" here; there are: {_existing()}')
    ]


def test_a_missing_interface_names_the_nearest_there_is() -> None:
    errors = machine_errors(parse(document(nat={"internal": [MISSING, "loo"], "external": LOOPBACK})))
    assert [error.key for error in errors] == ["nat.internal[0]", "nat.internal[1]"]
    assert errors[1].reason == 'no interface "loo" here; did you mean "lo"?'


def _existing() -> str:
    return ", ".join(sorted(name for _, name in socket.if_nameindex()))
