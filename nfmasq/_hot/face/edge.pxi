# The edge: where Python's values become the core's words, and the core's records become rows.
#
# A part of _fastpath.pyx, called with the GIL and never per packet.

from ipaddress import IPv4Address

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from nfmasq.core.policy import ALL_PORTS, ANY_PROTOCOL
from nfmasq.core.reasons import SENTENCES
from nfmasq.core.rows import Counters, Expected, Gauges, Held, Refusal, SessionRow

from nfmasq._hot.state.aside cimport Aside
from nfmasq._hot.calls.dump cimport Filter
from nfmasq._hot.state.packet cimport CLASS_TCP, CLASS_UDP, DIRECTION_COUNT, DROP, TRANSPORT_COUNT, Packet
from nfmasq._hot.state.reasons cimport REASON_COUNT
from nfmasq._hot.state.refusals cimport Refusal as RefusalRecord
from nfmasq._hot.state.rules cimport (
    MOST_BEHAVIOURS, MOST_EXTERNAL, MOST_FORWARDS, MOST_HELPER_NETWORKS, MOST_HELPER_PORTS, MOST_NETWORKS,
    MOST_TARGETS, Behaviour, Forward, HelperPort, Rules, Target,
)
from nfmasq._hot.state.table cimport EXPECTED, Host, Mapping, NatTable, Session
from nfmasq._hot.state.tcpstate cimport TCP_STATE_COUNT
from nfmasq._hot.wire.wire cimport TCP, UDP, htonl, htons, ntohl, ntohs

REASONS = tuple(SENTENCES)
TCP_STATES = ("-", "syn-out", "syn-in", "established", "fin-out", "fin-in", "closing", "reset")

if len(REASONS) != REASON_COUNT - 1 or len(TCP_STATES) != TCP_STATE_COUNT:
    raise ImportError("nfmasq.core.reasons and the compiled core differ in version: build nfmasq again")

cdef uint32_t word_of(object address) except? 0:
    return htonl(<uint32_t>int(address))

cdef object endpoint(uint32_t address, uint16_t port):
    return (IPv4Address(ntohl(address)), ntohs(port))

cdef object session_row(uint32_t number, const Session* session, uint32_t now):
    return SessionRow(
        number, session.protocol, endpoint(session.internal_address, session.internal_port),
        endpoint(session.external_address, session.external_port),
        endpoint(session.remote_address, session.remote_port),
        "expected" if session.flags & EXPECTED else TCP_STATES[session.state],
        packets_of(&session.traffic, OUTBOUND), packets_of(&session.traffic, INBOUND),
        bytes_of(&session.traffic, OUTBOUND), bytes_of(&session.traffic, INBOUND),
        now - session.created, max(0, <int>(session.expires - now)), session.helper,
    )

cdef object refusal_row(const RefusalRecord* refusal):
    """To an internal host the router speaks for itself, to one outside as the endpoint it had asked."""
    if refusal.to_inside:
        destination, source = refusal.near_address, None
    else:
        destination, source = refusal.remote_address, IPv4Address(ntohl(refusal.near_address))
    return Refusal(IPv4Address(ntohl(destination)), source, refusal.code, refusal.quote[:refusal.length])

cdef tuple answer(const Packet* packet):
    """What Table.translate tells of a packet: the reason it is dropped for, or its bytes."""
    if packet.verdict == DROP:
        return REASONS[packet.reason - 1], b""
    return "", (<char*>packet.data)[:packet.length]

cdef Filter read_filter(object host, object port, object protocol) except *:
    cdef Filter wanted
    wanted.host = 0 if host is None else word_of(host)
    if host is not None and wanted.host == 0:
        wanted.host = 0xFFFFFFFF         # 0.0.0.0 is nobody's address, as this is; to the core 0 means any
    wanted.port = htons(port)
    wanted.protocol = protocol
    return wanted

cdef bint is_one_to_one(object forward):
    """Does it give an external address to one host whole?"""
    return (
        forward.external is not None and forward.protocol == ANY_PROTOCOL and forward.ports == ALL_PORTS
        and len(forward.targets) == 1 and forward.targets[0].ports in (None, ALL_PORTS)
    )

cdef void reserve(Rules* rules, int transport, int port):
    rules.reserved[transport][port >> 3] |= <uint8_t>(1 << (port & 7))

cdef int read_behaviours(Rules* rules, object behaviours) except -1:
    cdef Behaviour* row
    if not 1 <= len(behaviours) <= MOST_BEHAVIOURS:
        raise ValueError(f"network: {len(behaviours) - 1} networks, {MOST_BEHAVIOURS - 1} at most")
    rules.behaviour_count = len(behaviours)
    for i, behaviour in enumerate(behaviours):
        row = &rules.behaviours[i]
        row.network.address = word_of(behaviour.network.network_address)
        row.network.mask = word_of(behaviour.network.netmask)
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
    if len(forwards) > MOST_FORWARDS:
        raise ValueError(f"forward: {len(forwards)} forwards, {MOST_FORWARDS} at most")
    if sum(len(forward.targets) for forward in forwards) > MOST_TARGETS:
        raise ValueError(f"forward: more than {MOST_TARGETS} targets in all")
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
    if len(rows) > MOST_HELPER_PORTS:
        raise ValueError(f"helpers: {len(rows)} ports, {MOST_HELPER_PORTS} at most")
    if sum(len(one.networks) for one in rows) > MOST_HELPER_NETWORKS:
        raise ValueError(f"helpers: more than {MOST_HELPER_NETWORKS} networks in all")
    rules.helper_port_count = len(rows)
    for i, one in enumerate(rows):
        row = &rules.helper_ports[i]
        row.port, row.protocol, row.helper = one.port, one.protocol, one.helper
        row.first_network, row.network_count = networks, len(one.networks)
        for network in one.networks:
            rules.helper_networks[networks].address = word_of(network.network_address)
            rules.helper_networks[networks].mask = word_of(network.netmask)
            networks += 1
    return 0

cdef object held_row(const Aside* entry):
    return Held(
        entry.session, entry.serial, entry.helper, entry.outbound,
        endpoint(entry.internal_address, entry.internal_port),
        endpoint(entry.external_address, entry.external_port),
        endpoint(entry.remote_address, entry.remote_port),
        entry.inside_began, entry.data[:entry.length],
        (entry.fd, <uint64_t>entry.queue << 32 | entry.id),
    )

cdef int read_policy(Rules* rules, object policy) except -1:
    """Turn a nfmasq.core.policy.Policy into words and bits."""
    memset(rules, 0, sizeof(Rules))
    if len(policy.external) > MOST_EXTERNAL:
        raise ValueError(f"nat.addresses: {len(policy.external)} addresses, {MOST_EXTERNAL} at most")
    if len(policy.internal) > MOST_NETWORKS:
        raise ValueError(f"{len(policy.internal)} internal networks, {MOST_NETWORKS} at most")
    given_whole = {forward.external for forward in policy.forwards if is_one_to_one(forward)}
    addresses = sorted(policy.external, key=lambda address: address in given_whole)
    rules.external_count = len(addresses)
    for i, address in enumerate(addresses):
        rules.external[i] = word_of(address)
        rules.pooled_count += address not in given_whole
    rules.network_count = len(policy.internal)
    for i, network in enumerate(policy.internal):
        rules.networks[i].address = word_of(network.network_address)
        rules.networks[i].mask = word_of(network.netmask)
    rules.first_port, rules.last_port = policy.ports
    read_behaviours(rules, policy.behaviours)
    timeouts = policy.timeouts
    rules.timeout = [0, timeouts.udp, timeouts.icmp, timeouts.other]
    rules.tcp_timeout = [timeouts.opening, timeouts.tcp_established, timeouts.closing]
    rules.sessions = policy.sessions
    rules.half_open = policy.half_open
    rules.new_per_second = policy.new_per_second
    rules.sessions_per_host = policy.sessions_per_host
    rules.ports_per_host = policy.ports_per_host
    rules.half_open_per_host = policy.half_open_per_host
    rules.new_per_second_per_host = policy.new_per_second_per_host
    rules.external_interface = policy.external_interface
    rules.mss = policy.mss
    rules.refusals = policy.refusals
    for transport, ports in enumerate((policy.reserved_tcp, policy.reserved_udp)):
        for port in ports:
            reserve(rules, transport, port)
    read_forwards(rules, policy.forwards)
    read_helper_ports(rules, policy.helper_ports)
    return 0

cdef tuple by_transport(const uint64_t* totals):
    return tuple([totals[i] for i in range(TRANSPORT_COUNT)])

cdef object counters_of(const NatTable* table):
    return Counters(
        packets=tuple([by_transport(table.counters.packets[d]) for d in range(DIRECTION_COUNT)]),
        bytes=tuple([by_transport(table.counters.bytes[d]) for d in range(DIRECTION_COUNT)]),
        dropped=tuple([table.counters.dropped[i] for i in range(1, REASON_COUNT)]),
        created=by_transport(table.counters.created),
        expired=by_transport(table.counters.expired),
        passed=table.counters.passed,
        allocation_failures=by_transport(table.counters.allocation_failures),
    )

cdef uint32_t ports_in_use(const NatTable* table, int transport) noexcept:
    cdef uint32_t total = 0
    for external in range(table.rules.pooled_count):
        total += table.pools[3 * external + transport].in_use
    return total

cdef uint64_t index_bytes(const NatTable* table) noexcept:
    """Four indexes with a bucket for every session, and the two smaller ones."""
    cdef uint64_t buckets = table.mask + 1
    return 4 * (4 * buckets + buckets // PEER_SHARE + buckets // HOST_SHARE)

cdef object gauges_of(const NatTable* table):
    """TCP, UDP and ICMP have ports; portless protocols have none."""
    capacity = table.rules.pooled_count * (table.rules.last_port - table.rules.first_port + 1)
    return Gauges(
        sessions=tuple([table.session_count[i] for i in range(TRANSPORT_COUNT)]),
        mappings=tuple([table.mapping_count[i] for i in range(TRANSPORT_COUNT)]),
        ports_in_use=(ports_in_use(table, 0), ports_in_use(table, 1), ports_in_use(table, 2), 0),
        ports_capacity=(capacity, capacity, capacity, 0),
        memory=table.top[0] * sizeof(Session) + table.mapping_top * sizeof(Mapping)
        + table.host_top * sizeof(Host) + index_bytes(table),
    )
