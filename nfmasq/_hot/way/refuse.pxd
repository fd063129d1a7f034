# Refuse: of what was dropped, the senders that are to be told so.
#
# Internal hosts, when a session could not begin: "administratively prohibited" where a limit of theirs is the
# reason (RFC 5508 REQ-8), "host unreachable" where the router lacks something (RFC 6888 REQ-11 B). The world
# outside, when its SYN came to nobody, later and only if nothing came of it (RFC 5382 REQ-4).
# Never about an ICMP error (RFC 1122 section 3.2.2).

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

from nfmasq._hot.state.packet cimport CLASS_TCP, DROP, ICMP_ERROR, INBOUND, Packet
from nfmasq._hot.way.parse cimport header_length
from nfmasq._hot.state.reasons cimport (
    FILTERED, HALF_OPEN_FULL, HOST_HALF_OPEN_FULL, HOST_PORTS_FULL, HOST_RATE_EXCEEDED, HOST_SESSIONS_FULL,
    NO_EXTERNAL_ADDRESS, NO_MAPPING, PORTLESS_REMOTE_TAKEN, PORTS_EXHAUSTED, RATE_EXCEEDED, SESSION_CLASH,
    SESSIONS_FULL,
)
from nfmasq._hot.state.refusals cimport (
    MOST_A_SECOND, MOST_QUOTED, PATIENCE, Refusal, RefusalQueue, Refusals, enqueue, take_due,
)
from nfmasq._hot.state.rules cimport is_internal
from nfmasq._hot.state.sessions cimport find_by_external
from nfmasq._hot.state.table cimport NatTable
from nfmasq._hot.wire.wire cimport ACK, RST, SYN, IpHeader

cdef enum:
    NOBODY = 0xFF            # is told
    HOST_UNREACHABLE = 1     # codes of ICMP destination unreachable
    PORT_UNREACHABLE = 3
    PROHIBITED = 13

cdef inline uint8_t code_to_inside(int reason) noexcept nogil:
    if (
        reason == HOST_SESSIONS_FULL or reason == HOST_PORTS_FULL or reason == HOST_HALF_OPEN_FULL
        or reason == HOST_RATE_EXCEEDED
    ):
        return PROHIBITED
    if (
        reason == NO_EXTERNAL_ADDRESS or reason == SESSIONS_FULL or reason == HALF_OPEN_FULL
        or reason == RATE_EXCEEDED or reason == PORTS_EXHAUSTED or reason == PORTLESS_REMOTE_TAKEN
        or reason == SESSION_CLASH
    ):
        return HOST_UNREACHABLE
    return NOBODY

cdef inline bint is_unsolicited_syn(const Packet* packet) noexcept nogil:
    return (
        packet.transport == CLASS_TCP and packet.tcp_flags & (SYN | ACK | RST) == SYN
        and (packet.reason == NO_MAPPING or packet.reason == FILTERED)
    )

cdef inline bint may_tell(Refusals* refusals, uint32_t now) noexcept nogil:
    if refusals.second != now:
        refusals.second = now
        refusals.told = 0
    refusals.told += 1
    return refusals.told <= MOST_A_SECOND

cdef inline void note(RefusalQueue* queue, const Packet* packet, uint8_t code, uint32_t due) noexcept nogil:
    cdef const IpHeader* ip = <const IpHeader*>packet.data
    cdef Refusal* refusal = enqueue(queue)
    if refusal == NULL:
        return
    refusal.due = due
    refusal.near_address, refusal.near_port = packet.near_address, packet.near_port
    if packet.direction != INBOUND:
        refusal.near_address = ip.source         # a hairpinned one's near endpoint may be the receiver's
    refusal.remote_address, refusal.remote_port = packet.remote_address, packet.remote_port
    refusal.protocol = packet.protocol
    refusal.to_inside = packet.direction != INBOUND
    refusal.code = code
    refusal.length = <uint8_t>min(min(header_length(ip) + 8, packet.length), <uint32_t>MOST_QUOTED)
    memcpy(refusal.quote, packet.data, refusal.length)

cdef inline bint refuse(NatTable* table, const Packet* packet, uint32_t now) noexcept nogil:
    """Note a refusal if the dropped packet's sender is to be told. True: one is due at once."""
    cdef const IpHeader* ip = <const IpHeader*>packet.data
    cdef uint8_t code = code_to_inside(packet.reason)
    if not table.rules.refusals or packet.kind == ICMP_ERROR or packet.l4 == NULL:
        return False
    if packet.direction == INBOUND:
        if is_unsolicited_syn(packet):
            note(&table.refusals.later, packet, PORT_UNREACHABLE, now + PATIENCE)
        return False
    if code == NOBODY or not is_internal(&table.rules, ip.source) or not may_tell(&table.refusals, now):
        return False
    note(&table.refusals.soon, packet, code, now)
    return True

cdef inline bint next_refusal(NatTable* table, uint32_t now, Refusal* taken) noexcept nogil:
    """Take out the next refusal that is due. A SYN whose session has begun since is answered by nobody."""
    if take_due(&table.refusals.soon, now, taken):
        return True
    while take_due(&table.refusals.later, now, taken):
        if not find_by_external(
            table, taken.protocol,
            taken.near_address, taken.near_port, taken.remote_address, taken.remote_port,
        ):
            return True
    return False
