# Why a packet is dropped: one number a reason, the index of its counter.
#
# Names and sentences for people are in nfmasq/core/reasons.py, in this order; a test holds the two together.

cdef enum Reason:
    NO_REASON = 0
    # the packet's own shape
    MESSAGE_INVALID
    OVERSIZED
    TRUNCATED
    NOT_IPV4
    IP_HEADER_INVALID
    IP_OPTIONS_INVALID
    SOURCE_ROUTED
    FRAGMENT
    TCP_HEADER_INVALID
    TCP_FLAGS_INVALID
    UDP_LENGTH_INVALID
    PORT_ZERO
    ICMP_CHECKSUM_WRONG
    ICMP_TYPE_UNSUPPORTED
    ICMP_QUOTE_TRUNCATED
    ICMP_QUOTE_INVALID
    PROTOCOL_UNTRANSLATABLE
    # where it comes from and goes to
    NO_EXTERNAL_ADDRESS
    SOURCE_NOT_INTERNAL
    SOURCE_MARTIAN
    SOURCE_INTERNAL
    SOURCE_OURS
    DESTINATION_MARTIAN
    DESTINATION_INTERNAL
    # what is known of it
    NO_MAPPING
    FILTERED
    TCP_NO_SESSION
    TCP_OUT_OF_WINDOW
    ICMP_NO_SESSION
    ICMP_ERROR_UNMATCHED
    ICMP_QUOTE_OUT_OF_WINDOW
    HAIRPIN_LOST
    HELPERS_BUSY
    # what is left for a new session
    SESSIONS_FULL
    HALF_OPEN_FULL
    RATE_EXCEEDED
    HOST_SESSIONS_FULL
    HOST_HALF_OPEN_FULL
    HOST_RATE_EXCEEDED
    HOST_PORTS_FULL
    PORTS_EXHAUSTED
    PORTLESS_REMOTE_TAKEN
    SESSION_CLASH
    REASON_COUNT
