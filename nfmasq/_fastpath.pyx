"""The compiled core. The way of a packet is `serve` and `translate`, below; the stages are in `_hot/`.

Worker threads live in `serve` and never hold the GIL there. They share one NatTable under one lock, taken once
a batch. The rest of this file is the table's and the queue's Python face.
"""

import mmap
import os
import socket
import struct
from ipaddress import IPv4Address
from typing import NamedTuple

from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.errno cimport EAGAIN, EINTR, ENOBUFS, errno
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset
from netfilterqueue._impl cimport NetfilterQueue

from nfmasq.arena import TOP_OFFSET, Arena
from nfmasq.reasons import SENTENCES

from nfmasq._hot.account cimport account
from nfmasq._hot.admit cimport admit
from nfmasq._hot.checksum cimport fold, sum_words
from nfmasq._hot.govern cimport govern
from nfmasq._hot.lookup cimport lookup
from nfmasq._hot.packet cimport CONTINUE, DIRECTION_COUNT, DROP, INBOUND, OUTBOUND, PASS, TRANSLATE, TRANSPORT_COUNT, Packet
from nfmasq._hot.parse cimport parse
from nfmasq._hot.ports cimport PortPool
from nfmasq._hot.reasons cimport REASON_COUNT
from nfmasq._hot.receive cimport BATCH, SLOT, Batch, QueueStats, lay_out, receive
from nfmasq._hot.restore cimport restore
from nfmasq._hot.rewrite cimport rewrite
from nfmasq._hot.rules cimport BITMAP_BYTES, MOST_EXTERNAL, MOST_NETWORKS, Rules
from nfmasq._hot.sessions cimport end_session, turn_wheel
from nfmasq._hot.table cimport (
    WHEEL, Host, Mapping, NatTable, Session,
    pthread_mutex_destroy, pthread_mutex_init, pthread_mutex_lock, pthread_mutex_unlock,
)
from nfmasq._hot.tcpstate cimport TCP_STATE_COUNT
from nfmasq._hot.track cimport track
from nfmasq._hot.verdict cimport accept_batch, send_verdicts
from nfmasq._hot.wire cimport htonl, htons, ntohl, ntohs

cdef extern from "<time.h>" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec
    enum:
        C_CLOCK_MONOTONIC_COARSE "CLOCK_MONOTONIC_COARSE"
    int c_clock_gettime "clock_gettime" (int clock, timespec* time)

REASONS = tuple(SENTENCES)
TCP_STATES = ("-", "syn-out", "syn-in", "established", "fin-out", "fin-in", "closing", "reset")

if len(REASONS) != REASON_COUNT - 1 or len(TCP_STATES) != TCP_STATE_COUNT:
    raise ImportError("nfmasq.reasons and the compiled core are of different versions: build nfmasq again")

cdef enum:
    WHEEL_STEP = 256         # sessions a worker looks at on the wheel per batch

# The way of a packet ------------------------------------------------------------------------------------

cdef void translate(NatTable* table, Packet* packets, int count, uint32_t now) noexcept nogil:
    """Take a batch of packets from their bytes to their verdicts."""
    cdef Packet* packet
    cdef int i
    for i in range(count):
        if packets[i].verdict == CONTINUE:
            parse(&packets[i])

    pthread_mutex_lock(&table.lock)
    for i in range(count):
        packet = &packets[i]
        if packet.verdict == CONTINUE and (lookup(table, packet) or admit(table, packet, now)):
            track(table, packet, now)
        account(table, packet)
    turn_wheel(table, now, WHEEL_STEP)
    pthread_mutex_unlock(&table.lock)

    for i in range(count):
        if packets[i].verdict == TRANSLATE:
            rewrite(&packets[i])

cdef void echo(Packet* packets, int count) noexcept nogil:
    """Rewrite every packet to what it is: translation without a table, the measure for one with it."""
    cdef int i
    for i in range(count):
        if packets[i].verdict == CONTINUE and parse(&packets[i]):
            packets[i].verdict = TRANSLATE
            packets[i].new_address, packets[i].new_port = packets[i].near_address, packets[i].near_port
            rewrite(&packets[i])
        else:
            packets[i].verdict = PASS

cdef enum Mode:
    MODE_TRANSLATE
    MODE_ACCEPT
    MODE_REWRITE

cdef int serve(Batch* batch, NatTable* table, Mode mode, const volatile bint* stopping) noexcept nogil:
    """Answer batches of packets until told to stop; 0, or the errno the socket failed with."""
    while not stopping[0]:
        batch.stats.beats += 1
        if receive(batch) < 0:
            if errno == ENOBUFS:
                batch.stats.overruns += 1
            elif errno != EAGAIN and errno != EINTR:
                return errno
        if mode == MODE_TRANSLATE:
            translate(table, batch.packets, batch.count, clock_seconds())
            send_verdicts(batch)
        elif mode == MODE_REWRITE:
            echo(batch.packets, batch.count)
            send_verdicts(batch)
        elif batch.count:
            accept_batch(batch)
    return 0

cdef inline uint32_t clock_seconds() noexcept nogil:
    cdef timespec time
    c_clock_gettime(C_CLOCK_MONOTONIC_COARSE, &time)
    return <uint32_t>time.tv_sec

# Rows -----------------------------------------------------------------------------------------------------

class SessionRow(NamedTuple):
    index: int
    protocol: int
    internal: tuple[IPv4Address, int]
    external: tuple[IPv4Address, int]
    remote: tuple[IPv4Address, int]
    state: str
    packets_out: int
    packets_in: int
    bytes_out: int
    bytes_in: int
    age_s: int
    expires_s: int


class MappingRow(NamedTuple):
    index: int
    protocol: int
    internal: tuple[IPv4Address, int]
    external: tuple[IPv4Address, int]
    sessions: int
    age_s: int


class Counters(NamedTuple):
    packets: tuple[tuple[int, ...], ...]
    bytes: tuple[tuple[int, ...], ...]
    dropped: tuple[int, ...]
    created: tuple[int, ...]
    expired: tuple[int, ...]
    passed: int
    allocation_failures: tuple[int, ...]


class Gauges(NamedTuple):
    sessions: tuple[int, ...]
    mappings: tuple[int, ...]
    ports_in_use: tuple[int, ...]
    ports_capacity: tuple[int, ...]
    memory: int


class QueueCounters(NamedTuple):
    packets: int
    batches: int
    lost: int
    overruns: int
    refused: int
    beats: int


cdef uint32_t word_of(object address) except? 0:
    return htonl(<uint32_t>int(address))

cdef object endpoint(uint32_t address, uint16_t port):
    return (IPv4Address(ntohl(address)), ntohs(port))

cdef struct Filter:
    uint32_t host            # 0: any
    uint16_t port            # 0: any
    int protocol             # -1: any

cdef inline bint session_matches(const Session* session, const Filter* wanted) noexcept nogil:
    return (
        session.live
        and (wanted.protocol < 0 or session.protocol == wanted.protocol)
        and (
            wanted.host == 0 or session.internal_address == wanted.host
            or session.external_address == wanted.host or session.remote_address == wanted.host
        )
        and (
            wanted.port == 0 or session.internal_port == wanted.port
            or session.external_port == wanted.port or session.remote_port == wanted.port
        )
    )

cdef inline bint mapping_matches(const Mapping* mapping, const Filter* wanted) noexcept nogil:
    return (
        mapping.sessions != 0
        and (wanted.protocol < 0 or mapping.protocol == wanted.protocol)
        and (
            wanted.host == 0 or mapping.internal_address == wanted.host
            or mapping.external_address == wanted.host
        )
        and (wanted.port == 0 or mapping.internal_port == wanted.port or mapping.external_port == wanted.port)
    )

# The table's Python face ----------------------------------------------------------------------------------

cdef enum:
    AT_ONCE = 4096           # records gone through while the lock is held, when somebody only looks


cdef class Table:
    """See _fastpath.pyi."""

    cdef NatTable table
    cdef object arena
    cdef list regions        # memory maps of this process, and their buffers
    cdef readonly int recovered
    cdef readonly str warning

    def __cinit__(self):
        memset(&self.table, 0, sizeof(NatTable))
        pthread_mutex_init(&self.table.lock, NULL)
        self.regions = []

    def __init__(self, path: str | None, capacity: int) -> None:
        cdef NatTable* table = &self.table
        cdef uint32_t now = clock_seconds()
        cdef uint32_t buckets = 1024
        cdef uint8_t* arena
        if not 1 <= capacity <= 1 << 26:
            raise ValueError(f"a table of {capacity} sessions: 1 to {1 << 26} can be had")
        self.arena = Arena(path, capacity)
        self.warning = self.arena.warning
        arena = <uint8_t*>self._map(self.arena.memory)
        while buckets < capacity and buckets < 1 << 30:
            buckets <<= 1
        table.capacity = capacity
        table.mask = buckets - 1
        table.top = <uint32_t*>(arena + <size_t>TOP_OFFSET)
        table.sessions = <Session*>(arena + <size_t>mmap.PAGESIZE)
        table.mappings = <Mapping*>self._zeroed((capacity + 1) * sizeof(Mapping))
        table.hosts = <Host*>self._zeroed((capacity + 1) * sizeof(Host))
        table.by_internal = <uint32_t*>self._zeroed(buckets * 4)
        table.by_external = <uint32_t*>self._zeroed(buckets * 4)
        table.by_peer = <uint32_t*>self._zeroed(buckets * 4)
        table.mapping_by_internal = <uint32_t*>self._zeroed(buckets * 4)
        table.mapping_by_external = <uint32_t*>self._zeroed(buckets * 4)
        table.host_by_address = <uint32_t*>self._zeroed(buckets * 4)
        table.wheel = <uint32_t*>self._zeroed(WHEEL * 4)
        table.pools = <PortPool*>self._zeroed(MOST_EXTERNAL * 3 * sizeof(PortPool))
        table.wheel_now = now
        key = os.urandom(16)
        memcpy(&table.key, <const uint8_t*>key, 16)
        with nogil:
            self.recovered = restore(table, now)

    cdef void* _map(self, object region) except NULL:
        """The address of a memory map, which stays where it is as long as this table holds its buffer."""
        cdef Py_buffer view
        PyObject_GetBuffer(region, &view, PyBUF_WRITABLE)
        cdef void* address = view.buf
        PyBuffer_Release(&view)
        self.regions.append(region)
        return address

    cdef void* _zeroed(self, size_t size) except NULL:
        return self._map(mmap.mmap(-1, size))

    def __dealloc__(self):
        pthread_mutex_destroy(&self.table.lock)

    def close(self) -> None:
        self.arena.close()

    def configure(self, policy) -> int:
        cdef Rules* rules = <Rules*>malloc(sizeof(Rules))
        cdef uint32_t ended
        cdef uint32_t now = clock_seconds()
        if rules == NULL:
            raise MemoryError
        try:
            read_policy(rules, policy)
            with nogil:
                pthread_mutex_lock(&self.table.lock)
                ended = govern(&self.table, rules, now)
                pthread_mutex_unlock(&self.table.lock)
        finally:
            free(rules)
        return ended

    def counters(self) -> Counters:
        cdef NatTable* table = &self.table
        return Counters(
            packets=tuple(
                tuple(table.counters.packets[d][t] for t in range(TRANSPORT_COUNT)) for d in range(DIRECTION_COUNT)
            ),
            bytes=tuple(
                tuple(table.counters.bytes[d][t] for t in range(TRANSPORT_COUNT)) for d in range(DIRECTION_COUNT)
            ),
            dropped=tuple(table.counters.dropped[r] for r in range(1, REASON_COUNT)),
            created=tuple(table.counters.created[t] for t in range(TRANSPORT_COUNT)),
            expired=tuple(table.counters.expired[t] for t in range(TRANSPORT_COUNT)),
            passed=table.counters.passed,
            allocation_failures=tuple(table.counters.allocation_failures[t] for t in range(TRANSPORT_COUNT)),
        )

    def gauges(self) -> Gauges:
        cdef NatTable* table = &self.table
        cdef int externals = table.rules.external_count
        cdef int width = table.rules.last_port - table.rules.first_port + 1
        return Gauges(
            sessions=tuple(table.session_count[t] for t in range(TRANSPORT_COUNT)),
            mappings=tuple(table.mapping_count[t] for t in range(TRANSPORT_COUNT)),
            ports_in_use=(
                *(sum(table.pools[3 * e + t].in_use for e in range(externals)) for t in range(3)), 0
            ),
            ports_capacity=(*(externals * width for _ in range(3)), 0),
            memory=table.top[0] * sizeof(Session) + table.mapping_top * sizeof(Mapping)
            + table.host_top * sizeof(Host) + (table.mask + 1) * 24,
        )

    def sessions(self, after=0, limit=1000, host=None, port=0, protocol=-1) -> list:
        cdef Filter wanted = read_filter(host, port, protocol)
        cdef uint32_t most = limit
        cdef uint32_t at = after
        cdef uint32_t found = 0
        cdef uint32_t now = clock_seconds()
        cdef Session* copies = <Session*>malloc(max(limit, 1) * sizeof(Session))
        cdef uint32_t* numbers = <uint32_t*>malloc(max(limit, 1) * sizeof(uint32_t))
        try:
            if copies == NULL or numbers == NULL:
                raise MemoryError
            with nogil:
                found = copy_sessions(&self.table, &at, most, &wanted, copies, numbers)
            return [session_row(numbers[i], &copies[i], now) for i in range(found)]
        finally:
            free(copies)
            free(numbers)

    def mappings(self, after=0, limit=1000, host=None, port=0, protocol=-1) -> list:
        cdef Filter wanted = read_filter(host, port, protocol)
        cdef NatTable* table = &self.table
        cdef Mapping mapping
        memset(&mapping, 0, sizeof(Mapping))
        cdef uint32_t number = after
        cdef uint32_t now = clock_seconds()
        rows = []
        while len(rows) < limit:
            with nogil:
                number = next_mapping(table, number, &wanted, &mapping)
            if not number:
                break
            rows.append(MappingRow(
                number, mapping.protocol, endpoint(mapping.internal_address, mapping.internal_port),
                endpoint(mapping.external_address, mapping.external_port), mapping.sessions,
                now - mapping.created,
            ))
        return rows

    def hosts(self) -> dict:
        cdef NatTable* table = &self.table
        cdef uint32_t number
        cdef Host host
        found = {}
        for number in range(1, table.host_top + 1):
            with nogil:
                pthread_mutex_lock(&table.lock)
                host = table.hosts[number]
                pthread_mutex_unlock(&table.lock)
            if host.mappings:
                found[IPv4Address(ntohl(host.address))] = (host.sessions, host.mappings)
        return found

    def flush(self, host=None) -> int:
        cdef uint32_t address = word_of(host) if host is not None else 0
        cdef uint32_t ended = 0
        cdef uint32_t at = 0
        cdef uint32_t now = clock_seconds()
        with nogil:
            while at < self.table.top[0]:
                pthread_mutex_lock(&self.table.lock)
                ended += flush_some(&self.table, &at, address, now)
                pthread_mutex_unlock(&self.table.lock)
        return ended

    def expire(self, now=None) -> int:
        cdef uint32_t second = clock_seconds() if now is None else now
        cdef uint32_t ended
        with nogil:
            pthread_mutex_lock(&self.table.lock)
            ended = turn_wheel(&self.table, second, 0xFFFFFFFF)
            pthread_mutex_unlock(&self.table.lock)
        return ended

    def translate(
        self, packet, *, inbound=False, checksum_ready=True, gso=False, from_router=False, now=None
    ) -> tuple:
        cdef Packet state
        cdef size_t length = len(packet)
        cdef const uint8_t[::1] source = packet if length else b"\0"
        cdef uint8_t* copy = <uint8_t*>malloc(length + 4)
        cdef uint32_t second = clock_seconds() if now is None else now
        if copy == NULL:
            raise MemoryError
        try:
            memcpy(copy, &source[0], length)
            memset(&state, 0, sizeof(Packet))
            state.data = copy
            state.length = <uint32_t>length
            state.direction = INBOUND if inbound else OUTBOUND
            state.checksum_ready = checksum_ready
            state.gso = gso
            state.from_router = from_router
            with nogil:
                translate(&self.table, &state, 1, second)
            if state.verdict == DROP:
                return REASONS[state.reason - 1], b""
            return "", (<char*>copy)[:length]
        finally:
            free(copy)


cdef uint32_t copy_sessions(
    NatTable* table, uint32_t* at, uint32_t most, const Filter* wanted, Session* copies, uint32_t* numbers
) noexcept nogil:
    """Copy up to `most` sessions past number `at`, letting go of the lock again and again."""
    cdef uint32_t found = 0
    cdef uint32_t stop
    while found < most and at[0] < table.top[0]:
        pthread_mutex_lock(&table.lock)
        stop = min(at[0] + AT_ONCE, table.top[0])
        while at[0] < stop and found < most:
            at[0] += 1
            if session_matches(&table.sessions[at[0]], wanted):
                copies[found] = table.sessions[at[0]]
                numbers[found] = at[0]
                found += 1
        pthread_mutex_unlock(&table.lock)
    return found

cdef uint32_t next_mapping(NatTable* table, uint32_t number, const Filter* wanted, Mapping* copy) noexcept nogil:
    """The next mapping past `number` that is wanted, or 0."""
    cdef uint32_t found = 0
    cdef uint32_t stop
    while not found and number < table.mapping_top:
        pthread_mutex_lock(&table.lock)
        stop = min(number + AT_ONCE, table.mapping_top)
        while number < stop and not found:
            number += 1
            if mapping_matches(&table.mappings[number], wanted):
                copy[0] = table.mappings[number]
                found = number
        pthread_mutex_unlock(&table.lock)
    return found

cdef uint32_t flush_some(NatTable* table, uint32_t* at, uint32_t host, uint32_t now) noexcept nogil:
    """End the next sessions of a host, or of all; the caller holds the lock."""
    cdef uint32_t ended = 0
    cdef uint32_t stop = min(at[0] + AT_ONCE, table.top[0])
    while at[0] < stop:
        at[0] += 1
        if table.sessions[at[0]].live and (host == 0 or table.sessions[at[0]].internal_address == host):
            end_session(table, at[0], now)
            ended += 1
    return ended

cdef object session_row(uint32_t number, const Session* session, uint32_t now):
    return SessionRow(
        number, session.protocol, endpoint(session.internal_address, session.internal_port),
        endpoint(session.external_address, session.external_port),
        endpoint(session.remote_address, session.remote_port),
        TCP_STATES[session.state], session.packets_out, session.packets_in, session.bytes_out, session.bytes_in,
        now - session.created, max(0, <int>(session.expires - now)),
    )

cdef Filter read_filter(object host, object port, object protocol) except *:
    cdef Filter wanted
    wanted.host = word_of(host) if host is not None else 0
    wanted.port = htons(port)
    wanted.protocol = protocol
    return wanted

cdef int read_policy(Rules* rules, object policy) except -1:
    """Turn a nfmasq.policy.Policy into words and bits."""
    memset(rules, 0, sizeof(Rules))
    if len(policy.external) > MOST_EXTERNAL:
        raise ValueError(f"nat.addresses: {len(policy.external)} addresses, {MOST_EXTERNAL} at most")
    if len(policy.internal) > MOST_NETWORKS:
        raise ValueError(f"{len(policy.internal)} internal networks, {MOST_NETWORKS} at most")
    rules.external_count = len(policy.external)
    for i, address in enumerate(policy.external):
        rules.external[i] = word_of(address)
    rules.network_count = len(policy.internal)
    for i, network in enumerate(policy.internal):
        rules.networks[i].address = word_of(network.network_address)
        rules.networks[i].mask = word_of(network.netmask)
    rules.first_port, rules.last_port = policy.ports
    rules.filtering = [policy.filtering_tcp, policy.filtering_udp, policy.filtering_udp, policy.filtering_udp]
    timeouts = policy.timeouts
    rules.timeout = [timeouts.tcp_established, timeouts.udp, timeouts.icmp, timeouts.other]
    rules.tcp_transitory = timeouts.tcp_transitory
    rules.sessions = policy.sessions
    rules.sessions_per_host = policy.sessions_per_host
    rules.ports_per_host = policy.ports_per_host
    for transport, ports in enumerate((policy.reserved_tcp, policy.reserved_udp)):
        for port in ports:
            rules.reserved[transport][<int>port >> 3] |= <uint8_t>(1 << (<int>port & 7))
    return 0

# The queue's Python face ------------------------------------------------------------------------------------

cdef dict MODES = {"translate": MODE_TRANSLATE, "accept": MODE_ACCEPT, "rewrite": MODE_REWRITE}
RECEIVE_BUFFER = 32 << 20    # bytes the kernel may have waiting for a worker
SEND_BUFFER = 8 << 20        # bounds one send of verdicts
RECEIVE_WAIT_US = 250_000    # how long a worker waits before it looks whether it should stop
COPY_RANGE = 0xFFFF

# From linux/socket.h, linux/netlink.h and linux/netfilter/nfnetlink_queue.h; Python's socket lacks them.
SO_SNDBUFFORCE = 32
SOL_NETLINK = 270
NETLINK_CAP_ACK = 10
NFNL_SUBSYS_QUEUE = 3
NFQNL_MSG_CONFIG = 2
NLM_F_REQUEST = 1
NFQNL_COPY_PACKET = 2
NFQA_CFG_PARAMS = 2
NFQA_CFG_MASK = 4
NFQA_CFG_FLAGS = 5
NFQA_CFG_F_GSO = 4


cdef class Queue:
    """See _fastpath.pyi."""

    cdef Batch batch
    cdef Table table
    cdef NetfilterQueue netfilter_queue
    cdef object slots
    cdef Mode mode
    cdef volatile bint stopping

    def __init__(
        self, number: int, table: Table | None, *, mode="translate", length=8192, gso=True, segment_queue=-1
    ) -> None:
        if mode not in MODES or (mode == "translate" and table is None):
            raise ValueError(f"mode {mode!r}: one of {', '.join(MODES)}; to translate needs a table")
        self.mode = MODES[mode]
        self.table = table
        self.batch.queue = number
        self.batch.segment_queue = segment_queue
        self.slots = mmap.mmap(-1, BATCH * SLOT)
        cdef uint8_t[::1] slots = self.slots
        self.batch.slots = &slots[0]
        lay_out(&self.batch)
        self._bind(number, length)
        self.batch.fd = self.netfilter_queue.get_fd()
        prepare_socket(self.batch.fd, number, gso)

    cdef int _bind(self, int number, int length) except -1:
        # What comes before the first batch is read, while libnetfilter_queue waits for its acknowledgements,
        # can only be dropped: it is told of no buffer large enough.
        try:
            self.netfilter_queue = NetfilterQueue()
            self.netfilter_queue.bind(
                number, lambda packet: packet.drop(), max_len=length, range=COPY_RANGE, sock_len=RECEIVE_BUFFER
            )
        except OSError as error:
            code = errno
            raise OSError(code, f"queue {number}: {error} ({os.strerror(code)})") from error
        return 0

    @property
    def number(self) -> int:
        return self.batch.queue

    def serve(self) -> None:
        cdef NatTable* table = NULL
        cdef int failure
        if self.netfilter_queue is None:
            raise ValueError(f"queue {self.number} is closed")
        if self.table is not None:
            table = &self.table.table
        with nogil:
            failure = serve(&self.batch, table, self.mode, &self.stopping)
        if failure:
            raise OSError(failure, f"queue {self.number}: {os.strerror(failure)}")

    def stop(self) -> None:
        self.stopping = True

    def counters(self) -> QueueCounters:
        cdef QueueStats* stats = &self.batch.stats
        return QueueCounters(
            stats.packets, stats.batches, stats.lost, stats.overruns, stats.refused, stats.beats
        )

    def close(self) -> None:
        if self.netfilter_queue is not None:
            self.netfilter_queue.unbind()
        self.netfilter_queue = None


def attribute(kind: int, value: bytes) -> bytes:
    """A netlink attribute, padded to four bytes."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) & 3)


def prepare_socket(fd: int, number: int, gso: bool) -> None:
    """Set up a bound queue and its socket: packets whole, room to send, a limit to the wait.

    NetfilterQueue's own bind asks for the first 4016 bytes of each packet and no more.
    """
    settings = struct.pack(">BBH", 0, 0, number)
    settings += attribute(NFQA_CFG_PARAMS, struct.pack(">IB", COPY_RANGE, NFQNL_COPY_PACKET))
    settings += attribute(NFQA_CFG_MASK, struct.pack(">I", NFQA_CFG_F_GSO))
    settings += attribute(NFQA_CFG_FLAGS, struct.pack(">I", NFQA_CFG_F_GSO if gso else 0))
    kind = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_CONFIG
    with socket.fromfd(fd, socket.AF_NETLINK, socket.SOCK_RAW) as handle:
        handle.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER)
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, RECEIVE_WAIT_US))
        handle.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
        handle.send(struct.pack("=IHHII", 16 + len(settings), kind, NLM_F_REQUEST, 0, 0) + settings)


def checksum(data, initial=0) -> int:
    cdef const uint8_t[::1] view = data if len(data) else b"\0"
    return ntohs(fold(sum_words(&view[0], <uint32_t>len(data)) + htons(initial)))


def layout() -> tuple:
    return (("session", sizeof(Session)), ("mapping", sizeof(Mapping)), ("host", sizeof(Host)))
