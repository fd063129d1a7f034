# Clock: the times the core goes by. All are monotonic; nothing here knows the time of day.

from libc.stdint cimport uint32_t, uint64_t

cdef extern from "<time.h>" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec
    enum:
        CLOCK_MONOTONIC
        CLOCK_MONOTONIC_COARSE
        CLOCK_THREAD_CPUTIME_ID
    int clock_gettime(int clock, timespec* time)

cdef inline uint64_t in_nanoseconds(const timespec* time) noexcept nogil:
    return <uint64_t>time.tv_sec * 1_000_000_000 + <uint64_t>time.tv_nsec

cdef inline uint32_t clock_seconds() noexcept nogil:
    """The table's clock: whole seconds, a few milliseconds late, for next to nothing."""
    cdef timespec time
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
    return <uint32_t>time.tv_sec

cdef inline uint64_t clock_nanoseconds() noexcept nogil:
    cdef timespec time
    clock_gettime(CLOCK_MONOTONIC, &time)
    return in_nanoseconds(&time)

cdef inline uint64_t processor_nanoseconds() noexcept nogil:
    """What this thread has used of its processor."""
    cdef timespec time
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return in_nanoseconds(&time)
