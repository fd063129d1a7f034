# Critical: the part of a batch's way that only one worker at a time may be in, under the table's lock. A step
# of a longer call counts as a batch (steps).
#
# The time that workers wait for the lock and hold it shows how far more workers would help. It is measured
# only when asked for: that costs two looks at the clock a batch.

from libc.stdint cimport uint64_t

from nfmasq._hot.base.clock cimport clock_nanoseconds
from nfmasq._hot.base.locks cimport pthread_mutex_lock, pthread_mutex_unlock
from nfmasq._hot.state.table cimport NatTable

cdef inline void enter(NatTable* table) noexcept nogil:
    """Take the lock for a batch."""
    cdef uint64_t begin
    if not table.lock_times.watched:
        pthread_mutex_lock(&table.lock)
        table.lock_times.entered = 0
        return
    begin = clock_nanoseconds()
    pthread_mutex_lock(&table.lock)
    table.lock_times.entered = clock_nanoseconds()
    table.lock_times.waited += table.lock_times.entered - begin

cdef inline void leave(NatTable* table) noexcept nogil:
    """Let the next worker in."""
    cdef uint64_t held
    if table.lock_times.entered:
        held = clock_nanoseconds() - table.lock_times.entered
        table.lock_times.batches += 1
        table.lock_times.held += held
        table.lock_times.longest = max(table.lock_times.longest, held)
    pthread_mutex_unlock(&table.lock)
