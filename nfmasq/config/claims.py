"""What forwards claim outside, and which claims clash: neither is the more specific one."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address
from typing import NamedTuple

from nfmasq.config.addresses import PortRange
from nfmasq.config.protocols import protocol_name
from nfmasq.core.policy import ALL_PORTS

ALL = PortRange(*ALL_PORTS)


class Claim(NamedTuple):
    """The packets one forward takes of one protocol. external: None for every external address."""

    external: IPv4Address | None
    protocol: int
    ports: PortRange
    place: int

    def __str__(self) -> str:
        address = f"{self.external} " if self.external else ""
        name = protocol_name(self.protocol) if self.protocol else "everything"
        return f"{address}{name}" if self.ports == ALL else f"{address}{name} {self.ports}"


def crossing(claims: Iterable[Claim]) -> Iterator[tuple[Claim, Claim]]:
    """Pairs of claims neither of which is the more specific, the one first in its list first.

    Those for other addresses or protocols never are a pair; ports may lie inside others, and are not to be
    the same or to overlap otherwise. At least one pair for each knot.
    """
    alike: dict[object, list[Claim]] = defaultdict(list)
    for claim in claims:
        alike[claim.external, claim.protocol].append(claim)
    for group in alike.values():
        around: list[Claim] = []  # those the next one may lie in, the narrowest last
        for claim in sorted(group, key=lambda each: (each.ports.first, -each.ports.last, each.place)):
            while around and around[-1].ports.last < claim.ports.first:
                around.pop()
            if around and (around[-1].ports == claim.ports or claim.ports.last > around[-1].ports.last):
                one, other = sorted((around[-1], claim), key=lambda each: each.place)
                yield one, other
            around.append(claim)
