"""What every test may count on."""

import os

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker of tests that need root known."""
    config.addinivalue_line("markers", "root: needs root, for network namespaces of its own")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Without root such a test fails: skipped in silence, it would look as if it had passed."""
    if item.get_closest_marker("root") and os.geteuid() != 0:
        pytest.fail("needs root, to make network namespaces: sudo tests/run", pytrace=False)
