"""`nfmasq lab`: a private network on this machine, and a tour through it."""

import os
import signal
import sys
from typing import NoReturn

import click

from nfmasq.cli.neighbours import visit_neighbours
from nfmasq.cli.requirements import check_requirements
from nfmasq.exits import Exit
from nfmasq.lab.lab import Lab
from nfmasq.lab.programs import ProgramError, missing_programs, sbin_too
from nfmasq.lab.router import DaemonError
from nfmasq.lab.screen import watch
from nfmasq.lab.topology import Masquerade
from nfmasq.lab.tour import BETWEEN, FAR_MTU, STEPS, take, tour
from nfmasq.lab.waiting import BadSlowness, patient

LIVE_TIMEOUTS = {"timeouts": {"tcp_transitory": "30s"}}
"""Without these a thousand closed connections a round would fill the screen for four minutes."""


@click.command(
    epilog="""\b
Examples:
  sudo nfmasq lab                  watch it live until Ctrl-C
  sudo nfmasq lab --once           the tour once, a line a step
  sudo nfmasq lab --rfc            the requirements of the RFCs, checked one by one
  sudo nfmasq lab --neighbours     what else runs on routers: containers, firewalls, a second uplink …

Next: `sudo nfmasq doctor` checks this machine for real use."""
)
@click.option("--once", is_flag=True, help="Take the tour once, print the results, end with 0 or 1.")
@click.option("--kernel", is_flag=True, help="Let the kernel's MASQUERADE translate instead, to compare.")
@click.option("--rfc", is_flag=True, help="Check the requirements of the RFCs instead, end with 0 or 1.")
@click.option("--neighbours", is_flag=True, help="Visit ten neighbours instead, end with 0 or 1.")
@click.option(
    "--json", "as_json", is_flag=True, help="With --rfc or --neighbours: print JSON when all are checked."
)
def lab(once: bool, kernel: bool, rfc: bool, neighbours: bool, as_json: bool) -> None:
    """Watch real traffic between clients, a router with nfmasq and servers, all on this machine.

    Everything runs in network namespaces without a name. This machine's own network is not touched. Nothing
    stays behind, however the lab ends.

    On a slow machine, an emulator for example, set NFMASQ_LAB_SLOWNESS=10: the lab waits ten times longer.
    """
    if rfc and (once or kernel or neighbours):
        raise click.UsageError("--rfc goes with none of --once, --kernel, --neighbours")
    if neighbours and once:
        raise click.UsageError("--neighbours does not go with --once")
    if as_json and not (rfc or neighbours):
        raise click.UsageError("--json goes with --rfc or --neighbours")
    _require_root()
    _require_programs()
    _require_patience()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    masquerade: Masquerade = "kernel" if kernel else "none"
    live = not once and sys.stdout.isatty()
    try:
        if rfc:
            sys.exit(Exit.OK if check_requirements(as_json) else Exit.FAILED)
        if neighbours:
            sys.exit(Exit.OK if visit_neighbours(masquerade, as_json) else Exit.FAILED)
        with Lab(
            masquerade=masquerade,
            config=LIVE_TIMEOUTS if live else None,
            far_mtu=FAR_MTU,
        ) as made:
            if live:
                watch(made)
            passed = _print_the_tour(made)
            while not once:
                take(BETWEEN, made)
                _print_the_tour(made)
            sys.exit(Exit.OK if passed else Exit.FAILED)
    except KeyboardInterrupt:
        sys.exit(Exit.FAILED if once or rfc or neighbours else Exit.OK)
    except PermissionError as error:
        _stop(Exit.NOT_PERMITTED, f"this machine does not let us make network namespaces: {error}")
    except (DaemonError, ProgramError, RuntimeError, OSError) as error:
        _stop(Exit.FAILED, f"the lab could not be built: {error}")


def _stop(code: Exit, why: str) -> NoReturn:
    click.echo(f"nfmasq lab: {why}", err=True)
    sys.exit(code)


def _require_root() -> None:
    if os.geteuid() != 0:
        _stop(Exit.NOT_PERMITTED, "needs root, to make network namespaces: sudo nfmasq lab")


def _require_programs() -> None:
    os.environ["PATH"] = sbin_too()
    missing = missing_programs()
    if missing:
        names = ", ".join(name for name, _ in missing)
        packages = " ".join(sorted({package for _, package in missing}))
        _stop(Exit.FAILED, f"{names} not found: apt-get install {packages}")


def _require_patience() -> None:
    try:
        patient(0)
    except BadSlowness as error:
        _stop(Exit.USAGE, str(error))


def _print_the_tour(made: Lab) -> bool:
    failed = 0
    for outcome in tour(made):
        mark = click.style("ok  ", fg="green") if outcome.passed else click.style("FAIL", fg="red")
        click.echo(f"{mark} {outcome.step.title}: {outcome.said}")
        failed += not outcome.passed
    click.echo(f"{len(STEPS) - failed} of {len(STEPS)} passed")
    if failed and made.daemon is not None:
        click.echo(f"the end of the daemon's log:\n{made.daemon.log[-2000:]}", err=True)
    return failed == 0
