"""An end of a PPP link that says who it is, and notes whom it hears: `fake_ppp.py PLACE [COMMAND …]`.

It speaks on its own input and output, as pppd does. With a COMMAND it starts that first, as the other end of
a pair of sockets. Every 0.2 s it sends a keep-alive (an LCP echo request, RFC 1661) with its name. PLACE gets
a file of its name: whom it has heard, and how often.
"""

import json
import os
import select
import socket
import subprocess
import sys
import time
import tty
from contextlib import suppress
from pathlib import Path

FLAG, ESCAPE, FLIP = 0x7E, 0x7D, 0x20
LCP_ECHO = b"\xff\x03\xc0\x21\x09"
EVERY_S = 0.2


def check(data: bytes) -> int:
    """The frame check sequence of HDLC, 16 bits (RFC 1662)."""
    rest = 0xFFFF
    for byte in data:
        rest ^= byte
        for _ in range(8):
            rest = rest >> 1 ^ (0x8408 if rest & 1 else 0)
    return rest ^ 0xFFFF


def framed(data: bytes) -> bytes:
    """A frame of HDLC, all control characters escaped."""
    out = bytearray([FLAG])
    for byte in data + check(data).to_bytes(2, "little"):
        out += bytes([ESCAPE, byte ^ FLIP]) if byte < 0x20 or byte in {FLAG, ESCAPE} else bytes([byte])
    return bytes([*out, FLAG])


def unframed(frame: bytes) -> bytes:
    """What a frame holds; b"" where its check sequence is wrong."""
    out, escaped = bytearray(), False
    for byte in frame:
        if byte == ESCAPE:
            escaped = True
            continue
        out.append(byte ^ FLIP if escaped else byte)
        escaped = False
    data = bytes(out[:-2])
    return data if len(out) > 2 and check(data) == int.from_bytes(out[-2:], "little") else b""


def name_in(data: bytes) -> str:
    """Who says this; "" where nobody does."""
    begin = data.find(LCP_ECHO[2:])
    return data[begin + 10 :].decode("ascii", "replace") if 0 <= begin <= 2 else ""


def run(place: Path, receive: int, send: int) -> None:
    """Speak and listen until the other end is gone."""
    name = f"end-{os.getpid()}"
    said = framed(LCP_ECHO + b"\1" + (8 + len(name)).to_bytes(2) + bytes(4) + name.encode())
    heard: dict[str, int] = {}
    waiting, due = b"", 0.0
    while True:
        if time.monotonic() >= due:
            due = time.monotonic() + EVERY_S
            os.write(send, said)
            (place / f"{name}.new").write_text(json.dumps(heard))
            (place / f"{name}.new").replace(place / name)
        if select.select([receive], [], [], EVERY_S)[0]:
            got = os.read(receive, 4096)
            if not got:
                return
            *frames, waiting = (waiting + got).split(bytes([FLAG]))
            for who in filter(None, (name_in(unframed(frame)) for frame in frames)):
                heard[who] = heard.get(who, 0) + 1


def main() -> None:
    """Be one end."""
    place, command = Path(sys.argv[1]), sys.argv[2:]
    with suppress(OSError, KeyboardInterrupt):
        if command:
            ours, theirs = socket.socketpair()
            subprocess.Popen(command, stdin=theirs.fileno(), stdout=theirs.fileno())
            theirs.close()
            run(place, ours.fileno(), ours.fileno())
        else:
            tty.setraw(0)
            run(place, 0, 1)


if __name__ == "__main__":
    main()
