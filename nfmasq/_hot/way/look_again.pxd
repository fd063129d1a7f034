# Look again: what was let by in PREROUTING, and is still for the router when it comes to LOCAL_IN.
#
# Connection tracking and the destination rewriting of others lie between the two. So neither knew it, and no
# local socket waits for it. It is dropped for the reason that would have dropped it before. Nothing begins
# here, for the packet is routed: what has begun since the first look gets the next packet.

from libc.stdint cimport uint32_t

from nfmasq._hot.state.mappings cimport find_mapping_by_external
from nfmasq._hot.state.packet cimport CLASS_UDP, HAIRPIN, Packet, drop, let_pass
from nfmasq._hot.state.reasons cimport FILTERED, NO_MAPPING
from nfmasq._hot.state.table cimport NatTable
from nfmasq._hot.way.admit_in cimport passes_filter
from nfmasq._hot.way.begin cimport may_begin
from nfmasq._hot.way.expect cimport find_expected
from nfmasq._hot.way.forwards cimport find_forward
from nfmasq._hot.way.screen cimport screen

cdef inline bint look_again(NatTable* table, Packet* packet) noexcept nogil:
    """End the way of a packet for the router itself. Returns False."""
    cdef uint32_t mapping
    if packet.direction == HAIRPIN:
        if packet.transport > CLASS_UDP:
            return let_pass(packet)
        return may_begin(packet) and drop(packet, NO_MAPPING)
    if not screen(&table.rules, packet):
        return False
    if packet.transport > CLASS_UDP:
        return let_pass(packet)
    mapping = find_mapping_by_external(
        table, packet.protocol, packet.near_address, packet.near_port, False
    )
    if find_expected(table, packet) or find_forward(&table.rules, packet) != NULL:
        return may_begin(packet) and drop(packet, NO_MAPPING)
    if not mapping:
        return drop(packet, NO_MAPPING)
    if not passes_filter(table, packet, mapping):
        return drop(packet, FILTERED)
    return may_begin(packet) and drop(packet, NO_MAPPING)
