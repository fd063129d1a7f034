"""Netfilter queues: can one be bound, and are those that the configuration names free?"""

import sys
from pathlib import Path as FilePath

import pytest
from support.nfqueue import KernelQueue
from support.path import Path

from doctor.answers import FIRST_QUEUE, answers_of, config_of
from nfmasq.core.queue_socket import QUEUES_EACH
from nfmasq.machine.queues import bind_a_queue, kernel_queues

pytestmark = pytest.mark.root

BIND_A_QUEUE = f"""
import sys
from netfilterqueue import NetfilterQueue
queue = NetfilterQueue()
queue.bind({FIRST_QUEUE}, lambda packet: packet.drop())
print("bound", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("number", [FIRST_QUEUE, FIRST_QUEUE + 2 * QUEUES_EACH])
def test_a_queue_that_another_program_has_fails_and_the_program_is_named(
    router: Path, state: FilePath, number: int
) -> None:
    with KernelQueue(router.router, number).open():
        check = answers_of(router, config_of(state))["queue numbers"]
        assert (check.status, f"queue {number} is taken by" in check.why) == ("fail", True)
        assert "first_queue" in check.mend
    assert answers_of(router, config_of(state))["queue numbers"].status == "ok"


def test_a_queue_is_tried_whose_number_no_program_has(router: Path) -> None:
    with KernelQueue(router.router, 65535).open(), KernelQueue(router.router, 65534).open():
        assert router.router.call(bind_a_queue) == 65533
    assert router.router.call(kernel_queues) == {}


def test_a_daemon_that_has_its_queues_is_well(router: Path, state: FilePath, tmp_path: FilePath) -> None:
    (tmp_path / "nfmasq").write_text(BIND_A_QUEUE, encoding="ascii")
    daemon = router.router.popen(sys.executable, str(tmp_path / "nfmasq"), stdin=-1, stdout=-1)
    with daemon:
        assert daemon.stdout is not None
        assert daemon.stdout.readline() == "bound\n"
        check = answers_of(router, config_of(state))["queue numbers"]
        assert (check.status, "running already" in check.why) == ("ok", True)
        daemon.kill()
