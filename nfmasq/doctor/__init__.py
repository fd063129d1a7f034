"""Can this machine masquerade, and if not, what would make it?

Every check looks at the kernel as it is now and leaves nothing behind. The checks of the machine need no
configuration. The checks of the router need one.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nfmasq.doctor import (
    addresses,
    conntrack,
    diversion,
    firewall,
    forwarding,
    forwards,
    fragments,
    hairpinning,
    interfaces,
    ports,
    privileges,
    queues,
    state,
)
from nfmasq.doctor.check import Check, Status
from nfmasq.machine.interfaces import UplinkMissing, read_interfaces

if TYPE_CHECKING:
    from nfmasq.config import Config

__all__ = ["Check", "Status", "checks"]

_WITHOUT_INTERFACES = (
    ports.ports,
    queues.numbers,
    state.state,
    firewall.other_translations,
    firewall.flow_offload,
    conntrack.conntrack,
    hairpinning.hairpinning,
    forwards.forwards,
)
"""Checks of the router that read no interfaces."""


def checks(config: "Config | None" = None) -> list[Check]:
    """All checks of the machine, and with a configuration those of the router."""
    return list(_all(config))


def _all(config: "Config | None") -> Iterator[Check]:
    yield privileges.privileges()
    yield queues.queues()
    yield diversion.diversion(config.engine.diversion if config else "auto")
    yield diversion.guard()
    yield forwarding.forwarding((*config.nat.internal, config.nat.external) if config else ())
    yield fragments.fragments()
    if config is not None:
        yield from _of_the_router(config)


def _of_the_router(config: "Config") -> Iterator[Check]:
    """Where the interfaces cannot be read, only the checks that do not need them."""
    try:
        there = read_interfaces()
    except UplinkMissing as error:
        yield Check("interfaces", "fail", str(error), "apt install iproute2")
    else:
        missing = [name for name in (*config.nat.internal, config.nat.external) if name not in there]
        yield interfaces.interfaces(config, there, missing)
        if not missing:
            yield addresses.external(config, there)
            yield interfaces.networks(config)
            yield addresses.apart(config)
            yield interfaces.default_route(config)
    for check in _WITHOUT_INTERFACES:
        yield check(config)
