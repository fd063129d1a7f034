"""Dumps: errors are the kernel's, and what changes interrupt is repeated."""

import errno
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from nfmasq.lab.namespace import Namespace
from nfmasq.machine import rtnetlink
from nfmasq.machine.netlink_dump import NetlinkDump
from nfmasq.machine.rtnetlink import Address

pytestmark = pytest.mark.root


@pytest.fixture
def router(as_root: None) -> Iterator[Namespace]:
    with Namespace("router") as made:
        yield made


@pytest.fixture
def dump(router: Namespace) -> Iterator[NetlinkDump]:
    made: NetlinkDump = router.call(NetlinkDump)
    yield made
    made.close()


def _addresses(dump: NetlinkDump, index: int = 0) -> list[Address]:
    return dump.read(
        rtnetlink.GETADDR, rtnetlink.address_request(index), rtnetlink.NEWADDR, rtnetlink.read_address
    )


def test_addresses_of_one_interface_alone_are_read(router: Namespace, dump: NetlinkDump) -> None:
    router.ip("link add lan0 type bridge", "address add 192.168.1.1/24 dev lan0")
    assert len(_addresses(dump)) == 2
    assert [address.interface for address in _addresses(dump, 1)] == [1]


def test_an_interface_that_is_not_there_is_the_kernels_error(dump: NetlinkDump) -> None:
    with pytest.raises(OSError) as failure:
        _addresses(dump, 99)
    assert failure.value.errno == errno.ENODEV
    assert len(_addresses(dump)) == 1


def test_an_answer_nobody_waited_for_is_skipped(router: Namespace, dump: NetlinkDump) -> None:
    dump._socket.send(rtnetlink.request(rtnetlink.GETADDR, rtnetlink.address_request(0), 0))
    assert len(_addresses(dump)) == 1


STORM = """
for _ in $(seq 5000); do
    for n in $(seq 200); do echo address add 10.99.$n.1/24 dev lan1; done
    echo address flush dev lan1
done | ip -force -batch -
"""


def test_an_interrupted_dump_is_repeated(router: Namespace, dump: NetlinkDump) -> None:
    """Every read is whole: the 3000 addresses that stay are there, each once."""
    router.ip(
        "link add lan0 type bridge",
        *(f"address add 10.{n // 250}.{n % 250}.1/24 dev lan0" for n in range(3000)),
        "link add lan1 type bridge",
    )
    storm = router.popen("bash", "-c", STORM, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        reads = 0
        while reads < 200 and dump._sequence <= reads:
            try:
                found = [address for address in _addresses(dump) if address.interface == 2]
            except BlockingIOError:  # EAGAIN: ten in a row were interrupted
                break
            reads += 1
            assert len(found) == len(set(found)) == 3000
        assert dump._sequence > reads, "no dump was interrupted"
    finally:
        os.killpg(storm.pid, signal.SIGKILL)  # the shell alone would leave `ip` behind
        storm.wait()
