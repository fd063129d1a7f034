# Refusals: ICMP errors and TCP RSTs to be sent, because a packet was refused.
#
# What is stored: two queues of them, each oldest first. `soon`: sessions refused to internal hosts (RFC 5508
# REQ-8, RFC 6888 REQ-11), and their segments of no session. `later`: unsolicited SYNs, to be answered after
# PATIENCE seconds unless the same session has begun by then (RFC 5382 REQ-4).
# Who writes: refuse, under the table's lock; Table.refusals takes them out. What ends one: being taken, or a
# full queue, in which the newcomer is forgotten. So the rates are bounded; silence is always allowed.
#
# ICMP errors and RSTs have a rate each: a flood of the ones leaves room for the others. Of RSTs each sender
# has a share, by a keyed hash of its address: a flood of one host leaves room for the others.

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy

from nfmasq._hot.state.reasons cimport REASON_COUNT

cdef enum:                   # of Icmp in core/reasons.py; the other codes are only handed through
    PORT_UNREACHABLE = 3
    RESET = 0xFE
    NO_ICMP = 0xFF

cdef enum:
    PATIENCE = 7             # seconds of a clock that counts whole ones, so that six pass in any case
    MOST_WAITING = 256
    MOST_A_SECOND = 128      # ICMP errors to internal hosts
    MOST_RESETS = 256        # RSTs a second, all of them to internal hosts,
    MOST_RESETS_EACH = 32    # and to the hosts of one share
    SHARES = 256             # a power of two
    LEAST_QUOTED = 8         # bytes of the transport header
    QUOTED_OF_TCP = 20       # for an RST
    MOST_QUOTED = 80         # the longest IP header, and the most of those two

cdef struct Refusal:
    uint32_t due             # second from which on it may be sent
    uint32_t near_address    # of the packet, network order
    uint32_t remote_address
    uint16_t near_port
    uint16_t remote_port
    uint8_t protocol
    uint8_t to_inside
    uint8_t code             # of ICMP destination unreachable, or RESET
    uint8_t length
    uint8_t[MOST_QUOTED] quote

cdef struct RefusalQueue:
    uint32_t head            # positions, counting on for ever
    uint32_t tail
    Refusal[MOST_WAITING] waiting

cdef struct Refusals:
    uint8_t[REASON_COUNT] code    # of each reason: the ICMP code of the answer, RESET or NO_ICMP
    RefusalQueue soon
    RefusalQueue later
    uint32_t second          # the last second in which an internal host got one
    uint32_t sent            # how many ICMP errors were sent in that second
    uint32_t reset           # and how many RSTs
    uint8_t[SHARES] reset_of     # [share]

cdef inline Refusal* enqueue(RefusalQueue* queue) noexcept nogil:
    """A place at the end, or NULL when there is none."""
    if queue.tail - queue.head >= MOST_WAITING:
        return NULL
    queue.tail += 1
    return &queue.waiting[(queue.tail - 1) % MOST_WAITING]

cdef inline bint take_due(RefusalQueue* queue, uint32_t now, Refusal* taken) noexcept nogil:
    """Take the oldest out if it is due."""
    cdef Refusal* oldest = &queue.waiting[queue.head % MOST_WAITING]
    if queue.head == queue.tail or <int>(oldest.due - now) > 0:
        return False
    memcpy(taken, oldest, sizeof(Refusal))
    queue.head += 1
    return True
