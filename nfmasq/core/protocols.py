"""The numbers of the IP protocols whose sessions helpers read or announce (RFC 9293, RFC 768, RFC 2637)."""

TCP = 6
UDP = 17
GRE = 47

TRANSPORT_NUMBERS = {"tcp": TCP, "udp": UDP, "gre": GRE}
"""By the names that helpers and the configuration use."""

INWARD = 0x0101
OUTWARD = 0x0202
"""In place of the remote port, where a session has a key: which end knows the packets by it (keys)."""
