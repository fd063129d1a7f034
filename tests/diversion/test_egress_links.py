"""The egress program on links of every kind, on several uplinks, and under other names."""

import fcntl
import os
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from scapy.layers import inet
from support.path import CLIENT, EXTERNAL, PORT, SERVER, Path
from support.paths import outside
from support.situations import rename

from diversion.traffic import OWN_PORT, eventually, udp
from nfmasq.diversion import DiversionPlan
from nfmasq.diversion.egress import EgressGuard
from nfmasq.lab.namespace import Namespace, join
from nfmasq.lab.wire import Wire

pytestmark = pytest.mark.root

FAR, ROUTED, BEYOND = "198.51.100.9", "198.51.100.77", "192.0.2.1"
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 1, 0x1000


@contextmanager
def _guard(path: Path, plan: DiversionPlan) -> Iterator[EgressGuard]:
    made = EgressGuard()
    path.router.call(made.install, plan)
    try:
        yield made
    finally:
        path.router.call(made.remove)


def _dropped(guard: EgressGuard) -> dict[str, int]:
    return {name: count for name, count in guard.dropped().items() if count}


@contextmanager
def _tun(router: Namespace, name: str) -> Iterator[int]:
    """A link without hardware addresses, as PPP and most tunnels are; what leaves by it can be read."""

    def opened() -> int:
        number = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(number, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
        return number

    number: int = router.call(opened)
    try:
        yield number
    finally:
        os.close(number)


def _read(number: int) -> list[bytes]:
    packets = []
    while True:
        try:
            packets.append(os.read(number, 65536))
        except BlockingIOError:
            return packets


def _segment(flags: int, to_port: int) -> bytes:
    return bytes(inet.IP(src=FAR, dst=EXTERNAL) / inet.TCP(sport=80, dport=to_port, flags=flags))


def test_a_link_without_a_hardware_header_is_guarded(path: Path, plan: DiversionPlan) -> None:
    with _tun(path.router, "ppp9") as link:
        path.router.ip(
            "link set ppp9 up", "address add 203.0.113.1/32 dev ppp9", f"route add {FAR}/32 dev ppp9"
        )
        with _guard(path, replace(plan, externals=outside(EXTERNAL, name="ppp9"))) as guard:
            udp(path.client, FAR, PORT, b"from inside")
            assert eventually(lambda: _dropped(guard) == {"external": 1})
            for port in (2000, OWN_PORT):
                os.write(link, _segment(0x10, port))
            assert eventually(lambda: _dropped(guard).get("own_answer") == 1)
            udp(path.router, FAR, PORT, b"end")
            sent = _gathered(lambda: _read(link), _ends)
    answers = [packet for packet in sent if packet[0] >> 4 == 4 and packet[9] == socket.IPPROTO_TCP]
    assert [struct.unpack_from("!H", each, 20)[0] for each in answers] == [OWN_PORT], (
        "its RST is the router's"
    )
    assert not any(packet[12:16] == socket.inet_aton(CLIENT) for packet in sent)


def _gathered(read: Callable[[], Iterable[bytes]], last: Callable[[bytes], bool]) -> list[bytes]:
    """All packets until the last one."""
    packets: list[bytes] = []

    def came() -> bool:
        packets.extend(read())
        return any(map(last, packets))

    assert eventually(came)
    return packets


def _ends(packet: bytes) -> bool:
    return packet.endswith(b"end")


def test_a_packet_of_a_vlan_above_the_interface_is_no_business_of_its_guard(
    path: Path, plan: DiversionPlan
) -> None:
    """A router on a stick: its internal networks are VLANs of the external interface.

    A bridge hands on a tagged frame as a VLAN interface does, with the tag beside it.
    """
    left, right = Namespace("left"), Namespace("right")
    try:
        join(left, "l0", path.router, "port0")
        join(path.router, "port1", right, "r0")
        path.router.ip(
            "link add bridge0 type bridge", "link set bridge0 up",
            "link set port0 master bridge0", "link set port1 master bridge0",
        )  # fmt: skip
        packet = _datagram(CLIENT, SERVER)
        ethernet = b"\xff" * 6 + b"\2\0\0\0\0\1"
        with (
            _guard(path, replace(plan, externals=outside(EXTERNAL, name="port1"))) as guard,
            Wire(left, "l0") as sends,
            Wire(right, "r0") as sees,
        ):
            sends.send(ethernet + b"\x08\x00" + packet)
            assert eventually(lambda: _dropped(guard) == {"external": 1}), "without a tag"
            sends.send(ethernet + b"\x81\x00\x00\x14\x08\x00" + packet)
            assert _gathered(sees.seen, lambda seen: packet in seen)
        assert _dropped(guard) == {}
    finally:
        left.close()
        right.close()


def _datagram(source: str, destination: str) -> bytes:
    return bytes(inet.IP(src=source, dst=destination) / inet.UDP(sport=5000, dport=PORT) / b"datagram")


def test_each_of_several_uplinks_is_guarded_whatever_address_goes_by_it(
    path: Path, plan: DiversionPlan
) -> None:
    """What the stack would answer for the first uplink's address may leave by the second."""
    other = Namespace("other")
    try:
        join(path.router, "wan1", other, "o0")
        path.router.ip("address add 203.0.114.1/24 dev wan1", f"route add {FAR}/32 via 203.0.114.9")
        other.ip("address add 203.0.114.9/24 dev o0", f"address add {FAR}/32 dev lo",
                 f"route add {EXTERNAL}/32 via 203.0.114.1")  # fmt: skip
        path.server.ip(f"address add {FAR}/32 dev lo")
        both = (*outside(EXTERNAL), *outside("203.0.114.1", name="wan1"))
        with _guard(path, replace(plan, externals=both)) as guard:
            udp(path.client, SERVER, PORT)
            udp(path.client, FAR, PORT)
            assert eventually(lambda: _dropped(guard) == {"external": 2})
            for host in (path.server, other):
                with host.call(socket.socket, socket.AF_INET, socket.SOCK_STREAM) as opened:
                    opened.bind((FAR, 0))
                    opened.setblocking(False)
                    opened.connect_ex((EXTERNAL, 2000))
            assert eventually(lambda: guard.dropped()["own_answer"] >= 2)
    finally:
        other.close()


def test_the_routers_multicast_with_an_internal_source_is_dropped_and_counted(
    path: Path, plan: DiversionPlan
) -> None:
    def announce() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
            opened.bind(("192.168.1.1", 0))
            group = socket.inet_aton("224.0.0.251")
            index = socket.if_nametoindex("wan0")
            opened.setsockopt(
                socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("=4s4si", group, bytes(4), index)
            )
            opened.sendto(b"announcement", ("224.0.0.251", 5353))

    with _guard(path, plan) as guard, Wire(path.server, "s0") as wire:
        path.router.call(announce)
        assert eventually(lambda: _dropped(guard) == {"external": 1})
        udp(path.router, SERVER, PORT, b"end")
        assert not any(b"announcement" in each for each in _until_end(wire))


def _until_end(wire: Wire) -> list[bytes]:
    return _gathered(wire.seen, _ends)


@pytest.mark.parametrize("addresses", [(ROUTED,), ()])
def test_what_is_for_an_address_on_no_interface_does_not_go_back_out(
    path: Path, plan: DiversionPlan, addresses: tuple[str, ...]
) -> None:
    path.router.ip(f"route add default via {SERVER}")
    path.server.ip(f"route add {ROUTED} via {EXTERNAL}", f"address add {BEYOND}/32 dev lo")
    with _guard(path, replace(plan, externals=outside(*addresses))) as guard:
        with path.server.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind((BEYOND, 0))
            stranger.sendto(b"who", (ROUTED, OWN_PORT))
        assert eventually(lambda: _dropped(guard) == {"returned": 1})


def test_under_another_name_an_internal_interface_stays_internal(path: Path, plan: DiversionPlan) -> None:
    """Its networks are unknown meanwhile."""
    with _guard(path, plan) as guard:
        rename(path.router, "lan0", "other0")
        path.router.call(guard.keep, replace(plan, networks=()))
        udp(path.client, SERVER, PORT)
        assert eventually(lambda: _dropped(guard) == {"external": 1})
        rename(path.router, "other0", "lan0")
        path.router.call(guard.keep, plan)
        udp(path.client, SERVER, PORT)
        assert eventually(lambda: _dropped(guard) == {"external": 2})


def test_an_interface_that_is_internal_no_more_is_forgotten(path: Path, plan: DiversionPlan) -> None:
    with _guard(path, plan) as guard, path.receiver() as receiver:
        path.router.call(guard.keep, replace(plan, internal=("lo",), networks=()))
        udp(path.client, SERVER, PORT, b"not of nfmasq")
        assert receiver.recv(100) == b"not of nfmasq"
        assert _dropped(guard) == {}


def test_hairpinning_puts_it_at_internal_interfaces_and_takes_it_off(path: Path, plan: DiversionPlan) -> None:
    def filters() -> str:
        return str(path.router.run("tc", "filter", "show", "dev", "lan0", "egress"))

    with _guard(path, replace(plan, hairpinning=True)) as guard:
        assert "nfmasq_egress" in filters()
        path.router.call(guard.keep, plan)
        assert filters() == ""
        path.router.call(guard.keep, replace(plan, hairpinning=True))
        later = EgressGuard()
        path.router.call(later.install, plan)
        assert filters() == "", "an earlier process's is taken off too"


def test_internal_and_external_may_change_places(path: Path, plan: DiversionPlan) -> None:
    with _guard(path, replace(plan, hairpinning=True)) as guard:
        swapped = replace(
            plan, hairpinning=True, internal=("wan0",), externals=outside("192.168.1.1", name="lan0")
        )
        path.router.call(guard.keep, replace(swapped, networks=()))
        assert path.router.call(guard.present)
        path.server.ip(f"route add 192.168.1.0/24 via {EXTERNAL}")
        udp(path.server, CLIENT, PORT)
        assert eventually(lambda: _dropped(guard) == {"external": 1})
