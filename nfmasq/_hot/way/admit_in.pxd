# Admit in: a session for a packet from outside that belongs to none, or the reason why not.
#
# Three ways lead in, in this order: an expectation of a helper; a forward; a mapping whose filtering lets
# this remote endpoint in (RFC 4787 REQ-8). The default host comes after the mappings, and after the flows
# that conntrack knows (ask). So does a connection that goes on by a forward. Where rules of others lead
# packets inside, the default host comes after them too: its packets are let by and seen again behind those
# rules (untaken). What none of the three knows is let by: other programs translate too.

from libc.stdint cimport uint8_t, uint32_t

from nfmasq._hot.state.index cimport find_by_external, find_by_internal, has_peer
from nfmasq._hot.state.mappings cimport (
    find_host, find_mapping, find_mapping_by_external, is_open, set_scope,
)
from nfmasq._hot.state.packet cimport (
    ASK, CLASS_ICMP, CLASS_OTHER, CLASS_UDP, ICMP_REPLY, Packet, drop, let_by, let_pass,
)
from nfmasq._hot.state.reasons cimport FILTERED, NO_MAPPING, SESSION_CLASH
from nfmasq._hot.state.rules cimport (
    ADDRESS_DEPENDENT, ENDPOINT_INDEPENDENT, Forward, Target, behaviour_of, is_own,
)
from nfmasq._hot.state.sessions cimport end_session
from nfmasq._hot.state.table cimport EXPECTED, SCOPE_SHARED, SCOPE_STATIC, Mapping, NatTable
from nfmasq._hot.way.attach cimport is_for_helper
from nfmasq._hot.way.begin cimport admit_session, is_of_middle, may_begin
from nfmasq._hot.way.expect cimport arrive, find_expected
from nfmasq._hot.way.forwards cimport (
    choose_target, find_forward, is_for_default_host, target_port, waits_for_others,
)
from nfmasq._hot.way.limits cimport within_limits
from nfmasq._hot.way.make_room cimport make_room
from nfmasq._hot.way.pairing cimport admit_mapping, want_internal

cdef inline bint passes_filter(const NatTable* table, Packet* packet, uint32_t mapping) noexcept nogil:
    """Does the filtering let the remote endpoint in? Sessions that a helper announced let in no others."""
    cdef uint8_t filtering = behaviour_of(
        &table.rules, table.mappings[mapping].internal_address
    ).filtering[packet.transport]
    if filtering == ENDPOINT_INDEPENDENT:
        return is_open(&table.mappings[mapping])
    return filtering == ADDRESS_DEPENDENT and has_peer(table, mapping, packet.remote_address)

cdef inline bint is_internal_clash(NatTable* table, Packet* packet, const Mapping* mapping) noexcept nogil:
    """Has the internal endpoint a session with the remote one already, by another external endpoint?"""
    return find_by_internal(
        table, packet.protocol, mapping.internal_address, mapping.internal_port,
        packet.remote_address, packet.remote_port,
    ) != 0

cdef inline bint admit_by_mapping(NatTable* table, Packet* packet, uint32_t now) noexcept nogil:
    """Let in what comes to a mapping that stands. The answer to another's query may have no session yet."""
    cdef uint32_t mapping = find_mapping_by_external(
        table, packet.protocol, packet.near_address, packet.near_port, False
    )
    if packet.transport == CLASS_ICMP and not (mapping and passes_filter(table, packet, mapping)):
        return let_pass(packet)          # an answer to the router's own ping
    if not mapping:
        return let_by(packet, NO_MAPPING)
    if not passes_filter(table, packet, mapping):
        return let_by(packet, FILTERED)
    if packet.kind != ICMP_REPLY and not may_begin(packet):
        return False
    if not within_limits(table, packet, table.mappings[mapping].host, now):
        return False
    if is_internal_clash(table, packet, &table.mappings[mapping]):
        return drop(packet, SESSION_CLASH)
    admit_session(table, packet, mapping, now)
    return True

cdef inline bint goes_on_inside(
    const NatTable* table, const Packet* packet, const Forward* forward, const Mapping* wanted
) noexcept nogil:
    """Does the segment belong to a connection that goes on by this forward?

    A segment for the default host may be of any host's connection. What a helper had made longer is lost.
    """
    return is_of_middle(packet) and not is_for_default_host(forward) and not is_for_helper(
        table, packet, wanted.internal_address, wanted.internal_port
    )

cdef inline bint admit_by_forward(
    NatTable* table, Packet* packet, const Forward* forward, uint32_t now
) noexcept nogil:
    """Let in what a forward claims, to its target."""
    cdef const Target* target = choose_target(table, forward)
    cdef uint32_t host = find_host(table, target.address)
    cdef uint32_t number = 0
    cdef Mapping wanted
    want_internal(packet, &wanted)
    wanted.internal_address = target.address
    wanted.internal_port = target_port(forward, target, packet)
    wanted.external_address = packet.near_address
    wanted.external_port = packet.near_port
    set_scope(table, &wanted, SCOPE_STATIC if forward.two_way else SCOPE_SHARED, 0, 0)
    if not goes_on_inside(table, packet, forward, &wanted) and not may_begin(packet):
        return False
    if not within_limits(table, packet, host, now):
        return False
    if is_internal_clash(table, packet, &wanted):
        return drop(packet, SESSION_CLASH)
    if host:
        number = find_mapping(table, &wanted)
    if not number:
        number = admit_mapping(table, packet, host, &wanted, now)
        if not number:
            return False
    admit_session(table, packet, number, now)
    return True

cdef inline bint is_mapped(const NatTable* table, Packet* packet) noexcept nogil:
    """Is there a mapping at the packet's external endpoint, no forward's, that lets it in?"""
    cdef uint32_t mapping = 0
    if packet.transport <= CLASS_UDP:
        mapping = find_mapping_by_external(
            table, packet.protocol, packet.near_address, packet.near_port, False
        )
    return mapping != 0 and passes_filter(table, packet, mapping)

cdef inline void end_predecessor(NatTable* table, const Packet* packet, uint32_t now) noexcept nogil:
    """End a connection that is over and has the endpoints of the expected one; lookup let it by."""
    cdef uint32_t number = find_by_external(
        table, packet.protocol, packet.near_address, packet.near_port,
        packet.remote_address, packet.remote_port,
    )
    if number and not table.sessions[number].flags & EXPECTED:
        end_session(table, number, now)

cdef inline bint admit_inbound(NatTable* table, Packet* packet, uint32_t now) noexcept nogil:
    cdef const Forward* forward
    cdef uint32_t expected = find_expected(table, packet)
    if expected:
        if not may_begin(packet):
            return False
        end_predecessor(table, packet, now)
        if packet.expected == 0 and is_internal_clash(table, packet, &table.mappings[
            table.sessions[expected].mapping
        ]):
            return drop(packet, SESSION_CLASH)
        arrive(table, packet, expected, now)
        return True
    make_room(table, now)
    forward = find_forward(&table.rules, packet)
    if forward != NULL and is_for_default_host(forward):
        if is_mapped(table, packet):
            forward = NULL
        elif packet.transport == CLASS_OTHER and is_own(&table.rules, packet.protocol, packet.remote_address):
            return let_pass(packet)
        elif waits_for_others(&table.rules, packet, forward):
            return let_pass(packet)
        elif not packet.asked and not packet.untaken and not packet.as_address:
            packet.verdict = ASK
            return False
    elif forward != NULL and is_of_middle(packet) and not packet.asked and not packet.as_address:
        packet.verdict = ASK                         # the connection may be one of another program
        return False
    if forward != NULL:
        return admit_by_forward(table, packet, forward, now)
    if packet.transport == CLASS_OTHER or packet.transport == CLASS_ICMP and packet.kind != ICMP_REPLY:
        return let_pass(packet)          # a ping of the router, a tunnel of its own
    return admit_by_mapping(table, packet, now)
