# Refuse: the sender of a dropped packet gets an ICMP error where the packet's reason asks for one.
#
# core/reasons.py says which reason asks for which code. An internal host gets its answer now: its session
# could not begin. A SYN from outside gets "port unreachable", later and only if no session has begun by then
# (RFC 5382 REQ-4). No ICMP error is answered (RFC 1122 section 3.2.2).

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

from nfmasq._hot.state.index cimport find_by_external
from nfmasq._hot.state.packet cimport CLASS_TCP, ICMP_ERROR, INBOUND, Packet
from nfmasq._hot.state.refusals cimport (
    MOST_A_SECOND, MOST_QUOTED, NO_ICMP, PATIENCE, PORT_UNREACHABLE, Refusal, RefusalQueue, Refusals,
    enqueue, take_due,
)
from nfmasq._hot.state.rules cimport is_internal
from nfmasq._hot.state.table cimport NatTable
from nfmasq._hot.wire.wire cimport ACK, RST, SYN, IpHeader, header_length

cdef inline bint is_first_syn(const Packet* packet) noexcept nogil:
    return packet.transport == CLASS_TCP and packet.tcp_flags & (SYN | ACK | RST) == SYN

cdef inline bint may_send(Refusals* refusals, uint32_t now) noexcept nogil:
    if refusals.second != now:
        refusals.second = now
        refusals.sent = 0
    refusals.sent += 1
    return refusals.sent <= MOST_A_SECOND

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
    """Note a refusal if the dropped packet's sender gets an answer. True: the answer is due now."""
    cdef const IpHeader* ip = <const IpHeader*>packet.data
    cdef uint8_t code = table.refusals.code[packet.reason]
    cdef bint from_outside = packet.direction == INBOUND
    if code == NO_ICMP or not table.rules.refusals or packet.kind == ICMP_ERROR or packet.l4 == NULL:
        return False
    if code == PORT_UNREACHABLE:
        if from_outside and is_first_syn(packet):
            note(&table.refusals.later, packet, code, now + PATIENCE)
        return False
    if from_outside or not is_internal(&table.rules, ip.source) or not may_send(&table.refusals, now):
        return False
    note(&table.refusals.soon, packet, code, now)
    return True

cdef inline bint next_refusal(NatTable* table, uint32_t now, Refusal* taken) noexcept nogil:
    """Take out the next refusal that is due. A SYN whose session has begun since gets none."""
    if take_due(&table.refusals.soon, now, taken):
        return True
    while take_due(&table.refusals.later, now, taken):
        if not find_by_external(
            table, taken.protocol,
            taken.near_address, taken.near_port, taken.remote_address, taken.remote_port,
        ):
            return True
    return False
