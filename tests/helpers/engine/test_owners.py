"""Whose an external endpoint is: of the session that announced it last, and of its host alone."""

from support.router import CLIENT, EXTERNAL, OTHER_CLIENT

from nfmasq.helpers.engine.announced import owned
from nfmasq.helpers.engine.owners import Owners

AT = EXTERNAL, 7000
ONE, OTHER = (1, 1), (2, 1)


def known() -> Owners:
    """One endpoint, which ONE announced."""
    owners = Owners()
    owners.note(ONE, "udp", AT, (CLIENT, 5000))
    return owners


def test_it_is_its_host_s_alone() -> None:
    assert known().internal_of(("tcp", "udp"), AT, CLIENT) == (CLIENT, 5000)
    assert known().internal_of(("udp",), AT, OTHER_CLIENT) is None
    assert known().internal_of(("tcp",), AT, CLIENT) is None


def test_the_session_that_announced_it_last_forgets_it() -> None:
    owners = known()
    owners.note(OTHER, "udp", AT, (CLIENT, 5000))
    owners.forget(ONE, [owned("udp", AT)])
    assert owners.internal_of(("udp",), AT, CLIENT) == (CLIENT, 5000)
    owners.forget(OTHER, [owned("udp", AT), owned("tcp", AT)])
    assert owners.internal_of(("udp",), AT, CLIENT) is None
