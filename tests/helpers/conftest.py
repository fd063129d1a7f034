"""For all tests of the helpers."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="package")
def a_small_heap() -> Iterator[None]:
    """What tests before have left in memory costs a helper no time to collect: a daemon has little."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
