"""Packets that turn round at a real router: once, and never with a source of the sender's choice."""

from ipaddress import IPv4Address

import pytest
from support.packets import EXCEEDED, read, udp

from hardening.ends import CLIENT, OTHER_CLIENT, SERVER, Ends
from hardening.segments import segment
from hardening.test_ip_icmp import with_lifetime
from nfmasq.lab.topology import EXTERNAL, ROUTER_INTERNAL, SERVER1

PORT, OTHER_PORT = 1800, 1900


def _known_as(ends: Ends, port: int) -> int:
    (left,) = ends.out([udp(CLIENT, port, SERVER, 53)])
    return read(left).source_port


@pytest.mark.parametrize("lifetime", [1, 2, 64])
def test_a_packet_turns_round_once(lifetime: int, ends: Ends) -> None:
    """Hairpin spoof or loop.

    It is seen once, one hop older; one that has no hop left is not sent on.
    """
    near, other = _known_as(ends, PORT), _known_as(ends, OTHER_PORT)
    ends.turned([udp(CLIENT, PORT, EXTERNAL, other)])  # for filtering: it speaks with this address
    came = ends.turned([with_lifetime(udp(CLIENT, OTHER_PORT, EXTERNAL, near), lifetime)])
    turned = [each for each in came if each[9] == 17]
    assert len(turned) == (lifetime > 1)
    for each in turned:
        assert (read(each).source, read(each)[2:]) == (EXTERNAL, (CLIENT, PORT))
        assert each[8] == lifetime - 1
    assert [each[20] for each in came if each[9] == 1] == ([] if lifetime > 1 else [EXCEEDED])


@pytest.mark.parametrize(
    "source", [EXTERNAL, ROUTER_INTERNAL, SERVER, SERVER1, IPv4Address("10.1.2.3")], ids=str
)
def test_a_spoofed_source_does_not_turn_round(source: IPv4Address, ends: Ends) -> None:
    """Hairpin spoof or loop.

    The kernel takes its own addresses from nobody, and nfmasq what is not inside.
    """
    near, other = _known_as(ends, PORT), _known_as(ends, OTHER_PORT)
    ends.turned([udp(CLIENT, PORT, EXTERNAL, other)])
    sent = [udp(source, OTHER_PORT, EXTERNAL, near), segment(source, OTHER_PORT, EXTERNAL, near)]
    assert not [each for each in ends.turned(sent) if each[9] in (17, 6) and read(each)[2:] == (CLIENT, PORT)]


def test_nobody_s_endpoint_turns_nothing_round(ends: Ends) -> None:
    """Hairpin spoof or loop.

    An external port that no host has leads nowhere, and the router's own stack does not answer in its place.
    """
    assert not ends.turned([udp(OTHER_CLIENT, OTHER_PORT, EXTERNAL, 31998)])
