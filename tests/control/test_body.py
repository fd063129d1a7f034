"""Bodies that are one small JSON object, and all others. The hardening tests send them to a daemon."""

import pytest

from nfmasq.control.body import MOST_DEPTH, parsed
from nfmasq.control.question import BadRequest


def nested(depth: int) -> bytes:
    """An object with arrays in it, `depth` in all."""
    return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def test_an_object_is_taken_up_to_its_depth() -> None:
    assert parsed('{"to": "192.168.1.10:80", "id": "größe"}'.encode())["id"] == "größe"
    assert parsed(nested(MOST_DEPTH))
    with pytest.raises(BadRequest, match="deep"):
        parsed(nested(MOST_DEPTH + 1))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "must be a JSON object"),
        (b"[]", "must be a JSON object"),
        (b"\xef\xbb\xbf{}", "must be a JSON object"),
        (b'{"a": 1, "a": 2}', "the key 'a' stands twice"),
        (b'{"a": {"b": 1, "b": 1}}', "the key 'b' stands twice"),
        (b'{"a": Infinity}', "Infinity is no number of JSON"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b"[" * 60_000, "deep"),
    ],
)
def test_anything_else_is_refused_with_its_fault(body: bytes, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        parsed(body)
