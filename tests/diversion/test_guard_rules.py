"""What the guard stops by which interface, what it lets go, and how it counts."""

import socket
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Network

import pytest
from support.path import CLIENT, EXTERNAL, PORT, SERVER, Path
from support.wire import UDP, Wire

from diversion.test_exempt import _is_the_end, _spoof
from diversion.test_guard import guarding
from diversion.traffic import ICMP, TIME_EXCEEDED, eventually, udp
from nfmasq.diversion import DiversionPlan, guard
from nfmasq.lab.namespace import join

__all__ = ["guarding"]

pytestmark = pytest.mark.root

OTHER, PRIVATE, SITE = "198.51.100.9", "172.17.0.9", "192.0.2.9"
"""By another interface: a public host, a private one, and a public one with a route of its own."""
PUBLIC, PUBLIC_HOST = IPv4Network("192.0.2.128/28"), "192.0.2.130"

Laid = Callable[[DiversionPlan], None]


@pytest.fixture
def laid(path: Path, guarding: str) -> Laid:
    """Lay the guard on a router with one more interface, which nobody named."""
    join(path.router, "eth9", path.server, "s9")
    path.router.ip("address add 10.9.0.1/24 dev eth9", "route add default via 10.9.0.9",
                   f"route add {SITE}/32 via 10.9.0.9")  # fmt: skip
    path.server.ip("address add 10.9.0.9/24 dev s9",
                   *(f"address add {host}/32 dev lo" for host in (OTHER, PRIVATE, SITE)))  # fmt: skip

    def lay(plan: DiversionPlan) -> None:
        path.router.call(guard.install, plan)
        assert path.router.call(guard.present)

    return lay


def _passes(path: Path, destination: str, send: Callable[[], None] | None = None) -> bool:
    """Does what the client sends come to the server?"""
    with Wire(path.server, "s9") as wire:
        if send:
            send()
        else:
            udp(path.client, destination, PORT)
        udp(path.router, "10.9.0.9", PORT, b"end")
        return any(
            seen.protocol == UDP and seen.packet[16:20] == socket.inet_aton(destination)
            for seen in wire.until(_is_the_end)
        )


def _dropped(path: Path) -> dict[str, int]:
    counts: dict[str, int] = path.router.call(guard.dropped)
    return {name: count for name, count in counts.items() if count}


def test_by_an_interface_nobody_named_no_internal_source_leaves_for_a_public_destination(
    path: Path, laid: Laid, plan: DiversionPlan
) -> None:
    assert _passes(path, OTHER), "there was nothing to stop"
    laid(plan)
    assert not _passes(path, OTHER)
    assert _dropped(path) == {"elsewhere": 1}


def test_private_destinations_and_networks_with_a_route_of_their_own_are_reached(
    path: Path, laid: Laid, plan: DiversionPlan
) -> None:
    laid(replace(plan, elsewhere=(IPv4Network(f"{SITE}/32"), IPv4Network("172.17.0.0/16"))))
    assert _passes(path, PRIVATE)
    assert _passes(path, SITE)
    assert not _passes(path, OTHER)


def test_an_unguarded_interface_is_left_alone(path: Path, laid: Laid, plan: DiversionPlan) -> None:
    laid(replace(plan, unguarded=("eth9",)))
    assert _passes(path, OTHER)


def test_an_internal_interface_is_left_alone(path: Path, laid: Laid, plan: DiversionPlan) -> None:
    laid(replace(plan, internal=("lan0", "eth9")))
    assert _passes(path, OTHER)


def test_the_routers_own_packets_pass_though_its_address_lies_within_the_networks_behind_it(
    path: Path, laid: Laid, plan: DiversionPlan
) -> None:
    laid(replace(plan, networks=(IPv4Network("203.0.0.0/8"), IPv4Network("192.168.1.0/24"))))
    with path.receiver() as receiver:
        udp(path.router, SERVER, PORT, b"own")
        assert receiver.recv(100) == b"own"


def test_an_untranslated_source_passes_from_inside_and_not_from_outside(
    path: Path, laid: Laid, plan: DiversionPlan
) -> None:
    path.client.ip(f"address add {PUBLIC_HOST}/32 dev c0")
    laid(replace(plan, untranslated=(PUBLIC,)))
    with path.receiver() as receiver:
        _spoof(path, SERVER, PUBLIC_HOST)
        assert receiver.recvfrom(100)[1][0] == PUBLIC_HOST
    assert _dropped(path) == {}
    path.server.ip(f"address add {PUBLIC_HOST}/32 dev lo", f"route add {CLIENT}/32 via {EXTERNAL}")
    with path.server.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind((PUBLIC_HOST, 0))
        opened.sendto(b"spoofed", (CLIENT, PORT))
    assert eventually(lambda: _dropped(path) == {"spoofed": 1})


def test_every_uplink_is_guarded_and_its_drops_are_counted(
    path: Path, laid: Laid, plan: DiversionPlan
) -> None:
    laid(plan)
    for _ in range(3):
        udp(path.client, SERVER, PORT)
    assert eventually(lambda: _dropped(path) == {"external": 3})


def test_an_error_that_quotes_an_internal_address_is_dropped_and_counted(
    path: Path, laid: Laid, plan: DiversionPlan
) -> None:
    path.server.ip(f"route add {CLIENT}/32 via {EXTERNAL}")
    laid(plan)
    with Wire(path.server, "s0") as wire:
        with path.server.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as dying:
            dying.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
            dying.sendto(b"dies", (CLIENT, PORT))
        udp(path.router, SERVER, PORT, b"end")
        seen = [each.packet[20] for each in wire.until(_is_the_end) if each.protocol == ICMP]
    assert TIME_EXCEEDED not in seen
    assert _dropped(path) == {"quoted": 1}


def test_without_a_guard_nothing_is_counted(path: Path, guarding: str) -> None:
    assert path.router.call(guard.dropped) == {}
