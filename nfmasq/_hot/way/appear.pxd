# Appear: in which realm a session from inside begins, and whether a session still leaves by its own uplink.
#
# The kernel has routed the packet: its interface is the uplink, and the uplink's sources say which address
# goes with the destination. A session keeps its external address as long as it lives. When its packets come
# to leave by another uplink, where that address is worth nothing, it ends and a new one begins. An answered
# TCP connection could not go on by another address: it waits for its uplink to come back. Where both uplinks
# have the address, the session goes on by either.

from libc.stdint cimport uint8_t, uint32_t

from nfmasq._hot.state.keys cimport has_key
from nfmasq._hot.state.networks cimport lies_in
from nfmasq._hot.state.packet cimport (
    CLASS_TCP, ICMP_ERROR, INBOUND, OUTBOUND, Packet, drop, is_from_router,
)
from nfmasq._hot.state.reasons cimport NO_EXTERNAL_ADDRESS, OTHER_UPLINK
from nfmasq._hot.state.rules cimport Rules, external_index, has_address, is_external, uplink_at
from nfmasq._hot.state.sessions cimport end_session, settle
from nfmasq._hot.state.table cimport NatTable, Session
from nfmasq._hot.state.tcpstate cimport is_over
from nfmasq._hot.state.traffic cimport packets_of
from nfmasq._hot.state.uplinks cimport NO_REALM, NO_UPLINK, Uplink
from nfmasq._hot.wire.wire cimport ACK, SYN

cdef inline uint8_t leaving_uplink(const Rules* rules, const Packet* packet) noexcept nogil:
    """The uplink that the packet leaves by, or NO_UPLINK. An only uplink may have another index by now."""
    return 0 if rules.uplink_count == 1 else uplink_at(rules, packet.out_device)

cdef inline uint8_t routed_realm(const Rules* rules, const Uplink* uplink, uint32_t remote) noexcept nogil:
    """The realm that the uplink's routes give a remote address, or NO_REALM."""
    cdef uint32_t i
    for i in range(uplink.first_source, <uint32_t>uplink.first_source + uplink.source_count):
        if lies_in(remote, &rules.sources[i].network):
            return rules.sources[i].realm
    return uplink.realm

cdef inline uint8_t realm_for(const Rules* rules, const Packet* packet, uint8_t* uplink) noexcept nogil:
    """The realm in which the packet's session begins, or NO_REALM; and its uplink.

    A hairpinned one appears as the address it was sent to, an expectation as its parent session does.
    """
    cdef int external
    uplink[0] = NO_UPLINK
    if packet.as_address:
        external = external_index(rules, packet.as_address)
        if external < 0:
            return NO_REALM
        uplink[0] = rules.uplink_of[external]
        if rules.realm_of[external] != NO_REALM:
            return rules.realm_of[external]
        return rules.uplinks[uplink[0]].realm
    uplink[0] = leaving_uplink(rules, packet)
    if uplink[0] == NO_UPLINK:
        return NO_REALM
    return routed_realm(rules, &rules.uplinks[uplink[0]], packet.remote_address)

cdef inline bint may_move(const Session* session, const Packet* packet) noexcept nogil:
    """Can what the session is for begin anew by another address? No call can without its control session."""
    return not has_key(packet) and (
        packet.transport != CLASS_TCP or packets_of(&session.traffic, INBOUND) == 0
        or is_over(session.state) and packet.tcp_flags & (SYN | ACK) == SYN
    )

cdef inline bint stays_with_uplink(NatTable* table, Packet* packet, uint32_t now) noexcept nogil:
    """Does the packet leave by its session's uplink? Otherwise the session has ended, or the packet.

    An ICMP error, the router's own among them, moves no session. After a change of addresses a session that
    has not had its turn yet is settled first.
    """
    cdef const Session* session = &table.sessions[packet.session]
    cdef uint8_t uplink
    if packet.session > table.settled and not settle(table, packet.session, now):
        packet.session = 0
        return False
    if packet.direction != OUTBOUND or packet.kind == ICMP_ERROR or is_from_router(packet):
        return True
    uplink = leaving_uplink(&table.rules, packet)
    if uplink == session.uplink:
        return (
            table.rules.uplinks[uplink].realm != NO_REALM
            or is_external(&table.rules, session.external_address) or drop(packet, NO_EXTERNAL_ADDRESS)
        )
    if has_address(&table.rules, uplink, session.external_address):
        return True
    if uplink == NO_UPLINK or not may_move(session, packet):
        return drop(packet, OTHER_UPLINK)
    end_session(table, packet.session, now)
    packet.session = 0
    return False
