# One packet on its way, from the queue's message to its verdict.
#
# Each stage fills in its part and hands on: receive the message, parse the tuple, lookup or admit the
# session, track the new endpoint. A verdict other than CONTINUE ends the way.

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from nfmasq._hot.state.aside cimport Aside
from nfmasq._hot.state.changes cimport Change
from nfmasq._hot.state.reasons cimport Reason
from nfmasq._hot.wire.wire cimport IpHeader

cdef enum:            # direction
    OUTBOUND = 0
    INBOUND = 1
    HAIRPIN = 2
    DIRECTION_COUNT = 3

# The classes of protocol that policy, counters and metrics have apart; the order of policy.TRANSPORTS.
cdef enum:
    CLASS_TCP = 0
    CLASS_UDP = 1
    CLASS_ICMP = 2
    CLASS_OTHER = 3
    TRANSPORT_COUNT = 4

cdef enum:            # kind
    DATA              # TCP, UDP, portless
    ICMP_QUERY        # a request: may begin a session
    ICMP_REPLY
    ICMP_ERROR        # quotes a packet of a session

cdef enum:            # verdict
    CONTINUE = 0      # no stage has decided yet
    PASS              # the router's own: let go as it came
    TRANSLATE         # send on what was rewritten
    SEGMENT           # have the kernel cut the super-packet up and queue the parts
    ASIDE             # translated, and for a helper to read before its verdict
    ASK               # does conntrack know it? Then PASS, else it is decided again
    DROP

cdef struct Packet:
    # the queue's message
    uint8_t* message            # first byte of the message
    uint16_t queue              # the number of the queue it waits in
    uint8_t* data               # first byte of the IP header; NULL when the message had no payload
    uint32_t length             # bytes at data
    uint32_t id                 # the kernel's number for it, host order
    uint32_t in_device          # index of the interface it came in by; 0: made by the router itself
    uint32_t out_device         # of the one it leaves by; 0: not routed yet
    uint32_t mark               # the kernel's mark of it, as it came; with `marked`, as it shall be
    uint8_t direction
    uint8_t checksum_ready      # 0: its L4 checksum is the pseudo-header sum only (CHECKSUM_PARTIAL)
    uint8_t gso                 # a super-packet the kernel will cut up
    uint8_t marked              # the verdict sets the mark
    uint8_t second_pass         # hairpinned, and its destination is rewritten already
    uint8_t second_look         # on its way into the router (LOCAL_IN): it was let by before
    uint8_t asked               # conntrack does not know it
    uint8_t untaken             # in PREROUTING behind the rules of others that lead inside: none took it
    uint32_t as_address         # in whose realm its session begins; 0: that of its route
    # parse
    uint8_t kind
    uint8_t transport
    uint8_t protocol            # of the session it belongs to: of the quoted packet in an ICMP error
    uint8_t tcp_flags
    uint8_t has_options         # in its IP header, or the quoted one
    uint8_t near_identifier     # ICMP queries: the identifier is the near end's, not the remote's
    uint8_t* l4
    uint32_t l4_length
    IpHeader* quoted            # ICMP errors: the packet inside
    uint8_t* quoted_l4
    uint32_t quoted_l4_length
    uint32_t near_address       # outbound: the internal endpoint, inbound: the external one
    uint32_t remote_address
    uint16_t near_port
    uint16_t remote_port
    # prefetch
    uint32_t bucket             # of the table's index, where its session is looked for
    const uint32_t* mappings    # where its mapping is looked for if it has no session; NULL: it may have one
    # lookup, admit
    uint32_t session
    uint32_t expected           # the session that waits for just this packet
    # track: what the near endpoint becomes
    uint32_t new_address
    uint16_t new_port
    uint16_t most_mss           # SYN: the largest MSS to let through, host order; 0: any
    uint32_t[2] shift           # with `corrected`, added to its TCP sequence and acknowledgment number
    uint8_t corrected
    uint16_t identification     # with `renumbered`, the IP identification it gets
    uint8_t renumbered
    uint8_t reverts             # an ICMP error: its quoted packet was changed on its way
    Change original             # with `reverts`: how
    Aside* aside                # where a helper will find it
    uint16_t reason
    uint8_t verdict

cdef inline bint is_from_router(const Packet* packet) noexcept nogil:
    return packet.in_device == 0

cdef inline bint drop(Packet* packet, Reason reason) noexcept nogil:
    """End the packet's way; the only place where one is dropped. Returns False: it does not go on."""
    packet.verdict = DROP
    packet.reason = reason
    return False

cdef inline bint segment_first(Packet* packet) noexcept nogil:
    """Have the kernel cut the super-packet up before it is translated. Returns False: it does not go on."""
    packet.verdict = SEGMENT
    return False

cdef inline bint let_pass(Packet* packet) noexcept nogil:
    """Leave the packet to the router as it came. Returns False: it does not go on."""
    packet.verdict = PASS
    return False

cdef inline bint let_by(Packet* packet, Reason reason) noexcept nogil:
    """Let a packet by that no session explains: another program may know it, and change its destination.

    If it is still for the router at the second look, no program knew it, and it is dropped. So is a
    hairpinned one, whose sender has a session. Returns False: it does not go on.
    """
    return drop(packet, reason) if packet.second_look or packet.as_address else let_pass(packet)
