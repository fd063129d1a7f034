"""The numbers of IP protocols: those of the system, and the same that the configuration takes."""

import socket

from nfmasq.config.protocols import PROTOCOL_NUMBERS
from nfmasq.core.protocols import TCP, TRANSPORT_NUMBERS, UDP


def test_the_numbers_are_those_of_the_system() -> None:
    assert (TCP, UDP) == (socket.IPPROTO_TCP, socket.IPPROTO_UDP)


def test_the_configuration_has_the_same_numbers() -> None:
    assert {name: PROTOCOL_NUMBERS[name] for name in TRANSPORT_NUMBERS} == TRANSPORT_NUMBERS
