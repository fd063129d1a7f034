# The external ports that are free, for one external address and one transport.
#
# What is stored: four bags of free ports, the privileged ones (below 1024) apart from the others and the
# even ones from the odd ones (RFC 4787 REQ-3a, REQ-4), and a queue of ports in hold-down: for HOLD_DOWN
# seconds after their mapping ended (RFC 6888 REQ-8) they are not given out. The oldest comes first. Only
# ports go there at which the next mapping would let in any remote host: sessions decides. A port in neither
# belongs to a mapping, or is none of those that are handed out.
# Who writes: allocate_port, give_back and release_port, under the table's lock; renew_pool when the policy
# changes or the process starts, after which the live mappings mark their ports as taken.
# What ends it: nothing.
#
# A pool is filled when it is first asked for a port. A range of external addresses is many pools, and few of
# them are used at a time; to fill them all would stop every worker.
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
    uint32_t address                    # external, network order
    const uint8_t* range                # the ports that are handed out: a bitmap of the rules
    uint8_t all_privileged              # none of the range is 1024 or above
    uint32_t hold_down_head                  # ring positions, which only grow
    uint32_t hold_down_tail
    uint32_t[BAGS] free_count
    uint32_t size                       # ports of the range, once it is filled
    uint32_t in_use
    uint8_t filled                      # 0: the bags are still to be made of what is not taken
    uint8_t marked                      # something is taken
    uint16_t[65536] free_ports          # the bags one after the other, at bag_start
    uint16_t[RING] hold_down_port
    uint32_t[RING] hold_down_since
    uint8_t[BITMAP_BYTES] taken         # until it is filled: the mappings' own

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

cdef inline bint in_range(const PortPool* pool, uint16_t port) noexcept nogil:
    return (pool.range[port >> 3] >> (port & 7)) & 1

cdef inline void renew_pool(PortPool* pool, uint32_t address, const uint8_t* range) noexcept nogil:
    """Make the pool this address's, with this range and nothing taken; fill_pool fills it."""
    if pool.address != address:
        pool.hold_down_head = pool.hold_down_tail = 0      # the hold-downs were another address's
    if pool.marked:
        memset(pool.taken, 0, sizeof(pool.taken))
    pool.address, pool.range = address, range
    pool.in_use = pool.filled = pool.marked = 0

cdef inline void mark_taken(PortPool* pool, uint16_t port) noexcept nogil:
    pool.taken[port >> 3] |= <uint8_t>(1 << (port & 7))
    pool.marked = True

cdef inline bint is_taken(const PortPool* pool, uint16_t port) noexcept nogil:
    return (pool.taken[port >> 3] >> (port & 7)) & 1

cdef inline void take_mapped(PortPool* pool, uint16_t port) noexcept nogil:
    """Before it is filled: a mapping has this port."""
    mark_taken(pool, port)
    pool.in_use += 1

cdef inline void keep_hold_downs(PortPool* pool) noexcept nogil:
    """Keep the hold-downs of ports in the range, marked as taken; forget the others."""
    cdef uint32_t at = pool.hold_down_head
    cdef uint32_t end = pool.hold_down_tail
    cdef uint16_t port
    pool.hold_down_tail = at         # what is kept is written behind what is still to be read
    while at != end:
        port = pool.hold_down_port[at % RING]
        if in_range(pool, port) and not is_taken(pool, port):
            hold_down(pool, port, pool.hold_down_since[at % RING])
            mark_taken(pool, port)
        at += 1

cdef inline void fill_pool(PortPool* pool) noexcept nogil:
    """Free every port of the range that is neither taken nor in hold-down, unless that was done."""
    cdef uint32_t port
    if pool.filled:
        return
    pool.filled = True
    memset(pool.free_count, 0, sizeof(pool.free_count))
    pool.all_privileged = True
    pool.size = 0
    keep_hold_downs(pool)
    for port in range(65536):
        if in_range(pool, <uint16_t>port):
            pool.size += 1
            pool.all_privileged &= port < PRIVILEGED
            if not is_taken(pool, <uint16_t>port):
                put_free(pool, <uint16_t>port)

cdef inline uint32_t free_ports(PortPool* pool) noexcept nogil:
    fill_pool(pool)
    return pool.free_count[0] + pool.free_count[1] + pool.free_count[2] + pool.free_count[3]

cdef inline void end_hold_downs(PortPool* pool, uint32_t now) noexcept nogil:
    """Free every port whose hold-down is over, each once."""
    while (
        pool.hold_down_head != pool.hold_down_tail
        and <int>(now - pool.hold_down_since[pool.hold_down_head % RING]) >= HOLD_DOWN
    ):
        put_free(pool, pool.hold_down_port[pool.hold_down_head % RING])
        pool.hold_down_head += 1

cdef inline uint16_t take(PortPool* pool, int bag, uint64_t random) noexcept nogil:
    """Any free port of this bag; there must be one."""
    cdef uint32_t at = <uint32_t>(<uint64_t><uint32_t>random * pool.free_count[bag] >> 32)
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
            pool.in_use += 1
            return True
    return False

cdef inline void free_bitmap(const PortPool* pool, uint8_t* free) noexcept nogil:
    """Set the bit of every free port that is not privileged. free: BITMAP_BYTES."""
    cdef uint16_t port
    cdef uint32_t i
    cdef int bag
    memset(free, 0, BITMAP_BYTES)
    for bag in range(2, BAGS):
        for i in range(pool.free_count[bag]):
            port = pool.free_ports[bag_start[bag] + i]
            free[port >> 3] |= <uint8_t>(1 << (port & 7))

cdef inline bint is_free_row(
    const uint8_t* free, const Rules* rules, uint8_t transport, uint32_t first, uint32_t count
) noexcept nogil:
    """Are these ports in a row free, and none of them a local socket's or a forward's?"""
    cdef uint32_t port
    for port in range(first, first + count):
        if port > 65535 or not (free[port >> 3] >> (port & 7)) & 1 or is_reserved(
            rules, transport, <uint16_t>port
        ):
            return False
    return True

cdef inline uint16_t free_row(
    PortPool* pool, const Rules* rules, uint8_t transport, uint32_t count, uint64_t random
) noexcept nogil:
    """The first of `count` free ports in a row, or 0; of two the first one is even.

    A random one of all there are, as far as those are spread evenly.
    """
    cdef uint8_t[BITMAP_BYTES] free
    cdef uint32_t step = 2 if count == 2 else 1
    cdef uint32_t start = <uint32_t>(random % 65536)
    cdef uint32_t i, first
    fill_pool(pool)
    free_bitmap(pool, free)
    for i in range(65536 // step):
        first = (start + i * step) % 65536 // step * step
        if is_free_row(free, rules, transport, first, count):
            return <uint16_t>first
    return 0

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
    PortPool* pool, const Rules* rules, uint8_t transport, uint16_t internal, uint64_t random, uint32_t now
) noexcept nogil:
    """A random free port for an internal one (host order), 0 when there is none (RFC 6056 section 3.3.1).

    A port that a local socket has taken meanwhile goes into hold-down and is looked at again later.
    """
    cdef uint16_t port
    cdef int bag
    if transport == CLASS_ICMP:
        internal |= PRIVILEGED            # no identifier is privileged
    fill_pool(pool)
    end_hold_downs(pool, now)
    bag = choose_bag(pool, internal)
    while bag >= 0:
        port = take(pool, bag, random)
        if not is_reserved(rules, transport, port):
            pool.in_use += 1
            return port
        hold_down(pool, port, now)
        bag = choose_bag(pool, internal)
    return 0

cdef inline void give_back(PortPool* pool, uint16_t port) noexcept nogil:
    """Free a port that was just allocated and never used."""
    pool.in_use -= 1
    put_free(pool, port)

cdef inline void release_port(PortPool* pool, uint16_t port, bint rests, uint32_t now) noexcept nogil:
    """Give a mapping's port back. rests: it goes into hold-down first."""
    fill_pool(pool)
    pool.in_use -= 1
    if not in_range(pool, port):
        return
    if rests:
        hold_down(pool, port, now)
    else:
        put_free(pool, port)

cdef inline uint32_t free_for(PortPool* pool, bint low) noexcept nogil:
    """How many ports are free for an internal one; low: it is privileged."""
    fill_pool(pool)
    if low or pool.all_privileged:
        return free_ports(pool)
    return pool.free_count[2] + pool.free_count[3]

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
