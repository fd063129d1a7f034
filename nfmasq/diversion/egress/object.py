"""Reads the built object: the programs' instructions, their maps, and where they name them.

An ELF64 file of relocatable code, little endian, of a section a program and one "maps" section (elf.h).
Every length is checked by the unpacking: BadObject is raised for a file that is cut off or of another kind.
"""

import struct
from dataclasses import dataclass

EXTERNAL, INTERNAL = PROGRAMS = ("external", "internal")
"""The programs: for external and for internal interfaces."""

_MAPS = "maps"

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQ")
_MAP = struct.Struct("<5I")
_SYMBOLS = 2
"""The type of the section that holds the symbols (SHT_SYMTAB)."""


class BadObject(Exception):
    """The object is damaged, or was built for a machine of another byte order."""


@dataclass(frozen=True)
class MapShape:
    """A map as the program wants it; the numbers of bpf(2)'s BPF_MAP_CREATE."""

    kind: int
    key_size: int
    value_size: int
    most_entries: int
    flags: int


@dataclass(frozen=True)
class Program:
    """instructions: of 8 bytes each. places: offset of an instruction that loads a map's address, and that
    map's name."""

    instructions: bytes
    places: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Object:
    """programs: by PROGRAMS. maps: by name; the programs share them."""

    programs: dict[str, Program]
    maps: dict[str, MapShape]


def read(data: bytes) -> Object:
    """Read an object. Raises BadObject."""
    try:
        return _read(data)
    except (struct.error, ValueError, KeyError, IndexError) as error:
        raise BadObject(f"the object of the egress program cannot be read: {error!r}") from None


def _read(data: bytes) -> Object:
    header = _HEADER.unpack_from(data)
    if header[0][:6] != b"\x7fELF\x02\x01":
        raise BadObject("the object of the egress program is no ELF64 file of little endian")
    start, count, names_at = header[6], header[12], header[13]
    sections = [_SECTION.unpack_from(data, start + at * _SECTION.size) for at in range(count)]
    contents = [data[each[4] : each[4] + each[5]] for each in sections]
    numbers = {_name(contents[names_at], each[0]): at for at, each in enumerate(sections)}
    symbols_at = next(at for at, each in enumerate(sections) if each[1] == _SYMBOLS)
    words = contents[sections[symbols_at][6]]
    symbols = list(_SYMBOL.iter_unpack(contents[symbols_at]))
    programs = {
        name: Program(
            contents[numbers[name]],
            tuple(
                (place, _name(words, symbols[info >> 32][0]))
                for place, info in _RELOCATION.iter_unpack(contents[numbers[f".rel{name}"]])
            ),
        )
        for name in PROGRAMS
    }
    maps = {
        _name(words, name): MapShape(*_MAP.unpack_from(contents[numbers[_MAPS]], value))
        for name, info, _, section, value, _ in symbols
        if section == numbers[_MAPS] and info & 15 == 1  # data, not the section itself
    }
    return Object(programs, maps)


def _name(words: bytes, start: int) -> str:
    return words[start : words.index(b"\0", start)].decode()
