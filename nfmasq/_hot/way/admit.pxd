# Admit: a packet that belongs to no session begins one (admit_out, admit_in), or is dropped for a reason.

from libc.stdint cimport uint32_t

from nfmasq._hot.state.packet cimport CONTINUE, OUTBOUND, Packet
from nfmasq._hot.state.table cimport NatTable
from nfmasq._hot.way.admit_in cimport admit_inbound
from nfmasq._hot.way.admit_out cimport admit_outbound
from nfmasq._hot.way.keyed cimport find_without_key
from nfmasq._hot.way.screen cimport screen

cdef inline bint admit(NatTable* table, Packet* packet, uint32_t now) noexcept nogil:
    """Begin the packet's session. False: its way has ended, or the lookup has ended it already."""
    if find_without_key(table, packet, now):
        return True
    if packet.verdict != CONTINUE or not screen(&table.rules, packet):
        return False
    if packet.direction == OUTBOUND:
        return admit_outbound(table, packet, now)
    return admit_inbound(table, packet, now)
