"""For the tests of the engine: a bed with the helpers of `here`, and an open connection."""

import pytest

from helpers.engine.bed import Bed, Connection


@pytest.fixture
def bed() -> Bed:
    return Bed()


@pytest.fixture
def connection(bed: Bed) -> Connection:
    return Connection(bed).open()
