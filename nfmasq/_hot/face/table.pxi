# The table's Python face: see _fastpath.pyi. A part of _fastpath.pyx.

cdef class Table:
    """See _fastpath.pyi."""

    cdef NatTable table
    cdef object arena
    cdef list regions        # memory maps of this process
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
        if not 1 <= capacity <= MOST_SESSIONS:
            raise ValueError(f"a table of {capacity} sessions: 1 to {MOST_SESSIONS} can be had")
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
        table.by_peer = <uint32_t*>self._zeroed(buckets // PEER_SHARE * 4)
        table.mapping_by_internal = <uint32_t*>self._zeroed(buckets * 4)
        table.mapping_by_external = <uint32_t*>self._zeroed(buckets * 4)
        table.host_by_address = <uint32_t*>self._zeroed(buckets // HOST_SHARE * 4)
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
        """The address of a memory map, which stays where it is as long as this table holds the map."""
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
        self._close_bell()
        pthread_mutex_destroy(&self.table.lock)
        pthread_mutex_destroy(&self.table.aside.lock)

    def close(self) -> None:
        self.arena.close()
        self._close_bell()

    cdef void _close_bell(self) noexcept:
        if self.refusal_fd >= 0:
            close(self.refusal_fd)
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

    def watch_lock(self) -> None:
        self.table.lock_times.watched = True

    def lock_times(self) -> object:
        cdef LockTimes times
        pthread_mutex_lock(&self.table.lock)
        times = self.table.lock_times
        pthread_mutex_unlock(&self.table.lock)
        return TableLock(times.batches, times.waited, times.held)

    def next_held(self, timeout_s) -> object:
        cdef Aside* entry
        cdef uint64_t nanoseconds = int(timeout_s * 1e9)
        with nogil:
            await_post(&self.table.aside.filled, nanoseconds)
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

    def correct(self, session, serial, outbound, inbound) -> None:
        pthread_mutex_lock(&self.table.lock)
        note_correction(&self.table, session, serial, outbound, inbound)
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

    def pace(self, packets, *, inbound=False, batch=BATCH, checksum_ready=True, gso=False) -> float:
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
                    states[i].checksum_ready, states[i].gso = checksum_ready, gso
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
