"""Which internal endpoint an external one stands for, whichever session of its host announced it.

DCC RESUME and a call to a registered phone name such an endpoint again. What is stored: of each external
endpoint the session that announced it last, and the internal endpoint. Who writes: `Expectations`. What ends
an entry: its session ends, or announces the internal endpoint as another external one.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address

from nfmasq.helpers.engine.announced import Owned, owned
from nfmasq.helpers.engine.interfaces import Name
from nfmasq.helpers.kit.base import Endpoint


class Owners:
    """All of them."""

    def __init__(self) -> None:
        self._owners: dict[Owned, tuple[Name, Endpoint]] = {}

    def note(self, control: Name, transport: str, external: Endpoint, internal: Endpoint) -> None:
        """Store what a control session announced."""
        self._owners[owned(transport, external)] = control, internal

    def forget(self, control: Name, external: Iterable[Owned]) -> None:
        """Forget external endpoints, if this control session was the last to announce them."""
        for each in external:
            if self._owners.get(each, (None,))[0] == control:
                del self._owners[each]

    def internal_of(
        self, transports: Iterable[str], external: Endpoint, host: IPv4Address
    ) -> Endpoint | None:
        """The internal endpoint of this host; None: the external one is not of its own."""
        for transport in transports:
            _, internal = self._owners.get(owned(transport, external), (None, None))
            if internal is not None and internal[0] == host:
                return internal
        return None
