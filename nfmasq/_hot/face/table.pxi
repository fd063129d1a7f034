# The table's Python face: see _fastpath.pyi. A part of _fastpath.pyx.
#
# What each method does lies in the file named after its subject: memory, policy, rows,
# lists, expectations, stand.

import os
from contextlib import suppress

from libc.stdint cimport int32_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from nfmasq.core.rows import TableLock

from nfmasq._hot.base.clock cimport clock_seconds
from nfmasq._hot.base.locks cimport pthread_mutex_lock, pthread_mutex_unlock
from nfmasq._hot.calls.announce cimport (
    end_announced, keep, let_go, note_correction, remember, remembered, withdraw,
)
from nfmasq._hot.calls.dump cimport Filter
from nfmasq._hot.calls.govern cimport govern, settle_some
from nfmasq._hot.calls.steps cimport STEP, let_workers_in
from nfmasq._hot.state.packet cimport HAIRPIN, INBOUND, OUTBOUND, Packet
from nfmasq._hot.state.critical cimport enter, leave
from nfmasq._hot.state.refusals cimport Refusal as RefusalRecord
from nfmasq._hot.state.rules cimport BITMAP_BYTES, Rules
from nfmasq._hot.state.table cimport LockTimes
from nfmasq._hot.way.receive cimport BATCH
from nfmasq._hot.way.refuse cimport next_refusal
from nfmasq._hot.wire.wire cimport htons

cdef uint32_t moment(object now):
    """The second `now`, or None: that of the clock."""
    return clock_seconds() if now is None else now


cdef list spans_of(const uint8_t* bitmap):
    """The ports of a bitmap as first and last, in order."""
    cdef uint32_t port
    cdef int first = -1
    cdef bint there
    spans = []
    for port in range(8 * BITMAP_BYTES + 1):
        there = port < 8 * BITMAP_BYTES and (bitmap[port >> 3] >> (port & 7)) & 1
        if there and first < 0:
            first = port
        elif not there and first >= 0:
            spans.append((first, port - 1))
            first = -1
    return spans


cdef class Table(TableMemory):
    """See _fastpath.pyi."""

    # The control path ---------------------------------------------------------------------------------------

    def configure(self, policy) -> int:
        cdef Rules* rules = <Rules*>malloc(sizeof(Rules))
        cdef uint32_t now = clock_seconds()
        cdef bint single
        if rules == NULL:
            raise MemoryError
        try:
            read_policy(rules, policy)
            with nogil:
                single = rules.single
                enter(&self.table)
                govern(&self.table, rules, now)
                while settle_some(&self.table, STEP, now, single):
                    let_workers_in(&self.table)
                leave(&self.table)
        finally:
            free(rules)
        return self.table.lost

    def ports_beyond(self) -> list:
        cdef uint8_t[BITMAP_BYTES] ports
        cdef bint any_left
        pthread_mutex_lock(&self.table.lock)
        memcpy(ports, self.table.beyond_ports, BITMAP_BYTES)
        any_left = self.table.beyond != 0
        pthread_mutex_unlock(&self.table.lock)
        return spans_of(ports) if any_left else []

    def counters(self) -> object:
        return counters_of(&self.table)

    def gauges(self) -> object:
        return gauges_of(&self.table)

    def watch_lock(self) -> None:
        self.table.lock_times.watched = True

    def lock_times(self) -> object:
        cdef LockTimes times
        pthread_mutex_lock(&self.table.lock)
        times = self.table.lock_times
        pthread_mutex_unlock(&self.table.lock)
        return TableLock(times.batches, times.waited, times.held, times.longest)

    def sessions(self, after=0, limit=1000, host=None, port=0, protocol=-1) -> list:
        cdef Filter wanted = read_filter(host, port, protocol)
        return sessions_of(&self.table, after, limit, &wanted)

    def mappings(self, after=0, limit=1000, host=None, port=0, protocol=-1) -> list:
        cdef Filter wanted = read_filter(host, port, protocol)
        return mappings_of(&self.table, after, limit, &wanted)

    def hosts(self) -> dict:
        return hosts_of(&self.table)

    def fill(self) -> list:
        return fill_of(&self.table)

    def greediest(self, fill, known=None) -> object:
        return greediest_of(&self.table, fill, known)

    def flush(self, host=None) -> int:
        return flush_sessions(&self.table, host_word(host))

    def expire(self, now=None) -> int:
        return expire_sessions(&self.table, moment(now))

    def refusals(self, now=None) -> list:
        cdef RefusalRecord refusal
        cdef uint32_t second = moment(now)
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

    # The helpers --------------------------------------------------------------------------------------------

    def next_set_aside(self, timeout_s) -> object:
        return next_of(&self.table, int(timeout_s * 1e9))

    def release(self, waiting, packet) -> None:
        fd, place, mark = waiting.token
        if fd >= 0:
            verdict_of_one(fd, place >> 32, place & 0xFFFFFFFF, packet, mark)

    def let_go(self, uint32_t session, uint32_t serial) -> None:
        pthread_mutex_lock(&self.table.lock)
        let_go(&self.table, session, serial)
        pthread_mutex_unlock(&self.table.lock)

    def correct(self, uint32_t session, uint32_t serial, int32_t outbound, int32_t inbound) -> None:
        pthread_mutex_lock(&self.table.lock)
        note_correction(&self.table, session, serial, outbound, inbound)
        pthread_mutex_unlock(&self.table.lock)

    def remember(self, uint32_t session, uint32_t serial, int32_t number) -> None:
        pthread_mutex_lock(&self.table.lock)
        remember(&self.table, session, serial, number)
        pthread_mutex_unlock(&self.table.lock)

    def remembered(self, uint32_t session, uint32_t serial) -> int:
        pthread_mutex_lock(&self.table.lock)
        number = remembered(&self.table, session, serial)
        pthread_mutex_unlock(&self.table.lock)
        return number

    def keep(self, uint32_t session, uint32_t serial, uint32_t seconds, now=None) -> bool:
        cdef uint32_t second = moment(now)
        pthread_mutex_lock(&self.table.lock)
        lives = keep(&self.table, session, serial, seconds, second)
        pthread_mutex_unlock(&self.table.lock)
        return lives

    def withdraw(self, uint32_t session, uint32_t serial, now=None, bint told=True) -> bool:
        cdef uint32_t second = moment(now)
        pthread_mutex_lock(&self.table.lock)
        was_there = withdraw(&self.table, session, serial, told, second)
        pthread_mutex_unlock(&self.table.lock)
        return was_there

    def end(self, uint32_t session, uint32_t serial, now=None) -> bool:
        cdef uint32_t second = moment(now)
        pthread_mutex_lock(&self.table.lock)
        was_there = end_announced(&self.table, session, serial, second)
        pthread_mutex_unlock(&self.table.lock)
        return was_there

    def is_expected(self, session, serial) -> bool:
        return is_expected_in(&self.table, session, serial)

    def seen(self, session, serial) -> object:
        return seen_in(&self.table, session, serial)

    def expect(
        self, parent, serial, protocol, internal, remote, remote_port, seconds, external_port=0, helper=0,
        now=None,
    ) -> object:
        cdef Packet wish
        cdef uint32_t second = moment(now)
        read_wish(&wish, protocol, internal, remote, remote_port)
        return expect_in(
            &self.table, parent, serial, &wish, htons(external_port), helper,
            second, second + <uint32_t>seconds,
        )

    def find_row(self, parent, serial, protocol, internal, remote, remote_port, count, now=None) -> int:
        cdef Packet wish
        cdef uint32_t second = moment(now)
        read_wish(&wish, protocol, internal, remote, remote_port)
        return find_row_in(&self.table, parent, serial, &wish, count, second)

    # The stand ----------------------------------------------------------------------------------------------

    def translate(
        self, packet, *, inbound=False, hairpin=False, mark=0, checksum_ready=True, gso=False,
        from_router=False, second_look=False, untaken=False, device=0, came_by=0, now=None,
    ) -> tuple:
        cdef Packet state
        memset(&state, 0, sizeof(Packet))
        state.direction = HAIRPIN if hairpin else INBOUND if inbound else OUTBOUND
        state.checksum_ready = checksum_ready
        state.gso = gso
        state.second_look = second_look
        state.untaken = untaken
        state.in_device = came_by or INSIDE
        if inbound:
            state.in_device = device or self.table.rules.uplinks[0].index or 1
        if from_router:
            state.in_device = 0
        state.mark = mark
        state.out_device = INSIDE if mark else device or self.table.rules.uplinks[0].index
        return translate_one(&self.table, &state, packet, moment(now))

    def pace(
        self, packets, *, inbound=False, batch=BATCH, checksum_ready=True, gso=False, now=None,
    ) -> float:
        cdef Packet like
        memset(&like, 0, sizeof(Packet))
        like.direction = INBOUND if inbound else OUTBOUND
        like.checksum_ready, like.gso = checksum_ready, gso
        like.in_device = 1
        return nanoseconds_each(&self.table, packets, batch, &like, moment(now))

    def hairpin(self, packet, *, now=None) -> tuple:
        return translate_hairpin(&self.table, packet, moment(now))
