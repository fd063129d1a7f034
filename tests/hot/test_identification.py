"""IP identifications of what leaves are the router's own where they matter (RFC 6864 section 5.3.1)."""

import struct

from support.packets import UDP, ip_sum_is_right, put, summed, udp, word
from support.packets import checksum as internet_checksum
from support.router import CLIENT, EXTERNAL, OTHER_CLIENT, SERVER, Router


def without_df(packet: bytes) -> bytes:
    """The same datagram, with leave to cut it up."""
    packet = put(put(packet, 6, b"\0\0"), 10, b"\0\0")
    return put(packet, 10, word(internet_checksum(packet[:20])))


def identification(packet: bytes) -> int:
    """The field."""
    (number,) = struct.unpack_from("!H", packet, 4)
    assert isinstance(number, int)
    return number


def test_two_hosts_datagrams_never_carry_the_same_identification(router: Router) -> None:
    seen = []
    for _ in range(100):
        for host in (CLIENT, OTHER_CLIENT):
            sent = router.out(without_df(udp(host, 40000, SERVER, 53)))
            assert ip_sum_is_right(sent)
            seen.append(identification(sent))
    assert len(set(seen)) == 200


def test_a_super_packet_takes_a_number_for_each_of_its_parts(router: Router) -> None:
    payload = struct.pack("!HHHH", 40000, 53, 8 + 8000, 0) + bytes(8000)
    packet = udp(CLIENT, 40000, SERVER, 53, bytes(8000))
    assert packet[20:28] == summed(CLIENT, SERVER, UDP, payload)[:8]
    first = identification(router.out(without_df(packet), checksum_ready=False, gso=True))
    then = identification(router.out(without_df(udp(CLIENT, 40000, SERVER, 53))))
    assert (then - first) % 65536 >= 8000 // 1472 + 1


def test_a_datagram_that_may_not_be_cut_up_keeps_its_own(router: Router) -> None:
    assert identification(router.out(udp(CLIENT, 40000, SERVER, 53))) == 0x1234


def test_what_comes_in_keeps_its_own(router: Router) -> None:
    near = struct.unpack_from("!H", router.out(udp(CLIENT, 40000, SERVER, 53)), 20)[0]
    assert identification(router.into(without_df(udp(SERVER, 53, EXTERNAL, near)))) == 0x1234
