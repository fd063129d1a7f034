# Hairpinning: internal hosts that reach each other by their external endpoints (RFC 4787 REQ-9).
#
# The packet is treated as if it went out and came back in: the sender's session takes it out, the
# receiver's takes it in, with the sender's external endpoint as the remote one (REQ-9a). The kernel routes in
# between, and takes no packet whose source is an address of its own. So the packet comes twice: in
# PREROUTING its destination is rewritten, in POSTROUTING its source. Its mark carries the number of the
# sender's session from the first pass to the second. No loop: what is rewritten is for a host inside.

from libc.stdint cimport uint32_t

from nfmasq._hot.state.mappings cimport find_mapping_by_external
from nfmasq._hot.state.packet cimport (
    CLASS_OTHER, CLASS_UDP, CONTINUE, HAIRPIN, ICMP_ERROR, ICMP_REPLY, INBOUND, OUTBOUND, TRANSLATE, Packet,
    drop, let_pass,
)
from nfmasq._hot.state.reasons cimport (
    HAIRPIN_LOST, ICMP_ERROR_UNMATCHED, ICMP_NO_SESSION, NO_MAPPING, PORTLESS_REMOTE_TAKEN,
    SOURCE_NOT_INTERNAL,
)
from nfmasq._hot.state.rules cimport Rules, is_internal
from nfmasq._hot.state.table cimport NatTable, Session, tuple_bucket
from nfmasq._hot.way.admit_in cimport admit_inbound
from nfmasq._hot.way.admit_out cimport admit_outbound
from nfmasq._hot.way.forwards cimport find_forward
from nfmasq._hot.way.lookup cimport lookup
from nfmasq._hot.way.track cimport track

cdef enum:
    MARK_BITS = 0xFC000000
    MARK = 0x80000000        # in those bits; the others are a session's number, up to MOST_SESSIONS

cdef inline bint is_second_pass(const Rules* rules, const Packet* packet) noexcept nogil:
    """Does it carry our mark, and leave by another interface than the external one?"""
    return (
        packet.mark & <uint32_t>MARK_BITS == <uint32_t>MARK and packet.direction == OUTBOUND
        and rules.external_interface != 0 and packet.out_device != rules.external_interface
    )

cdef inline void cross(NatTable* table, Packet* packet) noexcept nogil:
    """From having gone out to coming in: the sender's external endpoint is the remote one now."""
    cdef Session* sender = &table.sessions[packet.session]
    packet.mark = <uint32_t>MARK | packet.session
    packet.near_address, packet.near_port = packet.remote_address, packet.remote_port
    packet.remote_address, packet.remote_port = sender.external_address, sender.external_port
    packet.near_identifier = not packet.near_identifier
    packet.bucket = tuple_bucket(
        table, packet.protocol, packet.near_address, packet.near_port,
        packet.remote_address, packet.remote_port,
    )
    packet.session = 0
    packet.verdict = CONTINUE
    packet.direction = INBOUND

cdef inline bint leads_inside(NatTable* table, const Packet* packet) noexcept nogil:
    """Does the external endpoint that the packet is sent to lead to an internal host?"""
    cdef Packet coming = packet[0]
    coming.near_address, coming.near_port = packet.remote_address, packet.remote_port
    if find_forward(&table.rules, &coming) != NULL:
        return True
    return packet.transport <= CLASS_UDP and find_mapping_by_external(
        table, packet.protocol, packet.remote_address, packet.remote_port, True
    ) != 0

cdef inline bint begin(NatTable* table, Packet* packet, uint32_t now) noexcept nogil:
    """A session for the sender, unless no internal host can receive what it sends."""
    if packet.kind == ICMP_ERROR:
        return drop(packet, ICMP_ERROR_UNMATCHED)
    if packet.kind == ICMP_REPLY:
        return drop(packet, ICMP_NO_SESSION)
    if not leads_inside(table, packet):
        if packet.transport <= CLASS_UDP:
            return drop(packet, NO_MAPPING)
        return let_pass(packet)          # a ping of the router by its external address, a tunnel to it
    if not is_internal(&table.rules, packet.near_address):
        return drop(packet, SOURCE_NOT_INTERNAL)
    return admit_outbound(table, packet, now)

cdef inline bint go_out(NatTable* table, Packet* packet, uint32_t now) noexcept nogil:
    """The sender's session, found or begun, as if the packet left."""
    return (lookup(table, packet) or begin(table, packet, now)) and track(table, packet, now)

cdef inline bint come_in(NatTable* table, Packet* packet, uint32_t now) noexcept nogil:
    """The receiver's session, found or begun, as if the packet came from outside."""
    if lookup(table, packet):
        if packet.transport == CLASS_OTHER and packet.session == packet.mark & ~<uint32_t>MARK_BITS:
            # Behind one address what it sends and what it would be answered look the same.
            return drop(packet, PORTLESS_REMOTE_TAKEN)
        return track(table, packet, now)
    if packet.kind == ICMP_ERROR:
        return drop(packet, ICMP_ERROR_UNMATCHED)
    return admit_inbound(table, packet, now) and track(table, packet, now)

cdef inline void start_hairpin(NatTable* table, Packet* packet, uint32_t now) noexcept nogil:
    """The first pass: both sessions, and the destination."""
    packet.direction = OUTBOUND
    if go_out(table, packet, now):
        cross(table, packet)
        if come_in(table, packet, now):
            packet.marked = True
    packet.direction = HAIRPIN

cdef inline void finish_hairpin(NatTable* table, Packet* packet) noexcept nogil:
    """The second pass: the source. Without its session it must not go on: the receiver would answer it."""
    cdef uint32_t number = packet.mark & ~<uint32_t>MARK_BITS
    cdef Session* session = &table.sessions[number]
    if (
        number == 0 or number > table.top[0] or not session.live
        or session.internal_address != packet.near_address or session.internal_port != packet.near_port
        or session.protocol != packet.protocol
    ):
        drop(packet, HAIRPIN_LOST)
        return
    packet.second_pass = True
    packet.marked = True
    packet.mark = 0
    packet.verdict = TRANSLATE
    packet.new_address, packet.new_port = session.external_address, session.external_port
