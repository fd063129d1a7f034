# Refuse: the sender of a dropped packet gets an ICMP error or an RST where the packet's reason asks for one.
#
# core/reasons.py says which reason asks for which. An internal host gets its answer now: its session could
# not begin, or its segment belongs to no session, and its program would wait in vain. Nobody outside gets an
# RST. A SYN that leads nowhere gets "port unreachable", later and only if no session has begun by then
# (RFC 5382 REQ-4). No ICMP error is answered (RFC 1122 section 3.2.2), and no RST.
#
# An answer is no longer than its packet, and goes to an address inside, for a packet that came in by an
# interface inside: a forged source makes no more of it.

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy, memset

from nfmasq._hot.state.index cimport find_by_external, find_by_internal
from nfmasq._hot.state.packet cimport CLASS_TCP, ICMP_ERROR, INBOUND, Packet
from nfmasq._hot.state.refusals cimport (
    LEAST_QUOTED, MOST_A_SECOND, MOST_QUOTED, MOST_RESETS, MOST_RESETS_EACH, NO_ICMP, PATIENCE,
    PORT_UNREACHABLE, QUOTED_OF_TCP, RESET, SHARES, Refusal, RefusalQueue, Refusals, enqueue, take_due,
)
from nfmasq._hot.state.rules cimport is_internal, uplink_at
from nfmasq._hot.state.table cimport NatTable, host_bucket
from nfmasq._hot.state.uplinks cimport NO_UPLINK
from nfmasq._hot.wire.wire cimport ACK, RST, SYN, IpHeader, TcpHeader, header_length

cdef inline bint is_first_syn(const Packet* packet) noexcept nogil:
    return packet.transport == CLASS_TCP and packet.tcp_flags & (SYN | ACK | RST) == SYN

cdef inline bint is_from_inside(const NatTable* table, const Packet* packet) noexcept nogil:
    """Did an internal host send it, as far as its source and its interface tell?"""
    return (
        packet.direction != INBOUND and packet.in_device != 0
        and uplink_at(&table.rules, packet.in_device) == NO_UPLINK
        and is_internal(&table.rules, (<const IpHeader*>packet.data).source)
    )

cdef inline bint has_its_session(const NatTable* table, const Packet* packet) noexcept nogil:
    """Does the segment belong to a session? While rules are away it comes to the second look alone."""
    cdef const IpHeader* ip = <const IpHeader*>packet.data
    cdef const TcpHeader* tcp = <const TcpHeader*>packet.l4
    return find_by_internal(
        table, packet.protocol, ip.source, tcp.source, ip.destination, tcp.destination
    ) != 0

cdef inline bint may_reset(Refusals* refusals, uint32_t share) noexcept nogil:
    if refusals.reset >= MOST_RESETS or refusals.reset_of[share] >= MOST_RESETS_EACH:
        return False
    refusals.reset += 1
    refusals.reset_of[share] += 1
    return True

cdef inline bint may_send(
    NatTable* table, const Packet* packet, uint8_t code, uint32_t now
) noexcept nogil:
    """Is there room for one more answer in this second?"""
    cdef Refusals* refusals = &table.refusals
    if refusals.second != now:
        refusals.second = now
        refusals.sent = refusals.reset = 0
        memset(refusals.reset_of, 0, sizeof(refusals.reset_of))
    if code == RESET:
        return may_reset(
            refusals, host_bucket(table, (<const IpHeader*>packet.data).source) & (SHARES - 1)
        )
    refusals.sent += 1
    return refusals.sent <= MOST_A_SECOND

cdef inline void note(RefusalQueue* queue, const Packet* packet, uint8_t code, uint32_t due) noexcept nogil:
    cdef const IpHeader* ip = <const IpHeader*>packet.data
    cdef Refusal* refusal = enqueue(queue)
    cdef uint32_t quoted = QUOTED_OF_TCP if code == RESET else LEAST_QUOTED
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
    refusal.length = <uint8_t>min(min(header_length(ip) + quoted, packet.length), <uint32_t>MOST_QUOTED)
    memcpy(refusal.quote, packet.data, refusal.length)

cdef inline bint refuse(NatTable* table, const Packet* packet, uint32_t now) noexcept nogil:
    """Note a refusal if the dropped packet's sender gets an answer. True: the answer is due now."""
    cdef uint8_t code = table.refusals.code[packet.reason]
    if code == NO_ICMP or not table.rules.refusals or packet.kind == ICMP_ERROR or packet.l4 == NULL:
        return False
    if code == PORT_UNREACHABLE:
        if is_first_syn(packet) and (packet.direction == INBOUND or is_from_inside(table, packet)):
            note(&table.refusals.later, packet, code, now + PATIENCE)
        return False
    if code == RESET and (packet.tcp_flags & RST or has_its_session(table, packet)):
        return False
    if not is_from_inside(table, packet) or not may_send(table, packet, code, now):
        return False
    note(&table.refusals.soon, packet, code, now)
    return True

cdef inline bint has_begun(const NatTable* table, const Refusal* refusal) noexcept nogil:
    """Is there a session between the refused packet's endpoints by now?"""
    if refusal.to_inside:
        return find_by_internal(
            table, refusal.protocol,
            refusal.near_address, refusal.near_port, refusal.remote_address, refusal.remote_port,
        ) != 0
    return find_by_external(
        table, refusal.protocol,
        refusal.near_address, refusal.near_port, refusal.remote_address, refusal.remote_port,
    ) != 0

cdef inline bint next_refusal(NatTable* table, uint32_t now, Refusal* taken) noexcept nogil:
    """Take out the next refusal that is due. A SYN whose session has begun since gets none."""
    if take_due(&table.refusals.soon, now, taken):
        return True
    while take_due(&table.refusals.later, now, taken):
        if not has_begun(table, taken):
            return True
    return False
