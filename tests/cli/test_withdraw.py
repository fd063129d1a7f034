"""`nfmasq withdraw`."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.capabilities import without_net_admin

from nfmasq.cli import main
from nfmasq.diversion.forwarding_stop import ForwardingStop, memory_beside
from nfmasq.exits import Exit
from nfmasq.lab.namespace import Namespace
from nfmasq.machine.forwarding import forwards

pytestmark = pytest.mark.root


def withdraw(directory: Path) -> Result:
    """The command beside a daemon that is dead."""
    options = ("--socket", str(directory / "nfmasq.sock"), "--state", str(directory / "state"))
    return CliRunner().invoke(main, ("withdraw", *options))


def test_what_a_dead_daemon_stopped_forwards_again(router: Namespace, tmp_path: Path) -> None:
    router.call(ForwardingStop(memory_beside(tmp_path / "state")).stop, ("lan0",))
    assert not router.call(forwards, "lan0")
    result = router.call(withdraw, tmp_path)
    assert (result.exit_code, result.output) == (0, "no rules of nfmasq are left\n")
    assert router.call(forwards, "lan0")


def test_an_interface_that_the_kernel_does_not_let_forward_again_is_named(
    router: Namespace, tmp_path: Path
) -> None:
    """The programs that remove rules have the right; the command itself has it not."""
    router.call(ForwardingStop(memory_beside(tmp_path / "state")).stop, ("lan0",))
    result = router.call(without_net_admin(withdraw), tmp_path)
    assert result.exit_code == Exit.FAILED
    assert "forwarding from lan0 could not be enabled again: Operation not permitted" in result.output
    assert router.call(withdraw, tmp_path).exit_code == 0
    assert router.call(forwards, "lan0")
