"""Calls, which are GRE with keys, of internal hosts: for the tests of keys."""

from ipaddress import IPv4Address
from typing import Any, NamedTuple

from support.packets import ACK, SYN, TCP, call, key_of, read, tcp
from support.router import CLIENT, SERVER, Router, policy

from nfmasq._fastpath import SetAside
from nfmasq.core.policy import HelperPort
from nfmasq.core.protocols import GRE, INWARD, OUTWARD
from nfmasq.core.rows import Expected

PPTP = 1723
HELPER = HelperPort(5, TCP, PPTP)


def answering(capacity: int = 64, path: str | None = None, **changes: Any) -> Router:
    """A router whose control sessions have a helper."""
    return Router(policy(helper_ports=(HELPER,), **changes), capacity, path)


def control(
    router: Router, host: IPv4Address = CLIENT, server: IPv4Address = SERVER, port: int = 40000
) -> SetAside:
    """A control session whose handshake is over."""
    router.try_out(tcp(host, port, server, PPTP))
    aside = router.table.next_set_aside(0)
    assert aside is not None
    router.try_in(tcp(server, PPTP, *aside.external, SYN | ACK))
    assert router.table.next_set_aside(0)
    router.try_out(tcp(host, port, server, PPTP, ACK))
    assert router.table.next_set_aside(0)
    return aside


class Call(NamedTuple):
    """A call's two halves, as they were announced. own: the internal host's key; theirs: the remote one's."""

    host: IPv4Address
    server: IPv4Address
    own: int
    theirs: int
    inward: Expected
    outward: Expected

    @property
    def external(self) -> int:
        """The key by which the remote host knows it."""
        return self.inward.external[1]

    def out(self, router: Router) -> tuple[IPv4Address, int]:
        """The internal host speaks: whom it comes from outside, and the key that it carries."""
        sent = router.out(call(self.host, self.server, self.theirs))
        assert read(sent).destination == self.server
        return read(sent).source, key_of(sent)

    def into(self, router: Router) -> tuple[IPv4Address, int]:
        """The remote host speaks: whom it reaches, and by which key."""
        came = router.into(call(self.server, self.inward.external[0], self.external))
        return read(came).destination, key_of(came)


def announce(router: Router, by: SetAside, key: int, way: int, seconds: int = 60) -> Expected:
    """One half of a call is going to be."""
    return router.table.expect(
        by.session, by.serial, GRE, (by.internal[0], key), by.remote[0], way, seconds, now=router.now
    )


def begin(router: Router, by: SetAside, own: int, theirs: int) -> Call:
    """Both halves of a call."""
    halves = announce(router, by, own, INWARD), announce(router, by, theirs, OUTWARD)
    return Call(by.internal[0], by.remote[0], own, theirs, *halves)
