# The external ports that are free, for one external address and one transport.
#
# What is stored: four bags of free ports, the privileged ones (below 1024) apart from the others and the
# even ones from the odd ones (RFC 4787 REQ-3a, REQ-4), and a queue of ports in hold-down: for HOLD_DOWN
# seconds after their mapping ended (RFC 6888 REQ-8) they are not given out. The oldest comes first. Only
# ports go there at which the next mapping would let in any remote host: sessions decides. A port in neither
# belongs to a mapping, or is none of those that are handed out.
# Who writes: allocate_port, give_back and release_port, under the table's lock; take_mapped as sessions are
# recovered. What ends it: another address that gets the pool (pools).
#
# `taken` has the ports that mappings have, those beyond the range too. After a change of the range the bags
# are made anew without a look at the mappings.
#
# A pool is filled when it is first asked for a port, and not when one comes back. A range of external
# addresses is many pools, and few of them are used at a time; to fill them all would stop every worker.
#
# Taking any random element of a bag is taking an array's element and moving the last one into its place, so
# both calls cost the same with one port left as with all of them. ICMP query identifiers are ports here.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from nfmasq._hot.state.packet cimport CLASS_ICMP
from nfmasq._hot.state.rules cimport BITMAP_BYTES, Rules, is_reserved

cdef enum:
    HOLD_DOWN = 120
    PRIVILEGED = 1024        # ports below
    BAGS = 4                 # privileged even and odd, the others even and odd
    RING = 65536

cdef struct PortPool:
    const uint8_t* range                # the ports that are handed out: a bitmap of the rules
    uint8_t all_privileged              # none of the range is 1024 or above
    uint32_t hold_down_head                  # ring positions, which only grow
    uint32_t hold_down_tail
    uint32_t[BAGS] free_count
    uint32_t size                       # ports of the range, once it is filled
    uint32_t in_use
    uint8_t filled                      # 0: the bags are still to be made of what is not taken
    uint8_t used                        # some port has been taken
    uint16_t[65536] free_ports          # the bags one after the other, at bag_start
    uint16_t[RING] hold_down_port
    uint32_t[RING] hold_down_since
    uint8_t[BITMAP_BYTES] taken         # the mappings' own: a bitmap

cdef extern from *:
    """
    static const uint32_t bag_start[4] = { 0, 512, 1024, 1024 + 32256 };
    """
    const uint32_t bag_start[BAGS]
    int bits_of "__builtin_popcountll" (uint64_t word) noexcept nogil
    int first_bit "__builtin_ctzll" (uint64_t word) noexcept nogil

cdef inline int bag_of(uint16_t port) noexcept nogil:
    return (0 if port < PRIVILEGED else 2) + (port & 1)

cdef inline void put_free(PortPool* pool, uint16_t port) noexcept nogil:
    cdef int bag = bag_of(port)
    pool.free_ports[bag_start[bag] + pool.free_count[bag]] = port
    pool.free_count[bag] += 1

cdef inline void hold_down(PortPool* pool, uint16_t port, uint32_t now) noexcept nogil:
    pool.hold_down_port[pool.hold_down_tail % RING] = port
    pool.hold_down_since[pool.hold_down_tail % RING] = now
    pool.hold_down_tail += 1

cdef inline bint has_bit(const uint8_t* bitmap, uint16_t port) noexcept nogil:
    return (bitmap[port >> 3] >> (port & 7)) & 1

cdef inline void set_bit(uint8_t* bitmap, uint16_t port) noexcept nogil:
    bitmap[port >> 3] |= <uint8_t>(1 << (port & 7))

cdef inline bint in_range(const PortPool* pool, uint16_t port) noexcept nogil:
    return has_bit(pool.range, port)

cdef inline void empty_pool(PortPool* pool, const uint8_t* range) noexcept nogil:
    """Forget all that an earlier address had in the pool; fill_pool fills it."""
    if pool.used:
        memset(pool.taken, 0, sizeof(pool.taken))
    pool.hold_down_head = pool.hold_down_tail = 0
    pool.range = range
    pool.in_use = pool.filled = pool.used = 0

cdef inline void note_taken(PortPool* pool, uint16_t port) noexcept nogil:
    set_bit(pool.taken, port)
    pool.used = True
    pool.in_use += 1

cdef inline void note_returned(PortPool* pool, uint16_t port) noexcept nogil:
    pool.taken[port >> 3] &= <uint8_t>~(1 << (port & 7))
    pool.in_use -= 1

cdef inline void take_mapped(PortPool* pool, uint16_t port) noexcept nogil:
    """Before it is filled: a mapping has this port."""
    if not has_bit(pool.taken, port):
        note_taken(pool, port)

cdef inline void keep_hold_downs(PortPool* pool, uint8_t* busy) noexcept nogil:
    """Keep the hold-downs of ports in the range that are not busy, and make them so; forget the others."""
    cdef uint32_t at = pool.hold_down_head
    cdef uint32_t end = pool.hold_down_tail
    cdef uint16_t port
    pool.hold_down_tail = at         # what is kept is written behind what is still to be read
    while at != end:
        port = pool.hold_down_port[at % RING]
        if in_range(pool, port) and not has_bit(busy, port):
            hold_down(pool, port, pool.hold_down_since[at % RING])
            set_bit(busy, port)
        at += 1

cdef inline void read_busy(const PortPool* pool, uint8_t* busy) noexcept nogil:
    """Write the ports that are taken or in hold-down as a bitmap."""
    cdef uint32_t at = pool.hold_down_head
    memcpy(busy, pool.taken, sizeof(pool.taken))
    while at != pool.hold_down_tail:
        set_bit(busy, pool.hold_down_port[at % RING])
        at += 1

cdef inline void fill_pool(PortPool* pool) noexcept nogil:
    """Free every port of the range that is neither taken nor in hold-down, unless that was done."""
    cdef uint8_t[BITMAP_BYTES] busy
    cdef uint32_t port
    if pool.filled:
        return
    pool.filled = True
    memset(pool.free_count, 0, sizeof(pool.free_count))
    memcpy(busy, pool.taken, sizeof(busy))
    pool.all_privileged = True
    pool.size = 0
    keep_hold_downs(pool, busy)
    for port in range(65536):
        if in_range(pool, <uint16_t>port):
            pool.size += 1
            pool.all_privileged &= port < PRIVILEGED
            if not has_bit(busy, <uint16_t>port):
                put_free(pool, <uint16_t>port)

cdef inline uint32_t free_ports(PortPool* pool) noexcept nogil:
    fill_pool(pool)
    return pool.free_count[0] + pool.free_count[1] + pool.free_count[2] + pool.free_count[3]

cdef inline void end_hold_downs(PortPool* pool, uint32_t now) noexcept nogil:
    """Free every port whose hold-down is over, each once."""
    fill_pool(pool)
    while (
        pool.hold_down_head != pool.hold_down_tail
        and <int>(now - pool.hold_down_since[pool.hold_down_head % RING]) >= HOLD_DOWN
    ):
        put_free(pool, pool.hold_down_port[pool.hold_down_head % RING])
        pool.hold_down_head += 1

cdef inline uint16_t take(PortPool* pool, int bag, uint32_t random) noexcept nogil:
    """Any free port of this bag; there must be one."""
    cdef uint32_t at = <uint32_t>(<uint64_t>random * pool.free_count[bag] >> 32)
    cdef uint16_t* ports = &pool.free_ports[bag_start[bag]]
    cdef uint16_t port = ports[at]
    pool.free_count[bag] -= 1
    ports[at] = ports[pool.free_count[bag]]
    return port

cdef inline bint take_port(PortPool* pool, uint16_t port) noexcept nogil:
    """Take this very port if it is free."""
    cdef int bag = bag_of(port)
    cdef uint16_t* ports = &pool.free_ports[bag_start[bag]]
    cdef uint32_t i
    fill_pool(pool)
    for i in range(pool.free_count[bag]):
        if ports[i] == port:
            pool.free_count[bag] -= 1
            ports[i] = ports[pool.free_count[bag]]
            note_taken(pool, port)
            return True
    return False

cdef inline int choose_bag(const PortPool* pool, uint16_t internal) noexcept nogil:
    """The bag an internal port's external one comes from: like it if there is one left, or -1.

    A privileged port is given to others only where the whole range is privileged.
    """
    cdef int bag = bag_of(internal)
    if pool.free_count[bag]:
        return bag
    if pool.free_count[bag ^ 1]:
        return bag ^ 1
    bag ^= 2
    if bag < 2 and not pool.all_privileged:
        return -1
    if pool.free_count[bag]:
        return bag
    return bag ^ 1 if pool.free_count[bag ^ 1] else -1

cdef inline uint16_t allocate_port(
    PortPool* pool, const Rules* rules, uint8_t transport, uint16_t internal, uint32_t random, uint32_t now
) noexcept nogil:
    """A random free port for an internal one (host order), 0 when there is none (RFC 6056 section 3.3.1).

    Hold-downs that are over have been ended.
    A port that a local socket has taken meanwhile goes into hold-down and is looked at again later.
    """
    cdef uint16_t port
    cdef int bag
    if transport == CLASS_ICMP:
        internal |= PRIVILEGED            # no identifier is privileged
    bag = choose_bag(pool, internal)
    while bag >= 0:
        port = take(pool, bag, random)
        if not is_reserved(rules, transport, port):
            note_taken(pool, port)
            return port
        hold_down(pool, port, now)
        bag = choose_bag(pool, internal)
    return 0

cdef inline void give_back(PortPool* pool, uint16_t port) noexcept nogil:
    """Free a port that was just allocated and never used."""
    note_returned(pool, port)
    put_free(pool, port)

cdef inline void release_port(PortPool* pool, uint16_t port, bint rests, uint32_t now) noexcept nogil:
    """Give a mapping's port back. rests: it goes into hold-down first.

    A pool that is not filled stays so: sessions that end together may lie in hundreds of pools.
    """
    note_returned(pool, port)
    if not in_range(pool, port):
        return
    if rests:
        hold_down(pool, port, now)
    elif pool.filled:
        put_free(pool, port)

cdef inline uint32_t free_for(PortPool* pool, bint low) noexcept nogil:
    """How many ports are free for an internal one; low: it is privileged."""
    fill_pool(pool)
    if low or pool.all_privileged:
        return free_ports(pool)
    return pool.free_count[2] + pool.free_count[3]

cdef inline bint has_hold_downs(const PortPool* pool, uint32_t now) noexcept nogil:
    """Is any port's hold-down not over yet?"""
    return pool.hold_down_head != pool.hold_down_tail and (
        <int>(now - pool.hold_down_since[(pool.hold_down_tail - 1) % RING]) < HOLD_DOWN
    )

cdef inline bint is_short(const PortPool* pool, uint32_t free) noexcept nogil:
    """Is less than a sixteenth of the ports free that are handed out?"""
    return 15 * free < pool.in_use

cdef inline uint16_t nth_port(const PortPool* pool, uint32_t n) noexcept nogil:
    """The port of the range that n others come before. There must be so many."""
    cdef uint32_t at = 0
    cdef uint64_t word
    memcpy(&word, pool.range, sizeof(word))
    while n >= <uint32_t>bits_of(word):
        n -= <uint32_t>bits_of(word)
        at += sizeof(word)
        memcpy(&word, pool.range + at, sizeof(word))
    while n:
        word &= word - 1
        n -= 1
    return <uint16_t>(at * 8 + <uint32_t>first_bit(word))
