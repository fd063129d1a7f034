"""On which kind of file system a path lies."""

from pathlib import Path

from nfmasq.machine.filesystems import filesystem


def test_a_path_lies_on_the_innermost_mount_point() -> None:
    assert filesystem(Path("/proc/self/status")) == ("/proc", "proc")
    assert filesystem(Path("/dev/shm/no/such/file")) == ("/dev/shm", "tmpfs")


def test_a_name_that_only_begins_like_a_mount_point_is_not_below_it() -> None:
    assert filesystem(Path("/process")) == filesystem(Path("/"))
