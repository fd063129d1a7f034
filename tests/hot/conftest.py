"""A router for every test."""

import pytest
from support.router import Router


@pytest.fixture
def router() -> Router:
    """One external address, one internal network, address-dependent filtering."""
    return Router()
