# Admit out: a session for a packet from inside that belongs to none, or the reason why not.
#
# The session goes by the mapping that the internal endpoint has under the behaviour of its network (RFC 4787
# REQ-1). The mapping is made if there is none.

from libc.stdint cimport uint8_t, uint32_t

from nfmasq._hot.state.index cimport find_by_external
from nfmasq._hot.state.mappings cimport find_host, find_mapping, set_scope
from nfmasq._hot.state.packet cimport CLASS_OTHER, DROP, Packet, drop
from nfmasq._hot.state.reasons cimport PORTLESS_REMOTE_TAKEN, SESSION_CLASH
from nfmasq._hot.state.table cimport NO_POOL, SCOPE_ADDRESS_AND_PORT, SCOPE_STATIC, Mapping, NatTable
from nfmasq._hot.way.appear cimport realm_for
from nfmasq._hot.way.attach cimport is_for_helper
from nfmasq._hot.way.begin cimport admit_session, is_of_middle, may_begin
from nfmasq._hot.way.expect cimport arrive
from nfmasq._hot.way.forwards cimport find_static
from nfmasq._hot.way.limits cimport within_limits
from nfmasq._hot.way.make_room cimport make_room, yields
from nfmasq._hot.way.pairing cimport admit_mapping, want_outbound

cdef inline uint32_t find_external_clash(
    const NatTable* table, const Packet* packet, const Mapping* wanted
) noexcept nogil:
    """The session that has the wanted external and the remote endpoint already, or 0.

    Where every mapping has a port of its own there is none.
    """
    if (
        wanted.transport != CLASS_OTHER and table.static_mappings == 0 and table.borrowing == 0
        and wanted.scope < SCOPE_STATIC
    ):
        return 0
    return find_by_external(
        table, packet.protocol, wanted.external_address, wanted.external_port,
        packet.remote_address, packet.remote_port,
    )

cdef inline uint32_t may_go_by(
    NatTable* table, Packet* packet, Mapping* wanted, uint32_t number, uint32_t now
) noexcept nogil:
    """The mapping by which the session goes: `number`, the internal endpoint's, or 0: a new one as wanted.

    Where a session that borrows the mapping's port has the remote endpoint, a new one is made for this remote
    endpoint alone. A clash that remains drops the packet.
    """
    cdef Mapping meant = wanted[0]
    cdef uint32_t clash
    if number:
        meant.external_address = table.mappings[number].external_address
        meant.external_port = table.mappings[number].external_port
    elif wanted.pool != NO_POOL:
        return 0
    clash = find_external_clash(table, packet, &meant)
    if not clash:
        return number
    if packet.transport == CLASS_OTHER:
        # Without ports only the remote address says which internal host is meant: one host to each.
        if not yields(table, clash, now):
            drop(packet, PORTLESS_REMOTE_TAKEN)
    elif table.mappings[table.sessions[clash].mapping].borrows and wanted.pool != NO_POOL:
        set_scope(table, wanted, SCOPE_ADDRESS_AND_PORT, packet.remote_address, packet.remote_port)
        return 0
    else:
        drop(packet, SESSION_CLASH)
    return number

cdef inline bint goes_on(const NatTable* table, const Packet* packet) noexcept nogil:
    """Does the segment belong to a connection that goes on by its forward?

    Not if a helper read it: by how much it had made messages longer is lost with the session.
    """
    cdef uint8_t uplink
    if not is_of_middle(packet):
        return False
    realm_for(&table.rules, packet, &uplink)
    return find_static(&table.rules, packet, uplink) != NULL and not is_for_helper(
        table, packet, packet.near_address, packet.near_port
    )

cdef inline bint admit_outbound(NatTable* table, Packet* packet, uint32_t now) noexcept nogil:
    cdef uint32_t host
    cdef uint32_t number = 0
    cdef Mapping wanted
    if not goes_on(table, packet) and not may_begin(packet):
        return False
    if packet.expected:
        arrive(table, packet, packet.expected, now)
        return True
    make_room(table, now)
    host = find_host(table, packet.near_address)
    if not within_limits(table, packet, host, now):
        return False
    if not want_outbound(table, packet, host, &wanted):
        return False
    if host:
        number = find_mapping(table, &wanted)
    number = may_go_by(table, packet, &wanted, number, now)
    if packet.verdict == DROP:
        return False
    if not number:
        number = admit_mapping(table, packet, host, &wanted, now)
        if not number:
            return False
    admit_session(table, packet, number, now)
    return True
