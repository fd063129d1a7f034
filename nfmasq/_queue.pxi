# The queue's Python face: see _fastpath.pyi. A part of _fastpath.pyx.

cdef dict MODES = {"translate": MODE_TRANSLATE, "accept": MODE_ACCEPT, "rewrite": MODE_REWRITE}

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
