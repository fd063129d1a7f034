# Rules: the policy as the hot path reads it, nfmasq.core.policy.Policy as words and bits.
#
# Written by Table.configure alone, under the table's lock; read under the lock by every stage that decides.

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from nfmasq._hot.state.capacity cimport (
    MOST_BEHAVIOURS, MOST_EXTERNAL_ADDRESSES, MOST_FORWARDS, MOST_FORWARD_TARGETS, MOST_HELPER_NETWORKS,
    MOST_HELPER_PORTS, MOST_INTERNAL_NETWORKS, MOST_OWN, MOST_REALMS, MOST_SOURCES, MOST_UPLINKS,
)
from nfmasq._hot.state.networks cimport Network, Range, lies_in, lies_in_any
from nfmasq._hot.state.packet cimport CLASS_ICMP, CLASS_TCP, CLASS_UDP, TRANSPORT_COUNT
from nfmasq._hot.state.uplinks cimport NO_UPLINK, Realm, Source, Uplink
from nfmasq._hot.wire.wire cimport UDP, ntohl

cdef enum:
    BITMAP_BYTES = 8192      # one bit a port

cdef enum Dependence:        # of mapping and of filtering
    ENDPOINT_INDEPENDENT = 0
    ADDRESS_DEPENDENT = 1
    ADDRESS_AND_PORT_DEPENDENT = 2

cdef struct Behaviour:
    Network network
    uint8_t[TRANSPORT_COUNT] mapping           # Dependence
    uint8_t[TRANSPORT_COUNT] filtering

cdef struct Target:
    uint32_t address                           # internal, network order
    uint16_t base                              # host order: the port the forward's first one leads to
    uint16_t step                              # 1: the next leads to the next one; 0: all lead to it

cdef struct Forward:
    uint32_t external                          # network order; 0: every external address
    uint8_t protocol                           # 0: any
    uint8_t all_ports                          # portless protocols too
    uint8_t two_way                            # its target's sessions outwards have its external endpoint
    uint8_t one_to_one                         # an address given to one host whole
    uint16_t first                             # host order, both included
    uint16_t last
    uint16_t first_target
    uint16_t target_count

cdef struct Own:                               # packets that the router itself takes
    uint32_t remote                            # network order; 0: from anywhere
    uint8_t protocol

cdef struct HelperPort:
    uint16_t port                              # host order
    uint8_t protocol
    uint8_t helper                             # its number
    uint16_t first_network
    uint16_t network_count                     # 0: for every internal host

# Limits and Timeouts have the fields of the classes of these names in nfmasq.core.policy, and are copied from
# them by name.

cdef struct Limits:                            # the most of each; 0: no limit
    uint32_t sessions
    uint32_t half_open
    uint32_t new_per_second
    uint32_t sessions_per_host
    uint32_t ports_per_host
    uint32_t half_open_per_host
    uint32_t new_per_second_per_host

cdef struct Timeouts:                          # seconds; timers reads them
    uint32_t udp
    uint32_t udp_dns                           # of a question to port 53 (RFC 4787 REQ-5a)
    uint32_t tcp_established
    uint32_t tcp_transitory                    # what the next two are where the policy leaves them open
    uint32_t tcp_opening
    uint32_t tcp_closing
    uint32_t icmp
    uint32_t other

cdef struct Rules:
    bint single                                # one uplink that hands out addresses: every session is its own
    uint32_t uplink_count
    uint32_t external_count
    uint32_t pooled_count                      # the first so many are handed out, those of a realm together
    uint32_t realm_count
    uint32_t internal_count
    uint32_t behaviour_count
    uint32_t forward_count
    uint32_t helper_port_count
    uint32_t own_count
    Uplink[MOST_UPLINKS] uplinks
    uint32_t[MOST_EXTERNAL_ADDRESSES] external           # network order
    uint8_t[MOST_EXTERNAL_ADDRESSES] uplink_of           # [external address] the first that has it
    uint8_t[MOST_EXTERNAL_ADDRESSES] realm_of            # [external address]; NO_REALM: it is not handed out
    uint8_t[MOST_EXTERNAL_ADDRESSES] sharers             # [external address] a bit an uplink that has it
    Realm[MOST_REALMS] realms
    Source[MOST_SOURCES] sources               # of an uplink together, longest prefix first
    Range[MOST_INTERNAL_NETWORKS] internal     # ascending, disjoint
    Behaviour[MOST_BEHAVIOURS] behaviours      # narrowest first, the last is for every host
    Forward[MOST_FORWARDS] forwards            # the first that fits counts
    Target[MOST_FORWARD_TARGETS] targets
    HelperPort[MOST_HELPER_PORTS] helper_ports
    Network[MOST_HELPER_NETWORKS] helper_networks
    Own[MOST_OWN] own                          # of protocols without ports
    uint8_t others_lead                        # rules of others lead packets inside (DNAT)
    uint8_t refusals                           # send ICMP errors about refused sessions
    uint8_t share_ports                        # a session may have another's port while none is free
    uint32_t hairpin_mark                      # the bit of a second pass; 0: nothing is hairpinned
    Limits limits
    Timeouts timeouts
    uint8_t[3][BITMAP_BYTES] ports             # TCP, UDP ports and ICMP identifiers that are handed out
    uint8_t[2][BITMAP_BYTES] reserved          # TCP, UDP ports of a local socket or a forward
    uint8_t[2][BITMAP_BYTES] helped            # TCP, UDP ports in helper_ports

cdef inline int external_index(const Rules* rules, uint32_t address) noexcept nogil:
    """The number of an external address, or -1."""
    cdef uint32_t i
    for i in range(rules.external_count):
        if rules.external[i] == address:
            return <int>i
    return -1

cdef inline bint is_external(const Rules* rules, uint32_t address) noexcept nogil:
    return external_index(rules, address) >= 0

cdef inline uint8_t uplink_of_address(const Rules* rules, uint32_t address) noexcept nogil:
    """The number of the first uplink that has this external address, or NO_UPLINK."""
    cdef int external = external_index(rules, address)
    return rules.uplink_of[external] if external >= 0 else <uint8_t>NO_UPLINK

cdef inline bint has_address(const Rules* rules, uint8_t uplink, uint32_t address) noexcept nogil:
    """Has this uplink the external address, alone or with others?"""
    cdef int external = external_index(rules, address)
    return external >= 0 and uplink < MOST_UPLINKS and (rules.sharers[external] >> uplink) & 1

cdef inline uint8_t uplink_at(const Rules* rules, uint32_t device) noexcept nogil:
    """The number of the uplink with this interface, or NO_UPLINK."""
    cdef uint8_t i
    for i in range(rules.uplink_count):
        if rules.uplinks[i].index == device:
            return i
    return NO_UPLINK

cdef inline bint is_internal(const Rules* rules, uint32_t address) noexcept nogil:
    return lies_in_any(address, rules.internal, rules.internal_count)

cdef inline const Behaviour* behaviour_of(const Rules* rules, uint32_t internal) noexcept nogil:
    """How the sessions of an internal host are mapped and filtered."""
    cdef uint32_t i = 0
    while i + 1 < rules.behaviour_count and not lies_in(internal, &rules.behaviours[i].network):
        i += 1
    return &rules.behaviours[i]

cdef inline bint is_for_host(const Rules* rules, const HelperPort* row, uint32_t internal) noexcept nogil:
    cdef uint32_t i
    for i in range(row.network_count):
        if lies_in(internal, &rules.helper_networks[row.first_network + i]):
            return True
    return row.network_count == 0

cdef inline uint8_t helper_of(
    const Rules* rules, uint8_t protocol, uint16_t port, uint32_t internal
) noexcept nogil:
    """The helper for a session with this server port (host order), or 0."""
    cdef uint32_t i
    if not (rules.helped[CLASS_UDP if protocol == UDP else CLASS_TCP][port >> 3] >> (port & 7)) & 1:
        return 0                          # nearly every session: however many helpers are enabled
    for i in range(rules.helper_port_count):
        if (
            rules.helper_ports[i].port == port and rules.helper_ports[i].protocol == protocol
            and is_for_host(rules, &rules.helper_ports[i], internal)
        ):
            return rules.helper_ports[i].helper
    return 0

cdef inline bint is_own(const Rules* rules, uint8_t protocol, uint32_t remote) noexcept nogil:
    """Does the router itself take packets of this protocol, which has no ports, from this address?"""
    cdef uint32_t i
    for i in range(rules.own_count):
        if rules.own[i].protocol == protocol and (rules.own[i].remote == 0 or rules.own[i].remote == remote):
            return True
    return False

cdef inline bint is_martian(uint32_t address) noexcept nogil:
    """Addresses that no host outside can have: 0/8, 127/8, 224/4 and 240/4 (RFC 6890)."""
    cdef uint32_t top = ntohl(address) >> 24
    return top == 0 or top == 127 or top >= 224

cdef inline bint is_reserved(const Rules* rules, uint8_t transport, uint16_t port) noexcept nogil:
    """Is this port (host order) a local socket's or a forward's?"""
    if transport == CLASS_TCP or transport == CLASS_UDP:
        return (rules.reserved[transport][port >> 3] >> (port & 7)) & 1
    return False

cdef inline bint is_assignable(const Rules* rules, uint8_t transport, uint16_t port) noexcept nogil:
    """Is this external port (host order), or query identifier, one that mappings are given?"""
    return (
        transport <= CLASS_ICMP and (rules.ports[transport][port >> 3] >> (port & 7)) & 1
        and not is_reserved(rules, transport, port)
    )
