"""Why packets are dropped: one row a reason, and all that nfmasq knows of it.

The order is that of the core's enum (`_hot/state/reasons.pxd`): a row's position is the index of its counter.
A new reason is a line there and a row here.
"""

from enum import IntEnum, StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What an administrator should think of a reason; `class` in the API and in metrics."""

    NOISE = "noise"
    """Any router on the Internet sees such packets. Nothing is to be done."""
    REFUSED = "refused"
    """A rule of the configuration, or of an RFC, forbids the packet."""
    LIMIT = "limit"
    """A limit is reached: raise it, or look for the host that uses it up."""
    FAULT = "fault"
    """Something is broken on the router: look at the status and at `nfmasq doctor`."""
    GUARD = "guard"
    """The guard stopped the packet: it would have left untranslated."""


class Icmp(IntEnum):
    """The ICMP decision of a reason: the code of destination unreachable that answers the packet (RFC 1812).

    RESET alone is no such code. The core reads these numbers (`_hot/state/refusals.pxd`).
    """

    NONE = 255
    """The sender gets no answer."""
    HOST_UNREACHABLE = 1
    """To internal hosts: the router lacks something (RFC 6888 REQ-11 B)."""
    PROHIBITED = 13
    """To internal hosts: a limit of the host is reached (RFC 5508 REQ-8)."""
    PORT_UNREACHABLE = 3
    """To an unsolicited SYN, six seconds later, unless its session has begun (RFC 5382 REQ-4)."""
    RESET = 254
    """To internal hosts: TCP's own answer, an RST (RFC 9293 section 3.10.7.1). Programs hear the end."""


class Reason(NamedTuple):
    """One reason. Each states its ICMP decision: there is no default."""

    name: str
    """In metrics and on the command line."""
    kind: Kind
    sentence: str
    """For people: 100 characters at most."""
    icmp: Icmp


NOISE, REFUSED, LIMIT, FAULT, _ = Kind

ROWS: tuple[Reason, ...] = (
    # The packet's own shape.
    Reason("message_invalid", FAULT, "The kernel's message about the packet could not be read.", Icmp.NONE),
    Reason(
        "oversized",
        FAULT,
        "The packet is longer than a netfilter queue can hand back (65531 bytes).",
        Icmp.NONE,
    ),
    Reason("truncated", NOISE, "The packet is shorter than its own headers say.", Icmp.NONE),
    Reason("not_ipv4", NOISE, "The packet is not IPv4.", Icmp.NONE),
    Reason("ip_header_invalid", NOISE, "The IP header's lengths contradict each other.", Icmp.NONE),
    Reason("ip_options_invalid", NOISE, "The IP options run past the header or into each other.", Icmp.NONE),
    Reason(
        "source_routed",
        REFUSED,
        "The packet asks for a route of its own choice (loose or strict source routing).",
        Icmp.NONE,
    ),
    Reason("fragment", FAULT, "A fragment arrived that the kernel had not reassembled.", Icmp.NONE),
    Reason(
        "tcp_header_invalid",
        NOISE,
        "The TCP header is longer than the segment, or shorter than 20 bytes.",
        Icmp.NONE,
    ),
    Reason(
        "tcp_flags_invalid",
        NOISE,
        "The TCP flags make no sense together (none, SYN with FIN, FIN without ACK …).",
        Icmp.NONE,
    ),
    Reason(
        "udp_length_invalid", NOISE, "The UDP length is below 8 or past the end of the packet.", Icmp.NONE
    ),
    Reason("port_zero", NOISE, "A TCP or UDP port is 0, so no answer could be sent.", Icmp.NONE),
    Reason("icmp_checksum_wrong", NOISE, "An ICMP error has a wrong checksum (RFC 5508 REQ-3).", Icmp.NONE),
    Reason(
        "icmp_type_unsupported",
        REFUSED,
        "An ICMP message is no query and no error that a NAT passes on (RFC 5508).",
        Icmp.NONE,
    ),
    Reason(
        "icmp_quote_truncated",
        NOISE,
        "An ICMP error quotes too little of its packet to find the session.",
        Icmp.NONE,
    ),
    Reason(
        "icmp_quote_invalid",
        NOISE,
        "An ICMP error quotes a damaged packet, or one that its receiver did not send.",
        Icmp.NONE,
    ),
    Reason(
        "protocol_untranslatable",
        REFUSED,
        "The protocol authenticates the addresses (AH), so no NAT can pass it.",
        Icmp.NONE,
    ),
    # Where the packet comes from and goes to.
    Reason(
        "no_external_address",
        FAULT,
        "The external interface has no address at the moment.",
        Icmp.HOST_UNREACHABLE,
    ),
    Reason(
        "source_not_internal",
        REFUSED,
        "The source is in no network behind the router: spoofed, or a route is missing.",
        Icmp.NONE,
    ),
    Reason(
        "source_martian", NOISE, "No host can have the source (loopback, multicast, this network).", Icmp.NONE
    ),
    Reason("source_internal", REFUSED, "A packet from outside claims an internal source.", Icmp.NONE),
    Reason(
        "source_ours",
        REFUSED,
        "A packet from outside claims the router's own external address as its source.",
        Icmp.NONE,
    ),
    Reason(
        "destination_martian",
        NOISE,
        "No host outside can have the destination (loopback, multicast, broadcast).",
        Icmp.NONE,
    ),
    Reason(
        "destination_internal",
        REFUSED,
        "A packet from outside, or about to go there, is addressed to an internal host.",
        Icmp.NONE,
    ),
    # What is known of its session.
    Reason("no_mapping", NOISE, "No internal host uses this external endpoint.", Icmp.PORT_UNREACHABLE),
    Reason(
        "filtered",
        REFUSED,
        "The mapping's filtering does not let in this remote endpoint: its host never sent to it.",
        Icmp.PORT_UNREACHABLE,
    ),
    Reason(
        "tcp_no_session",
        NOISE,
        "A TCP segment belongs to a connection whose beginning was not seen, or that has expired.",
        Icmp.RESET,
    ),
    Reason(
        "tcp_out_of_window",
        NOISE,
        "A TCP segment's sequence numbers lie outside its connection's window.",
        Icmp.NONE,
    ),
    Reason(
        "icmp_no_session",
        NOISE,
        "An ICMP reply belongs to a query that was not seen, or that has expired.",
        Icmp.NONE,
    ),
    Reason("icmp_error_unmatched", NOISE, "An ICMP error is about a packet of no session.", Icmp.NONE),
    Reason(
        "icmp_quote_out_of_window",
        NOISE,
        "An ICMP error quotes a TCP segment that is not under way: it is forged, or late.",
        Icmp.NONE,
    ),
    Reason(
        "hairpin_lost",
        FAULT,
        "A hairpinned packet's session ended between its two passes through the router.",
        Icmp.NONE,
    ),
    Reason(
        "other_uplink",
        REFUSED,
        "The connection began by another uplink, and would break if its address changed.",
        Icmp.HOST_UNREACHABLE,
    ),
    Reason(
        "helpers_busy",
        LIMIT,
        "The helpers have not read earlier packets yet; the sender will retransmit.",
        Icmp.NONE,
    ),
    # What room is left for a new session.
    Reason(
        "sessions_full",
        LIMIT,
        "The session table is full (limits.sessions); no answered session is ended to make room.",
        Icmp.HOST_UNREACHABLE,
    ),
    Reason(
        "half_open_full",
        LIMIT,
        "Too many TCP handshakes are under way (limits.half_open).",
        Icmp.HOST_UNREACHABLE,
    ),
    Reason("rate_exceeded", LIMIT, "Sessions begin too fast (limits.new_per_second).", Icmp.HOST_UNREACHABLE),
    Reason(
        "host_sessions_full",
        LIMIT,
        "The internal host has its share of the sessions, or all of limits.sessions_per_host.",
        Icmp.PROHIBITED,
    ),
    Reason(
        "host_half_open_full",
        LIMIT,
        "The internal host has too many half-open sessions (limits.half_open_per_host).",
        Icmp.PROHIBITED,
    ),
    Reason(
        "host_rate_exceeded",
        LIMIT,
        "The internal host begins sessions too fast (limits.new_per_second_per_host).",
        Icmp.PROHIBITED,
    ),
    Reason(
        "host_ports_full",
        LIMIT,
        "The internal host has its share of the external ports, or all of limits.ports_per_host.",
        Icmp.PROHIBITED,
    ),
    Reason(
        "ports_exhausted",
        LIMIT,
        "No external port is free, and none can be shared (nat.ports, nat.addresses).",
        Icmp.HOST_UNREACHABLE,
    ),
    Reason(
        "portless_remote_taken",
        LIMIT,
        "Another internal host has a session of this portless protocol with this remote host.",
        Icmp.HOST_UNREACHABLE,
    ),
    Reason(
        "session_clash",
        REFUSED,
        "The two endpoints have a session already, by another external endpoint.",
        Icmp.HOST_UNREACHABLE,
    ),
)

BY_NAME: dict[str, Reason] = {row.name: row for row in ROWS}
