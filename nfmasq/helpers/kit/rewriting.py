"""An example with other endpoints written in it, as the far side hears it: for the contract test."""

from ipaddress import IPv4Address

from nfmasq.helpers.kit.base import Named, NotActedOn, Place, Side
from nfmasq.helpers.kit.listener import Broken, Example, Listener, shown


def rewritten(example: Example, heard: Listener, other: tuple[IPv4Address, int]) -> list[tuple[Side, bytes]]:
    """The example with another endpoint in every place; the new text goes where the old one began.

    A place whose `write` raises NotActedOn keeps its text. Raises Broken.
    """
    at, changed = dict.fromkeys(Side, 0), list[tuple[Side, bytes]]()
    for side, text in example:
        begin, end, written = at[side], at[side] + len(text), b""
        done = begin
        for place in heard.places:
            if place.side is not side or place.end <= begin or place.start >= end:
                continue
            if place.start >= begin:
                was = text[place.start - begin : place.end - begin]
                written += text[done - begin : place.start - begin] + _write(place.what, other, was)
            done = min(place.end, end)
        changed.append((side, written + text[done - begin :]))
        at[side] = end
    return changed


def _write(what: Place, other: tuple[IPv4Address, int], was: bytes) -> bytes:
    address, port = other
    try:
        new: object = what.write(address, 0 if isinstance(what, Named) else port)
    except NotActedOn:
        return was
    except Exception as error:
        raise Broken(f"write{other} raises {error!r}, of {shown(was)}") from error
    if not isinstance(new, bytes):
        raise Broken(f"write must return bytes, not {new!r}")
    return new
