"""The endpoints in replies of a port mapper inside, through the real engine and core."""

from ipaddress import IPv4Address

import pytest
from support.packets import SYN, tcp, udp
from support.router import CLIENT, OTHER_CLIENT, OTHER_SERVER, SERVER

from helpers.engine.announcing import not_acted_on
from helpers.engine.bed import PORT
from helpers.protocols.ends import expected
from helpers.protocols.portmap.calls import (
    ANYWHERE,
    CALLIT,
    DUMP,
    GETADDRLIST,
    GETPORT,
    GETVERSADDR,
    IN,
    INDIRECT,
    NFS,
    OUT,
    STATUS,
    TCP,
    UDP,
    Server,
    call,
    getaddr,
    getport,
    reply,
    text,
    universal,
    words,
)

BOTH = pytest.mark.parametrize("transport", ["udp", "tcp"])


@BOTH
@pytest.mark.parametrize("protocol", [TCP, UDP])
def test_version_2_tells_the_external_port_and_lets_the_caller_in(transport: str, protocol: int) -> None:
    server = Server(transport)
    assert server.say(OUT, getport(protocol)) == getport(protocol)
    told = server.say(IN, reply(words(2049)))
    (row,) = [row for row in server.bed.table.sessions() if row.state == "expected"]
    assert told == reply(words(row.external[1]))
    assert (row.internal, row.remote[0], row.protocol) == ((CLIENT, 2049), SERVER, protocol)
    if protocol == TCP:
        packet = tcp(SERVER, 900, *row.external, SYN)
    else:
        packet = udp(SERVER, 900, *row.external, b"null")
    (arrived,) = server.bed.send(packet, inbound=True)
    assert (arrived[16:20], int.from_bytes(arrived[22:24])) == (CLIENT.packed, 2049)


@BOTH
@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize("procedure", [GETPORT, GETVERSADDR])
@pytest.mark.parametrize("port", [1024, 2049, 65535])
def test_versions_3_and_4_tell_the_external_endpoint(
    transport: str, version: int, procedure: int, port: int
) -> None:
    server = Server(transport)
    asked = getaddr(*server.external, procedure, version=version)
    assert server.say(OUT, asked) == getaddr(CLIENT, PORT, procedure, version=version)
    told = server.say(IN, reply(universal(CLIENT, port)))
    assert told == reply(universal(*expected(server.bed)[port]))


@BOTH
def test_the_port_mapper_s_own_endpoint_is_the_session_s(transport: str) -> None:
    server = Server(transport)
    server.say(OUT, getaddr(*server.external))
    assert server.say(IN, reply(universal(CLIENT, PORT))) == reply(universal(*server.external))
    server.say(OUT, getport(TCP))
    assert server.say(IN, reply(words(PORT))) == reply(words(server.external[1]))
    assert expected(server.bed) == {}


@BOTH
def test_a_dump_of_version_2(transport: str) -> None:
    server = Server(transport)
    server.say(OUT, call(2, DUMP))
    rows = [(100000, TCP, PORT), (NFS, TCP, 2049), (NFS, UDP, 2049), (STATUS, UDP, 32765), (NFS, TCP, 2049)]
    listed = [words(1, program, 3, protocol, port) for program, protocol, port in rows]
    told = server.say(IN, reply(*listed, words(0)))
    now = {(row.protocol, row.internal[1]): row.external[1] for row in server.bed.table.sessions()}
    external = [
        words(1, program, 3, protocol, now.get((protocol, port), PORT)) for program, protocol, port in rows
    ]
    assert told == reply(*external, words(0))
    assert len(expected(server.bed)) == 2


@BOTH
def test_a_dump_of_version_4_keeps_the_address_that_means_any(transport: str) -> None:
    server = Server(transport)

    def listed(address: IPv4Address, port: int, network: bytes = b"tcp") -> bytes:
        return words(1, NFS, 3) + text(network) + universal(address, port) + text(b"superuser")

    six = words(1, NFS, 3) + text(b"tcp6") + text(b"::.8.1") + text(b"superuser")
    local = words(1, NFS, 3) + text(b"local") + text(b"/run/rpcbind.sock") + text(b"superuser")
    server.say(OUT, call(4, DUMP))
    told = server.say(IN, reply(six, listed(ANYWHERE, 2049), local, listed(CLIENT, 4045, b"udp"), words(0)))
    now = expected(server.bed)
    assert told == reply(six, listed(ANYWHERE, now[2049][1]), local, listed(*now[4045], b"udp"), words(0))


def test_a_list_of_addresses() -> None:
    server = Server("udp")

    def entry(address: IPv4Address, port: int, transport: bytes) -> bytes:
        return (
            words(1) + universal(address, port) + text(transport) + words(1) + text(b"inet") + text(transport)
        )

    server.say(OUT, getaddr(*server.external, GETADDRLIST))
    told = server.say(IN, reply(entry(CLIENT, 2049, b"tcp"), entry(CLIENT, 4045, b"udp"), words(0)))
    now = expected(server.bed)
    assert told == reply(entry(*now[2049], b"tcp"), entry(*now[4045], b"udp"), words(0))


def test_calls_passed_on() -> None:
    """The result of the other program's procedure stays, whatever is in it."""
    server = Server("udp")
    result = text(universal(CLIENT, 5000) + words(2049))
    server.say(OUT, call(2, CALLIT, words(NFS, 3, 0), text(b"")))
    assert server.say(IN, reply(words(2049), result)) == reply(words(expected(server.bed)[2049][1]), result)
    for procedure in (CALLIT, INDIRECT):
        server.say(OUT, call(4, procedure, words(NFS, 3, 0), text(b"")))
        told = server.say(IN, reply(universal(CLIENT, 2050), result))
        assert told == reply(universal(*expected(server.bed)[2050]), result)


@BOTH
@pytest.mark.parametrize(
    "said",
    [
        reply(words(0)),
        reply(words(2049), number=8),
        words(7, 1, 1, 0, 2, 2) + words(2049),
        words(7, 1, 0, 0, 0, 1) + words(2049),
    ],
    ids=["not registered", "of another call", "denied", "no such program"],
)
def test_replies_without_an_endpoint_stay(transport: str, said: bytes) -> None:
    server = Server(transport)
    server.say(OUT, getport(TCP))
    assert server.say(IN, said) == said
    assert (expected(server.bed), not_acted_on(server.bed, "portmap")) == ({}, {})


@BOTH
@pytest.mark.parametrize(
    ("said", "why"),
    [
        (reply(words(1023)), "privileged"),
        (reply(words(65536)), "malformed"),
        (reply(words(0xFFFFFFFF)), "malformed"),
    ],
)
def test_ports_that_nobody_may_open_stay_and_are_counted(transport: str, said: bytes, why: str) -> None:
    server = Server(transport)
    server.say(OUT, getport(TCP))
    assert server.say(IN, said) == said
    assert (expected(server.bed), not_acted_on(server.bed, "portmap")) == ({}, {why: 1})


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (universal(OTHER_CLIENT, 2049), "forged"),
        (text(b"192.168.1.10.256.1"), "malformed"),
        (text(b"192.168.1.10.8.1x"), "malformed"),
    ],
)
def test_addresses_that_are_not_the_server_s_stay_and_are_counted(said: bytes, why: str) -> None:
    server = Server("udp")
    server.say(OUT, getaddr(*server.external))
    assert server.say(IN, reply(said)) == reply(said)
    assert (expected(server.bed), not_acted_on(server.bed, "portmap")) == ({}, {why: 1})


@BOTH
def test_two_callers_with_equal_ports_and_numbers(transport: str) -> None:
    one = Server(transport)
    other = Server(transport, far=OTHER_SERVER, bed=one.bed)
    told = set()
    for server in (one, other):
        server.say(OUT, getport(TCP))
    for server in (one, other):
        told.add(server.say(IN, reply(words(2049))))
    rows = [row for row in one.bed.table.sessions() if row.state == "expected"]
    assert {row.remote[0] for row in rows} == {SERVER, OTHER_SERVER}
    assert told == {reply(words(row.external[1])) for row in rows}


def test_a_reply_is_read_once() -> None:
    """A host that repeats an answer, or guesses its number, announces nothing more."""
    server = Server("udp")
    server.say(OUT, getport(TCP))
    first = server.say(IN, reply(words(2049)))
    assert server.say(IN, reply(words(2050))) == reply(words(2050))
    assert first != reply(words(2049)) or expected(server.bed)[2049][1] == 2049
    assert set(expected(server.bed)) == {2049}
