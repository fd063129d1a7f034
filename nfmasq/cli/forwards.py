"""`nfmasq forwards`: the list of forwards, and the commands that add and remove one."""

from urllib.parse import quote

import click

from nfmasq.cli.ask import client_command, print_json
from nfmasq.cli.lists import group_of
from nfmasq.control.client import Client
from nfmasq.control.listings import FORWARDS

_SOURCES = """

\b
SOURCE says where a forward is from, and how long it lasts:
  config     of the configuration file
  runtime    added by a command; ends with the daemon
  kept       added with --persist; the next daemon has it too

Where two forwards claim a packet, the more specific one counts."""

forwards = group_of(FORWARDS, _SOURCES)


@forwards.command(
    epilog="""\b
Examples:
  a port            --protocol tcp --port 8080 --to 192.168.1.10:80
  a range           --protocol udp --port 5000-5009 --to 192.168.1.10:6000-6009
  both protocols    --protocol tcp+udp --port 27015 --to 192.168.1.10
  several hosts     --protocol tcp --port 80 --to 192.168.1.10 --to 192.168.1.11
  a whole address   --address 198.51.100.7 --to 192.168.1.10
  a default host    --to 192.168.1.10

Next: `nfmasq forwards` lists it; `nfmasq forwards remove ID` ends it."""
)
@click.option("--protocol", metavar="NAME", help="tcp, udp, tcp+udp, icmp, gre … or a number; default: any.")
@click.option(
    "--port", "--external-port", "external_port", metavar="PORTS", help="A port or a range; default: all."
)
@click.option(
    "--address",
    "--external-address",
    "external_address",
    metavar="ADDRESS",
    help="One external address; default: all.",
)
@click.option(
    "--to",
    multiple=True,
    required=True,
    metavar="HOST[:PORTS]",
    help="The internal host; several share the sessions.",
)
@click.option("--persist", is_flag=True, help="Keep the forward when the daemon restarts.")
@client_command
def add(client: Client, as_json: bool, to: tuple[str, ...], persist: bool, **keys: str | None) -> None:
    """Forward external endpoints to internal hosts from now on.

    The options mean the same as the keys of a [[forward]] in the configuration. A default host gets the
    packets that no mapping and no other forward claims.
    """
    given = {key: value for key, value in keys.items() if value is not None}
    answer = client.post("/v1/forwards", {**given, "to": list(to), "persist": persist})
    if as_json:
        print_json(answer)
        return
    for warning in answer["warnings"]:
        click.echo(f"warning: {warning}", err=True)
    click.echo(f"forward {answer['id']} added{', and kept' if persist else ''}")


@forwards.command(
    epilog="""\b
Example:
  sudo nfmasq forwards remove tcp-8080

Next: `sudo nfmasq flush --host A` ends the sessions of its host, if they should end too."""
)
@click.argument("identity", metavar="ID")
@client_command
def remove(client: Client, as_json: bool, identity: str) -> None:
    """Remove a forward that was added. Its sessions go on.

    A forward of the configuration file is removed there; then reload.
    """
    answer = client.delete(f"/v1/forwards/{quote(identity, safe='')}")
    if as_json:
        print_json(answer)
    else:
        click.echo(f"forward {answer['removed']} removed")
