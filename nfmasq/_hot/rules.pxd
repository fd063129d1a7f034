# The policy as the hot path reads it: nfmasq.policy.Policy turned into words and bits.
#
# Written by Table.configure alone, under the table's lock; read under the lock by every stage that decides.

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from nfmasq._hot.packet cimport CLASS_TCP, CLASS_UDP, TRANSPORT_COUNT
from nfmasq._hot.wire cimport ntohl

cdef enum:
    MOST_EXTERNAL = 256      # addresses of a pool
    MOST_NETWORKS = 64       # internal networks
    BITMAP_BYTES = 8192      # one bit a port

cdef enum Filtering:
    ENDPOINT_INDEPENDENT = 0
    ADDRESS_DEPENDENT = 1
    ADDRESS_AND_PORT_DEPENDENT = 2

cdef struct Network:
    uint32_t address         # network order, as the mask
    uint32_t mask

cdef struct Rules:
    uint32_t external_count
    uint32_t network_count
    uint32_t[MOST_EXTERNAL] external           # network order
    Network[MOST_NETWORKS] networks
    uint16_t first_port                        # host order, both included
    uint16_t last_port
    uint8_t[TRANSPORT_COUNT] filtering
    uint32_t[TRANSPORT_COUNT] timeout          # seconds; TCP's is that of an established session
    uint32_t tcp_transitory
    uint32_t sessions
    uint32_t sessions_per_host                 # 0: as many as there is room for
    uint32_t ports_per_host
    uint8_t[2][BITMAP_BYTES] reserved          # TCP, UDP ports that a local socket holds

cdef inline bint is_external(const Rules* rules, uint32_t address) noexcept nogil:
    cdef uint32_t i
    for i in range(rules.external_count):
        if rules.external[i] == address:
            return True
    return False

cdef inline bint is_internal(const Rules* rules, uint32_t address) noexcept nogil:
    cdef uint32_t i
    for i in range(rules.network_count):
        if address & rules.networks[i].mask == rules.networks[i].address:
            return True
    return False

cdef inline bint is_martian(uint32_t address) noexcept nogil:
    """Addresses no host outside can have: 0/8, 127/8, 224/4 and 240/4 (RFC 6890)."""
    cdef uint32_t top = ntohl(address) >> 24
    return top == 0 or top == 127 or top >= 224

cdef inline bint is_reserved(const Rules* rules, uint8_t transport, uint16_t port) noexcept nogil:
    """Does a local socket hold this port (host order)?"""
    if transport == CLASS_TCP or transport == CLASS_UDP:
        return (rules.reserved[transport][port >> 3] >> (port & 7)) & 1
    return False

cdef inline bint is_assignable(const Rules* rules, uint8_t transport, uint16_t port) noexcept nogil:
    """Is this external port (host order) one that mappings are given?"""
    return rules.first_port <= port <= rules.last_port and not is_reserved(rules, transport, port)
