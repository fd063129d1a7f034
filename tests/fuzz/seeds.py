"""Well-formed packets of every kind, about sessions of one router, for others to spoil."""

from ipaddress import IPv4Address

from support.packets import (
    ACK,
    AH,
    DCCP,
    ESP,
    FIN,
    GRE,
    PSH,
    SYN,
    UDPLITE,
    UNREACHABLE,
    error,
    ip,
    l4_at,
    portless,
    query,
    read,
    summed,
    tcp,
    udp,
)
from support.router import CLIENT, EXTERNAL, HOP, INNER_ROUTER, OTHER_CLIENT, SERVER, Router, policy

ECHOED_ROUTE = bytes([1, 7, 11, 4]) + INNER_ROUTER.packed + HOP.packed
TIMES = bytes([68, 12, 13, 1]) + OTHER_CLIENT.packed + bytes(4)
OPTIONS = bytes([2, 4, 5, 180, 1, 3, 3, 7])
ROOM = 4096


def a_router() -> Router:
    """A router with room for what the spoilt packets begin."""
    return Router(policy(sessions=ROOM), capacity=ROOM)


def lite(source: IPv4Address, destination: IPv4Address, protocol: int) -> bytes:
    """UDP-Lite or DCCP between two hosts."""
    segment = b"\x11\x11\x22\x22\x00\x00\x00\x00" + bytes(8)
    return ip(source, destination, protocol, summed(source, destination, protocol, segment))


def outbound() -> list[bytes]:
    """What internal hosts send."""
    return [
        tcp(CLIENT, 40000, SERVER, 80, SYN, options=OPTIONS),
        tcp(CLIENT, 40000, SERVER, 80, PSH | ACK, payload=b"GET / HTTP/1.1\r\n\r\n"),
        tcp(CLIENT, 40000, SERVER, 80, FIN | ACK, ip_options=ECHOED_ROUTE),
        udp(CLIENT, 40000, SERVER, 53),
        udp(CLIENT, 40000, SERVER, 53, b"odd", without_sum=True),
        udp(CLIENT, 40001, SERVER, 53, b"", ip_options=ECHOED_ROUTE + TIMES),
        query(CLIENT, SERVER, 7),
        query(CLIENT, SERVER, 8, 13),
        portless(CLIENT, SERVER, GRE),
        portless(CLIENT, SERVER, ESP),
        portless(CLIENT, SERVER, AH),
        lite(CLIENT, SERVER, UDPLITE),
        lite(CLIENT, SERVER, DCCP),
    ]


def answers(sent: list[bytes]) -> list[bytes]:
    """What comes back from outside to what was sent: answers, and errors about each packet."""
    back = []
    for packet in sent:
        near = read(packet)
        if packet[9] == 6:
            back.append(
                tcp(SERVER, 80, EXTERNAL, near.source_port, SYN | ACK, payload=b"page", options=OPTIONS)
            )
        elif packet[9] == 17:
            back.append(udp(SERVER, 53, EXTERNAL, near.source_port, b"answer"))
        elif packet[9] == 1:
            back.append(
                query(SERVER, EXTERNAL, near.source_port, kind=packet[20] + 1 if packet[20] != 8 else 0)
            )
        else:
            back.append(ip(SERVER, EXTERNAL, packet[9], packet[20:]))
        back.append(error(HOP, EXTERNAL, packet))
        back.append(error(HOP, EXTERNAL, packet[: l4_at(packet) + 8], UNREACHABLE, 4, rest=1400))
    back.append(query(SERVER, EXTERNAL, 9))
    return back


def complaints(got: list[bytes]) -> list[bytes]:
    """Errors of internal hosts, and of routers inside, about what they got."""
    about = [packet for packet in got if packet[9] != 1 or packet[20] in (0, 14)]
    return [error(who, SERVER, packet) for packet in about for who in (CLIENT, INNER_ROUTER, OTHER_CLIENT)]


def a_day(router: Router) -> tuple[list[bytes], list[bytes]]:
    """All the well-formed packets there are, outbound and inbound, and the sessions they are about."""
    left = outbound()
    sent = [router.try_out(packet)[1] for packet in left]
    came = answers([packet for packet in sent if packet])
    got = [router.try_in(packet)[1] for packet in came]
    return left + complaints([packet for packet in got if packet]), came
