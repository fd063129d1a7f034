"""Which command a reply belongs to, when several wait."""

import pytest

from nfmasq.helpers.kit.pairing import MOST_WAITING as PIPELINED
from nfmasq.helpers.protocols.ftp.dialogue import Pipeline


def waiting(*words: bytes) -> Pipeline:
    """These commands were sent, in this order."""
    pipeline = Pipeline()
    for word in words:
        pipeline.add(word)
    return pipeline


def test_a_reply_belongs_to_the_command_that_waited_longest() -> None:
    pipeline = waiting(b"CWD", b"LIST")
    assert [pipeline.answered(code) for code in (b"250", b"226", b"226")] == [b"CWD", b"LIST", b""]


@pytest.mark.parametrize(("code", "word"), [(b"227", b"PASV"), (b"229", b"EPSV"), (b"334", b"AUTH")])
def test_a_code_of_one_command_alone_passes_over_the_others(code: bytes, word: bytes) -> None:
    """Servers differ in how many replies they give to ABOR."""
    pipeline = waiting(b"ABOR", word, b"LIST")
    assert pipeline.answered(code) == word
    assert pipeline.answered(b"226") == b"LIST"


def test_such_a_code_without_its_command_belongs_to_none() -> None:
    pipeline = waiting(b"LIST")
    assert pipeline.answered(b"227") == b""
    assert pipeline.answered(b"226") == b"LIST"


@pytest.mark.parametrize(("code", "word"), [(b"226", b""), (b"425", b"PASV"), (b"500", b"PASV")])
def test_pasv_is_answered_well_only_by_its_own_code(code: bytes, word: bytes) -> None:
    assert waiting(b"PASV").answered(code) == word


def test_only_so_many_commands_wait() -> None:
    pipeline = waiting(b"CWD", *[b"NOOP"] * PIPELINED)
    assert pipeline.answered(b"250") == b"NOOP"


def test_the_newest_command_can_wait_under_another_name() -> None:
    pipeline = waiting(b"NOOP", b"EPSV")
    pipeline.rename_last(b"EPSV ALL")
    assert [pipeline.answered(code) for code in (b"200", b"200")] == [b"NOOP", b"EPSV ALL"]
