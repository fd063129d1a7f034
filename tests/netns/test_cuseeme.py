"""CU-SeeMe end to end: two participants with equal ports and a reflector, by scripts."""

from contextlib import closing
from ipaddress import IPv4Address

from helpers.protocols.test_cuseeme import datagram

from netns.scripted import datagrams
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import CLIENT1, CLIENT2, EXTERNAL, SERVER1, Topology

PORT, OPEN_CONTINUE = 7648, 101
LAB = {
    "config": {
        "helpers": {"cuseeme": True},
        "forward": [{"protocol": "udp", "external_port": PORT, "to": f"{CLIENT2}:{PORT}"}],
    }
}
ANOTHER = IPv4Address("203.0.113.30")


def test_a_reflector_and_two_participants_hear_of_each_other_as_outside(
    net: Topology, daemon: DaemonUnderLab
) -> None:
    """A restart between what a participant says and what it hears changes nothing."""
    reflector = (SERVER1, PORT)
    with (
        closing(datagrams(net.server1, PORT)) as far,
        closing(datagrams(net.client1, PORT)) as first,
        closing(datagrams(net.client2, PORT)) as second,
    ):
        ports = {}
        for near, own in ((first, CLIENT1), (second, CLIENT2)):
            near.sendto(datagram(reflector, (own, PORT), OPEN_CONTINUE, own, ANOTHER), (str(SERVER1), PORT))
            heard, (_, port) = far.recvfrom(2000)
            assert heard == datagram(reflector, (EXTERNAL, port), OPEN_CONTINUE, EXTERNAL, ANOTHER)
            ports[near] = port
        assert len(set(ports.values())) == 2
        for is_restarted in (False, True):
            if is_restarted:
                daemon.kill()
                daemon.start()
            for near, own in ((first, CLIENT1), (second, CLIENT2)):
                said = datagram((EXTERNAL, ports[near]), reflector, OPEN_CONTINUE, ANOTHER, EXTERNAL)
                far.sendto(said, (str(EXTERNAL), ports[near]))
                expected = datagram((own, PORT), reflector, OPEN_CONTINUE, ANOTHER, own)
                assert near.recv(2000) == expected


def test_two_participants_meet_by_the_external_address(net: Topology) -> None:
    """Each sees the other as a host outside."""
    with closing(datagrams(net.client1, PORT)) as first, closing(datagrams(net.client2, PORT)) as second:
        first.sendto(
            datagram((EXTERNAL, PORT), (CLIENT1, PORT), OPEN_CONTINUE, CLIENT1), (str(EXTERNAL), PORT)
        )
        heard, (_, port) = second.recvfrom(2000)
        assert heard == datagram((CLIENT2, PORT), (EXTERNAL, port), OPEN_CONTINUE, CLIENT2)
