# Dump: sessions and mappings are copied out for the control path, or ended for it. The greediest host is
# found.
#
# None of them keeps the table's lock for long.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from nfmasq._hot.base.locks cimport pthread_mutex_lock, pthread_mutex_unlock
from nfmasq._hot.calls.steps cimport STEP
from nfmasq._hot.state.sessions cimport end_session
from nfmasq._hot.state.table cimport Host, Mapping, NatTable, Session

cdef enum:
    AT_ONCE = 4096           # records copied or looked at under one holding of the lock

cdef struct Filter:
    uint32_t host            # 0: any
    uint16_t port            # 0: any
    int protocol             # -1: any

cdef inline bint session_matches(const Session* session, const Filter* wanted) noexcept nogil:
    return (
        session.live
        and (wanted.protocol < 0 or session.protocol == wanted.protocol)
        and (
            wanted.host == 0 or session.internal_address == wanted.host
            or session.external_address == wanted.host or session.remote_address == wanted.host
        )
        and (
            wanted.port == 0 or session.internal_port == wanted.port
            or session.external_port == wanted.port or session.remote_port == wanted.port
        )
    )

cdef inline bint mapping_matches(const Mapping* mapping, const Filter* wanted) noexcept nogil:
    return (
        mapping.sessions != 0
        and (wanted.protocol < 0 or mapping.protocol == wanted.protocol)
        and (
            wanted.host == 0 or mapping.internal_address == wanted.host
            or mapping.external_address == wanted.host
        )
        and (wanted.port == 0 or mapping.internal_port == wanted.port or mapping.external_port == wanted.port)
    )

cdef inline uint32_t copy_sessions(
    NatTable* table, uint32_t* at, uint32_t most, const Filter* wanted, Session* copies, uint32_t* numbers
) noexcept nogil:
    """Copy up to `most` sessions past number `at`, letting go of the lock again and again."""
    cdef uint32_t found = 0
    cdef uint32_t stop
    while found < most and at[0] < table.top[0]:
        pthread_mutex_lock(&table.lock)
        stop = min(at[0] + AT_ONCE, table.top[0])
        while at[0] < stop and found < most:
            at[0] += 1
            if session_matches(&table.sessions[at[0]], wanted):
                copies[found] = table.sessions[at[0]]
                numbers[found] = at[0]
                found += 1
        pthread_mutex_unlock(&table.lock)
    return found

cdef inline uint32_t next_mapping(
    NatTable* table, uint32_t number, const Filter* wanted, Mapping* copy
) noexcept nogil:
    """The next mapping past `number` that is wanted, or 0."""
    cdef uint32_t found = 0
    cdef uint32_t stop
    while not found and number < table.mapping_top:
        pthread_mutex_lock(&table.lock)
        stop = min(number + AT_ONCE, table.mapping_top)
        while number < stop and not found:
            number += 1
            if mapping_matches(&table.mappings[number], wanted):
                copy[0] = table.mappings[number]
                found = number
        pthread_mutex_unlock(&table.lock)
    return found

cdef inline uint32_t share_of(const Host* host, uint32_t external, uint8_t transport) noexcept nogil:
    """The host's sessions; of an external address its ports there."""
    if not host.mappings or external and host.external_address != external and host.other_address != external:
        return 0
    return host.ports[transport] if external else host.sessions

cdef inline uint32_t find_greediest(
    NatTable* table, uint32_t external, uint8_t transport, uint32_t known
) noexcept nogil:
    """The address of the host with the most ports of an external address, or with 0 sessions; or 0.

    `known` stays it while it has half as many as the first.
    """
    cdef uint32_t number = 0
    cdef uint32_t found = 0
    cdef uint64_t most = 0
    cdef uint64_t count
    cdef uint32_t stop
    while number < table.host_top:
        pthread_mutex_lock(&table.lock)
        stop = min(number + AT_ONCE, table.host_top)
        while number < stop:
            number += 1
            count = share_of(&table.hosts[number], external, transport)
            if table.hosts[number].address == known:
                count *= 2
            if count > most:
                found, most = table.hosts[number].address, count
        pthread_mutex_unlock(&table.lock)
    return found

cdef inline uint32_t flush_some(NatTable* table, uint32_t* at, uint32_t host, uint32_t now) noexcept nogil:
    """End the sessions of a host, or with 0 of all, among the next records; return how many.

    The caller holds the lock.
    """
    cdef uint32_t ended = 0
    cdef uint32_t stop = min(at[0] + STEP, table.top[0])
    while at[0] < stop:
        at[0] += 1
        if table.sessions[at[0]].live and (host == 0 or table.sessions[at[0]].internal_address == host):
            end_session(table, at[0], now)
            ended += 1
    return ended
