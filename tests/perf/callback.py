"""The plain callback, `python -m perf.callback`: each packet a Python call that accepts it unchanged.

The least that any translator in Python can cost, as long as it sees packets one by one. It runs until killed.
"""

from netfilterqueue import NetfilterQueue, Packet

from nfmasq.bench.router import FIRST_QUEUE, divert


def accept(packet: Packet) -> None:
    """Let a packet go on."""
    packet.accept()


def main() -> None:
    """Serve one bed's router."""
    queue = NetfilterQueue()
    queue.bind(FIRST_QUEUE, accept)
    divert(1)
    queue.run()


if __name__ == "__main__":
    main()
