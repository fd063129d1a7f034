# Announce key: an expectation of packets with a key, for a helper that has read it.
#
# The internal host's own key gets an external one, which need only differ from the others of the same remote
# host; it stays what it is where it can. The remote host's key stays in any case: packets to that host carry
# it unchanged. A key that is announced again belongs to the newer session: its owner has given it anew.
#
# Both ends know the control session's addresses and no others, so its external address is the mapping's too.

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memset

from nfmasq._hot.calls.announce cimport renew
from nfmasq._hot.state.evictable cimport leave_line
from nfmasq._hot.state.index cimport find_by_external, find_by_internal_at
from nfmasq._hot.state.keys cimport INWARD, OUTWARD
from nfmasq._hot.state.mappings cimport begin_host, begin_mapping, find_host, set_scope
from nfmasq._hot.state.packet cimport OUTBOUND, Packet
from nfmasq._hot.state.rules cimport external_index
from nfmasq._hot.state.sessions cimport begin_session, end_session
from nfmasq._hot.state.table cimport (
    ANNOUNCED, EXPECTED, NO_POOL, SCOPE_ADDRESS_AND_PORT, Mapping, NatTable, random_word,
    tuple_bucket,
)
from nfmasq._hot.state.uplinks cimport NO_REALM
from nfmasq._hot.way.limits cimport may_have_port, within_limits
from nfmasq._hot.way.make_room cimport make_room

cdef enum:
    KEY_TRIES = 64           # at finding a key that the remote host has in no other session

cdef inline bint choose_key(NatTable* table, const Packet* wish, Mapping* wanted) noexcept nogil:
    """An external key that no session with the remote host has; the internal host's own if it can be."""
    cdef int _
    for _ in range(KEY_TRIES):
        if not find_by_external(
            table, wish.protocol, wanted.external_address, wanted.external_port,
            wish.remote_address, INWARD,
        ):
            return True
        wanted.external_port = <uint16_t>random_word(table)
    return False

cdef inline void want_key(
    NatTable* table, uint32_t external, const Packet* wish, Mapping* wanted
) noexcept nogil:
    """A mapping for this key alone, at an external address; its external key is like the internal one."""
    cdef int known = external_index(&table.rules, external)
    memset(wanted, 0, sizeof(Mapping))
    wanted.protocol, wanted.transport = wish.protocol, wish.transport
    wanted.internal_address, wanted.internal_port = wish.near_address, wish.near_port
    wanted.external_address, wanted.external_port = external, wish.near_port
    wanted.pool = NO_POOL
    wanted.realm = table.rules.realm_of[known] if known >= 0 else <uint8_t>NO_REALM
    set_scope(table, wanted, SCOPE_ADDRESS_AND_PORT, wish.remote_address, wish.remote_port)

cdef inline void end_at(NatTable* table, uint32_t external, const Packet* wish, uint32_t now) noexcept nogil:
    """End the session of another host, or of an earlier call, to which the remote host has given this key."""
    cdef uint32_t number = find_by_external(
        table, wish.protocol, external, wish.near_port, wish.remote_address, OUTWARD
    )
    if number:
        end_session(table, number, now)

cdef inline uint32_t announce_key(
    NatTable* table, uint32_t control, Packet* wish, uint32_t now, uint32_t expires
) noexcept nogil:
    """An expectation for the wish's key and remote address; 0 when there can be none.

    wish: its near port is the key, and its remote port the direction (keys). control: the session that
    announces it. An expectation that stands is renewed; a session is ended, and expected anew.
    """
    cdef uint32_t external = table.sessions[control].external_address
    cdef uint32_t bucket = tuple_bucket(
        table, wish.protocol, wish.near_address, wish.near_port, wish.remote_address, wish.remote_port
    )
    cdef uint32_t number = find_by_internal_at(
        table, bucket, wish.protocol,
        wish.near_address, wish.near_port, wish.remote_address, wish.remote_port,
    )
    cdef uint32_t host
    cdef Mapping wanted
    if number and table.sessions[number].flags & EXPECTED and (
        table.sessions[number].external_address == external
    ):
        return renew(table, number, control, now, expires)
    if number:
        end_session(table, number, now)
    if wish.remote_port == OUTWARD:
        end_at(table, external, wish, now)
    wish.direction = OUTBOUND
    leave_line(table, control)
    make_room(table, now)
    host = find_host(table, wish.near_address)
    if not within_limits(table, wish, host, now) or not may_have_port(table, wish, host):
        return 0
    want_key(table, external, wish, &wanted)
    if wish.remote_port == INWARD and not choose_key(table, wish, &wanted):
        return 0
    if not host:
        host = begin_host(table, wish.near_address)
    number = begin_session(
        table, begin_mapping(table, &wanted, host, now), wish.remote_address, wish.remote_port,
        now, expires, EXPECTED | ANNOUNCED, bucket,
    )
    if number:
        table.sessions[number].reopening = control
    return number
