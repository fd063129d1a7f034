"""Each row of the listings is whole: its reading, its columns, its command."""

from collections.abc import Callable

import pytest
from click.testing import Result
from support.behind import CLIENT, Bare, forwarding, speak

from nfmasq.cli import SECTIONS
from nfmasq.control.client import Client
from nfmasq.control.listings import LISTINGS, Listing
from nfmasq.control.lists import shape_of
from nfmasq.helpers.protocols import NAMES
from nfmasq.runtime.forwards import Forwards


@pytest.fixture
def running(running: Bare) -> Bare:
    """With something in each list."""
    speak(running.table, CLIENT, 5000)
    running.table.translate(b"")
    running.book = Forwards(forwarding({"protocol": "tcp", "external_port": "80", "to": str(CLIENT)}))
    return running


@pytest.mark.parametrize("listing", LISTINGS.values(), ids=list(LISTINGS))
def test_a_row_of_a_listing_makes_route_shape_columns_and_command(
    running: Bare, client: Client, command: Callable[..., Result], listing: Listing
) -> None:
    rows = client.get(f"/v1/{listing.name}")[listing.name]
    assert set(rows[0]) == set(shape_of(listing).__annotations__)
    assert all(column.cell(row) != "" or column.width == 0 for row in rows for column in listing.columns)
    title, *shown = command(listing.name).output.splitlines()
    assert title.split() == " ".join(column.title for column in listing.columns).split()
    assert len(shown) == len([row for row in rows if not (listing.idle and listing.idle(row))])
    assert listing.name in SECTIONS["See what it does"]


def test_a_cut_list_of_any_kind_says_how_to_go_on(running: Bare, command: Callable[..., Result]) -> None:
    cut = command("helpers", "--limit", "1")
    assert (len(cut.stdout.splitlines()), cut.stderr) == (2, f"There are more: --after {NAMES[0]}\n")
    rest = command("helpers", "--after", NAMES[0])
    assert (len(rest.stdout.splitlines()), rest.stderr) == (len(NAMES), "")
