"""The command `nfmasq`. Each subcommand is imported when it is called, so that a short one starts fast."""

from importlib import import_module
from typing import NamedTuple

import click

from nfmasq import __version__
from nfmasq.control.listings import LISTINGS


class Entry(NamedTuple):
    """A subcommand: the module that has it, by its name or in COMMANDS; its line in the list of commands."""

    module: str
    about: str


_GROUPS = {"forwards": "nfmasq.cli.forwards", "helpers": "nfmasq.cli.helpers"}
"""Lists with subcommands of their own."""

SECTIONS: dict[str, dict[str, Entry]] = {
    "Set up and run": {
        "doctor": Entry("nfmasq.cli.doctor", "Check this machine; each failed check names its remedy."),
        "check": Entry("nfmasq.cli.check", "Check a configuration; every error in one run."),
        "run": Entry("nfmasq.cli.run", "Run the daemon, in the foreground."),
    },
    "See what it does": {
        "status": Entry("nfmasq.cli.status", "State, addresses, counts; exit 6 when degraded."),
        **{
            name: Entry(_GROUPS.get(name, "nfmasq.cli.lists"), listing.about)
            for name, listing in LISTINGS.items()
        },
        "top": Entry("nfmasq.cli.top", "Rates and the busiest sessions, live."),
    },
    "Change it while it runs": {
        "reload": Entry("nfmasq.cli.change", "Let the daemon read its configuration again."),
        "flush": Entry("nfmasq.cli.change", "End the sessions of one host, or all."),
        "withdraw": Entry("nfmasq.cli.withdraw", "Remove the rules that a stopped daemon left."),
    },
    "Try and measure": {
        "lab": Entry("nfmasq.cli.lab", "Try it: a private network on this machine, with real traffic."),
        "bench": Entry("nfmasq.cli.bench", "Measure it against the kernel's MASQUERADE."),
    },
}


class Commands(click.Group):
    """A group that knows its subcommands by name and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the sections."""
        return [name for section in SECTIONS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command's object, imported now; None for an unknown name."""
        for section in SECTIONS.values():
            if cmd_name in section:
                module = import_module(section[cmd_name].module)
                command = getattr(module, "COMMANDS", vars(module))[cmd_name]
                assert isinstance(command, click.Command)
                return command
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, from the sections alone."""
        for title, section in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, entry.about) for name, entry in section.items()])


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
In this order:
  1. sudo nfmasq lab --once                    see it work, without touching your network
  2. sudo nfmasq doctor                        find what this machine still lacks
  3. nfmasq check /etc/nfmasq/nfmasq.toml      edit the file until it is good
  4. sudo nfmasq run --config /etc/nfmasq/nfmasq.toml
  5. sudo nfmasq status                        from another terminal; then sessions, drops, top

\b
Exit codes: 0 ok, 1 failed or a negative answer, 2 usage, 3 daemon not reachable,
4 no permission, 5 config invalid, 6 degraded.""",
)
@click.version_option(__version__, prog_name="nfmasq")
def main() -> None:
    """Lets the hosts behind this router share its one external address (RFC 4787 NAT).

    Every command has its own --help with an example. Commands that ask the daemon take --json for scripts.
    """
