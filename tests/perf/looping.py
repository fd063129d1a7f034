"""A third party's helper, which the bench installs for the daemon: at a certain line it loops for ever.

`installed` leaves the entry point by which the daemon finds it, as pip would, in a directory that vanishes
with it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from nfmasq.helpers.kit.base import Reading, Session, Side
from nfmasq.helpers.registry import GROUP

LOOP = b"LOOP\r\n"

_METADATA = "Metadata-Version: 2.1\nName: nfmasq_perf_looping\nVersion: 1.0\n"


class Looping:
    """The helper."""

    name = "looping"
    transport = "tcp"
    ports: tuple[int, ...] = (7021,)
    enabled_by_default = True
    about = "Loops until it is cut off"

    def begin(self, session: Session) -> "Looping":
        """It keeps nothing of a session."""
        return self

    def read(self, side: Side, data: bytes) -> Reading:
        """Read until the line comes."""
        while LOOP in data:
            pass
        return Reading(len(data))


@contextmanager
def installed() -> Iterator[str]:
    """The directory in which a Python finds it, for PYTHONPATH."""
    with TemporaryDirectory(prefix="nfmasq-bench-") as place:
        information = Path(place) / "nfmasq_perf_looping-1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(_METADATA, encoding="utf-8")
        point = f"[{GROUP}]\n{Looping.name} = {Looping.__module__}:{Looping.__qualname__}\n"
        (information / "entry_points.txt").write_text(point, encoding="utf-8")
        Path(place).chmod(0o755)  # whoever the daemon runs as must find it
        yield place
