"""How addresses, ports and interfaces are written in a configuration: one function a kind, as in `values`."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from itertools import chain, pairwise
from typing import Any, NamedTuple

from nfmasq.config.errors import quoted
from nfmasq.config.values import described, text

LAST_PORT = 65535
LAST_LOW_PORT = 1023
MOST_PORT_RANGES = 256
_LONGEST_INTERFACE_NAME = 15
_NOT_A_HOST = tuple(map(IPv4Network, ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3")))
_INTERFACE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_PORTS = re.compile(r"([0-9]{1,9})(?:\s*-\s*([0-9]{1,9}))?")


class PortRange(NamedTuple):
    """Ports from `first` to `last`, both included."""

    first: int
    last: int

    @property
    def size(self) -> int:
        """How many ports."""
        return self.last - self.first + 1

    def __str__(self) -> str:
        return f"{self.first}" if self.first == self.last else f"{self.first}-{self.last}"


def covered(ranges: Iterable[tuple[int, int]], within: Iterable[PortRange]) -> Iterator[PortRange]:
    """The parts of `within`, which are disjoint, that lie in one of the ranges, no port twice."""
    ascending = sorted(ranges)
    for outer in within:
        done = outer.first - 1
        for first, last in ascending:
            if max(first, done + 1) <= min(last, outer.last):
                yield PortRange(max(first, done + 1), min(last, outer.last))
                done = last


def joined(*several: Iterable[PortRange]) -> tuple[PortRange, ...]:
    """All these ports in the fewest ranges, ascending."""
    found: list[PortRange] = []
    for ports in sorted(chain.from_iterable(several)):
        if found and ports.first <= found[-1].last + 1:
            found[-1] = PortRange(found[-1].first, max(found[-1].last, ports.last))
        else:
            found.append(ports)
    return tuple(found)


@dataclass(frozen=True)
class Target:
    """Where a forward leads: an internal host and its ports; None: each port stays what it is."""

    address: IPv4Address
    ports: PortRange | None = None

    def __str__(self) -> str:
        return f"{self.address}" if self.ports is None else f"{self.address}:{self.ports}"


def port_range(value: Any) -> PortRange:
    """Ports, from "8080", "8080-8089", or the number 8080."""
    if isinstance(value, int) and not isinstance(value, bool):
        return _ports(value, value, described(value))
    match = _PORTS.fullmatch(text(value))
    if match is None:
        raise ValueError(f'{quoted(value)} is not a port or a range of ports such as "1024-32767"')
    first, last = int(match[1]), int(match[2] or match[1])
    return _ports(first, last, quoted(value))


def port_ranges(value: Any) -> tuple[PortRange, ...]:
    """Ports, from "1024-32767, 40000-49999", "8080", or the number 8080: ascending, in the fewest ranges."""
    ranges = _several(value)
    if not ranges:
        raise ValueError('"" is no port; write at least one range, such as "1024-32767"')
    return ranges


def low_port_ranges(value: Any) -> tuple[PortRange, ...]:
    """Ports below 1024, written as `port_ranges`; "": none."""
    ranges = _several(value)
    if ranges and ranges[-1].last > LAST_LOW_PORT:
        raise ValueError(
            f"{quoted(str(ranges[-1]))}: low ports are 1 to {LAST_LOW_PORT}; the others are nat.ports"
        )
    return ranges


def _several(value: Any) -> tuple[PortRange, ...]:
    if not isinstance(value, str):
        return (port_range(value),)
    parts = value.split(",") if value.strip() else []
    if len(parts) > MOST_PORT_RANGES:
        raise ValueError(f"{len(parts)} ranges; at most {MOST_PORT_RANGES}")
    ranges = sorted(port_range(part.strip()) for part in parts)
    for one, other in pairwise(ranges):
        if other.first <= one.last:
            raise ValueError(f'"{one}" and "{other}" overlap; write each port once')
    return joined(ranges)


def _ports(first: int, last: int, written: str) -> PortRange:
    if not (1 <= first <= LAST_PORT and 1 <= last <= LAST_PORT):
        raise ValueError(f"{written}: ports are 1 to {LAST_PORT}")
    if first > last:
        raise ValueError(f'{written} runs backwards; did you mean "{last}-{first}"?')
    return PortRange(first, last)


def interface(value: Any) -> str:
    """The name of a network interface."""
    name = text(value)
    if len(name) > _LONGEST_INTERFACE_NAME:
        raise ValueError(f"{quoted(name)} is {len(name)} characters long; an interface name has at most 15")
    if "@" in name[1:]:
        raise ValueError(
            f"{quoted(name)}: what follows the @ is another interface; write {quoted(name.split('@')[0])}"
        )
    if not _INTERFACE_NAME.fullmatch(name) or name in {".", ".."}:
        raise ValueError(f'{quoted(name)} is not an interface name: letters, digits, ".", "_" and "-" only')
    return name


def network(value: Any) -> IPv4Network:
    """An IPv4 network such as "192.168.1.0/24"; an address alone is a /32."""
    written = text(value)
    try:
        return IPv4Network(written)
    except ValueError:
        pass
    if _is_ipv6(written):
        raise ValueError(f"{quoted(written)} is IPv6; IPv4 only")
    try:
        whole_network = IPv4Network(written, strict=False)
    except ValueError:
        raise ValueError(
            f'{quoted(written)} is not an IPv4 address or a network such as "192.168.1.0/24"'
        ) from None
    raise ValueError(
        f"{quoted(written)} is an address inside a network; did you mean {quoted(str(whole_network))}?"
    )


def pool(value: Any) -> IPv4Network:
    """External addresses: one, or a network of them."""
    addresses = network(value)
    if any(addresses.overlaps(reserved) for reserved in _NOT_A_HOST):
        raise ValueError(f"{quoted(value)} holds addresses no host can have")
    return addresses


def host_address(value: Any) -> IPv4Address:
    """One address that a host can have."""
    addresses = network(value)
    if addresses.num_addresses > 1:
        raise ValueError(f"{quoted(value)} is a network; write one address")
    address = addresses.network_address
    if any(address in reserved for reserved in _NOT_A_HOST):
        raise ValueError(f"{quoted(value)}: no host can have this address")
    return address


def target(value: Any) -> Target:
    """Where a forward leads: "192.168.1.10:80", "192.168.1.10:8000-8009", or "192.168.1.10"."""
    written = text(value)
    host, colon, ports = written.rpartition(":")
    if _is_ipv6(written) or _is_ipv6(host):
        raise ValueError(f"{quoted(written)} is IPv6; IPv4 only")
    try:
        address = IPv4Address(host if colon else written)
    except ValueError:
        raise ValueError(
            f'{quoted(written)} is not an IPv4 address and port such as "192.168.1.10:80"'
        ) from None
    if any(address in reserved for reserved in _NOT_A_HOST):
        raise ValueError(f"{quoted(written)}: no internal host can have this address")
    return Target(address, port_range(ports) if colon else None)


def listen(value: Any) -> tuple[str, int] | None:
    """Where to listen: "host:port" as (host, port), or "" as None: nowhere."""
    written = text(value)
    if not written:
        return None
    host, _, port = written.rpartition(":")
    if _is_ipv6(written) or _is_ipv6(host):
        raise ValueError(f"{quoted(written)} is IPv6; IPv4 only")
    if not _is_host(host) or not port.isascii() or not port.isdigit():
        raise ValueError(f'{quoted(written)} is not host:port such as "127.0.0.1:9853"; "" listens nowhere')
    return host, port_range(port).first


def host_name(value: Any) -> str:
    """A name of a host, such as router.example.net."""
    written = text(value)
    if not _is_host(written):
        raise ValueError(f'{quoted(written)} is no host name such as "router.example.net"')
    return written


def _is_host(name: str) -> bool:
    if name.rpartition(".")[2].isdigit():
        try:
            IPv4Address(name)
        except ValueError:
            return False
    return _HOST_NAME.fullmatch(name) is not None


def _is_ipv6(written: str) -> bool:
    try:
        IPv6Network(written.strip("[]"), strict=False)
    except ValueError:
        return False
    return True
