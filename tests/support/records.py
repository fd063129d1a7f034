"""Records of the state file, as bytes: where their fields lie, and the check over them, computed anew."""

import struct

CHECK_AT = 34
PRIME = 65521
EXPECTED = 1


def check_of(record: bytes | bytearray) -> int:
    """The check of a session's record."""
    flags, protocol, transport, scope = record[2], record[4], record[5], record[7]
    internal, external, remote = struct.unpack_from("=III", record, 8)
    internal_port, external_port, remote_port = struct.unpack_from("=HHH", record, 20)
    (created,) = struct.unpack_from("=I", record, 56)
    corrections = struct.unpack_from("=II", record, 88)
    kind = protocol << 24 | transport << 16 | scope << 8 | flags & EXPECTED
    words = (
        kind,
        internal,
        external,
        remote,
        internal_port << 16 | external_port,
        remote_port,
        created,
        *corrections,
    )
    factors = (60013, 52361, 47629, 40961, 35323, 29443, 22277, 16411, 9973)
    return (sum(map(int.__mul__, words, factors)) + 4241) % PRIME + 1


def seal(data: bytearray, at: int) -> None:
    """Make the check of the record at this place right, whatever else was changed in it."""
    struct.pack_into("=H", data, at + CHECK_AT, check_of(data[at : at + 128]))
