"""The command `nfmasq`. Each subcommand is imported when it is called, so that a short one starts fast."""

from importlib import import_module
from typing import NamedTuple

import click

from nfmasq import __version__


class Entry(NamedTuple):
    """Where a subcommand is (the name of its object is its own), and its line in the list of commands."""

    module: str
    about: str


SECTIONS: dict[str, dict[str, Entry]] = {
    "Set up and run": {
        "doctor": Entry("nfmasq.cli.doctor", "Can this machine do it? A line a check, with the mend."),
        "check": Entry("nfmasq.cli.check", "Is this configuration good? Every error at once."),
        "run": Entry("nfmasq.cli.run", "The daemon, in the foreground."),
    },
    "See what it does": {
        "status": Entry("nfmasq.cli.status", "State, addresses, counts; exit 6 when degraded."),
        "sessions": Entry("nfmasq.cli.lists", "Who talks to whom."),
        "mappings": Entry("nfmasq.cli.lists", "Which external endpoint stands for which internal one."),
        "hosts": Entry("nfmasq.cli.lists", "The internal hosts, the busiest first."),
        "forwards": Entry("nfmasq.cli.forwards", "What is led to internal hosts; add and remove."),
        "helpers": Entry("nfmasq.cli.helpers", "What reads payloads, and for whom; enable and disable."),
        "drops": Entry("nfmasq.cli.lists", "Why packets were dropped, and how many."),
        "top": Entry("nfmasq.cli.top", "Rates and the busiest sessions, live."),
    },
    "Change it while it runs": {
        "reload": Entry("nfmasq.cli.change", "Let the daemon read its configuration again."),
        "withdraw": Entry("nfmasq.cli.withdraw", "Take out the rules a stopped daemon left."),
        "flush": Entry("nfmasq.cli.change", "End the sessions of one host, or all."),
    },
    "Try and measure": {
        "lab": Entry("nfmasq.cli.lab", "A private network on this machine, real traffic through it."),
        "bench": Entry("nfmasq.cli.bench", "Measure it against the kernel's MASQUERADE and a floor."),
    },
}


class Commands(click.Group):
    """A group that knows its subcommands by name and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the sections."""
        return [name for section in SECTIONS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command's object, imported now; None for a name that is none."""
        for section in SECTIONS.values():
            if cmd_name in section:
                command = getattr(import_module(section[cmd_name].module), cmd_name)
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
Begin here:
  sudo nfmasq lab --once                   see it work, without touching your network
  sudo nfmasq doctor                       what this machine still lacks
  nfmasq check /etc/nfmasq/nfmasq.toml     then edit it until this says it is good
  sudo nfmasq run --config /etc/nfmasq/nfmasq.toml
  sudo nfmasq status

\b
Exit codes: 0 ok, 1 failed or a negative answer, 2 usage, 3 daemon not reachable,
4 no permission, 5 config invalid, 6 degraded.""",
)
@click.version_option(__version__, prog_name="nfmasq")
def main() -> None:
    """Lets the hosts behind this router share its one external address (RFC 4787 NAT).

    Every command has its own --help with an example. Those that ask the daemon take --json for scripts.
    """
