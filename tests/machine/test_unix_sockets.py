"""Whose a unix socket of an abstract name is, told by the kernel."""

import os
import socket
from collections.abc import Iterator

import pytest

from nfmasq.lab.namespace import Namespace
from nfmasq.machine.unix_sockets import Owner, owners

pytestmark = pytest.mark.root

NAME, OTHER = "\0nfmasq.test", "\0nfmasq.other"


@pytest.fixture
def place() -> Iterator[Namespace]:
    with Namespace("place") as made:
        yield made


@pytest.mark.parametrize("form", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_bound_name_has_its_user_whether_it_listens_or_not(place: Namespace, form: int) -> None:
    with place.call(socket.socket, socket.AF_UNIX, form) as bound:
        bound.bind(NAME)
        assert place.call(owners, [NAME, OTHER]) == {NAME: Owner(0, os.fstat(bound.fileno()).st_ino)}


def test_a_name_belongs_to_its_network_namespace(place: Namespace) -> None:
    with place.call(socket.socket, socket.AF_UNIX) as bound, Namespace("apart") as apart:
        bound.bind(NAME)
        assert apart.call(owners, [NAME]) == {}


def test_another_users_socket_is_known_by_its_user(place: Namespace) -> None:
    program = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(chr(0) + 'nfmasq.test'); print(); "
        "sys.stdin.read()"
    )
    with place.popen(
        "setpriv", "--reuid=65534", "--clear-groups", "python3", "-Sc", program, stdin=-1, stdout=-1
    ) as stranger:
        assert stranger.stdout is not None
        stranger.stdout.readline()
        found = place.call(owners, [NAME])
        stranger.communicate("")
    assert found is not None
    assert found[NAME].uid == 65534


def test_a_socket_without_a_name_is_none(place: Namespace) -> None:
    with place.call(socket.socket, socket.AF_UNIX):
        assert place.call(owners, [NAME]) == {}
