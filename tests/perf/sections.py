"""The sections of the report that compare ways to treat packets, and what is said of each measure."""

from dataclasses import dataclass

from nfmasq.bench import bulk, connections, datagrams, pingpong, segments
from nfmasq.bench.reading import Figure
from perf import flooded, overload
from perf.variants import ALL, MILLION, WORKERS

METHOD = """\
Every way of treating packets has a client, a router and a server of its own, in network namespaces joined
by two cables; they differ only in what the router does with packets. All stand from the first to the last
second. In every round each measure is taken of each of them, one straight after the other, and who comes
first changes from round to round, so whatever else the machine does meets them all alike. A figure is the
median of its rounds; after it stand the lowest and the highest. Client, server and router share the
processors, as they do not in a real network: the figures compare ways on one machine, and say little about
another one."""

COMPARED = tuple(variant for variant in ALL if variant not in {MILLION, *WORKERS})
"""The ways that every section compares; the others have sections of their own."""


@dataclass(frozen=True)
class Section:
    """A heading, a few lines on what is measured and how, and its figures."""

    title: str
    about: str
    figures: tuple[Figure, ...]


SECTIONS = (
    Section(
        "Small packets",
        f"UDP datagrams of {datagrams.PAYLOAD} bytes of payload, outbound, offered faster than they can be\n"
        f"forwarded and counted where they arrive. Of {datagrams.FLOWS} flows between two hosts, and of\n"
        f"{datagrams.MANY_FLOWS} to {len(datagrams.ADDRESSES)} addresses, in no order. The time is the\n"
        "processor's: what the router's program used, in the kernel too, for each packet that arrived.",
        (*datagrams.FIGURES, *datagrams.MANY_FIGURES),
    ),
    Section(
        "Overload",
        "What arrives when the router is offered small packets once, twice and three times as fast as it\n"
        "can take them. They come out of nowhere on the router itself, by one processor, and its program\n"
        "has a share of another one, so these rates compare with one another and not with those above.",
        overload.FIGURES,
    ),
    Section(
        "Beside a flood",
        "One host sends small packets faster than they can be forwarded. Others ask the server meanwhile,\n"
        f"{flooded.RATE} times a second, whether answers come or not. Whether one of them shares a queue\n"
        "with the flood is drawn when the machine starts; of nfmasq's exchanges one in eight does.",
        flooded.FIGURES,
    ),
    Section(
        "Bulk",
        f"iperf3 over TCP, one stream and {bulk.STREAMS}, up and down: bits of payload a second that arrive.",
        tuple(bulk.OPTIONS),
    ),
    Section(
        "UDP with GSO",
        f"A socket sends {segments.SIZE // segments.SEGMENT} datagrams of {segments.SEGMENT} bytes each\n"
        "that travel as one packet as far as they can: bits of frames a second that arrive.",
        (segments.UP, segments.DOWN),
    ),
    Section(
        "Connections",
        f"TCP connections a second from begin to end, {connections.CLIENTS} clients, nothing sent\n"
        "over them. Each is a new session, and six packets or more.",
        connections.FIGURES,
    ),
    Section(
        "Round trip",
        "One small UDP datagram to the server and back, the next when it has come, nothing else on the way.\n"
        "It holds what two Python programs and two cables cost, the same for all.",
        pingpong.FIGURES,
    ),
)
