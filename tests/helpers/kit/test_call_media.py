"""Who may come to the media of a call, whichever is known first: the ports, or the hosts."""

from ipaddress import IPv4Address

from nfmasq.helpers.kit.base import Admitted, Found
from nfmasq.helpers.kit.call_media import MOST_CALL_PORTS, MOST_HOSTS, CallMedia
from nfmasq.helpers.kit.listener import REMOTE as PEER

RELAY, OTHER = IPv4Address("198.51.100.1"), IPv4Address("198.51.100.2")


def pair(port: int) -> list[Found]:
    """What the inside announced: a port, and the next one."""
    return [Found(0, 4, None, port, lambda *_: b"", "udp", consecutive=2)]


def let_in(admitted: list[Admitted]) -> set[tuple[int, IPv4Address]]:
    """Ports, and who may come there."""
    return {(each.port, each.remote) for each in admitted}


def test_a_call_that_goes_out_is_answered() -> None:
    """The peer may send from an address that nobody could name: it is behind a NAT of its own."""
    media = CallMedia()
    assert media.note_ports(pair(6000), PEER) == []
    assert not media.is_answered
    assert let_in(media.note_hosts([RELAY], PEER)) == {
        (6000, PEER), (6001, PEER), (6000, RELAY), (6001, RELAY)
    }  # fmt: skip
    assert media.is_answered


def test_a_call_that_comes_in_names_its_host_before_the_ports_are_known() -> None:
    """The peer is let in by what is found, the session's other end."""
    media = CallMedia()
    assert media.note_hosts([RELAY], PEER) == []
    assert let_in(media.note_ports(pair(6000), PEER)) == {(6000, RELAY), (6001, RELAY)}


def test_media_that_are_added_later_are_open_to_the_hosts_that_are_known() -> None:
    media = CallMedia()
    media.note_ports(pair(6000), PEER)
    media.note_hosts([PEER, RELAY], PEER)
    assert let_in(media.note_ports([*pair(6000), *pair(6002)], PEER)) == {
        (port, RELAY) for port in range(6000, 6004)
    }


def test_each_description_lets_in_all_hosts_that_it_names() -> None:
    """A host that came from one port comes from another, when the other side describes its media anew."""
    media = CallMedia()
    media.note_ports(pair(6000), PEER)
    for hosts in ([RELAY], [RELAY], [RELAY, OTHER], [PEER, RELAY]):
        assert let_in(media.note_hosts(hosts, PEER)) == {
            (port, host) for port in (6000, 6001) for host in (PEER, *hosts)
        }
    assert media.note_hosts([], PEER) == []


def test_a_host_that_is_named_again_is_not_the_oldest() -> None:
    media = CallMedia()
    media.note_ports(pair(6000), PEER)
    for nth in range(MOST_HOSTS - 1):
        media.note_hosts([IPv4Address("198.51.100.10") + nth], PEER)
        media.note_hosts([RELAY, RELAY], PEER)
    media.note_hosts([OTHER], PEER)
    assert (6000, RELAY) in let_in(media.note_ports(pair(6000), PEER))


def test_the_newest_hosts_are_known() -> None:
    media = CallMedia()
    media.note_ports(pair(6000), PEER)
    hosts = [IPv4Address("198.51.100.1") + nth for nth in range(MOST_HOSTS + 1)]
    for host in hosts:
        assert (6000, host) in let_in(media.note_hosts([host], PEER))
    assert let_in(media.note_ports(pair(6000), PEER)) == {
        (port, host) for port in (6000, 6001) for host in hosts[1:]
    }


def test_many_hosts_of_one_message_are_bounded() -> None:
    media = CallMedia()
    media.note_ports(pair(6000), PEER)
    hosts = [IPv4Address("198.51.100.1") + nth for nth in range(100)]
    assert len(media.note_hosts(hosts, PEER)) == 2 * (1 + MOST_HOSTS)


def test_however_often_a_call_changes_its_ports_few_are_known() -> None:
    media = CallMedia()
    for port in range(6000, 6000 + 4 * MOST_CALL_PORTS, 2):
        media.note_ports(pair(port), PEER)
    newest = 6000 + 4 * MOST_CALL_PORTS
    assert list(media.ports) == [("udp", port) for port in range(newest - MOST_CALL_PORTS, newest)]
