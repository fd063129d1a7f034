"""The kernel's connection tracking."""

from pathlib import Path as FilePath

import pytest
from support.path import Path

from doctor.answers import answers_of, config_of

pytestmark = pytest.mark.root


def test_too_small_a_connection_tracking_table_is_warned_of_when_it_is_in_use(
    router: Path, state: FilePath
) -> None:
    many = {"sessions": 20_000_000}
    assert answers_of(router, config_of(state, limits=many))["connection tracking"].status == "ok"
    router.iptables("-A FORWARD -m conntrack --ctstate NEW -j ACCEPT")
    with router.sender() as sender, router.receiver() as receiver:
        sender.send(b"tracked")
        receiver.recv(100)
        check = answers_of(router, config_of(state, limits=many))["connection tracking"]
    assert (check.status, "nf_conntrack_max=20000000" in check.mend) == ("warn", True)
