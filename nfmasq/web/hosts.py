"""Which host names the pages answer to: a guard against DNS rebinding.

A page of an attacker lets its own name point to the router's address, and the browser then lets the page read
the router's answers. The browser still sends the attacker's name in `Host`. So a name is taken if no attacker
can own it. Such are addresses, `localhost`, names of one word, and this machine's own name. Names below a
domain for private networks are taken too (RFC 6761, RFC 6762, RFC 8375), and so are those of `metrics.hosts`.
A request without a name is taken: browsers always send one.
"""

import re
import socket
from collections.abc import Iterable
from ipaddress import ip_address

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

PRIVATE_DOMAINS = ("localhost", "local", "lan", "home.arpa", "internal", "localdomain")

_FORM = re.compile(r"(?:\[(?P<literal>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::[0-9]{1,5})?")


class Hosts:
    """The host names that are taken. names: those of metrics.hosts."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = {each.lower().rstrip(".") for each in (*names, socket.gethostname())}

    def take(self, header: str) -> bool:
        """Whether a request with this `Host` is answered."""
        found = _FORM.fullmatch(header)
        if found is None:
            return not header
        name = (found["literal"] or found["name"]).lower().rstrip(".")
        return (
            name in self._names
            or "." not in name
            or any(name.endswith(f".{domain}") for domain in PRIVATE_DOMAINS)
            or _is_address(name)
        )


def only_to(hosts: Hosts) -> Middleware:
    """A middleware: 400 for another host name."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.getall("Host", [])
        if len(given) > 1:
            return web.Response(text="the request has more than one Host header\n", status=400)
        if given and not hosts.take(given[0]):
            return web.Response(
                text=f"{given[0][:100]!r} is no host name of this router; metrics.hosts can allow it\n",
                status=400,
            )
        return await handler(request)

    return guard


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
