# Sequence numbers: does a TCP segment belong to its connection as it stands?
#
# What is stored, in the session: for each side (OUTBOUND: the internal one) how far it has sent, what it
# expects next and how large a window it ever offered; all in the sender's own numbers, whatever a helper has
# made of them for the other side. Who writes: follow, for every segment that fits.
# What ends it: a SYN that begins the connection anew. In TCP_NONE, which a SYN leaves, numbers are known only
# of a connection that was picked up in its middle.
#
# Strict enough that an attacker who does not see the connection cannot hit it, tolerant of correct ends:
# keepalives, window probes, retransmissions of what was acknowledged long since, acknowledgments out of
# order, challenge ACKs. An RST counts only with exactly the sequence number its receiver expects, as at
# the receiver itself (RFC 5961 section 3); within the window it passes and changes nothing.

from libc.stdint cimport int32_t, uint8_t, uint32_t

from nfmasq._hot.state.check cimport write_check
from nfmasq._hot.state.packet cimport INBOUND, OUTBOUND, Packet
from nfmasq._hot.state.table cimport BEGUN_OUTSIDE, HELPED_TWICE, Session, Stream
from nfmasq._hot.state.tcpstate cimport (
    TCP_CLOSING, TCP_ESTABLISHED, TCP_EXTERNAL_SYN, TCP_INTERNAL_SYN, TCP_NONE, TCP_RESET,
)
from nfmasq._hot.wire.tcpoptions cimport TCP_OPTION_SCALE, TCP_OPTION_SCALE_LENGTH, find_option
from nfmasq._hot.wire.wire cimport ACK, FIN, RST, SYN, TcpHeader, ntohl, ntohs, tcp_header_length

cdef enum:
    LEAST_REACH = 1 << 16    # the window taken for granted: a late segment is no attack
    MOST_REACH = 1 << 30     # the largest window there is (RFC 7323 section 2.3)
    HELPER_SLACK = 1 << 17   # what helpers may have added or taken away in the segments under way
    LARGEST_SCALE = 14       # RFC 7323 section 2.3
    SCALE = 0x0F             # bits of Session.scale: the shift,
    SCALE_OFFERED = 0x10     # whether the side offered to scale,
    REOPENING = 0x20         # whether it sent a SYN in the middle of a connection,
    REOPENING_SCALED = 0x40  # and offered to scale in that

cdef enum Fit:
    OUTSIDE                  # of the window: no part of the connection
    PASSING                  # harmless, and of no meaning to the state
    COUNTING                 # a part of the connection

cdef struct Segment:
    uint32_t sequence        # host order
    uint32_t end
    uint32_t acked           # with ACK
    uint32_t window
    uint8_t flags

cdef inline int32_t behind(uint32_t one, uint32_t other) noexcept nogil:
    """How far `one` comes before `other`, in the order of sequence numbers."""
    return <int32_t>(other - one)

cdef inline bint is_about_syn(
    const Session* session, int side, uint8_t flags, uint32_t acked
) noexcept nogil:
    """Is the segment a SYN, or the refusal of the other side's in the middle of a connection?

    Then its numbers are of a connection that no helper has touched.
    """
    return flags & SYN or (
        flags & (RST | ACK) == RST | ACK and session.scale[1 - side] & REOPENING
        and acked == session.reopening
    )

cdef inline Segment read_segment(const Session* session, int side, const Packet* packet) noexcept nogil:
    """A side's segment. What it acknowledges is as the other side sent it, except where a SYN is meant.

    The packet's shift is what the sender's session made of a hairpinned segment, for the receiver's.
    """
    cdef TcpHeader* tcp = <TcpHeader*>packet.l4
    cdef Segment segment
    segment.flags = tcp.flags
    segment.sequence = ntohl(tcp.sequence) + packet.shift[0]
    segment.end = segment.sequence + packet.l4_length - tcp_header_length(tcp)
    segment.end += (1 if tcp.flags & SYN else 0) + (1 if tcp.flags & FIN else 0)
    segment.acked = ntohl(tcp.acknowledgment) + packet.shift[1]
    if not is_about_syn(session, side, segment.flags, segment.acked):
        segment.acked -= <uint32_t>session.correction[1 - side]
    segment.window = ntohs(tcp.window)
    return segment

cdef inline uint32_t reach_of(const Stream* receiver) noexcept nogil:
    """How far beyond what it expects a receiver may have let the other side go."""
    return min(max(receiver.window, <uint32_t>LEAST_REACH), <uint32_t>MOST_REACH)

cdef inline uint32_t slack_of(const Session* session) noexcept nogil:
    """A helper may have made what one side sent longer or shorter for the other.

    What the helper of a hairpinned connection's other side has made longer is not known here.
    """
    return HELPER_SLACK if session.helper or session.flags & HELPED_TWICE else 0

cdef inline bint is_heard(const Session* session) noexcept nogil:
    """Are both sides' sequence numbers known?"""
    return session.streams[OUTBOUND].window != 0 and session.streams[INBOUND].window != 0

cdef inline bint is_in_window(
    const Stream* own, const Stream* other, const Segment* segment, uint32_t slack
) noexcept nogil:
    """Unsigned, so that what comes before the oldest is as far away as what comes after the last."""
    cdef uint32_t reach = reach_of(other)
    cdef uint32_t oldest = own.end - slack - 2 * reach                             # end of a retransmission
    cdef uint32_t last = other.acked + slack + reach + (segment.end - segment.sequence)    # ever allowed
    if segment.end - oldest > last - oldest:
        return False
    return not segment.flags & ACK or other.end + slack - segment.acked <= 2 * (slack + reach_of(own))

cdef inline uint8_t scale_of(const Session* session, int side) noexcept nogil:
    """The shift of a side's windows, which is 0 unless both offered one (RFC 7323 section 2.2)."""
    if session.scale[OUTBOUND] & session.scale[INBOUND] & SCALE_OFFERED:
        return session.scale[side] & SCALE
    return 0

cdef inline void hear_syn(
    Session* session, int side, const Packet* packet, const Segment* segment
) noexcept nogil:
    """Take a side's beginning from its SYN."""
    cdef Stream* own = &session.streams[side]
    cdef uint8_t* option = find_option(<TcpHeader*>packet.l4, TCP_OPTION_SCALE, TCP_OPTION_SCALE_LENGTH)
    own.end = segment.end
    own.window = max(segment.window, <uint32_t>1)
    session.streams[1 - side].acked = segment.sequence + 1
    session.scale[side] = 0
    if option != NULL:
        session.scale[side] = SCALE_OFFERED | min(option[2], <uint8_t>LARGEST_SCALE)

cdef inline void pick_up(Session* session, int side, const Packet* packet) noexcept nogil:
    """Take both sides' numbers from a segment of the middle of a connection.

    How large the windows are is not known: the SYNs said it. They are taken to be as large as can be.
    """
    cdef Segment segment = read_segment(session, side, packet)
    session.scale[OUTBOUND] = session.scale[INBOUND] = SCALE_OFFERED | LARGEST_SCALE
    session.streams[side].end = session.streams[1 - side].acked = segment.sequence
    session.streams[1 - side].end = session.streams[side].acked = segment.acked
    session.streams[side].window = session.streams[1 - side].window = MOST_REACH

cdef inline bint confirms(const Session* session, uint8_t direction, uint8_t flags) noexcept nogil:
    """Is this the other side's first segment in a connection that was picked up? It knows the connection."""
    return (
        session.state == TCP_NONE and is_heard(session) and not flags & RST
        and (direction == OUTBOUND) == ((session.flags & BEGUN_OUTSIDE) != 0)
    )

cdef inline void forget(Session* session) noexcept nogil:
    session.streams[OUTBOUND].window = session.streams[INBOUND].window = 0
    session.scale[OUTBOUND] = session.scale[INBOUND] = 0
    if session.correction[OUTBOUND] | session.correction[INBOUND]:
        session.correction[OUTBOUND] = session.correction[INBOUND] = 0
        write_check(session)

cdef inline Fit follow_first_syn(
    Session* session, int side, const Packet* packet, const Segment* segment
) noexcept nogil:
    """A SYN without ACK. In the middle of a connection, reset or not, the other end may believe it or not."""
    cdef uint8_t state = session.state
    if state == TCP_NONE or state == TCP_CLOSING or state == TCP_RESET and not is_heard(session):
        forget(session)
    elif state != TCP_INTERNAL_SYN and state != TCP_EXTERNAL_SYN:
        session.reopening = segment.end
        session.scale[side] = session.scale[side] & ~<uint8_t>REOPENING_SCALED | REOPENING
        if find_option(<TcpHeader*>packet.l4, TCP_OPTION_SCALE, TCP_OPTION_SCALE_LENGTH) != NULL:
            session.scale[side] |= REOPENING_SCALED
        return PASSING
    hear_syn(session, side, packet, segment)
    return COUNTING

cdef inline Fit reopen(
    Session* session, int side, const Packet* packet, const Segment* segment
) noexcept nogil:
    """The other end believed the SYN: what it acknowledges is the beginning of a new connection."""
    cdef bint scaled = (session.scale[1 - side] & REOPENING_SCALED) != 0
    forget(session)
    hear_syn(session, side, packet, segment)
    session.streams[1 - side].end = segment.acked
    session.streams[1 - side].window = LEAST_REACH
    session.streams[side].acked = segment.acked
    session.scale[1 - side] = (SCALE_OFFERED | LARGEST_SCALE) if scaled else 0
    session.state = TCP_ESTABLISHED      # from another state of an open connection
    return COUNTING

cdef inline Fit follow_second_syn(
    Session* session, int side, const Packet* packet, const Segment* segment
) noexcept nogil:
    """A SYN with ACK counts if it acknowledges the other side's SYN."""
    cdef Stream* own = &session.streams[side]
    cdef Stream* other = &session.streams[1 - side]
    cdef uint8_t awaited = TCP_INTERNAL_SYN if side == INBOUND else TCP_EXTERNAL_SYN
    if session.state == awaited:
        if behind(own.acked, segment.acked) < 0 or behind(segment.acked, other.end) < 0:
            return PASSING
        hear_syn(session, side, packet, segment)
        own.acked = segment.acked
        return COUNTING
    if session.scale[1 - side] & REOPENING and segment.acked == session.reopening and is_heard(session):
        return reopen(session, side, packet, segment)
    return PASSING

cdef inline bint is_refusal(const Session* session, int side, const Segment* segment) noexcept nogil:
    """An RST that answers the other side's SYN (RFC 9293 section 3.10.7.3)."""
    cdef uint8_t awaited = TCP_INTERNAL_SYN if side == INBOUND else TCP_EXTERNAL_SYN
    return (
        session.state == awaited and segment.flags & (RST | ACK) == RST | ACK
        and segment.acked == session.streams[1 - side].end
    )

cdef inline Fit follow(Session* session, int side, const Packet* packet) noexcept nogil:
    """Bring a side's stream up to date with its segment, and say how far the segment counts."""
    cdef Segment segment = read_segment(session, side, packet)
    cdef Stream* own = &session.streams[side]
    cdef Stream* other = &session.streams[1 - side]
    if segment.flags & SYN:
        if segment.flags & ACK:
            return follow_second_syn(session, side, packet, &segment)
        return follow_first_syn(session, side, packet, &segment)
    if not is_heard(session):
        if is_refusal(session, side, &segment):
            return COUNTING
        return PASSING
    if is_about_syn(session, side, segment.flags, segment.acked):
        return COUNTING
    if not is_in_window(own, other, &segment, slack_of(session)):
        return OUTSIDE
    if segment.flags & RST:
        if segment.sequence != own.end and segment.sequence != other.acked:
            return PASSING
        return COUNTING
    if behind(own.end, segment.end) > 0:
        own.end = segment.end
    if segment.flags & ACK and behind(own.acked, segment.acked) > 0:
        own.acked = segment.acked
    own.window = max(own.window, segment.window << scale_of(session, side))
    return COUNTING

cdef inline bint is_under_way(const Session* session, int side, uint32_t sequence) noexcept nogil:
    """May a segment that this side sent, and that arrived with this sequence number, still be on its way?

    RFC 5927 section 4.1.
    """
    cdef const Stream* own = &session.streams[side]
    cdef uint32_t slack = slack_of(session)
    cdef uint32_t sent = sequence - <uint32_t>session.correction[side]
    return own.window == 0 or (
        own.end + slack - sent <= 2 * (slack + reach_of(&session.streams[1 - side]))
    )
