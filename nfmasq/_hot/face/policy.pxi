# Policy in: where a nfmasq.core.policy.Policy becomes the core's Rules.
#
# A part of _fastpath.pyx, called with the GIL and never per packet.

from dataclasses import asdict, fields

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from nfmasq.core.limits import require_room
from nfmasq.core.policy import ALL_PORTS, ANY_PROTOCOL
from nfmasq.core.policy import Limits as PolicyLimits
from nfmasq.core.policy import Timeouts as PolicyTimeouts

from nfmasq._hot.state.capacity cimport (
    MOST_BEHAVIOURS, MOST_FORWARDS, MOST_FORWARD_TARGETS, MOST_HELPERS, MOST_HELPER_NETWORKS,
    MOST_HELPER_PORTS, MOST_INTERNAL_NETWORKS, MOST_OWN,
)
from nfmasq._hot.state.packet cimport CLASS_ICMP, CLASS_TCP, CLASS_UDP, TRANSPORT_COUNT
from nfmasq._hot.state.networks cimport Network, Range
from nfmasq._hot.state.rules cimport (
    BITMAP_BYTES, Behaviour, Forward, HelperPort, Limits, Rules, Target, Timeouts,
)
from nfmasq._hot.wire.wire cimport TCP, UDP, htonl

cdef Limits some_limits
cdef Timeouts some_timeouts

for _record, _copied in ((<dict>some_limits, PolicyLimits), (<dict>some_timeouts, PolicyTimeouts)):
    if {*_record} != {field.name for field in fields(_copied)}:
        raise ImportError(f"{_copied.__name__} of nfmasq.core.policy is not the core's: build nfmasq again")

cdef uint32_t word_of(object address) except? 0:
    return htonl(<uint32_t>int(address))

cdef int read_network(Network* row, object network) except -1:
    row.address = word_of(network.network_address)
    row.mask = word_of(network.netmask)
    return 0

cdef bint is_one_to_one(object forward):
    """Does it give an external address to one host whole?"""
    return (
        forward.external is not None and forward.protocol == ANY_PROTOCOL and forward.ports == ALL_PORTS
        and len(forward.targets) == 1 and forward.targets[0].ports in (None, ALL_PORTS)
    )

cdef void reserve(Rules* rules, int transport, int port):
    rules.reserved[transport][port >> 3] |= <uint8_t>(1 << (port & 7))

cdef int read_internal(Rules* rules, object networks) except -1:
    """Ascending, disjoint ranges; networks that overlap or touch are one."""
    cdef Range* row = NULL
    require_room("internal networks", len(networks), MOST_INTERNAL_NETWORKS)
    for first, last in sorted(
        [(int(network.network_address), int(network.broadcast_address)) for network in networks]
    ):
        if row != NULL and first <= <uint64_t>row.last + 1:
            row.last = max(row.last, <uint32_t>last)
            continue
        row = &rules.internal[rules.internal_count]
        row.first, row.last = first, last
        rules.internal_count += 1
    return 0

cdef int read_ports(Rules* rules, object policy) except -1:
    """Low ports are for TCP and UDP; a query identifier is never low because its internal one is."""
    for transport in range(3):
        bits = 0
        for first, last in (*policy.ports, *(policy.low_ports if transport != CLASS_ICMP else ())):
            bits |= (1 << last + 1) - (1 << first)
        bitmap = bits.to_bytes(BITMAP_BYTES, "little")
        memcpy(rules.ports[transport], <const uint8_t*>bitmap, BITMAP_BYTES)
    return 0

cdef int read_behaviours(Rules* rules, object behaviours) except -1:
    cdef Behaviour* row
    if not behaviours:
        raise ValueError("behaviours: the one for everywhere is missing")
    require_room("networks with a behaviour of their own", len(behaviours) - 1, MOST_BEHAVIOURS - 1)
    rules.behaviour_count = len(behaviours)
    for i, behaviour in enumerate(behaviours):
        row = &rules.behaviours[i]
        read_network(&row.network, behaviour.network)
        for transport in range(TRANSPORT_COUNT):
            of = behaviour.tcp if transport == CLASS_TCP else behaviour.udp
            row.mapping[transport] = of.mapping
            row.filtering[transport] = of.filtering
    return 0

cdef int read_target(Target* row, object forward, object target) except -1:
    """A target without ports leaves each as it is."""
    first, last = target.ports or forward.ports
    row.address = word_of(target.address)
    row.base = first
    row.step = last - first == forward.ports[1] - forward.ports[0]
    return 0

cdef int read_forwards(Rules* rules, object forwards) except -1:
    cdef Forward* row
    cdef uint32_t targets = 0
    require_room("forwards", len(forwards), MOST_FORWARDS)
    require_room("targets of forwards", sum(len(each.targets) for each in forwards), MOST_FORWARD_TARGETS)
    rules.forward_count = len(forwards)
    for i, forward in enumerate(forwards):
        if not forward.targets:
            raise ValueError("forward: without a target it leads nowhere")
        row = &rules.forwards[i]
        row.external = 0 if forward.external is None else word_of(forward.external)
        row.protocol = forward.protocol
        row.first, row.last = forward.ports
        row.all_ports = forward.ports == ALL_PORTS
        row.one_to_one = is_one_to_one(forward)
        row.first_target = targets
        row.target_count = len(forward.targets)
        for target in forward.targets:
            read_target(&rules.targets[targets], forward, target)
            targets += 1
        row.two_way = row.one_to_one or (
            row.target_count == 1 and not row.all_ports and rules.targets[row.first_target].step
        )
        if not row.all_ports:
            reserve_forwarded(rules, row)
    return 0

cdef void reserve_forwarded(Rules* rules, const Forward* forward):
    """No mapping is given a port that is forwarded."""
    for port in range(forward.first, forward.last + 1):
        if forward.protocol == TCP or forward.protocol == ANY_PROTOCOL:
            reserve(rules, CLASS_TCP, port)
        if forward.protocol == UDP or forward.protocol == ANY_PROTOCOL:
            reserve(rules, CLASS_UDP, port)

cdef int read_helper_ports(Rules* rules, object rows) except -1:
    cdef HelperPort* row
    cdef uint16_t networks = 0
    require_room("ports of helpers", len(rows), MOST_HELPER_PORTS)
    require_room("networks of helpers", sum(len(each.networks) for each in rows), MOST_HELPER_NETWORKS)
    rules.helper_port_count = len(rows)
    for i, one in enumerate(rows):
        require_room("helpers", one.helper, MOST_HELPERS)
        row = &rules.helper_ports[i]
        row.port, row.protocol, row.helper = one.port, one.protocol, one.helper
        rules.helped[CLASS_UDP if one.protocol == UDP else CLASS_TCP][one.port >> 3] |= 1 << (one.port & 7)
        row.first_network, row.network_count = networks, len(one.networks)
        for network in one.networks:
            read_network(&rules.helper_networks[networks], network)
            networks += 1
    return 0

cdef int read_own(Rules* rules, object own) except -1:
    require_room("protocols of the router itself", len(own), MOST_OWN)
    rules.own_count = len(own)
    for i, each in enumerate(own):
        rules.own[i].protocol = each.protocol
        rules.own[i].remote = 0 if each.remote is None else word_of(each.remote)
    return 0

cdef int read_policy(Rules* rules, object policy) except -1:
    """Write a Policy as words and bits. Raises TooMany for more than there is room for."""
    memset(rules, 0, sizeof(Rules))
    read_uplinks(rules, policy)
    read_internal(rules, policy.internal)
    read_ports(rules, policy)
    read_behaviours(rules, policy.behaviours)
    rules.limits = asdict(policy.limits)
    rules.timeouts = policy.timeouts.seconds()
    if policy.hairpinning and any(uplink.index for uplink in policy.uplinks):
        rules.hairpin_mark = policy.mark
    rules.others_lead = policy.others_lead
    rules.refusals = policy.refusals
    rules.share_ports = policy.share_ports
    for transport, ports in enumerate((policy.reserved_tcp, policy.reserved_udp)):
        for port in ports:
            reserve(rules, transport, port)
    read_forwards(rules, policy.forwards)
    read_helper_ports(rules, policy.helper_ports)
    read_own(rules, policy.own)
    return 0
