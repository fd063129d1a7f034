# Admit out: a session for a packet from inside that belongs to none, or the reason why not.
#
# The session goes by the mapping that the internal endpoint has under the behaviour of its network (RFC 4787
# REQ-1). The mapping is made if there is none.

from libc.stdint cimport uint32_t

from nfmasq._hot.state.index cimport find_by_external
from nfmasq._hot.state.mappings cimport find_host, find_mapping
from nfmasq._hot.state.packet cimport CLASS_OTHER, Packet, drop
from nfmasq._hot.state.reasons cimport PORTLESS_REMOTE_TAKEN, SESSION_CLASH
from nfmasq._hot.state.table cimport NO_POOL, SCOPE_STATIC, Mapping, NatTable
from nfmasq._hot.way.appear cimport leaving_uplink
from nfmasq._hot.way.begin cimport admit_session, is_of_middle, may_begin
from nfmasq._hot.way.expect cimport arrive
from nfmasq._hot.way.forwards cimport find_static
from nfmasq._hot.way.limits cimport within_limits
from nfmasq._hot.way.pairing cimport admit_mapping, want_outbound

cdef inline bint is_external_clash(NatTable* table, Packet* packet, const Mapping* wanted) noexcept nogil:
    """Has another session the wanted external and the remote endpoint already?

    Where every mapping has a port of its own that cannot be.
    """
    if wanted.transport != CLASS_OTHER and table.static_mappings == 0 and wanted.scope < SCOPE_STATIC:
        return False
    return find_by_external(
        table, packet.protocol, wanted.external_address, wanted.external_port,
        packet.remote_address, packet.remote_port,
    ) != 0

cdef inline bint goes_on(const NatTable* table, const Packet* packet) noexcept nogil:
    """Does the segment belong to a connection that goes on by its forward?"""
    return is_of_middle(packet) and find_static(
        &table.rules, packet, leaving_uplink(&table.rules, packet)
    ) != NULL

cdef inline bint admit_outbound(NatTable* table, Packet* packet, uint32_t now) noexcept nogil:
    cdef uint32_t host = find_host(table, packet.near_address)
    cdef uint32_t number = 0
    cdef Mapping wanted
    if not goes_on(table, packet) and not may_begin(packet):
        return False
    if packet.expected:
        arrive(table, packet, packet.expected, now)
        return True
    if not within_limits(table, packet, host, now):
        return False
    if not want_outbound(table, packet, host, &wanted):
        return False
    if host:
        number = find_mapping(table, &wanted)
    if number:
        wanted.external_address = table.mappings[number].external_address
        wanted.external_port = table.mappings[number].external_port
    if (number or wanted.pool == NO_POOL) and is_external_clash(table, packet, &wanted):
        # Without ports only the remote address says which internal host is meant: one host to each.
        return drop(packet, PORTLESS_REMOTE_TAKEN if packet.transport == CLASS_OTHER else SESSION_CLASH)
    if not number:
        number = admit_mapping(table, packet, host, &wanted, now)
        if not number:
            return False
    admit_session(table, packet, number, now)
    return True
