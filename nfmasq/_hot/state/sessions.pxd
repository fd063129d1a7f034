# Sessions: begun and ended here alone. A session that begins is linked into the indexes (index) and on the
# wheel (timers), and counted with its mapping and its host; one that ends is taken out of all of them.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from nfmasq._hot.state.check cimport write_check
from nfmasq._hot.state.evictable cimport follow_state, is_evictable, join_line, leave_line
from nfmasq._hot.state.index cimport Buckets, buckets_for, index_session, unindex_session
from nfmasq._hot.state.keys cimport is_keyed
from nfmasq._hot.state.mappings cimport end_mapping, link_mapping, open_mapping
from nfmasq._hot.state.packet cimport CLASS_OTHER, CLASS_TCP, CLASS_UDP
from nfmasq._hot.state.pools cimport keeps_pool
from nfmasq._hot.state.rules cimport (
    ENDPOINT_INDEPENDENT, Rules, behaviour_of, helper_of, is_own, uplink_of_address,
)
from nfmasq._hot.state.table cimport (
    ANNOUNCED, BEGUN_OUTSIDE, EXPECTED, NAMED, NO_POOL, OLD_TIMER, OLD_TIMER_UNIT, SCOPE_SHARED,
    SCOPE_STATIC, SETTLED, WAS_HELPED, WHEEL, Host, Mapping, NatTable, Session,
)
from nfmasq._hot.state.tcpstate cimport tcp_half_open
from nfmasq._hot.state.timers cimport DNS, set_timer, timer_of, wheel_insert, wheel_remove
from nfmasq._hot.state.traffic cimport is_answered
from nfmasq._hot.state.uplinks cimport NO_REALM, NO_UPLINK
from nfmasq._hot.wire.wire cimport htons, ntohs

cdef extern from *:
    """
    /* Between writing a record and saying that it counts: no store may move across. */
    #define nfmasq_store_barrier() __atomic_thread_fence(__ATOMIC_RELEASE)
    """
    void store_barrier "nfmasq_store_barrier" () noexcept nogil

cdef extern from "<sys/eventfd.h>" nogil:
    int eventfd_write(int fd, uint64_t value)

# Beginning ----------------------------------------------------------------------------------------------

cdef inline uint32_t take_session_record(NatTable* table) noexcept nogil:
    """The number of a free session record, or 0 when what is reserved of the arena is full."""
    cdef uint32_t number = table.session_free
    if number:
        table.session_free = table.sessions[number].by_internal_next
    elif table.top[0] < table.reserved:
        table.top[0] += 1
        number = table.top[0]
        if number == table.bell_at:
            eventfd_write(table.room_fd, 1)
    return number

cdef inline void count_half_open(NatTable* table, const Session* session, int change) noexcept nogil:
    """Add `change` to the handshakes under way if the session is one."""
    if session.transport == CLASS_TCP and tcp_half_open[session.state] and not session.flags & EXPECTED:
        table.half_open += change
        table.hosts[table.mappings[session.mapping].host].half_open += change

cdef inline void count_unanswered(NatTable* table, const Session* session, int change) noexcept nogil:
    """Add `change` to the unanswered sessions if no packet from inside has been in this one.

    A keyed one never has any, or has nothing but those. No stranger can begin it.
    """
    if not is_answered(session) and not is_keyed(session):
        table.unanswered += change
        table.hosts[table.mappings[session.mapping].host].unanswered += change

cdef inline void set_state(NatTable* table, uint32_t number, uint8_t state) noexcept nogil:
    """Let a linked TCP session be in this state."""
    cdef Session* session = &table.sessions[number]
    cdef int change = tcp_half_open[state] - tcp_half_open[session.state]
    if change:
        count_half_open(table, session, -1)
        session.state = state
        count_half_open(table, session, 1)
    session.state = state
    follow_state(table, number)

cdef inline void count_rate(uint32_t* second, uint32_t* begun, uint32_t now) noexcept nogil:
    if second[0] != now:
        second[0] = now
        begun[0] = 0
    begun[0] += 1

cdef inline void link_session(
    NatTable* table, uint32_t number, uint32_t mapping, const Buckets* buckets
) noexcept nogil:
    """Put a session whose endpoints, times and counters are set into every index and on the wheel."""
    cdef Session* session = &table.sessions[number]
    session.mapping = mapping
    index_session(table, number, buckets)
    wheel_insert(table, number)
    if table.mappings[mapping].sessions == 0:
        link_mapping(table, mapping)
    table.mappings[mapping].sessions += 1
    if not session.flags & ANNOUNCED:
        open_mapping(&table.mappings[mapping])
    table.hosts[table.mappings[mapping].host].sessions += 1
    table.session_count[session.transport] += 1
    table.expected += (session.flags & EXPECTED) != 0
    count_half_open(table, session, 1)
    count_unanswered(table, session, 1)
    if is_evictable(session):
        join_line(table, number)

cdef inline uint32_t begin_session(
    NatTable* table, uint32_t mapping_number, uint32_t remote_address, uint16_t remote_port,
    uint32_t now, uint32_t expires, uint8_t flags, uint32_t bucket,
) noexcept nogil:
    """A session of this mapping with this remote endpoint; 0 when the arena is full.

    bucket: where it was looked for: of by_external if it is BEGUN_OUTSIDE, else of by_internal.
    """
    cdef Mapping* mapping = &table.mappings[mapping_number]
    cdef uint32_t number = take_session_record(table)
    cdef Session* session
    cdef Host* host
    cdef Buckets buckets
    if not number:
        return 0
    buckets = buckets_for(
        table, mapping, mapping_number, remote_address, remote_port, (flags & BEGUN_OUTSIDE) != 0, bucket
    )
    session = &table.sessions[number]
    memset(session, 0, sizeof(Session))
    session.protocol = mapping.protocol
    session.transport = mapping.transport
    session.internal_address = mapping.internal_address
    session.internal_port = mapping.internal_port
    session.external_address = mapping.external_address
    session.external_port = mapping.external_port
    session.remote_address = remote_address
    session.remote_port = remote_port
    session.scope = mapping.scope
    session.uplink = uplink_of_address(&table.rules, mapping.external_address)
    if session.uplink == NO_UPLINK:
        session.uplink = 0
    session.flags = flags | SETTLED if number > table.settled else flags
    session.created = now
    session.expires = expires
    write_check(session)
    link_session(table, number, mapping_number, &buckets)
    host = &table.hosts[mapping.host]
    count_rate(&host.second, &host.begun, now)
    count_rate(&table.second, &table.begun, now)
    table.counters.created[session.transport] += 1
    store_barrier()
    session.live = 1
    return number

# Ending -------------------------------------------------------------------------------------------------

cdef inline bint port_rests(const NatTable* table, const Session* session) noexcept nogil:
    """Does the port go into hold-down that ends with this session (RFC 6888 REQ-8)?

    TCP's end was seen (REQ-8 A). Where filtering asks who sends, a packet that comes late for the old mapping
    does not reach the next one (REQ-8 C). The answer to a question to port 53 has come, or is given up.
    """
    return (
        session.transport != CLASS_TCP
        and not (session.transport == CLASS_UDP and session.remote_port == htons(DNS))
        and behaviour_of(
            &table.rules, session.internal_address
        ).filtering[session.transport] == ENDPOINT_INDEPENDENT
    )

cdef inline void take_out(NatTable* table, uint32_t number, bint rests, uint32_t now) noexcept nogil:
    """Unlink a session, and its mapping when it was the last. rests: the port goes into hold-down then."""
    cdef Session* session = &table.sessions[number]
    cdef uint32_t mapping = session.mapping
    session.live = 0
    store_barrier()
    session.check = 0
    unindex_session(table, number)
    wheel_remove(table, number)
    leave_line(table, number)
    count_half_open(table, session, -1)
    count_unanswered(table, session, -1)
    table.expected -= (session.flags & EXPECTED) != 0
    if session.flags & NAMED:
        table.serials[number] = 0
    table.session_count[session.transport] -= 1
    table.hosts[table.mappings[mapping].host].sessions -= 1
    table.mappings[mapping].sessions -= 1
    session.by_internal_next = table.session_free
    table.session_free = number
    if table.mappings[mapping].sessions == 0:
        end_mapping(table, mapping, rests, now)

cdef inline void end_session(NatTable* table, uint32_t number, uint32_t now) noexcept nogil:
    """Take a session out of the table, and its mapping when it was the last."""
    take_out(table, number, port_rests(table, &table.sessions[number]), now)

cdef inline void evict_session(NatTable* table, uint32_t number, uint32_t now) noexcept nogil:
    """End a session early, to make room. Its port is free immediately."""
    table.counters.evicted[table.sessions[number].transport] += 1
    take_out(table, number, False, now)

cdef inline bint is_lost(const NatTable* table, const Session* session) noexcept nogil:
    """Has its address gone for good? It may come back to an uplink that hands out none at the moment.

    Not if another address needed its pool.
    """
    cdef const Rules* rules = &table.rules
    cdef const Mapping* mapping = &table.mappings[session.mapping]
    return (
        session.uplink >= rules.uplink_count or rules.uplinks[session.uplink].realm != NO_REALM
        or mapping.pool != NO_POOL and not keeps_pool(table, mapping)
    )

cdef inline void age(NatTable* table, uint32_t number) noexcept nogil:
    """Once: note by which timeouts the timer of a session in a line was set, where they are past ones now.

    Else it would look longer or shorter idle than it is. A timer itself stays until the next packet. Only one
    that is by timeouts which are not kept any more becomes what it would be by today's.
    """
    cdef Session* session = &table.sessions[number]
    cdef int past = (session.flags & OLD_TIMER) / OLD_TIMER_UNIT
    if table.outdated and table.lines[number].next and not session.flags & SETTLED:
        if past == 0:
            session.flags |= table.outdated * OLD_TIMER_UNIT
        elif past == table.outdated:
            set_timer(
                table, number, session.expires - timer_of(&table.past_timeouts[0], session)
                + timer_of(&table.rules.timeouts, session)
            )
    session.flags |= SETTLED

cdef inline uint8_t helper_by_ports(const Rules* rules, const Session* session) noexcept nogil:
    """The helper of a session over UDP, or 0: by the port of either end, first of the end that did not begin.

    A phone and its proxies speak from one port each, whoever begins (SIP). Of a forward the internal port
    alone counts: anybody outside may choose the other.
    """
    cdef uint16_t port = session.remote_port, other = session.internal_port
    cdef uint8_t helper
    if session.flags & BEGUN_OUTSIDE:
        port, other = other, port
    helper = helper_of(rules, session.protocol, ntohs(port), session.internal_address)
    if helper or session.flags & BEGUN_OUTSIDE and session.scope >= SCOPE_STATIC:
        return helper
    return helper_of(rules, session.protocol, ntohs(other), session.internal_address)

cdef inline void help_again(const Rules* rules, Session* session) noexcept nogil:
    """Give a session its own helper, if it had one before a restart."""
    if session.helper == WAS_HELPED:
        session.helper = helper_by_ports(rules, session)

cdef inline void help_anew(const NatTable* table, Session* session) noexcept nogil:
    """Give a session over UDP that has no helper the one that has come for it: a phone stays registered.

    Each packet begins a dialogue. A session that was announced has the helper that it was announced with.
    """
    help_again(&table.rules, session)
    if (
        table.helped_anew and session.helper == 0 and session.transport == CLASS_UDP
        and not session.flags & (SETTLED | ANNOUNCED | EXPECTED)
    ):
        session.helper = helper_by_ports(&table.rules, session)

cdef inline bint settle(NatTable* table, uint32_t number, uint32_t now) noexcept nogil:
    """After a change tell a session its uplink. False: its address is lost, and it has ended.

    So has a session of the default host whose packets the router takes itself by now. While there is no
    external address, the old ones may come back.
    """
    cdef Session* session = &table.sessions[number]
    cdef uint8_t uplink = uplink_of_address(&table.rules, session.external_address)
    help_anew(table, session)
    age(table, number)
    if table.rules.external_count == 0:
        return True
    if (
        session.transport == CLASS_OTHER and session.scope == SCOPE_SHARED
        and is_own(&table.rules, session.protocol, session.remote_address)
    ):
        end_session(table, number, now)
        return False
    if uplink != NO_UPLINK:
        session.uplink = uplink
    elif is_lost(table, session):
        end_session(table, number, now)
        table.lost += 1
        return False
    return True

cdef inline uint32_t name_session(NatTable* table, uint32_t number) noexcept nogil:
    """Its serial: with its number, its name for ever."""
    cdef Session* session = &table.sessions[number]
    if not session.flags & NAMED or table.serials[number] == 0:
        table.serial = max(table.serial + 1, <uint32_t>1)
        table.serials[number] = table.serial
        session.flags |= NAMED
    return table.serials[number]

cdef inline void rename_session(NatTable* table, uint32_t number) noexcept nogil:
    """Let it be unknown by the name it has, if it has one."""
    table.serials[number] = 0
    table.sessions[number].flags &= <unsigned char>~NAMED

cdef inline uint32_t advance_wheel(NatTable* table, uint32_t now, uint32_t most) noexcept nogil:
    """End the sessions due up to `now`, looking at no more than `most`; return how many ended."""
    cdef uint32_t ended = 0
    cdef uint32_t number
    cdef Session* session
    while <int>(now - table.wheel_now) > 0:
        number = table.wheel[(table.wheel_now + 1) % WHEEL]
        while number:
            if most == 0:
                return ended
            most -= 1
            session = &table.sessions[number]
            if <int>(session.expires - now) <= 0:
                table.counters.expired[session.transport] += 1
                end_session(table, number, now)
                ended += 1
            else:
                wheel_remove(table, number)
                wheel_insert(table, number)
            number = table.wheel[(table.wheel_now + 1) % WHEEL]
        table.wheel_now += 1
    return ended
