"""Netfilter queues as the kernel shows them."""

from pathlib import Path as FilePath

import pytest
from support.nfqueue import KernelQueue as Bound
from support.path import Path

from nfmasq.machine import queues
from nfmasq.machine.queues import KernelQueue, kernel_queues, shown_queues, together

NUMBER = 100


@pytest.mark.root
def test_a_bound_queue_is_shown_with_its_holder(path: Path) -> None:
    assert path.router.call(kernel_queues) == {}
    with Bound(path.router, NUMBER).open():
        shown = path.router.call(kernel_queues)
    assert set(shown) == {NUMBER}
    assert shown[NUMBER].holder > 0


def test_a_kernel_without_queues_shows_none(monkeypatch: pytest.MonkeyPatch, tmp_path: FilePath) -> None:
    monkeypatch.setattr(queues, "KERNEL_QUEUES", tmp_path / "absent")
    assert shown_queues() == {}
    with pytest.raises(FileNotFoundError):
        kernel_queues()


def test_queues_together_have_the_first_ones_holder_and_the_sums() -> None:
    kernel = {5: KernelQueue(77, 1, 2, 3), 6: KernelQueue(78, 10, 20, 30), 8: KernelQueue(79, 9, 9, 9)}
    assert together(kernel, range(5, 8)) == KernelQueue(77, 11, 22, 33)
    assert together(kernel, range(1, 3)) == KernelQueue(0, 0, 0, 0)
