"""The listener of metrics.listen: Prometheus' /metrics, the two probes, and a plain page for people at /.

Everything here only reads: the network can change nothing. `hosts` says which host names are answered.
"""

from collections.abc import Iterable
from html import escape
from string import Template

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from nfmasq.control import report
from nfmasq.control.listings import LISTINGS, Listing
from nfmasq.control.lists import part_of
from nfmasq.control.readable import span
from nfmasq.control.running import Running
from nfmasq.control.schemas import Status, UplinkStatus
from nfmasq.web.hosts import Hosts, only_to
from nfmasq.web.metrics import registry

RUNNING = web.AppKey("running", Running)
REGISTRY = web.AppKey("registry", CollectorRegistry)

_PAGE = Template("""\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5">
<meta name="viewport" content="width=device-width"><title>nfmasq: $state</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; margin: 1em 0; } th, td { padding: .15em .8em .15em 0; text-align: left; }
td.n { text-align: right; font-variant-numeric: tabular-nums; } .degraded { color: #b00020; }
@media (prefers-color-scheme: dark) { body { background: #111; color: #ddd; } .degraded { color: #ff6b6b; } }
</style></head><body>
<h1>nfmasq <span class="$state">$state</span></h1>
$problems
<p>Version $version, up $uptime. $external stands for
$internal ($internal_interfaces); rules by $diversion.</p>
$tables
<p><a href="/metrics">metrics</a> · on the router: <code>nfmasq sessions</code>, <code>nfmasq drops</code>,
<code>nfmasq top</code></p>
</body></html>
""")


def application(running: Running, hosts: Iterable[str] = ()) -> web.Application:
    """The pages of a running daemon. hosts: names that are answered besides those no attacker can own."""
    app = web.Application(middlewares=[only_to(Hosts(hosts))])
    app[RUNNING] = running
    app[REGISTRY] = registry(running)
    app.router.add_get("/", page)
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/-/healthy", healthy)
    app.router.add_get("/-/ready", ready)
    return app


async def metrics(request: web.Request) -> web.Response:
    """All families in the format the scraper asks for."""
    await request.app[RUNNING].count_guard_drops()
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    body = encode(request.app[REGISTRY])
    return web.Response(body=body, headers={"Content-Type": content_type})


async def healthy(request: web.Request) -> web.Response:
    """200 while the daemon runs and every queue is served, else 503 with the failures."""
    failed = [worker.failure for worker in request.app[RUNNING].workers if worker.failure]
    return web.Response(text="".join(f"{line}\n" for line in failed) or "ok\n", status=503 if failed else 200)


async def ready(request: web.Request) -> web.Response:
    """200 when all traffic is translated, else 503 with the problems."""
    problems = request.app[RUNNING].situation().problems
    return web.Response(
        text="".join(f"{line}\n" for line in problems) or "ok\n", status=503 if problems else 200
    )


def _uplink(uplink: UplinkStatus) -> str:
    return f"{', '.join(uplink['addresses']) or 'no address'} ({uplink['name']})"


async def page(request: web.Request) -> web.Response:
    """The state, the traffic and the drops, made anew every five seconds."""
    running = request.app[RUNNING]
    now = report.status(running)
    text = _PAGE.substitute(
        state=now["state"],
        version=escape(now["version"]),
        uptime=span(now["uptime_s"]),
        external=escape(", ".join(map(_uplink, now["uplinks"]))),
        internal=escape(", ".join(now["internal_networks"]) or "no network"),
        internal_interfaces=escape(", ".join(now["internal_interfaces"])),
        diversion=escape(now["diversion"]),
        problems="".join(f'<p class="degraded">{escape(line)}</p>' for line in now["problems"]),
        tables=_traffic(now) + await _lists(running),
    )
    return web.Response(text=text, content_type="text/html", headers={"Cache-Control": "no-store"})


def _traffic(now: Status) -> str:
    """The state and the traffic by protocol."""
    protocols = list(now["sessions"])
    rows: list[list[object]] = [
        ["sessions", *now["sessions"].values()],
        ["mappings", *now["mappings"].values()],
        ["ports in use", *(ports["in_use"] for ports in now["ports"].values())],
        ["ports there are", *(ports["capacity"] for ports in now["ports"].values())],
    ]
    rows += [[f"packets {way}", *(row[name] for name in protocols)] for way, row in now["packets"].items()]
    rows += [[f"bytes {way}", *(row[name] for name in protocols)] for way, row in now["bytes"].items()]
    return _table(["", *protocols], [[_cell(value, isinstance(value, int)) for value in row] for row in rows])


async def _lists(running: Running) -> str:
    """A table for each list that the page shows; none for an empty one."""
    return "".join([await _list(each, running) for each in LISTINGS.values() if each.on_page])


async def _list(listing: Listing, running: Running) -> str:
    rows = [row for row in (await part_of(listing, running)).rows if not (listing.idle and listing.idle(row))]
    if not rows:
        return ""
    cells = [[_cell(column.cell(row), column.right) for column in listing.columns] for row in rows]
    return _table([column.title.lower() for column in listing.columns], cells)


def _table(heads: list[str], lines: list[list[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join(f"<tr>{''.join(line)}</tr>" for line in lines)
    return f"<table><tr>{head}</tr>{body}</table>\n"


def _cell(value: object, right: bool) -> str:
    shown = f"{value:,}" if isinstance(value, int) else "-" if value is None else escape(str(value))
    return f'<td class="n">{shown}</td>' if right else f"<td>{shown}</td>"
