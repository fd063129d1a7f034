"""The compiled core. The way of a packet is `serve` and `translate`, below; the stages are in `_hot/`.

Worker threads live in `serve` and never hold the GIL there. They share one NatTable under one lock, taken
once a batch. The rest of this file is the table's and the queue's Python face.
"""

import mmap
import os
from contextlib import suppress

from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.errno cimport EAGAIN, EINTR, ENOBUFS, errno
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset
from netfilterqueue._impl cimport NetfilterQueue

from nfmasq.arena import TOP_OFFSET, Arena
from nfmasq.queue_socket import COPY_RANGE, RECEIVE_BUFFER, prepare
from nfmasq.rows import Expected, ExpectationRefused, MappingRow, QueueCounters

from nfmasq._hot.account cimport account
from nfmasq._hot.announce cimport announce, keep, let_go, named, withdraw
from nfmasq._hot.admit cimport admit
from nfmasq._hot.aside cimport Aside, close_aside, hand_over, take_aside
from nfmasq._hot.checksum cimport fold, sum_words
from nfmasq._hot.dump cimport Filter, copy_sessions, flush_some, next_mapping
from nfmasq._hot.finish cimport finish_packet
from nfmasq._hot.govern cimport govern
from nfmasq._hot.hairpin cimport finish_hairpin, is_second_pass, turn_back
from nfmasq._hot.lookup cimport lookup
from nfmasq._hot.packet cimport CLASS_TCP, CLASS_UDP, ASIDE, CONTINUE, DROP, HAIRPIN, INBOUND, OUTBOUND, PASS, TRANSLATE, Packet
from nfmasq._hot.parse cimport orient, parse
from nfmasq._hot.ports cimport PortPool
from nfmasq._hot.prefetch cimport prefetch
from nfmasq._hot.receive cimport BATCH, SLOT, Batch, QueueStats, lay_out, receive
from nfmasq._hot.refuse cimport next_refusal, refuse
from nfmasq._hot.restore cimport restore
from nfmasq._hot.rewrite cimport rewrite
from nfmasq._hot.rules cimport MOST_EXTERNAL, Rules
from nfmasq._hot.screen cimport screen_error
from nfmasq._hot.sessions cimport name_session, turn_wheel
from nfmasq._hot.table cimport (
    WHEEL, Host, Mapping, NatTable, Session,
    make_lock, pthread_mutex_destroy, pthread_mutex_lock, pthread_mutex_unlock,
)
from nfmasq._hot.set_aside cimport set_aside
from nfmasq._hot.track cimport track
from nfmasq._hot.verdict cimport accept_batch, send_one, send_verdicts
from nfmasq._hot.wire cimport SYN, htonl, htons, ntohl, ntohs

cdef extern from "<time.h>" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec
    enum:
        C_CLOCK_THREAD "CLOCK_THREAD_CPUTIME_ID"
        C_CLOCK_MONOTONIC_COARSE "CLOCK_MONOTONIC_COARSE"
        C_CLOCK_REALTIME "CLOCK_REALTIME"
    int c_clock_gettime "clock_gettime" (int clock, timespec* time)

cdef extern from "<semaphore.h>" nogil:
    ctypedef struct sem_t:
        pass
    int sem_init(sem_t* semaphore, int shared, unsigned int value)
    int sem_timedwait(sem_t* semaphore, const timespec* until)

cdef extern from "<sys/eventfd.h>" nogil:
    int eventfd_write(int fd, uint64_t value)

include "_edge.pxi"

cdef enum:
    WHEEL_STEP = 256         # sessions a worker looks at on the wheel per batch
    WHEEL_STEP_IDLE = 16384  # and when there was no packet

# The way of a packet ------------------------------------------------------------------------------------

cdef inline bint decide(NatTable* table, Packet* packet, uint32_t now) noexcept nogil:
    """What becomes of one packet. True: it is refused, and its sender to be told at once."""
    if packet.verdict == CONTINUE:
        if packet.direction == HAIRPIN:
            turn_back(table, packet, now)
        elif is_second_pass(&table.rules, packet):
            finish_hairpin(table, packet)
        elif screen_error(&table.rules, packet) and (lookup(table, packet) or admit(table, packet, now)):
            if track(table, packet, now) and table.sessions[packet.session].helper:
                set_aside(table, packet)
    account(table, packet)
    return packet.verdict == DROP and refuse(table, packet, now)

cdef void translate(NatTable* table, Packet* packets, int count, uint32_t now) noexcept nogil:
    """Take a batch of packets from their bytes to their verdicts."""
    cdef bint refused = False
    cdef int i
    for i in range(count):
        if packets[i].verdict == CONTINUE:
            orient(&packets[i], table.rules.external_interface)
            parse(&packets[i])
    prefetch(table, packets, count)

    pthread_mutex_lock(&table.lock)
    for i in range(count):
        refused |= decide(table, &packets[i], now)
    turn_wheel(table, now, WHEEL_STEP if count else WHEEL_STEP_IDLE)
    pthread_mutex_unlock(&table.lock)

    for i in range(count):
        if packets[i].verdict == TRANSLATE or packets[i].verdict == ASIDE:
            rewrite(&packets[i])
    if refused:
        eventfd_write(table.refusal_fd, 1)

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

cdef inline uint64_t processor_nanoseconds() noexcept nogil:
    cdef timespec time
    c_clock_gettime(C_CLOCK_THREAD, &time)
    return <uint64_t>time.tv_sec * 1_000_000_000 + <uint64_t>time.tv_nsec

# The table's Python face ----------------------------------------------------------------------------------

cdef class Table:
    """See _fastpath.pyi."""

    cdef NatTable table
    cdef object arena
    cdef list regions        # memory maps of this process, and their buffers
    cdef readonly int recovered
    cdef readonly str warning
    cdef readonly int refusal_fd

    def __cinit__(self):
        memset(&self.table, 0, sizeof(NatTable))
        make_lock(&self.table.lock)
        make_lock(&self.table.aside.lock)
        sem_init(&self.table.aside.filled, 0, 0)
        self.regions = []
        self.refusal_fd = self.table.refusal_fd = -1

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
        table.serials = <uint32_t*>self._zeroed((capacity + 1) * 4)
        table.pools = <PortPool*>self._zeroed(MOST_EXTERNAL * 3 * sizeof(PortPool))
        table.wheel_now = now
        key = os.urandom(16)
        memcpy(&table.key, <const uint8_t*>key, 16)
        start = os.urandom(sizeof(table.identifications))
        memcpy(table.identifications, <const uint8_t*>start, sizeof(table.identifications))
        table.refusal_fd = self.refusal_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
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
        close_aside(&self.table.aside)
        pthread_mutex_destroy(&self.table.lock)
        pthread_mutex_destroy(&self.table.aside.lock)

    def close(self) -> None:
        self.arena.close()
        if self.refusal_fd >= 0:
            os.close(self.refusal_fd)
            self.refusal_fd = self.table.refusal_fd = -1

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
        return counters_of(&self.table)

    def gauges(self) -> Gauges:
        return gauges_of(&self.table)

    def next_held(self, timeout_s) -> object:
        cdef Aside* entry
        cdef timespec until
        cdef long seconds = int(timeout_s)
        cdef long nanoseconds = int((timeout_s - seconds) * 1e9)
        with nogil:
            c_clock_gettime(C_CLOCK_REALTIME, &until)
            until.tv_sec += seconds + (until.tv_nsec + nanoseconds) // 1_000_000_000
            until.tv_nsec = (until.tv_nsec + nanoseconds) % 1_000_000_000
            sem_timedwait(&self.table.aside.filled, &until)
            entry = take_aside(&self.table.aside)
        if entry == NULL:
            return None
        try:
            return held_row(entry)
        finally:
            free(entry)

    def release(self, held, packet) -> None:
        fd, place = held.token
        if fd >= 0:
            verdict_of_one(fd, place >> 32, place & 0xFFFFFFFF, packet)

    def let_go(self, session, serial) -> None:
        pthread_mutex_lock(&self.table.lock)
        let_go(&self.table, session, serial)
        pthread_mutex_unlock(&self.table.lock)

    def keep(self, session, serial, seconds, now=None) -> bool:
        pthread_mutex_lock(&self.table.lock)
        lives = keep(&self.table, session, serial, seconds, clock_seconds() if now is None else now)
        pthread_mutex_unlock(&self.table.lock)
        return lives

    def withdraw(self, session, serial, now=None) -> bool:
        pthread_mutex_lock(&self.table.lock)
        was_there = withdraw(&self.table, session, serial, clock_seconds() if now is None else now)
        pthread_mutex_unlock(&self.table.lock)
        return was_there

    def seen(self, session, serial) -> object:
        cdef Session copy
        cdef Session* found
        pthread_mutex_lock(&self.table.lock)
        found = named(&self.table, session, serial)
        if found != NULL:
            copy = found[0]
        pthread_mutex_unlock(&self.table.lock)
        return None if found == NULL else session_row(session, &copy, clock_seconds())

    def expect(
        self, parent, serial, protocol, internal, remote, remote_port, seconds, external_port=0, now=None
    ) -> Expected:
        cdef Packet wish
        cdef Session copy
        cdef uint32_t number = 0
        cdef uint32_t name = 0
        cdef uint32_t moment = clock_seconds() if now is None else now
        memset(&wish, 0, sizeof(Packet))
        wish.protocol = protocol
        wish.transport = CLASS_TCP if protocol == TCP else CLASS_UDP
        wish.near_address, wish.near_port = word_of(internal[0]), htons(internal[1])
        wish.remote_address = 0 if remote is None else word_of(remote)
        wish.remote_port = htons(remote_port)
        wish.tcp_flags = SYN
        pthread_mutex_lock(&self.table.lock)
        if named(&self.table, parent, serial) != NULL:
            number = announce(&self.table, &wish, htons(external_port), moment, moment + <uint32_t>seconds)
        if number:
            name = name_session(&self.table, number)
            copy = self.table.sessions[number]
        pthread_mutex_unlock(&self.table.lock)
        if not number:
            raise ExpectationRefused("no_room")
        return Expected(number, name, endpoint(copy.external_address, copy.external_port))

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
        cdef uint32_t address = 0 if host is None else word_of(host)
        cdef uint32_t ended = 0
        cdef uint32_t at = 0
        cdef uint32_t now = clock_seconds()
        if host is not None and address == 0:
            return 0             # nobody has 0.0.0.0; to the core it means everybody
        with nogil:
            while at < self.table.top[0]:
                ended += flush_some(&self.table, &at, address, now)
        return ended

    def expire(self, now=None) -> int:
        cdef uint32_t second = clock_seconds() if now is None else now
        cdef uint32_t ended
        with nogil:
            pthread_mutex_lock(&self.table.lock)
            ended = turn_wheel(&self.table, second, 0xFFFFFFFF)
            pthread_mutex_unlock(&self.table.lock)
        return ended

    def refusals(self, now=None) -> list:
        cdef RefusalRecord refusal
        cdef uint32_t second = clock_seconds() if now is None else now
        cdef bint found = True
        rows = []
        with suppress(BlockingIOError):
            os.eventfd_read(self.refusal_fd)
        while True:
            with nogil:
                pthread_mutex_lock(&self.table.lock)
                found = next_refusal(&self.table, second, &refusal)
                pthread_mutex_unlock(&self.table.lock)
            if not found:
                return rows
            rows.append(refusal_row(&refusal))

    cdef int _take(self, Packet* state, object packet, uint32_t now) except -1:
        """Take one packet, whose direction and origin are set, to its verdict; the caller frees its bytes."""
        cdef size_t length = len(packet)
        cdef const uint8_t[::1] source = packet if length else b"\0"
        state.data = <uint8_t*>malloc(length + 4)
        if state.data == NULL:
            raise MemoryError
        memcpy(state.data, &source[0], length)
        state.length = <uint32_t>length
        with nogil:
            translate(&self.table, state, 1, now)
            if state.verdict == ASIDE:
                hand_over(&self.table.aside, state.aside, state.data, -1, 0, 0)
        return 0

    def translate(
        self, packet, *, inbound=False, hairpin=False, mark=0, checksum_ready=True, gso=False,
        from_router=False, now=None,
    ) -> tuple:
        cdef Packet state
        memset(&state, 0, sizeof(Packet))
        state.direction = HAIRPIN if hairpin else INBOUND if inbound else OUTBOUND
        state.checksum_ready = checksum_ready
        state.gso = gso
        state.in_device = 0 if from_router else self.table.rules.external_interface or 1
        state.mark = mark
        state.out_device = self.table.rules.external_interface + (1 if mark else 0)
        try:
            self._take(&state, packet, clock_seconds() if now is None else now)
            return answer(&state)
        finally:
            free(state.data)

    def pace(self, packets, *, inbound=False, batch=BATCH) -> float:
        cdef Packet* states = <Packet*>malloc(BATCH * sizeof(Packet))
        cdef uint8_t* slots = <uint8_t*>malloc(BATCH * SLOT)
        cdef uint32_t now = clock_seconds()
        cdef uint64_t begin, taken = 0
        cdef int count, i
        cdef size_t length
        cdef const uint8_t[::1] source
        try:
            for first in range(0, len(packets), batch):
                count = min(batch, len(packets) - first)
                memset(states, 0, count * sizeof(Packet))
                for i in range(count):
                    source = packets[first + i]
                    length = source.shape[0]
                    states[i].data = slots + i * <size_t>SLOT
                    memcpy(states[i].data, &source[0], length)
                    states[i].length = <uint32_t>length
                    states[i].direction = INBOUND if inbound else OUTBOUND
                    states[i].checksum_ready = True
                    states[i].in_device = 1
                with nogil:
                    begin = processor_nanoseconds()
                    translate(&self.table, states, count, now)
                    taken += processor_nanoseconds() - begin
                if states[count - 1].verdict != TRANSLATE:
                    raise RuntimeError(f"a packet was refused: {REASONS[states[count - 1].reason - 1]}")
            return taken / len(packets)
        finally:
            free(states)
            free(slots)

    def hairpin(self, packet, *, now=None) -> tuple:
        cdef Packet first, second
        cdef uint32_t moment = clock_seconds() if now is None else now
        memset(&first, 0, sizeof(Packet))
        memset(&second, 0, sizeof(Packet))
        first.direction, first.checksum_ready = HAIRPIN, True
        second.direction, second.checksum_ready = OUTBOUND, True
        first.in_device = second.in_device = second.out_device = self.table.rules.external_interface + 1
        try:
            self._take(&first, packet, moment)
            if first.verdict != TRANSLATE:
                return answer(&first)
            second.mark = first.mark
            self._take(&second, (<char*>first.data)[:first.length], moment)
            return answer(&second)
        finally:
            free(first.data)
            free(second.data)


# The queue's Python face ------------------------------------------------------------------------------------

cdef dict MODES = {"translate": MODE_TRANSLATE, "accept": MODE_ACCEPT, "rewrite": MODE_REWRITE}

cdef int verdict_of_one(int fd, uint16_t queue, uint32_t id, object packet) except -1:
    """One packet's verdict: these bytes in its place, or None: it is dropped."""
    cdef const uint8_t[::1] view
    if packet is None:
        send_one(fd, queue, id, NULL, 0)
    else:
        view = packet
        send_one(fd, queue, id, &view[0], <uint32_t>len(packet))
    return 0

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
        self.batch.aside = NULL if table is None else &table.table.aside
        self.slots = mmap.mmap(-1, BATCH * SLOT)
        cdef uint8_t[::1] slots = self.slots
        self.batch.slots = &slots[0]
        lay_out(&self.batch)
        self._bind(number, length)
        self.batch.fd = self.netfilter_queue.get_fd()
        prepare(self.batch.fd, number, gso)

    cdef int _bind(self, int number, int length) except -1:
        # What comes before the first batch is read, while libnetfilter_queue waits for its acknowledgements,
        # can only be dropped: it is told of no buffer large enough.
        try:
            self.netfilter_queue = NetfilterQueue()
            self.netfilter_queue.bind(
                number, lambda packet: packet.drop(),
                max_len=length, range=COPY_RANGE, sock_len=RECEIVE_BUFFER,
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


def finish(packet) -> None:
    cdef uint8_t[::1] view = packet
    cdef Packet state
    memset(&state, 0, sizeof(Packet))
    state.data = &view[0]
    state.length = <uint32_t>len(packet)
    if not finish_packet(&state):
        raise ValueError("no TCP segment and no UDP datagram that could be finished")


def checksum(data, initial=0) -> int:
    cdef const uint8_t[::1] view = data if len(data) else b"\0"
    return ntohs(fold(sum_words(&view[0], <uint32_t>len(data)) + htons(initial)))


def layout() -> tuple:
    return (("session", sizeof(Session)), ("mapping", sizeof(Mapping)), ("host", sizeof(Host)))
