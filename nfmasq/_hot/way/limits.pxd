# Limits: is there room for one more session, in all and for its host?
#
# The newcomer is refused; no answered session is ended to make room (RFC 6888 REQ-11 D). What comes from
# outside may use up no more than half of any limit before it is answered: the host itself has the other half.
#
# Without limits by number, a host may have eight times what is free: eight ninths of all if it is alone,
# eight seventeenths if two want all. So one host can have nearly all, and something is always left for the
# next. A limit by number, in the file, takes the place of the share.

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from nfmasq._hot.state.packet cimport CLASS_TCP, INBOUND, Packet, drop
from nfmasq._hot.state.reasons cimport (
    HALF_OPEN_FULL, HOST_HALF_OPEN_FULL, HOST_PORTS_FULL, HOST_RATE_EXCEEDED, HOST_SESSIONS_FULL,
    RATE_EXCEEDED, SESSIONS_FULL,
)
from nfmasq._hot.state.rules cimport Limits
from nfmasq._hot.state.table cimport Host, NatTable

cdef enum:
    SHARE = 8                # times what is free that one host may have
    LITTLE = 1024            # sessions

cdef inline uint32_t live_sessions(const NatTable* table) noexcept nogil:
    return (
        table.session_count[0] + table.session_count[1] + table.session_count[2] + table.session_count[3]
    )

cdef inline bint is_full(uint32_t count, uint32_t most) noexcept nogil:
    return most != 0 and count >= most

cdef inline bint is_half_full(uint32_t count, uint32_t most) noexcept nogil:
    return most != 0 and count >= (most + 1) // 2

cdef inline bint has_its_share(uint32_t count, uint32_t free) noexcept nogil:
    """Has a host with so many of something all that it may have, while so many are free?"""
    return count >= <uint64_t>SHARE * free

cdef inline uint32_t most_sessions(const NatTable* table) noexcept nogil:
    """How many the table can have now: the policy's, the arena's, and what is reserved of it."""
    return min(min(table.rules.limits.sessions, table.capacity), table.reserved)

cdef inline uint32_t room_left(const NatTable* table) noexcept nogil:
    """Sessions that may still begin."""
    cdef uint32_t most = most_sessions(table)
    return most - min(most, live_sessions(table))

cdef inline bint is_scarce(const NatTable* table) noexcept nogil:
    """Is less than a sixteenth of the table free? Of an arena that still grows: next to nothing of it."""
    cdef uint32_t most = most_sessions(table)
    cdef uint32_t little = most // 16
    if most == table.reserved and most < table.capacity:
        little = min(little, <uint32_t>LITTLE)
    return live_sessions(table) + little > most

cdef inline bint host_has_room(
    const Limits* limits, Packet* packet, const Host* host, uint32_t left, uint32_t now
) noexcept nogil:
    """left: sessions that may still begin."""
    cdef uint32_t begun = host.begun if host.second == now else 0
    cdef bint asked = packet.direction == INBOUND
    if limits.sessions_per_host == 0 and has_its_share(host.sessions, left):
        return drop(packet, HOST_SESSIONS_FULL)
    if is_full(host.sessions, limits.sessions_per_host) or (
        asked and is_half_full(host.unanswered, limits.sessions_per_host)
    ):
        return drop(packet, HOST_SESSIONS_FULL)
    if packet.transport == CLASS_TCP and (
        is_full(host.half_open, limits.half_open_per_host)
        or asked and is_half_full(host.half_open, limits.half_open_per_host)
    ):
        return drop(packet, HOST_HALF_OPEN_FULL)
    if is_full(begun, limits.new_per_second_per_host) or (
        asked and is_half_full(begun, limits.new_per_second_per_host)
    ):
        return drop(packet, HOST_RATE_EXCEEDED)
    return True

cdef inline bint within_limits(
    const NatTable* table, Packet* packet, uint32_t host, uint32_t now
) noexcept nogil:
    """May the packet begin a session of this host (0: one that has none yet)?"""
    cdef const Limits* limits = &table.rules.limits
    cdef uint32_t most = min(limits.sessions, table.capacity)
    cdef uint32_t left = room_left(table)
    cdef uint32_t begun = table.begun if table.second == now else 0
    cdef bint asked = packet.direction == INBOUND
    if left == 0 or asked and is_half_full(table.unanswered, most):
        return drop(packet, SESSIONS_FULL)
    if host and not host_has_room(limits, packet, &table.hosts[host], left, now):
        return False
    if packet.transport == CLASS_TCP and (
        is_full(table.half_open, limits.half_open)
        or asked and is_half_full(table.half_open, limits.half_open)
    ):
        return drop(packet, HALF_OPEN_FULL)
    if is_full(begun, limits.new_per_second) or asked and is_half_full(begun, limits.new_per_second):
        return drop(packet, RATE_EXCEEDED)
    return True

cdef inline bint has_port_share(
    const NatTable* table, uint32_t host, uint8_t transport, uint32_t free
) noexcept nogil:
    """Has the host (0: one that has nothing yet) its share of a pool's ports, while so many are free?"""
    return host != 0 and table.rules.limits.ports_per_host == 0 and has_its_share(
        table.hosts[host].ports[transport], free
    )

cdef inline bint may_have_port(const NatTable* table, Packet* packet, uint32_t host) noexcept nogil:
    """May the host have one more mapping (RFC 6888 REQ-4)? From outside, a forward's."""
    cdef uint32_t most = table.rules.limits.ports_per_host
    if host and (
        is_full(table.hosts[host].mappings, most)
        or packet.direction == INBOUND and is_half_full(table.hosts[host].unanswered, most)
    ):
        return drop(packet, HOST_PORTS_FULL)
    return True
