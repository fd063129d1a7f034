"""The limit of descriptors, in processes of their own: a limit that was lowered cannot be raised again."""

import subprocess
import sys

ASK = (
    "import resource; from nfmasq.daemon import descriptors as d; d.raise_limit(); "
    "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], d.connections_of_each(2))"
)


def limited(commands: str) -> tuple[int, int]:
    """The limit and the connections of each listener, after these commands of a shell."""
    ended = subprocess.run(
        ["bash", "-c", f'{commands}; exec "$0" -c "$1"', sys.executable, ASK],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    limit, connections = ended.stdout.split()
    return int(limit), int(connections)


def test_a_soft_limit_is_raised_as_far_as_needed() -> None:
    assert limited("ulimit -S -n 100") == (4096, 64)


def test_a_hard_limit_leaves_fewer_connections_and_never_none() -> None:
    limit, connections = limited("ulimit -n 160")
    assert limit == 160
    assert 2 < connections < 32
    assert limited("ulimit -n 60") == (60, 2)
