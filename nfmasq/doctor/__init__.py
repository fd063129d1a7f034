"""Can this machine masquerade, and if not, what would make it?

Every check looks at the kernel as it is now and leaves nothing behind. The checks of the machine need no
configuration. The checks of the router need one.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nfmasq.config.machine import wanted_of
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
from nfmasq.machine.interfaces import InterfacesUnreadable, read_interfaces
from nfmasq.machine.mirror import Mirror
from nfmasq.machine.surroundings import derive

if TYPE_CHECKING:
    from nfmasq.config import Config

__all__ = ["Check", "Status", "checks"]

_WITHOUT_INTERFACES = (
    ports.ports,
    queues.numbers,
    state.state,
    state.saved,
    firewall.flow_offload,
    conntrack.conntrack,
    hairpinning.hairpinning,
    forwards.forwards,
    forwards.default_host,
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
    yield diversion.egress()
    yield forwarding.forwarding((*config.nat.internal, *config.nat.external) if config else ())
    yield fragments.fragments()
    if config is not None:
        yield from _of_the_router(config)


def _of_the_router(config: "Config") -> Iterator[Check]:
    """Where the interfaces cannot be read, only the checks that do not need them."""
    surroundings = None
    try:
        there = read_interfaces()
        with Mirror() as mirror:
            surroundings = derive(wanted_of(config), mirror).surroundings
    except InterfacesUnreadable as error:
        yield Check("interfaces", "fail", str(error), "apt install iproute2")
    except OSError as error:
        yield Check("interfaces", "fail", f"the kernel does not tell its routes: {error}", "look at its log")
    else:
        yield interfaces.interfaces(config, there)
        for outside in surroundings.outsides:
            if outside.name in there:
                yield addresses.external(config, outside, there[outside.name])
        yield interfaces.networks(config, surroundings)
        yield addresses.apart(config, surroundings)
        yield interfaces.default_route(config)
    yield firewall.other_translations(config, surroundings)
    for check in _WITHOUT_INTERFACES:
        yield check(config)
