# The TCP state machine of RFC 6146 section 3.5.2, as a table.
#
# A session's state tells which of its three timers runs. Nothing here ends a session: only a timer does, so a
# forged RST costs no more than the longer timer (RFC 7857 section 2.2). Which segments count here at all is
# decided by their sequence numbers (sequence).

from libc.stdint cimport uint8_t

from nfmasq._hot.state.packet cimport INBOUND
from nfmasq._hot.wire.wire cimport FIN, RST, SYN

cdef extern from *:
    """
    enum {  /* states; names for people in TCP_STATES */
        TCP_NONE, TCP_INTERNAL_SYN, TCP_EXTERNAL_SYN, TCP_ESTABLISHED,
        TCP_INTERNAL_FIN, TCP_EXTERNAL_FIN, TCP_CLOSING, TCP_RESET, TCP_STATE_COUNT
    };

    /* Rows: where a session is. Columns: what it sees, from inside then from outside. */
    static const uint8_t tcp_next[TCP_STATE_COUNT][8] = {
    /*                 in: SYN               FIN               RST               other
                  outside: SYN               FIN               RST               other */
    [TCP_NONE]         = { TCP_INTERNAL_SYN, TCP_NONE,         TCP_NONE,         TCP_NONE,
                           TCP_EXTERNAL_SYN, TCP_NONE,         TCP_NONE,         TCP_NONE },
    /* The other side's SYN, or SYN+ACK, opens, its RST refuses; both may come first (simultaneous open). */
    [TCP_INTERNAL_SYN] = { TCP_INTERNAL_SYN, TCP_INTERNAL_SYN, TCP_INTERNAL_SYN, TCP_INTERNAL_SYN,
                           TCP_ESTABLISHED,  TCP_INTERNAL_SYN, TCP_RESET,        TCP_INTERNAL_SYN },
    [TCP_EXTERNAL_SYN] = { TCP_ESTABLISHED,  TCP_EXTERNAL_SYN, TCP_RESET,        TCP_EXTERNAL_SYN,
                           TCP_EXTERNAL_SYN, TCP_EXTERNAL_SYN, TCP_EXTERNAL_SYN, TCP_EXTERNAL_SYN },
    [TCP_ESTABLISHED]  = { TCP_ESTABLISHED,  TCP_INTERNAL_FIN, TCP_RESET,        TCP_ESTABLISHED,
                           TCP_ESTABLISHED,  TCP_EXTERNAL_FIN, TCP_RESET,        TCP_ESTABLISHED },
    /* Half closed: the other side may go on sending for as long as it likes. */
    [TCP_INTERNAL_FIN] = { TCP_INTERNAL_FIN, TCP_INTERNAL_FIN, TCP_RESET,        TCP_INTERNAL_FIN,
                           TCP_INTERNAL_FIN, TCP_CLOSING,      TCP_RESET,        TCP_INTERNAL_FIN },
    [TCP_EXTERNAL_FIN] = { TCP_EXTERNAL_FIN, TCP_CLOSING,      TCP_RESET,        TCP_EXTERNAL_FIN,
                           TCP_EXTERNAL_FIN, TCP_EXTERNAL_FIN, TCP_RESET,        TCP_EXTERNAL_FIN },
    /* Over: last ACKs and retransmissions pass; a SYN begins the next connection. */
    [TCP_CLOSING]      = { TCP_INTERNAL_SYN, TCP_CLOSING,      TCP_CLOSING,      TCP_CLOSING,
                           TCP_EXTERNAL_SYN, TCP_CLOSING,      TCP_CLOSING,      TCP_CLOSING },
    /* If either side goes on sending, the RST was not believed, and is not here. A SYN counts only where the
       RST was the answer to one. */
    [TCP_RESET]        = { TCP_INTERNAL_SYN, TCP_ESTABLISHED,  TCP_RESET,        TCP_ESTABLISHED,
                           TCP_EXTERNAL_SYN, TCP_ESTABLISHED,  TCP_RESET,        TCP_ESTABLISHED },
    };

    /* Which of its timers runs (RFC 7857 section 2.1). */
    enum { TCP_OPENING, TCP_OPEN, TCP_OVER };
    static const uint8_t tcp_timer[TCP_STATE_COUNT] = {
        [TCP_NONE] = TCP_OPENING, [TCP_INTERNAL_SYN] = TCP_OPENING, [TCP_EXTERNAL_SYN] = TCP_OPENING,
        [TCP_ESTABLISHED] = TCP_OPEN, [TCP_INTERNAL_FIN] = TCP_OPEN, [TCP_EXTERNAL_FIN] = TCP_OPEN,
        [TCP_CLOSING] = TCP_OVER, [TCP_RESET] = TCP_OVER,
    };

    /* Whether a packet that leaves the state as it is starts its timer again. */
    static const uint8_t tcp_refreshed[TCP_STATE_COUNT] = {
        [TCP_INTERNAL_SYN] = 1, [TCP_ESTABLISHED] = 1, [TCP_INTERNAL_FIN] = 1, [TCP_EXTERNAL_FIN] = 1,
    };

    /* Whether its handshake is still under way. */
    static const uint8_t tcp_half_open[TCP_STATE_COUNT] = {
        [TCP_NONE] = 1, [TCP_INTERNAL_SYN] = 1, [TCP_EXTERNAL_SYN] = 1,
    };

    /* Whether it may be evicted while room is short. After an RST: as before, for it may be forged. */
    enum { NOT_EVICTABLE, EVICTABLE, EVICTABLE_AS_BEFORE };
    static const uint8_t tcp_evictable[TCP_STATE_COUNT] = {
        [TCP_NONE] = EVICTABLE, [TCP_INTERNAL_SYN] = EVICTABLE, [TCP_EXTERNAL_SYN] = EVICTABLE,
        [TCP_CLOSING] = EVICTABLE, [TCP_RESET] = EVICTABLE_AS_BEFORE,
    };

    /* The flag combinations a TCP ever sends, PSH, ECE and CWR left out: SYN, SYN URG, SYN ACK, RST,
       RST ACK, FIN ACK, FIN ACK URG, ACK, ACK URG. Index: URG ACK - RST SYN FIN. */
    static const uint8_t tcp_flags_valid[64] = {
        [0x02] = 1, [0x22] = 1, [0x12] = 1, [0x04] = 1, [0x14] = 1,
        [0x11] = 1, [0x31] = 1, [0x10] = 1, [0x30] = 1,
    };
    """
    enum:
        TCP_NONE
        TCP_INTERNAL_SYN
        TCP_EXTERNAL_SYN
        TCP_ESTABLISHED
        TCP_INTERNAL_FIN
        TCP_EXTERNAL_FIN
        TCP_CLOSING
        TCP_RESET
        TCP_STATE_COUNT
        TCP_OPENING
        TCP_OPEN
        TCP_OVER
        NOT_EVICTABLE
        EVICTABLE
        EVICTABLE_AS_BEFORE
    const uint8_t tcp_next[8][8]
    const uint8_t tcp_timer[8]
    const uint8_t tcp_refreshed[8]
    const uint8_t tcp_half_open[8]
    const uint8_t tcp_evictable[8]
    const uint8_t tcp_flags_valid[64]

cdef inline bint flags_make_sense(uint8_t flags) noexcept nogil:
    return tcp_flags_valid[flags & 0x37]

cdef inline bint is_over(uint8_t state) noexcept nogil:
    return state == TCP_CLOSING or state == TCP_RESET

cdef inline bint begins_anew(uint8_t before, uint8_t state) noexcept nogil:
    """Has a SYN led from a connection that is over to the next one?"""
    return is_over(before) and (state == TCP_INTERNAL_SYN or state == TCP_EXTERNAL_SYN)

cdef inline uint8_t next_state(uint8_t state, uint8_t direction, uint8_t flags) noexcept nogil:
    """The state after a segment with these flags; RST counts before FIN, SYN+ACK as SYN."""
    cdef int event = 3
    if flags & RST:
        event = 2
    elif flags & SYN:
        event = 0
    elif flags & FIN:
        event = 1
    return tcp_next[state][event + (4 if direction == INBOUND else 0)]
