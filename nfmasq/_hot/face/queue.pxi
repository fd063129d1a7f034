# The queue's Python face: see _fastpath.pyi. A part of _fastpath.pyx.

import mmap
import os

from libc.errno cimport errno
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from netfilterqueue._impl cimport NetfilterQueue

from nfmasq.core.queue_socket import COPY_RANGE, QUEUE_LENGTH, RECEIVE_BUFFER, bind, conntrack_socket, prepare
from nfmasq.core.rows import QueueCounters

from nfmasq._hot.state.capacity cimport MOST_WORKER_QUEUES
from nfmasq._hot.state.table cimport NatTable
from nfmasq._hot.way.receive cimport BATCH, SLOT, Batch, QueueStats, lay_out
from nfmasq._hot.way.verdict cimport send_one

cdef dict MODES = {"translate": MODE_TRANSLATE, "accept": MODE_ACCEPT, "rewrite": MODE_REWRITE}

cdef int verdict_of_one(int fd, uint16_t queue, uint32_t id, object packet, object mark) except -1:
    """One packet's verdict: these bytes in its place, or None: it is dropped. mark: to set, or None."""
    cdef const uint8_t[::1] view
    cdef uint32_t number = mark or 0
    if packet is None:
        send_one(fd, queue, id, NULL, 0, NULL)
    else:
        view = packet
        send_one(fd, queue, id, &view[0], <uint32_t>len(packet), NULL if mark is None else &number)
    return 0

cdef class Queue:
    """See _fastpath.pyi."""

    cdef Batch batch
    cdef Table table
    cdef NetfilterQueue netfilter_queue
    cdef object slots
    cdef object conntrack
    cdef Mode mode
    cdef volatile bint stopping

    def __init__(
        self,
        number: int,
        table: Table | None,
        *,
        mode="translate",
        count=1,
        length=QUEUE_LENGTH,
        gso=True,
        segment_queue=-1,
        untaken_queue=-1,
    ) -> None:
        if mode not in MODES or (mode == "translate" and table is None):
            raise ValueError(f"mode {mode!r}: one of {', '.join(MODES)}; to translate needs a table")
        if not 1 <= count <= (1 if mode == "accept" else MOST_WORKER_QUEUES):
            raise ValueError(
                f"{count} queues: from 1 to {MOST_WORKER_QUEUES}, and one alone to accept its batches"
            )
        self.mode = MODES[mode]
        self.table = table
        self.batch.first_queue = number
        self.batch.queues = count
        self.batch.segment_queue = segment_queue
        self.batch.untaken_queue = untaken_queue
        self.conntrack = None if table is None else conntrack_socket()
        self.batch.conntrack = -1 if self.conntrack is None else self.conntrack.fileno()
        self.batch.aside = NULL if table is None else &table.table.aside
        self.slots = mmap.mmap(-1, BATCH * SLOT)
        cdef uint8_t[::1] slots = self.slots
        self.batch.slots = &slots[0]
        lay_out(&self.batch)
        self._bind(range(number, number + count), length)
        prepare(self.batch.fd, range(number, number + count), length, gso)

    cdef int _bind(self, object numbers, int length) except -1:
        # What comes before the first batch is read, while libnetfilter_queue waits for its acknowledgements,
        # can only be dropped: it knows of no buffer large enough. The other queues are bound before, for
        # they hand up nothing until they are prepared.
        cdef int number = numbers[0]
        try:
            self.netfilter_queue = NetfilterQueue()
            self.batch.fd = self.netfilter_queue.get_fd()
            bind(self.batch.fd, numbers[1:])
            self.netfilter_queue.bind(
                number, lambda packet: packet.drop(),
                max_len=length, range=COPY_RANGE, sock_len=RECEIVE_BUFFER,
            )
        except OSError as error:
            code = error.errno or errno
            raise OSError(code, f"queue {number}: {error.strerror or error} ({os.strerror(code)})") from error
        return 0

    @property
    def number(self) -> int:
        return self.batch.first_queue

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
        if self.conntrack is not None:
            self.conntrack.close()
            self.batch.conntrack = -1
