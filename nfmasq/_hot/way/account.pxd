# Account: every packet counted once, by what became of it.

from nfmasq._hot.state.packet cimport ASIDE, DROP, PASS, TRANSLATE, Packet
from nfmasq._hot.state.table cimport NatTable

cdef inline void account(NatTable* table, const Packet* packet) noexcept nogil:
    """A super-packet sent to be cut up counts when its parts come, a hairpinned packet once."""
    if packet.verdict == TRANSLATE or packet.verdict == ASIDE:
        if packet.second_pass:
            return
        table.counters.packets[packet.direction][packet.transport] += 1
        table.counters.bytes[packet.direction][packet.transport] += packet.length
    elif packet.verdict == DROP:
        table.counters.dropped[packet.reason] += 1
    elif packet.verdict == PASS:
        table.counters.passed += 1
