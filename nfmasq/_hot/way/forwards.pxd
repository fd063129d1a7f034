# Forwards: which one claims a packet, and where it leads (RFC 2391).

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from nfmasq._hot.state.mappings cimport find_host
from nfmasq._hot.state.packet cimport CLASS_ICMP, CLASS_OTHER, CLASS_UDP, ICMP_QUERY, Packet
from nfmasq._hot.state.rules cimport Forward, Rules, Target, has_address
from nfmasq._hot.state.table cimport NatTable, random_word
from nfmasq._hot.wire.wire cimport ICMP, htons, ntohs

cdef inline bint claims(const Forward* forward, const Packet* packet) noexcept nogil:
    """Is a packet with this near endpoint for the forward's target?

    An answer belongs to its session. Queries are the router's own unless all that comes to the address, or
    ICMP by name, is forwarded.
    """
    cdef uint16_t port = ntohs(packet.near_port)
    if forward.protocol and forward.protocol != packet.protocol:
        return False
    if forward.external and forward.external != packet.near_address:
        return False
    if packet.transport == CLASS_ICMP:
        return packet.kind == ICMP_QUERY and (forward.one_to_one or forward.protocol == ICMP)
    if packet.transport == CLASS_OTHER:
        return forward.all_ports
    return forward.first <= port <= forward.last

cdef inline bint is_for_default_host(const Forward* forward) noexcept nogil:
    """Is its target the default host, which gets all that no other forward or mapping claims?"""
    return forward.all_ports and not forward.one_to_one

cdef inline bint waits_for_others(
    const Rules* rules, const Packet* packet, const Forward* forward
) noexcept nogil:
    """Do rules of others come first, behind which the packet is seen again?

    A forward that names an address stands before them, as it does before the router's own sockets.
    """
    return (
        rules.others_lead and not packet.untaken and is_for_default_host(forward) and forward.external == 0
    )

cdef inline const Forward* find_forward(const Rules* rules, const Packet* packet) noexcept nogil:
    """The most specific forward that claims what comes in, or NULL."""
    cdef uint32_t i
    for i in range(rules.forward_count):
        if claims(&rules.forwards[i], packet):
            return &rules.forwards[i]
    return NULL

cdef inline const Target* choose_target(NatTable* table, const Forward* forward) noexcept nogil:
    """Of several targets the one with the fewest sessions, any of those with equally few (RFC 2391)."""
    cdef const Target* targets = &table.rules.targets[forward.first_target]
    cdef const Target* chosen = targets
    cdef uint32_t fewest = 0xFFFFFFFF
    cdef uint32_t start, i, host, sessions
    if forward.target_count == 1:
        return targets
    start = <uint32_t>(random_word(table) % forward.target_count)
    for i in range(start, start + forward.target_count):
        host = find_host(table, targets[i % forward.target_count].address)
        sessions = table.hosts[host].sessions if host else 0
        if sessions < fewest:
            fewest = sessions
            chosen = &targets[i % forward.target_count]
    return chosen

cdef inline uint16_t target_port(
    const Forward* forward, const Target* target, const Packet* packet
) noexcept nogil:
    """The internal port (network order) that the packet's external one leads to."""
    if packet.transport == CLASS_ICMP or packet.transport == CLASS_OTHER:
        return 0
    return htons(<uint16_t>(target.base + target.step * (ntohs(packet.near_port) - forward.first)))

cdef inline const Forward* find_static(
    const Rules* rules, const Packet* packet, uint8_t uplink
) noexcept nogil:
    """The forward by whose external endpoint at this uplink an internal one's session goes out, or NULL."""
    cdef const Forward* forward
    cdef const Target* target
    cdef uint32_t offset
    cdef uint32_t i
    for i in range(rules.forward_count):
        forward = &rules.forwards[i]
        target = &rules.targets[forward.first_target]
        if not forward.two_way or target.address != packet.near_address:
            continue
        if forward.external and not has_address(rules, uplink, forward.external):
            continue
        if forward.one_to_one:
            return forward
        offset = ntohs(packet.near_port) - <uint32_t>target.base
        if (
            packet.transport <= CLASS_UDP and (forward.protocol == 0 or forward.protocol == packet.protocol)
            and offset <= <uint32_t>(forward.last - forward.first)
        ):
            return forward
    return NULL

cdef inline uint16_t static_port(
    const Forward* forward, const Target* target, const Packet* packet
) noexcept nogil:
    """The external port (network order) of an internal endpoint that has a two-way forward."""
    return htons(<uint16_t>(forward.first + ntohs(packet.near_port) - target.base))
