"""Beside a flood: do datagrams of other hosts come back while one host sends more than the router can take?

The flood is that of `datagrams`. Meanwhile other hosts, more addresses of the client's, ask the server of
`pingpong` in turn, a steady few hundred times a second whether answers come or not. What is answered until a
while after the end counts; all others were lost on the way, there or back.
"""

import json
import select
import socket
import struct
import sys
import time
from contextlib import suppress

from nfmasq.bench import datagrams, pingpong
from nfmasq.bench.bed import CLIENT, SERVER, Bed
from nfmasq.bench.programs import answer, running
from nfmasq.bench.reading import Figure, Reading

SHARE = Figure("beside-flood", "answered beside a flood", "%", 1e-2)
MEDIAN = Figure("beside-flood-time", "round trip beside a flood, median", "ms", 1e-3, more_is_better=False)
FIGURES = (SHARE, MEDIAN)

HOSTS = tuple(CLIENT + number for number in range(1, 9))
"""Those that ask. Several: by its address each has a queue, which may be the flood's."""
RATE = 500
"""Questions a second, of all together."""
PATIENCE_S = 0.5


def take(bed: Bed, seconds: float) -> Reading:
    """Ask beside the flood."""
    bed.client.ip(*(f"address replace {host}/24 dev {bed.client_interface}" for host in HOSTS))
    with running(bed.server, pingpong.__name__, "serve"), datagrams.flooding(bed, datagrams.FLOWS):
        time.sleep(datagrams.WARM_UP_S)
        said = answer(bed.client, __name__, str(seconds), patience=seconds)
    values = {SHARE.name: said["answered"] / said["asked"]}
    if said["answered"]:
        values[MEDIAN.name] = said["median"]
    return Reading(values)


def _ask(seconds: float) -> dict[str, object]:
    """Questions, answers, and the median of what these took in seconds; only if there were some."""
    sockets = [_from(str(host)) for host in HOSTS]
    poll = select.poll()
    for sock in sockets:
        poll.register(sock, select.POLLIN)
    by_number = {sock.fileno(): sock for sock in sockets}
    asked_at: list[float] = []
    times: list[float] = []
    begin = time.monotonic()
    while (now := time.monotonic()) < begin + seconds + PATIENCE_S:
        due = begin + len(asked_at) / RATE
        if now < begin + seconds and now >= due:
            sockets[len(asked_at) % len(sockets)].send(struct.pack("!I", len(asked_at)) + bytes(60))
            asked_at.append(now)
            continue
        wait = max(due - now, 0.0) if now < begin + seconds else PATIENCE_S
        for number, _ in poll.poll(wait * 1e3):
            with suppress(OSError):  # what an ICMP error says is that one more was lost
                (nth,) = struct.unpack_from("!I", by_number[number].recv(64))
                times.append(time.monotonic() - asked_at[nth])
    times.sort()
    said: dict[str, object] = {"asked": len(asked_at), "answered": len(times)}
    return said | {"median": pingpong.percentile(times, 0.5)} if times else said


def _from(host: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((host, 0))
    sock.connect((str(SERVER), pingpong.PORT))
    return sock


if __name__ == "__main__":
    print(json.dumps(_ask(float(sys.argv[1]))), flush=True)
