"""What hostile bytes cost, measured in its shortest form; no figure is judged."""

from perf.hostile import dearest


def test_each_helper_has_its_dearest_bytes() -> None:
    found = dearest(rounds=1)
    assert {each.helper for each in found} == {"ftp", "irc", "pptp", "rtsp", "tftp"}
    assert all(each.seconds > 0 for each in found)
