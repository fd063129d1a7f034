"""An example with other endpoints written in it, as the far side hears it: for the contract test."""

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address
from typing import Any

from nfmasq.helpers.kit.base import Found, Mentioned, Named, NotActedOn, Side, Size
from nfmasq.helpers.kit.listener import Broken, Example, Listener, Place, shown
from nfmasq.helpers.kit.sizes import Edit, sized

Written = tuple[IPv4Address, int]


def rewritten(example: Example, heard: Listener, other: Written) -> list[tuple[Side, bytes]]:
    """The example with another endpoint in every place; the new text goes where the old one began.

    A place whose `write` raises NotActedOn keeps its text. Sizes are written last. Raises Broken.
    """
    edits = {side: _edits([each for each in heard.places if each.side is side], other) for side in Side}
    at, changed = dict.fromkeys(Side, 0), list[tuple[Side, bytes]]()
    for side, text in example:
        begin, end = at[side], at[side] + len(text)
        changed.append((side, _edited(text, begin, edits[side])))
        at[side] = end
    return changed


def written_for(what: object, other: Written) -> Written:
    """The endpoint that a place is given: a row of ports begins where it has room, of a pair evenly."""
    address, port = other
    if isinstance(what, Named) or (isinstance(what, Mentioned) and what.address is not None):
        return address, port if what.port else 0
    if isinstance(what, Found) and what.write is None:
        return address, what.port
    if isinstance(what, Found) and what.consecutive > 1:
        port = min(port, 65536 - what.consecutive)
        return address, port - port % 2
    return other


def _edits(places: Iterable[Place], other: Written) -> list[Edit]:
    """Spans of one side's bytes, each with the text that takes its place."""
    edits: list[Edit] = []
    sizes: list[Size] = []
    for each in places:
        if isinstance(each.what, Size):
            sizes.append(_moved(each.what, each.start - each.what.start))
        elif each.what.write is not None:
            text = _write(each.what.write, *written_for(each.what, other))
            if text is not None:
                edits.append((each.start, each.end, text))
                edits += _apart(each, other)
    edits.sort()
    return sized(edits, sizes, lambda write, length: _write(write, length) or b"")


def _apart(place: Place, other: Written) -> list[Edit]:
    """What is written of a row's ports in any case, where a helper says so (`Apart.always`)."""
    apart = place.what.apart if isinstance(place.what, Found) else None
    if apart is None or not apart.always or not isinstance(place.what, Found):
        return []
    address, first = written_for(place.what, other)
    text = _write(apart.write, address, range(first, first + place.what.consecutive))
    by = place.start - place.what.start
    return [] if text is None else [(apart.start + by, apart.end + by, text)]


def _moved(size: Size, by: int) -> Size:
    """A size whose spans count from the beginning of its side's bytes."""
    return size._replace(
        start=size.start + by, end=size.end + by, begin=size.begin + by, until=size.until + by
    )


def _edited(text: bytes, begin: int, edits: Iterable[Edit]) -> bytes:
    """A part of a side's bytes that begins there, after all edits that begin in it."""
    made, done = b"", 0
    for start, end, new in edits:
        if end <= begin or start >= begin + len(text):
            continue
        if start >= begin:
            made += text[done : start - begin] + new
        done = min(end - begin, len(text))
    return made + text[done:]


def _write(write: Callable[..., Any], *arguments: object) -> bytes | None:
    """What a place writes; None: its old text stays. Raises Broken."""
    try:
        new: object = write(*arguments)
    except NotActedOn:
        return None
    except Exception as error:
        raise Broken(f"write{arguments} raises {error!r}") from error
    if not isinstance(new, bytes):
        raise Broken(f"write{arguments} must return bytes, not {shown(repr(new).encode())}")
    return new
