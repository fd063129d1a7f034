# Set aside: packets of sessions that have a helper, on their way to the helpers' thread.
#
# What is stored: one list, oldest first, of copies: each packet as translated, the session whose helper reads
# it, and where its verdict belongs. A hairpinned packet is read twice: for the sender's session as it goes
# out, then for the receiver's as it comes in.
# Who writes: set_aside makes an entry under the table's lock, hand_over fills it in and appends it after the
# batch, both by workers; take, by the helpers' thread. What ends an entry: being taken; close_aside frees
# all others. The list has a lock of its own: the helpers' thread must never delay a batch.

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from nfmasq._hot.base.locks cimport pthread_mutex_lock, pthread_mutex_t, pthread_mutex_unlock, sem_post, sem_t

cdef struct Helped:          # a session whose helper is to read a packet
    uint32_t session         # 0: there is none
    uint32_t serial
    uint8_t helper           # 0: the session has none
    uint8_t inside_began
    uint32_t internal_address    # addresses and ports in network order
    uint32_t external_address
    uint32_t remote_address
    uint16_t internal_port
    uint16_t external_port
    uint16_t remote_port

cdef struct Aside:
    Aside* next
    int fd                   # of the queue; -1: the packet came from the stand
    uint16_t queue
    uint32_t id
    uint32_t mark            # with `marked`, the verdict sets it
    uint8_t marked
    uint8_t outbound         # the direction for the first reader; the second one reads what comes in
    Helped reader
    Helped receiver          # of a hairpinned packet
    uint32_t length
    uint8_t* data            # behind the entry itself

cdef struct AsideQueue:
    pthread_mutex_t lock
    sem_t filled
    Aside* first
    Aside* last
    uint32_t count

cdef inline Aside* new_aside(uint32_t length) noexcept nogil:
    """An entry with room for so many bytes, or NULL."""
    cdef Aside* entry = <Aside*>malloc(sizeof(Aside) + length)
    if entry != NULL:
        entry.next = NULL
        entry.length = length
        entry.data = <uint8_t*>(entry + 1)
    return entry

cdef inline void hand_over(
    AsideQueue* queue, Aside* entry, const uint8_t* data, int fd, uint16_t number, uint32_t id
) noexcept nogil:
    """Append an entry with the packet's bytes and the place of its verdict."""
    memcpy(entry.data, data, entry.length)
    entry.fd, entry.queue, entry.id = fd, number, id
    pthread_mutex_lock(&queue.lock)
    if queue.last == NULL:
        queue.first = entry
    else:
        queue.last.next = entry
    queue.last = entry
    queue.count += 1
    pthread_mutex_unlock(&queue.lock)
    sem_post(&queue.filled)

cdef inline Aside* take_aside(AsideQueue* queue) noexcept nogil:
    """The oldest entry, the caller's to free, or NULL."""
    cdef Aside* entry
    pthread_mutex_lock(&queue.lock)
    entry = queue.first
    if entry != NULL:
        queue.first = entry.next
        queue.count -= 1
        if queue.first == NULL:
            queue.last = NULL
    pthread_mutex_unlock(&queue.lock)
    return entry

cdef inline void close_aside(AsideQueue* queue) noexcept nogil:
    """Free every entry that was not taken."""
    cdef Aside* entry = take_aside(queue)
    while entry != NULL:
        free(entry)
        entry = take_aside(queue)
