"""tayga twice, `python -m perf.tayga`: to IPv6 and back, as networks without IPv4 carry it (464XLAT).

    lan0 ── nat46 ── IPv6, within the router ── nat64 ── wan0

Between IPv4 and IPv6 is all it translates, addresses one to one, and it leaves ports alone: so the client
has an external address to itself. It runs until killed.
"""

import os
import shutil
import subprocess
import sys
from ipaddress import IPv4Address, IPv4Network

from nfmasq.bench.bed import CLIENT, EXTERNAL
from nfmasq.bench.programs import last_line
from nfmasq.lab.waiting import wait_until

TAYGA_EXTERNAL = EXTERNAL + 1
"""tayga leaves ports alone, so its client has an external address to itself; tayga alone answers for it."""

CLIENT_6 = "fd00::c"
PREFIX = "fd00:64::/96"
"""All IPv4 addresses but the client's, in IPv6 (RFC 6052)."""

OUTSIDE = IPv4Network((EXTERNAL, 24), strict=False)
MTU = 9000
"""Between the two a packet is longer by the difference of the headers."""

_TABLE = 46
_UP_WITHIN_S = 5.0

Tayga = subprocess.Popen[str]


def _start(device: str, client: IPv4Address, own: tuple[str, str]) -> Tayga:
    """A tayga at this device, for which the client is at that address; own: those its errors come from."""
    lines = (
        f"tun-device {device}",
        f"ipv4-addr {own[0]}",
        f"ipv6-addr {own[1]}",
        f"prefix {PREFIX}",
        f"map {client} {CLIENT_6}",
    )
    config = os.memfd_create(device)
    os.write(config, "\n".join([*lines, ""]).encode())
    return subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "tayga", "--nodetach", "--config", f"/proc/self/fd/{config}"],
        pass_fds=[config],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _wait_for(device: str, tayga: Tayga) -> None:
    """Wait until the device is there, or end with what this tayga said instead."""

    def there() -> bool:
        return tayga.poll() is not None or os.path.exists(f"/proc/sys/net/ipv4/conf/{device}")

    wait_until(there, f"{device} to be there", _UP_WITHIN_S)
    if tayga.poll() is not None:
        assert tayga.stderr is not None
        sys.exit(f"tayga did not start: {last_line(tayga.stderr.read())}")


def _lay_routes() -> None:
    """What comes in by lan0 goes to IPv6, and what comes back for the client's address too."""
    for key, value in (("all/disable_ipv6", "0"), ("default/disable_ipv6", "0"), ("all/forwarding", "1")):
        with open(f"/proc/sys/net/ipv6/conf/{key}", "w", encoding="ascii") as file:
            file.write(value)
    commands = (
        f"link set nat46 up mtu {MTU}",
        f"link set nat64 up mtu {MTU}",
        f"route add {OUTSIDE} dev nat46 table {_TABLE}",
        f"rule add iif lan0 lookup {_TABLE} priority {_TABLE}",
        f"route add {TAYGA_EXTERNAL} dev nat64",
        f"-6 route add {PREFIX} dev nat64",
        f"-6 route add {CLIENT_6} dev nat46",
    )
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True)


def main() -> None:
    """Serve one bed's router."""
    if not shutil.which("tayga"):
        sys.exit("tayga not found: apt-get install tayga")
    both = {
        "nat46": _start("nat46", CLIENT, ("192.0.0.1", "fd00::46")),
        "nat64": _start("nat64", TAYGA_EXTERNAL, ("192.0.0.2", "fd00::64")),
    }
    for device, tayga in both.items():
        _wait_for(device, tayga)
    _lay_routes()
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
