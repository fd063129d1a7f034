# Expectations: what the helpers' thread asks of the table (announce). A part of _fastpath.pyx.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memset

from nfmasq.core.rows import Expected, ExpectationRefused

from nfmasq._hot.base.clock cimport clock_seconds
from nfmasq._hot.base.locks cimport await_post, pthread_mutex_lock, pthread_mutex_unlock
from nfmasq._hot.calls.announce cimport announce, is_expected, named
from nfmasq._hot.calls.announce_key cimport announce_key
from nfmasq._hot.calls.row cimport find_row
from nfmasq._hot.state.aside cimport Aside, take_aside
from nfmasq._hot.state.keys cimport is_way
from nfmasq._hot.state.packet cimport CLASS_OTHER, CLASS_TCP, CLASS_UDP, Packet
from nfmasq._hot.state.sessions cimport name_session
from nfmasq._hot.state.table cimport NatTable, Session
from nfmasq._hot.wire.wire cimport GRE, SYN, TCP, htons

cdef object next_of(NatTable* table, uint64_t nanoseconds):
    """The oldest packet that is set aside, or None when none came within this time."""
    cdef Aside* entry
    with nogil:
        await_post(&table.aside.filled, nanoseconds)
        entry = take_aside(&table.aside)
    if entry == NULL:
        return None
    try:
        return set_aside_row(entry)
    finally:
        free(entry)

cdef bint is_expected_in(NatTable* table, uint32_t number, uint32_t serial):
    pthread_mutex_lock(&table.lock)
    waits = is_expected(table, number, serial)
    pthread_mutex_unlock(&table.lock)
    return waits

cdef object seen_in(NatTable* table, uint32_t number, uint32_t serial):
    cdef Session copy
    cdef Session* found
    pthread_mutex_lock(&table.lock)
    found = named(table, number, serial)
    if found != NULL:
        copy = found[0]
    pthread_mutex_unlock(&table.lock)
    return None if found == NULL else session_row(number, &copy, clock_seconds())

cdef int read_wish(Packet* wish, object protocol, object internal, object remote, object port) except -1:
    """The packet that would arrive, as far as a helper knows it. Raises ValueError.

    One with a key has its direction in place of the remote port.
    """
    if protocol == GRE and (remote is None or not is_way(htons(port))):
        raise ValueError("a key needs a remote host, and INWARD or OUTWARD in place of its port")
    memset(wish, 0, sizeof(Packet))
    wish.protocol = protocol
    wish.transport = CLASS_TCP if protocol == TCP else CLASS_OTHER if protocol == GRE else CLASS_UDP
    wish.near_address, wish.near_port = word_of(internal[0]), htons(internal[1])
    wish.remote_address = 0 if remote is None else word_of(remote)
    wish.remote_port = htons(port)
    wish.tcp_flags = SYN
    return 0

cdef uint16_t find_row_in(
    NatTable* table, uint32_t parent, uint32_t serial, Packet* wish, uint32_t count, uint32_t now
) noexcept:
    """See Table.find_row."""
    cdef uint16_t first = 0
    pthread_mutex_lock(&table.lock)
    if named(table, parent, serial) != NULL:
        wish.as_address = table.sessions[parent].external_address
        first = find_row(table, wish, count, now)
    pthread_mutex_unlock(&table.lock)
    return first

cdef object expect_in(
    NatTable* table, uint32_t parent, uint32_t serial, Packet* wish, uint16_t port,
    uint8_t helper, uint32_t now, uint32_t until,
):
    cdef Session copy
    cdef uint32_t number = 0
    cdef uint32_t name = 0
    pthread_mutex_lock(&table.lock)
    if named(table, parent, serial) != NULL:
        wish.as_address = table.sessions[parent].external_address
        if wish.transport == CLASS_OTHER:
            number = announce_key(table, parent, wish, now, until)
        else:
            number = announce(table, parent, wish, port, helper, now, until)
    if number:
        name = name_session(table, number)
        copy = table.sessions[number]
    pthread_mutex_unlock(&table.lock)
    if not number:
        raise ExpectationRefused("no_room")
    return Expected(number, name, endpoint(copy.external_address, copy.external_port))
