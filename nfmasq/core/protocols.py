"""The numbers of the IP protocols whose payload helpers read (RFC 9293, RFC 768)."""

TCP = 6
UDP = 17

TRANSPORT_NUMBERS = {"tcp": TCP, "udp": UDP}
"""By the names that helpers and the configuration use."""
