"""What the pages show at a console is what comes, in a lab of the page's own."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from docs.console import Stage, commands, consoles, lab_for, matches
from docs.pages import PAGES, name_of

WITH_SESSIONS = [page for page in PAGES if consoles(page)]


@pytest.mark.parametrize("page", WITH_SESSIONS, ids=name_of)
def test_commands_print_what_the_page_shows(as_root: None, page: Path, tmp_path: Path) -> None:
    with ExitStack() as stack:
        lab = lab_for(page)
        stage = Stage(page, tmp_path, lab and stack.enter_context(lab))
        for block in consoles(page):
            for command in commands(block):
                came = stage.run(command)
                assert matches(command.shown, came), f"{command.prompt} {command.text}\n{came}"


@pytest.mark.parametrize(
    ("shown", "came", "same"),
    [
        ("sessions  …\n", "sessions     12 (tcp 3)\n", True),
        ("sessions  …\n", "mappings  12\n", False),
        ("first\n…\nlast\n", "first\nlast\n", True),
        ("first\n…\nlast\n", "first\none\ntwo\nlast\n", True),
        ("first\nlast\n", "first\none\nlast\n", False),
        ("dropped   … packets\n", "dropped    3 packets\n", True),
        ("a line\n", "a line\nand another\n", False),
    ],
)
def test_only_what_the_ellipsis_leaves_open_may_differ(shown: str, came: str, same: bool) -> None:
    assert matches(shown, came) == same
