# Memory: where a table lies, from its making to its end. A part of _fastpath.pyx.

import mmap
import os
from contextlib import suppress

from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy, memset
from posix.unistd cimport close

from nfmasq.core.arena import AHEAD, TOP_OFFSET, Arena
from nfmasq.core.reasons import ROWS

from nfmasq._hot.base.clock cimport clock_seconds
from nfmasq._hot.base.locks cimport (
    make_lock, pthread_mutex_destroy, pthread_mutex_lock, pthread_mutex_unlock, sem_init,
)
from nfmasq._hot.base.siphash cimport set_key
from nfmasq._hot.calls.recover cimport recover
from nfmasq._hot.state.aside cimport close_aside
from nfmasq._hot.state.changes cimport Changes
from nfmasq._hot.state.capacity cimport MOST_EXTERNAL_ADDRESSES, MOST_SESSIONS
from nfmasq._hot.state.evictable cimport empty_lines
from nfmasq._hot.state.ports cimport PortPool
from nfmasq._hot.state.table cimport (
    HAIRPINS, HOST_SHARE, LINES, MAPPING_SHARE, PEER_SHARE, WHEEL, Host, Mapping, NatTable, Place, Session,
)

cdef uint32_t buckets_for(uint32_t capacity) noexcept:
    cdef uint32_t buckets = 1024
    while buckets < capacity and buckets < 1 << 30:
        buckets <<= 1
    return buckets


cdef class TableMemory:
    """A table and the memory it lies in: the arena's file, maps of this process, and two eventfds."""

    cdef NatTable table
    cdef object arena
    cdef list regions        # memory maps of this process
    cdef readonly int recovered
    cdef readonly str warning
    cdef readonly int refusal_fd
    cdef readonly int room_fd

    def __cinit__(self):
        memset(&self.table, 0, sizeof(NatTable))
        make_lock(&self.table.lock)
        make_lock(&self.table.aside.lock)
        sem_init(&self.table.aside.filled, 0, 0)
        self.regions = []
        self.refusal_fd = self.table.refusal_fd = -1
        self.room_fd = self.table.room_fd = -1

    def __init__(
        self, path: str | None, capacity: int, memory: int | None = None, saved: str | None = None
    ) -> None:
        cdef NatTable* table = &self.table
        cdef uint32_t now = clock_seconds()
        cdef uint32_t damaged = 0
        cdef uint32_t stored, shift
        cdef bint copied
        if not 1 <= capacity <= MOST_SESSIONS:
            raise ValueError(f"a table of {capacity} sessions: 1 to {MOST_SESSIONS} can be had")
        self.arena = Arena(path, capacity, memory, saved)
        stored, copied, shift = self.arena.stored, self.arena.copied, self.arena.shift & 0xFFFFFFFF
        try:
            self._lay_out(capacity)
        except BaseException:
            self.arena.close()
            raise
        self._adopt_room()
        table.wheel_now = now
        for i, row in enumerate(ROWS):
            table.refusals.code[i + 1] = row.icmp
        key = os.urandom(16)
        set_key(&table.key, <const uint8_t*>key)
        start = os.urandom(sizeof(table.identifications))
        memcpy(table.identifications, <const uint8_t*>start, sizeof(table.identifications))
        table.refusal_fd = self.refusal_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        table.room_fd = self.room_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        with nogil:
            self.recovered = recover(table, stored, copied, shift, now, &damaged)
        self.arena.settle()
        told = f"{damaged} of its records are damaged and given up" if damaged else ""
        self.warning = "; ".join(filter(None, (self.arena.warning, told)))

    def reserve(self, memory: int | None = None) -> str:
        with suppress(BlockingIOError):
            os.eventfd_read(self.room_fd)
        self.arena.reserve(self.table.top[0] + AHEAD, memory)
        pthread_mutex_lock(&self.table.lock)
        self._adopt_room()
        pthread_mutex_unlock(&self.table.lock)
        return self.arena.shortage

    def save(self, path: str) -> int:
        return self.arena.save(path, self.table.top[0])

    @property
    def room(self) -> int:
        return self.table.reserved

    @property
    def shortage(self) -> str:
        return self.arena.shortage

    cdef int _adopt_room(self) except -1:
        """Let the table use what is reserved. It rings when half of AHEAD is left of it."""
        cdef uint32_t reserved = self.arena.reserved
        self.table.reserved = reserved
        self.table.bell_at = max(0, <int>reserved - AHEAD // 2) if reserved < self.table.capacity else 0
        return 0

    cdef int _lay_out(self, uint32_t capacity) except -1:
        """Give the table its records and indexes: sessions lie in the arena, the others in this process."""
        cdef NatTable* table = &self.table
        cdef uint32_t buckets = buckets_for(capacity)
        cdef uint8_t* arena = <uint8_t*>self._map(self.arena.memory)
        table.capacity = capacity
        table.mask = buckets - 1
        table.top = <uint32_t*>(arena + <size_t>TOP_OFFSET)
        table.sessions = <Session*>(arena + <size_t>mmap.PAGESIZE)
        table.mappings = <Mapping*>self._zeroed((<size_t>capacity + 1) * sizeof(Mapping))
        table.hosts = <Host*>self._zeroed((<size_t>capacity + 1) * sizeof(Host))
        table.by_internal = <uint32_t*>self._zeroed(<size_t>buckets * 4)
        table.by_external = <uint32_t*>self._zeroed(<size_t>buckets * 4)
        table.by_peer = <uint32_t*>self._zeroed(<size_t>buckets // PEER_SHARE * 4)
        table.mapping_by_internal = <uint32_t*>self._zeroed(<size_t>buckets // MAPPING_SHARE * 4)
        table.mapping_by_external = <uint32_t*>self._zeroed(<size_t>buckets // MAPPING_SHARE * 4)
        table.host_by_address = <uint32_t*>self._zeroed(<size_t>buckets // HOST_SHARE * 4)
        table.hairpins = <uint32_t*>self._zeroed(HAIRPINS * 4)
        table.changes = <Changes*>self._zeroed(sizeof(Changes))
        table.wheel = <uint32_t*>self._zeroed(WHEEL * 4)
        table.serials = <uint32_t*>self._zeroed((<size_t>capacity + 1) * 4)
        table.lines = <Place*>self._zeroed((<size_t>capacity + 1 + LINES) * sizeof(Place))
        empty_lines(table)
        table.pools = <PortPool*>self._zeroed(MOST_EXTERNAL_ADDRESSES * 3 * sizeof(PortPool))
        return 0

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
        self._close_bells()
        pthread_mutex_destroy(&self.table.lock)
        pthread_mutex_destroy(&self.table.aside.lock)

    def close(self) -> None:
        self.arena.close()
        self._close_bells()

    cdef void _close_bells(self) noexcept:
        if self.room_fd >= 0:
            close(self.room_fd)
            self.room_fd = self.table.room_fd = -1
        if self.refusal_fd >= 0:
            close(self.refusal_fd)
            self.refusal_fd = self.table.refusal_fd = -1
