# Rows out: where the core's records become rows that Python reads.
#
# A part of _fastpath.pyx, called with the GIL and never per packet.

from ipaddress import IPv4Address

from libc.stdint cimport uint16_t, uint32_t, uint64_t

from nfmasq.core.reasons import ROWS
from nfmasq.core.rows import Counters, Gauges, Helped, MappingRow, Refusal, SessionRow, SetAside

from nfmasq._hot.state.aside cimport Aside
from nfmasq._hot.state.aside cimport Helped as HelpedRecord
from nfmasq._hot.state.keys cimport OUTWARD, is_keyed
from nfmasq._hot.state.packet cimport (
    CLASS_OTHER, DIRECTION_COUNT, DROP, INBOUND, OUTBOUND, TRANSPORT_COUNT, Packet,
)
from nfmasq._hot.state.reasons cimport REASON_COUNT
from nfmasq._hot.state.refusals cimport Refusal as RefusalRecord
from nfmasq._hot.state.rules cimport BITMAP_BYTES
from nfmasq._hot.state.table cimport (
    EXPECTED, HOST_SHARE, MAPPING_SHARE, PEER_SHARE, Host, Mapping, NatTable, Session,
)
from nfmasq._hot.state.tcpstate cimport TCP_STATE_COUNT
from nfmasq._hot.state.traffic cimport bytes_of, packets_of
from nfmasq._hot.wire.wire cimport ntohl, ntohs

REASONS = tuple([row.name for row in ROWS])
TCP_STATES = ("-", "syn-out", "syn-in", "established", "fin-out", "fin-in", "closing", "reset")

if len(REASONS) != REASON_COUNT - 1 or len(TCP_STATES) != TCP_STATE_COUNT:
    raise ImportError("nfmasq.core.reasons and the compiled core differ in version: build nfmasq again")

cdef object endpoint(uint32_t address, uint16_t port):
    return (IPv4Address(ntohl(address)), ntohs(port))

cdef tuple endpoints_of(const Session* session):
    """Internal, external and remote; a key stands with whose it is."""
    cdef bint outward = is_keyed(session) and session.remote_port == OUTWARD
    cdef uint16_t remote = session.remote_port
    if is_keyed(session):
        remote = session.external_port if outward else 0
    return (
        endpoint(session.internal_address, 0 if outward else session.internal_port),
        endpoint(session.external_address, 0 if outward else session.external_port),
        endpoint(session.remote_address, remote),
    )

cdef object session_row(uint32_t number, const Session* session, uint32_t now):
    internal, external, remote = endpoints_of(session)
    return SessionRow(
        number, session.protocol, internal, external, remote,
        "expected" if session.flags & EXPECTED else TCP_STATES[session.state],
        packets_of(&session.traffic, OUTBOUND), packets_of(&session.traffic, INBOUND),
        bytes_of(&session.traffic, OUTBOUND), bytes_of(&session.traffic, INBOUND),
        now - session.created, max(0, <int>(session.expires - now)), session.helper,
    )

cdef object mapping_row(uint32_t number, const Mapping* mapping, uint32_t now):
    cdef bint outward = mapping.transport == CLASS_OTHER and mapping.remote_port == OUTWARD
    return MappingRow(
        number, mapping.protocol,
        endpoint(mapping.internal_address, 0 if outward else mapping.internal_port),
        endpoint(mapping.external_address, 0 if outward else mapping.external_port), mapping.sessions,
        now - mapping.created,
    )

cdef object refusal_row(const RefusalRecord* refusal):
    """To an internal host the router speaks for itself, to one outside as the endpoint it had asked."""
    if refusal.to_inside:
        destination, source = refusal.near_address, None
    else:
        destination, source = refusal.remote_address, IPv4Address(ntohl(refusal.near_address))
    return Refusal(IPv4Address(ntohl(destination)), source, refusal.code, refusal.quote[:refusal.length])

cdef object helped_row(const HelpedRecord* helped):
    return Helped(
        helped.session, helped.serial, helped.helper,
        endpoint(helped.internal_address, helped.internal_port),
        endpoint(helped.external_address, helped.external_port),
        endpoint(helped.remote_address, helped.remote_port),
        helped.inside_began,
    )

cdef object set_aside_row(const Aside* entry):
    reader = helped_row(&entry.reader)
    return SetAside(
        reader.session, reader.serial, reader.helper, entry.outbound,
        reader.internal, reader.external, reader.remote, reader.inside_began, entry.data[:entry.length],
        (entry.fd, <uint64_t>entry.queue << 32 | entry.id, entry.mark if entry.marked else None),
        helped_row(&entry.receiver) if entry.receiver.session else None,
    )

cdef tuple answer(const Packet* packet):
    """The result of Table.translate: the reason the packet is dropped for, or its bytes."""
    if packet.verdict == DROP:
        return REASONS[packet.reason - 1], b""
    return "", (<char*>packet.data)[:packet.length]

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
        evicted=by_transport(table.counters.evicted),
    )

cdef uint32_t ports_in_use(const NatTable* table, int transport) noexcept:
    cdef uint32_t total = 0
    for external in range(table.rules.pooled_count):
        total += table.pools[3 * table.pool_at[external] + transport].in_use
    return total

cdef uint64_t index_bytes(const NatTable* table) noexcept:
    """Two indexes with a bucket for every session, and the smaller ones."""
    cdef uint64_t buckets = table.mask + 1
    return 4 * (2 * buckets + 2 * buckets // MAPPING_SHARE + buckets // PEER_SHARE + buckets // HOST_SHARE)

cdef object gauges_of(const NatTable* table):
    """TCP, UDP and ICMP have ports; portless protocols have none."""
    ports = [int.from_bytes(table.rules.ports[t][:BITMAP_BYTES], "little").bit_count() for t in range(3)]
    return Gauges(
        sessions=tuple([table.session_count[i] for i in range(TRANSPORT_COUNT)]),
        mappings=tuple([table.mapping_count[i] for i in range(TRANSPORT_COUNT)]),
        ports_in_use=(ports_in_use(table, 0), ports_in_use(table, 1), ports_in_use(table, 2), 0),
        ports_capacity=(*[table.rules.pooled_count * count for count in ports], 0),
        memory=table.top[0] * sizeof(Session) + table.mapping_top * sizeof(Mapping)
        + table.host_top * sizeof(Host) + index_bytes(table),
        borrowing=table.borrowing,
    )
