"""Can rules send packets to the queues?"""

from pathlib import Path as FilePath

import pytest
from support.path import Path

from doctor.answers import answers_of, config_of

pytestmark = pytest.mark.root


def test_diversion_none_is_warned_of(router: Path, state: FilePath) -> None:
    assert answers_of(router, config_of(state, engine={"diversion": "none"}))["diversion"].status == "warn"
