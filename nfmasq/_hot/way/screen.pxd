# Screen: may a packet with these addresses be let in, or out?
#
# Packets of a session need no look: its addresses were screened when it began. Whoever sends an ICMP error is
# no party to the session, and is believed.

from nfmasq._hot.state.packet cimport (
    CLASS_TCP, CLASS_UDP, ICMP_ERROR, INBOUND, OUTBOUND, Packet, drop, is_from_router, let_by, let_pass,
)
from nfmasq._hot.state.reasons cimport (
    DESTINATION_INTERNAL, DESTINATION_MARTIAN, ICMP_ERROR_UNMATCHED, NO_EXTERNAL_ADDRESS, SOURCE_INTERNAL,
    SOURCE_MARTIAN, SOURCE_NOT_INTERNAL, SOURCE_OURS,
)
from nfmasq._hot.state.rules cimport Rules, is_assignable, is_external, is_internal, is_martian
from nfmasq._hot.wire.wire cimport IpHeader, ntohs

cdef inline bint screen_outbound(const Rules* rules, Packet* packet) noexcept nogil:
    cdef IpHeader* ip = <IpHeader*>packet.data
    if is_from_router(packet):
        # Its own errors are its own affair, unless they show an internal address that no session explains.
        if is_internal(rules, ip.source) or is_internal(rules, packet.near_address):
            return drop(packet, ICMP_ERROR_UNMATCHED)
        return let_pass(packet)
    if not is_internal(rules, ip.source):
        return drop(packet, SOURCE_NOT_INTERNAL)
    if is_martian(ip.destination):
        return drop(packet, DESTINATION_MARTIAN)
    if is_internal(rules, ip.destination):
        return drop(packet, DESTINATION_INTERNAL)
    if packet.kind == ICMP_ERROR:
        return drop(packet, ICMP_ERROR_UNMATCHED)
    if rules.external_count == 0:
        return drop(packet, NO_EXTERNAL_ADDRESS)
    return True

cdef inline bint screen_source(const Rules* rules, Packet* packet) noexcept nogil:
    """Can what comes in have this source?"""
    cdef IpHeader* ip = <IpHeader*>packet.data
    if is_martian(ip.source):
        return drop(packet, SOURCE_MARTIAN)
    if is_external(rules, ip.source):
        return drop(packet, SOURCE_OURS)
    if is_internal(rules, ip.source):
        return drop(packet, SOURCE_INTERNAL)
    return True

cdef inline bint screen_error(Packet* packet) noexcept nogil:
    """The sender of an ICMP error from outside: any router on the way may report (RFC 4787 REQ-12a).

    Routers on the way have addresses of all kinds, private ones and what looks like ours among them. An error
    that no session explains is screened like any packet (screen_source).
    """
    cdef IpHeader* ip = <IpHeader*>packet.data
    if packet.kind == ICMP_ERROR and packet.direction == INBOUND and is_martian(ip.source):
        return drop(packet, SOURCE_MARTIAN)
    return True

cdef inline bint screen_inbound(const Rules* rules, Packet* packet) noexcept nogil:
    cdef IpHeader* ip = <IpHeader*>packet.data
    if is_internal(rules, ip.destination) and not is_external(rules, ip.destination):
        return drop(packet, DESTINATION_INTERNAL)
    if not screen_source(rules, packet):
        return False
    if packet.kind == ICMP_ERROR:
        # About a packet that left by a port of ours: a forgotten session's. Else it is the router's.
        if packet.transport <= CLASS_UDP and is_assignable(
            rules, packet.transport, ntohs(packet.near_port)
        ):
            return let_by(packet, ICMP_ERROR_UNMATCHED)
        return let_pass(packet)
    if rules.external_count == 0:
        if packet.transport == CLASS_TCP or packet.transport == CLASS_UDP:
            return drop(packet, NO_EXTERNAL_ADDRESS)
        return let_pass(packet)
    return True

cdef inline bint screen(const Rules* rules, Packet* packet) noexcept nogil:
    """False: the packet's way has ended, with a reason or as the router's own."""
    if packet.direction == OUTBOUND:
        return screen_outbound(rules, packet)
    return screen_inbound(rules, packet)
