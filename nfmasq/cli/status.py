"""`nfmasq status`: the state of the daemon."""

from collections.abc import Iterator

import click

from nfmasq.cli.ask import client_command, end, print_json
from nfmasq.cli.columns import titled
from nfmasq.control.client import Answer, Client
from nfmasq.control.readable import si, span
from nfmasq.exits import Exit


@click.command(
    epilog="""\b
Example:
  nfmasq status >/dev/null || echo "look at the router"

Next: `nfmasq drops` when packets are missing, `nfmasq doctor` when it is degraded.
Exit code 6 when degraded, 3 when no daemon answers."""
)
@client_command
def status(client: Client, as_json: bool) -> None:
    """State, addresses and counts of the running daemon."""
    now = client.get("/v1/status")
    if as_json:
        print_json(now)
    else:
        for line in titled(_pairs(now)):
            click.echo(line)
    if now["state"] != "ok":
        end(Exit.DEGRADED)


def _pairs(now: Answer) -> Iterator[tuple[str, str]]:
    yield "state", f"{now['state']}, nfmasq {now['version']}, pid {now['pid']}, up {span(now['uptime_s'])}"
    for problem in now["problems"]:
        yield "", f"! {problem}"
    for warning in now["warnings"]:
        yield "", f"warning: {warning}"
    yield "external", _side(now["external_addresses"], [now["external_interface"]], "no address")
    yield "internal", _side(now["internal_networks"], now["internal_interfaces"], "no network")
    in_place = "in place" if now["rules"]["in_place"] else "NOT in place"
    yield "rules", f"{now['diversion']}, {in_place}, reinstalled {now['rules']['reinstalled']} times"
    yield "sessions", f"{_counts(now['sessions'])}; {now['recovered_sessions']} recovered at the start"
    yield "mappings", _counts(now["mappings"])
    ports = (f"{name} {p['in_use']} of {p['capacity']}" for name, p in now["ports"].items() if p["capacity"])
    yield "ports", ", ".join(ports) or "none"
    for direction, packets in now["packets"].items():
        octets = sum(now["bytes"][direction].values())
        yield direction, f"{si(sum(packets.values()))} packets, {si(octets)}B"
    yield "dropped", f"{now['dropped']} packets"
    for queue in now["queues"]:
        first, last = queue["queue"], queue["last"]
        yield (
            f"queue {first}" if first == last else f"queues {first}-{last}",
            f"{si(queue['packets'])} packets in {si(queue['batches'])} batches, {queue['waiting']} waiting, "
            f"{queue['dropped']} dropped by the kernel, {queue['lost']} lost",
        )


def _side(addresses: list[str], interfaces: list[str], none: str) -> str:
    return f"{', '.join(addresses) or none} on {', '.join(interfaces)}"


def _counts(numbers: dict[str, int]) -> str:
    return f"{sum(numbers.values())} ({', '.join(f'{name} {count}' for name, count in numbers.items())})"
