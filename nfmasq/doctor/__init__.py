"""Can this machine masquerade, and if not, what mends it?

Every check looks at the kernel as it is now and leaves nothing behind. The checks of the machine need no
configuration; those of the router it is to become need one.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nfmasq.doctor import machine, router
from nfmasq.doctor.check import Check, Status
from nfmasq.doctor.fragments import fragments

if TYPE_CHECKING:
    from nfmasq.config import Config

__all__ = ["Check", "Status", "checks"]


def checks(config: "Config | None" = None) -> list[Check]:
    """All checks of the machine, and with a configuration those of the router."""
    return list(_all(config))


def _all(config: "Config | None") -> Iterator[Check]:
    yield machine.privileges()
    yield machine.queues()
    yield machine.diversion(config.engine.diversion if config else "auto")
    yield machine.guard()
    yield machine.forwarding((*config.nat.internal, config.nat.external) if config else ())
    yield fragments()
    if config is not None:
        yield from router.checks(config)
