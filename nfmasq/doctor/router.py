"""What a configuration asks of the router as it is now."""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from nfmasq.diversion import foreign
from nfmasq.doctor import addresses
from nfmasq.doctor.check import Check
from nfmasq.doctor.forwards import forwards
from nfmasq.doctor.hairpinning import hairpinning
from nfmasq.machine import kernel
from nfmasq.machine.uplink import UplinkMissing, default_interfaces, local_ports, read_interfaces, read_uplink

if TYPE_CHECKING:
    from nfmasq.config import Config

BYTES_A_SESSION = 256
_BRIDGING = {"bridge", "bond", "team"}


def checks(config: "Config") -> Iterator[Check]:
    """Every check of the router. Where the interfaces cannot be read, only what does not need them."""
    try:
        interfaces = read_interfaces()
    except UplinkMissing as error:
        yield Check("interfaces", "fail", str(error), "apt install iproute2")
    else:
        missing = [name for name in (*config.nat.internal, config.nat.external) if name not in interfaces]
        yield _interfaces(config, interfaces, missing)
        if not missing:
            yield addresses.external(config, interfaces)
            yield _networks(config)
            yield addresses.apart(config)
            yield _route(config)
    for check in _WITHOUT_INTERFACES:
        yield check(config)


def _interfaces(config: "Config", interfaces: dict[str, dict[str, Any]], missing: list[str]) -> Check:
    name = "interfaces"
    if missing:
        here = ", ".join(sorted(interfaces))
        return Check(
            name, "fail", f"{', '.join(missing)} does not exist", f"name one of {here} in the configuration"
        )
    for each in (*config.nat.internal, config.nat.external):
        master = interfaces[each].get("master")
        if master and interfaces.get(master, {}).get("linkinfo", {}).get("info_kind") in _BRIDGING:
            return Check(
                name,
                "fail",
                f"{each} is a port of {master}: packets seem to come and go by {master}",
                f"name {master} in place of {each} in the configuration",
            )
    down = [
        each
        for each in (*config.nat.internal, config.nat.external)
        if interfaces[each].get("operstate") not in {"UP", "UNKNOWN"}
    ]
    if down:
        return Check(
            name, "warn", f"{', '.join(down)} is down", f"ip link set {down[0]} up, and see to its cable"
        )
    return Check(name, "ok", f"{', '.join(config.nat.internal)} and {config.nat.external} are there and up")


def _networks(config: "Config") -> Check:
    name = "internal networks"
    networks = read_uplink(config.nat).internal
    if networks:
        return Check(name, "ok", ", ".join(map(str, networks)))
    interface = config.nat.internal[0]
    return Check(
        name,
        "fail",
        f"{', '.join(config.nat.internal)} has no IPv4 network: all hosts there count as spoofed",
        f"ip address add 192.168.1.1/24 dev {interface}, or whatever the network is to be",
    )


def _route(config: "Config") -> Check:
    name, external = "default route", config.nat.external
    if external in default_interfaces():
        return Check(name, "ok", f"leaves by {external}")
    strict = (
        max(int(kernel.sysctl(f"net/ipv4/conf/{each}/rp_filter") or 0) for each in ("all", external)) == 1
    )
    why = f"none leaves by {external}, so only hosts on its own routes are reached"
    if strict:
        why += "; and strict rp_filter drops what comes in from others"
    return Check(name, "warn", why, f"ip route add default via GATEWAY dev {external}")


def _ports(config: "Config") -> Check:
    name, ports = "external ports", config.nat.ports
    local = kernel.sysctl("net/ipv4/ip_local_port_range") or "32768 60999"
    low, high = map(int, local.split())
    if ports.first <= high and low <= ports.last:
        return Check(
            name,
            "warn",
            f"{ports.first}-{ports.last} overlaps the ports of the router's own connections, {low}-{high}",
            f'set nat.ports = "1024-{low - 1}"'
            if low > 1024
            else 'sysctl -w net.ipv4.ip_local_port_range="32768 60999"',
        )
    tcp, udp = local_ports(ports.first, ports.last)
    held = f"; {len(tcp | udp)} of them are left to local sockets" if tcp | udp else ""
    return Check(name, "ok", f"{ports.first}-{ports.last}, apart from the router's own {low}-{high}{held}")


def _queue_numbers(config: "Config") -> Check:
    name, held = "queue numbers", kernel.held_queues()
    first, count = config.engine.diverted_to
    last = first + count  # the rules' queues, and one for what the kernel must cut up
    taken = [number for number in range(first, last + 1) if number in held]
    if not taken:
        return Check(name, "ok", f"{first} to {last} are free")
    port = held[taken[0]]
    words = kernel.command_line(port)
    who = f"process {port} ({' '.join(words)})" if words else f"another program (netlink port {port})"
    if "nfmasq" in map(os.path.basename, words):
        return Check(name, "ok", f"held by {who}: the daemon is running already")
    return Check(
        name,
        "fail",
        f"queue {taken[0]} is held by {who}",
        "stop that program, or set another engine.first_queue",
    )


def _state(config: "Config") -> Check:
    name, path = "state file", config.engine.state
    place = path.parent
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK | os.X_OK) or not place.is_dir():
        return Check(
            name, "fail", f"{place} is not writable", f"mkdir -p {path.parent}, or set another engine.state"
        )
    point, kind = kernel.filesystem(place.resolve())
    if kind not in {"tmpfs", "ramfs"}:
        return Check(
            name,
            "warn",
            f"{path} would lie on {kind} ({point}): the kernel writes every change of the table to the disk",
            "set engine.state to a file on a tmpfs, such as /run/nfmasq/state",
        )
    needed, free = config.limits.sessions * BYTES_A_SESSION, shutil.disk_usage(place).free
    if free < needed:
        return Check(
            name,
            "warn",
            f"{point} has {free >> 20} MiB free; {config.limits.sessions} sessions take {needed >> 20} MiB",
            f"mount -o remount,size=... {point}, or lower limits.sessions",
        )
    return Check(name, "ok", f"{path} on {kind}")


def _other_translations(config: "Config") -> Check:
    name = "other translations"
    found = foreign.source_translations(config.nat.external)
    if not found:
        return Check(name, "ok", f"no other rule translates what leaves by {config.nat.external}")
    return Check(name, "warn", f"packets may be translated twice: {'; '.join(found)}", "delete those rules")


def _flow_offload(config: "Config") -> Check:
    name = "flow offload"
    found = foreign.flowtables({*config.nat.internal, config.nat.external})
    if not found:
        return Check(name, "ok", "no flow table takes packets past the queues")
    return Check(
        name,
        "fail",
        f"{'; '.join(found)} forwards packets untranslated, past every rule",
        "delete those flow tables",
    )


def _connection_tracking(config: "Config") -> Check:
    name = "connection tracking"
    most = int(kernel.sysctl("net/netfilter/nf_conntrack_max") or 0)
    used = int(kernel.sysctl("net/netfilter/nf_conntrack_count") or 0)
    if used and most < config.limits.sessions:
        return Check(
            name,
            "warn",
            f"the kernel tracks connections here, {most} at most, and drops what is beyond; "
            f"limits.sessions is {config.limits.sessions}",
            f"sysctl -w net.netfilter.nf_conntrack_max={config.limits.sessions}",
        )
    return Check(
        name, "ok", f"{used} connections tracked" if used else "the kernel tracks no connection here"
    )


_WITHOUT_INTERFACES: tuple[Callable[["Config"], Check], ...] = (
    _ports,
    _queue_numbers,
    _state,
    _other_translations,
    _flow_offload,
    _connection_tracking,
    hairpinning,
    forwards,
)
