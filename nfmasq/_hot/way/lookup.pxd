# Lookup: the session a packet belongs to.

from libc.stdint cimport uint32_t

from nfmasq._hot.state.index cimport find_by_external_at, find_by_internal_at
from nfmasq._hot.state.packet cimport CLASS_TCP, INBOUND, Packet
from nfmasq._hot.state.table cimport EXPECTED, NatTable
from nfmasq._hot.state.tcpstate cimport is_over
from nfmasq._hot.way.appear cimport stays_with_uplink
from nfmasq._hot.way.expect cimport find_expected
from nfmasq._hot.wire.wire cimport ACK, SYN

cdef inline bint is_expected_anew(const NatTable* table, const Packet* packet) noexcept nogil:
    """Does a SYN from outside find a connection that is over, and an expectation too?

    A server that always calls from the same port uses its earlier endpoints again.
    """
    return (
        packet.direction == INBOUND and packet.transport == CLASS_TCP
        and packet.tcp_flags & (SYN | ACK) == SYN and is_over(table.sessions[packet.session].state)
        and find_expected(table, packet) != 0
    )

cdef inline bint lookup(const NatTable* table, Packet* packet) noexcept nogil:
    """False: there is none, and the packet may ask to be admitted. Its bucket is known already.

    While the uplink has no address no session is of use; they wait for the address to come back.
    """
    if not table.rules.single and table.rules.external_count == 0:
        return False
    if packet.direction != INBOUND:
        packet.session = find_by_internal_at(
            table, packet.bucket, packet.protocol,
            packet.near_address, packet.near_port, packet.remote_address, packet.remote_port,
        )
    else:
        packet.session = find_by_external_at(
            table, packet.bucket, packet.protocol,
            packet.near_address, packet.near_port, packet.remote_address, packet.remote_port,
        )
    if table.expected and packet.session:
        if table.sessions[packet.session].flags & EXPECTED:
            packet.expected = packet.session     # admitted, or not, like a first packet
            packet.session = 0
        elif is_expected_anew(table, packet):
            packet.session = 0
    return packet.session != 0

cdef inline bint find(NatTable* table, Packet* packet, uint32_t now) noexcept nogil:
    """The packet's session, unless it leaves by another uplink. False: as lookup, or its way has ended."""
    return lookup(table, packet) and (table.rules.single or stays_with_uplink(table, packet, now))
