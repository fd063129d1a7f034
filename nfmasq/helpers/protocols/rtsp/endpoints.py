"""What a Transport header's endpoints are for: those announced, and those of ours that a reply repeats."""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address
from itertools import pairwise

from nfmasq.helpers.kit.base import Found, Mentioned, Named, NotActedOn, Place
from nfmasq.helpers.kit.numbers import LARGEST_PORT
from nfmasq.helpers.protocols.rtsp.transport import MOST_TOGETHER, Slot

LIFETIME_S = 7200
"""Seconds that media may stay away while the connection lives: before the first PLAY, and in a pause."""


def announced(slots: list[Slot], header: bytes, at: int, before: Mapping[int, int]) -> list[Found | Named]:
    """The endpoints that the speaker receives at. header: the text from `at` on. Raises NotActedOn.

    before: the rows that this message has announced already, numbers of ports by first port. Without a port
    an address is only named.
    """
    ports = sorted({slot.port for slot in slots if slot.port is not None})
    if not ports:
        return [_named(slot) for slot in slots if slot.address is not None]
    addresses = {slot.address for slot in slots} - {None}
    if len(addresses) > 1 or any(slot.is_named for slot in slots):
        raise NotActedOn("forged")
    address = next(iter(addresses), None)
    if ports[-1] - ports[0] >= MOST_TOGETHER:
        return _each_alone(slots, address, dict(before))
    first = ports[0]
    count = ports[-1] - first + 1
    if sum(slot.port is not None for slot in slots) == 1 and first < LARGEST_PORT:
        count = 2  # RTCP comes to the next port, though it is not written
    start, end = slots[0].start, slots[-1].end
    between = [header[one.end - at : other.start - at] for one, other in pairwise(slots)]

    def write(address: IPv4Address, port: int) -> bytes:
        texts = [slot.text(address, port + (slot.port or first) - first) for slot in slots]
        return b"".join(text + more for text, more in zip(texts, [*between, b""], strict=True))

    return [_of_media(Found(start, end, address, first, write, consecutive=count), before)]


def mentioned(slots: list[Slot]) -> list[Place]:
    """The external endpoints in a reply, each to be restored by itself."""
    first = next((slot.port for slot in slots if slot.port is not None), None)
    if first is None:
        return []
    return [
        Mentioned(
            slot.start, slot.end, first if slot.port is None else slot.port, slot.text,
            address=slot.address, transport="udp",
        )
        for slot in slots
        if not slot.is_named
    ]  # fmt: skip


def rows(found: Iterable[Place]) -> dict[int, int]:
    """The rows that these announce: numbers of ports by first port."""
    return {each.port: each.consecutive for each in found if isinstance(each, Found) and not each.reuse}


def _named(slot: Slot) -> Named:
    assert slot.address is not None
    return Named(slot.start, slot.end, slot.address, slot.text)


def _each_alone(
    slots: list[Slot], address: IPv4Address | None, before: dict[int, int]
) -> list[Found | Named]:
    """Each slot by itself: their ports are far from each other."""
    found = list[Found | Named]()
    for slot in slots:
        if slot.port is None:
            found.append(_named(slot))
            continue
        alone = _of_media(Found(slot.start, slot.end, address, slot.port, slot.text), before)
        before.setdefault(alone.port, 1)
        found.append(alone)
    return found


def _of_media(found: Found, before: Mapping[int, int]) -> Found:
    """An announcement, or one again. Raises NotActedOn: some of its ports were announced in another row."""
    first, end = found.port, found.port + found.consecutive
    near = [(one, one + count) for one, count in before.items() if one < end and first < one + count]
    reuse = any(one <= first and end <= other for one, other in near)
    if near and not reuse:
        raise NotActedOn("not_allowed")
    return found._replace(
        transport="udp", as_seen=True, reuse=reuse, ends_with_control=True, lifetime_s=LIFETIME_S
    )
