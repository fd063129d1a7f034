# The table: sessions, the mappings and hosts they add up to, and the indexes that find them.
#
# What is stored.
#   Session: one internal endpoint's packets with one remote endpoint, by one external endpoint. It lies in
#     the arena, a file that outlives the process. All other records can be made again from it.
#   Mapping: an internal endpoint and the external endpoint it appears as (RFC 4787 section 4), for the
#     sessions in its scope. In this process's memory, and there as long as it has sessions.
#   Host: an internal address, with how much it uses and which address of the pool it is paired with
#     (RFC 4787 REQ-2). It is there as long as it has mappings.
#   Indexes: hash tables of record numbers, chained through the records; rebuilt at the start.
#   Lines: the sessions that may be evicted, oldest first (evictable); made again at the start too.
# Who writes: one thread at a time, holding `lock`; workers take it once a batch. A thread that holds it never
# waits for the GIL. What ends a session: its timer, a flush, or the loss of its external address. Want of
# room ends only a session that nobody has answered, or that is over.
#
# Records are named by their number, not by pointers; number 0 is none. A session counts only while `live`
# is set, which is written last when it begins and first when it ends: a process killed between two
# instructions leaves either the whole session or none. `check` tells a damaged record from a sound one.

from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t

from nfmasq._hot.base.locks cimport pthread_mutex_t
from nfmasq._hot.base.siphash cimport HashKey, siphash
from nfmasq._hot.state.aside cimport AsideQueue
from nfmasq._hot.state.capacity cimport MOST_EXTERNAL_ADDRESSES
from nfmasq._hot.state.changes cimport Changes
from nfmasq._hot.state.packet cimport DIRECTION_COUNT, TRANSPORT_COUNT
from nfmasq._hot.state.ports cimport PortPool
from nfmasq._hot.state.reasons cimport REASON_COUNT
from nfmasq._hot.state.refusals cimport Refusals
from nfmasq._hot.state.rules cimport BITMAP_BYTES, Rules, Timeouts

cdef enum:
    IDENTIFICATIONS = 2048   # a power of two, as the next
    HAIRPINS = 65536
    PEER_SHARE = 4           # sessions to a bucket of by_peer, which is asked for new ones from outside alone
    MAPPING_SHARE = 2        # mappings to a bucket of theirs, which new sessions alone ask for
    PAST_TIMEOUTS = 3        # that sessions can have: two bits of their flags
    HOST_SHARE = 4           # and to one of host_by_address: few hosts have fewer
    WHEEL = 8192             # seconds the timer wheel looks ahead: more than the longest default timer

cdef struct Stream:          # one direction of a TCP connection; numbers in host order
    uint32_t end             # the sequence number after the last it sent
    uint32_t acked           # the sequence number it expects next: its highest acknowledgment
    uint32_t window          # the largest window it offered, in bytes; 0: it is not known yet

cdef struct Traffic:         # [direction] in 48 bits each, which no session lives to use up; see traffic
    uint32_t[2] packets      # the low 32
    uint32_t[2] bytes
    uint16_t[2] more_packets     # and the high 16
    uint16_t[2] more_bytes

cdef enum SessionFlags:
    EXPECTED = 1             # an expectation: no packet has come yet; a remote address or port of 0 is open
    BEGUN_OUTSIDE = 2
    NAMED = 4                # has a serial
    ANNOUNCED = 8            # an expectation, or begun by one: it lets in no other session
    HELPED_TWICE = 16        # hairpinned, and a helper has read it: the other side's session corrects it too
    OLD_TIMER_UNIT = 32      # the lower one of the next
    OLD_TIMER = 96           # two bits: the past timeouts its timer is by; 0: today's, or it is in no line
    SETTLED = 128            # while a policy is settled: its turn has come already; sessions

cdef enum Scope:             # which sessions of its internal endpoint a mapping is for
    SCOPE_ENDPOINT           # all (endpoint-independent)
    SCOPE_ADDRESS            # those with one remote address
    SCOPE_ADDRESS_AND_PORT   # those with one remote endpoint
    SCOPE_STATIC             # those of a forward, and all that its internal endpoint begins
    SCOPE_SHARED             # those of a forward alone

cdef enum:
    WAS_HELPED = 255         # helper: a session over UDP had one before a restart; it gets its own in settle

cdef struct Session:         # 128 bytes, two cache lines: the first is all that looking it up needs
    uint8_t live             # 1: counts; 0: free, and by_internal_next is the next free one
    uint8_t helper           # number of the helper that reads its packets; 0: none; WAS_HELPED
    uint8_t flags            # SessionFlags
    uint8_t uplink           # number of the one that has its external address
    uint8_t protocol
    uint8_t transport
    uint8_t state            # tcpstate
    uint8_t scope            # its mapping's
    uint32_t internal_address    # addresses and ports in network order
    uint32_t external_address
    uint32_t remote_address
    uint16_t internal_port
    uint16_t external_port
    uint16_t remote_port
    uint8_t[2] scale         # TCP: [side] window scale, and whether it asked to begin anew; sequence
    uint32_t expires         # second at which it ends unless refreshed
    uint16_t slot            # of the wheel: the second at which it looks at it, modulo WHEEL
    uint16_t check           # over the fields that identify it; check
    uint32_t by_internal_next
    uint32_t by_external_next
    uint32_t wheel_next
    uint32_t wheel_previous
    uint32_t mapping
    uint32_t created         # seconds, as expires: CLOCK_MONOTONIC
    uint32_t reopening       # TCP: what must be acknowledged to begin anew; else a control session
    # second line: what a packet of the session writes
    Traffic traffic
    int32_t[2] correction    # TCP: [side] how much longer its helper has made its text; UDP: [0] remember
    uint32_t by_peer_next
    uint32_t by_peer_previous
    Stream[2] streams        # TCP: [side] what is known of its sequence numbers

cdef extern from *:
    """
    #include <stdint.h>
    typedef struct {  /* 44 bytes */
        uint32_t internal_address;
        uint32_t external_address;
        uint16_t internal_port;
        uint16_t external_port;
        uint8_t protocol;
        uint8_t transport;
        uint16_t pool;           /* the one its port is of; NO_POOL: it has no port, or a forward's; pools */
        uint32_t sessions;       /* 0: free, and by_internal_next is the next free one */
        uint32_t created;
        uint32_t host;
        union {
            uint32_t by_internal_next;
            uint32_t internal_bucket;    /* until it is linked */
        };
        union {
            uint32_t by_external_next;
            uint32_t external_bucket;
        };
        uint32_t remote_address; /* 0 where the scope is wider */
        uint16_t remote_port;
        uint8_t scope : 5;
        uint8_t open : 1;        /* a session without ANNOUNCED began by it */
        uint8_t waits : 1;       /* its address is not handed out, so its host's ports leave it out: govern */
        uint8_t borrows : 1;     /* 1: its port is another mapping's, and it has one remote endpoint there */
        uint8_t realm;           /* of one that is looked for: where; others are in their address's: pools */
    } Mapping;
    """
    ctypedef struct Mapping:
        uint32_t internal_address
        uint32_t external_address
        uint16_t internal_port
        uint16_t external_port
        uint8_t protocol
        uint8_t transport
        uint16_t pool
        uint32_t sessions
        uint32_t created
        uint32_t host
        uint32_t by_internal_next
        uint32_t internal_bucket
        uint32_t by_external_next
        uint32_t external_bucket
        uint32_t remote_address
        uint16_t remote_port
        uint8_t scope
        uint8_t open
        uint8_t waits
        uint8_t borrows
        uint8_t realm

cdef struct Host:            # 52 bytes
    uint32_t address
    uint32_t mappings        # 0: free, and next is the next free one
    uint32_t sessions
    uint32_t next
    uint32_t external_address    # that it is paired with; 0: none yet
    uint32_t other_address   # that it is paired with in another realm; 0: none yet
    uint32_t half_open       # its TCP sessions whose handshake is not over
    uint32_t second          # the last second in which it began a session
    uint32_t begun           # how many it began then
    uint32_t unanswered      # its sessions in which it has sent nothing
    uint32_t[3] ports        # [transport] its mappings with a port of their own, of a pool that is handed out

cdef struct Place:           # of a session in a line
    uint32_t next            # 0: it is in none
    uint32_t previous

cdef enum:
    NO_POOL = 0xFFFF
    LINES = 3 * MOST_EXTERNAL_ADDRESSES + 1      # one for each pool, and one for sessions without

cdef struct Counters:
    uint64_t[DIRECTION_COUNT][TRANSPORT_COUNT] packets
    uint64_t[DIRECTION_COUNT][TRANSPORT_COUNT] bytes
    uint64_t[REASON_COUNT] dropped
    uint64_t[TRANSPORT_COUNT] created
    uint64_t[TRANSPORT_COUNT] expired
    uint64_t[TRANSPORT_COUNT] evicted
    uint64_t[TRANSPORT_COUNT] allocation_failures
    uint64_t passed

cdef struct LockTimes:       # nanoseconds, of all workers together, while `watched`
    bint watched
    uint64_t entered         # when the one inside came in; 0: the clock was not read
    uint64_t batches
    uint64_t waited
    uint64_t held
    uint64_t longest         # that one batch held it

cdef struct NatTable:
    pthread_mutex_t lock
    LockTimes lock_times
    HashKey key
    uint64_t random_counter
    uint32_t random_half             # drawn and not given out yet; 0: none
    uint32_t capacity
    uint32_t reserved                # sessions that the arena has room for; up to capacity, it grows
    uint32_t bell_at                 # the session number that rings for more room; 0: none
    uint32_t mask                    # buckets of an index, less one; by_peer and host_by_address have fewer
    uint32_t* top                    # in the arena: the highest session number ever used
    uint32_t mapping_top
    uint32_t host_top
    uint64_t hosts_ended             # how many, ever: a host found before may not be there any more
    uint32_t session_free            # first of each list of free records
    uint32_t mapping_free
    uint32_t host_free
    Session* sessions
    Mapping* mappings
    Host* hosts
    uint32_t* by_internal            # sessions by protocol, internal and remote endpoint
    uint32_t* by_external            # sessions by protocol, external and remote endpoint
    uint32_t* by_peer                # sessions by mapping and remote address
    uint32_t* mapping_by_internal
    uint32_t* mapping_by_external
    uint32_t* host_by_address
    uint32_t* wheel                  # [WHEEL] first session due in that second
    Place* lines                     # [session], then the head of each line; evictable
    uint32_t next_line               # the line to look at first when the table is full
    uint32_t* hairpins               # [HAIRPINS] senders' sessions, by both internal endpoints; hairpin
    uint32_t wheel_now               # the second up to which the wheel has advanced
    PortPool* pools                  # [pool][TCP, UDP, ICMP]
    uint32_t pool_count              # pools that have, or had, an address: pools
    uint32_t[MOST_EXTERNAL_ADDRESSES] pool_address   # [pool] whose ports it has, network order
    uint8_t[MOST_EXTERNAL_ADDRESSES] pool_realm      # [pool] of its address; NO_REALM: it is not handed out
    uint16_t[MOST_EXTERNAL_ADDRESSES] pool_at        # [external address that is handed out] its pool
    uint32_t[TRANSPORT_COUNT] session_count
    uint32_t[TRANSPORT_COUNT] mapping_count
    uint32_t static_mappings         # of SCOPE_STATIC and SCOPE_SHARED
    uint32_t borrowing               # mappings at another's port
    uint32_t half_open               # TCP sessions whose handshake is not over
    uint32_t unanswered              # sessions without a packet from inside
    uint32_t expected                # expectations
    uint32_t settled                 # sessions up to this number have their uplink of this policy: sessions
    uint32_t timeouts_changed        # how often
    uint8_t outdated                 # the past timeouts of a session that is settled now; 0: they have stayed
    uint8_t helped_anew              # helpers have changed: a session that is settled now may get one
    Timeouts[PAST_TIMEOUTS + 1] past_timeouts    # [OLD_TIMER]; the first are those given up last
    uint32_t lost                    # sessions that ended with their address since the policy came
    uint32_t beyond                  # mappings at a TCP or UDP port that is not handed out any more
    uint32_t looked                  # mappings up to this number are counted there: govern
    uint8_t[BITMAP_BYTES] beyond_ports   # their ports, as the policy came, while there are any
    uint32_t serial                  # the last one given
    uint32_t* serials                # of sessions helpers know: [number]
    uint32_t second                  # the last second in which a session began
    uint32_t begun                   # how many began then
    uint16_t[IDENTIFICATIONS] identifications    # the last IP identification, by remote address
    Changes* changes                 # of packets that left
    Refusals refusals
    AsideQueue aside
    int refusal_fd                   # an eventfd: one is due
    int room_fd                      # an eventfd: the arena needs more room
    Rules rules
    Counters counters

cdef extern from *:
    """
    /* The empty asm keeps it: GCC drops the call of a function that does nothing else. */
    #define nfmasq_prefetch(address) do { __builtin_prefetch((address), 1); __asm__ volatile (""); } while (0)
    """
    void ask_for "nfmasq_prefetch" (const void* address) noexcept nogil

cdef inline uint32_t tuple_bucket(
    const NatTable* table, uint8_t protocol,
    uint32_t near_address, uint16_t near_port, uint32_t remote_address, uint16_t remote_port,
) noexcept nogil:
    return <uint32_t>siphash(
        &table.key,
        <uint64_t>near_address << 32 | remote_address,
        <uint64_t>near_port << 32 | <uint64_t>remote_port << 16 | protocol,
    ) & table.mask

cdef inline uint32_t endpoint_bucket(
    const NatTable* table, uint8_t protocol, uint32_t address, uint16_t port
) noexcept nogil:
    return <uint32_t>siphash(&table.key, address, <uint64_t>port << 8 | protocol) & table.mask

cdef inline uint32_t internal_mapping_bucket(
    const NatTable* table, uint8_t protocol,
    uint32_t address, uint16_t port, uint32_t remote_address, uint16_t remote_port,
) noexcept nogil:
    """The bucket of a mapping's internal endpoint, and as much of the remote one as its scope reaches."""
    return tuple_bucket(table, protocol, address, port, remote_address, remote_port) / MAPPING_SHARE

cdef inline uint32_t external_mapping_bucket(
    const NatTable* table, uint8_t protocol, uint32_t address, uint16_t port
) noexcept nogil:
    """The bucket of a mapping's external endpoint."""
    return endpoint_bucket(table, protocol, address, port) / MAPPING_SHARE

cdef inline uint32_t peer_bucket(const NatTable* table, uint32_t mapping, uint32_t remote) noexcept nogil:
    return <uint32_t>siphash(
        &table.key, <uint64_t>mapping << 32 | remote, <uint64_t>1 << 56
    ) & table.mask / PEER_SHARE

cdef inline uint32_t host_bucket(const NatTable* table, uint32_t address) noexcept nogil:
    return endpoint_bucket(table, 0, address, 0) / HOST_SHARE

cdef inline uint32_t random_word(NatTable* table) noexcept nogil:
    """The next unpredictable 32 bits: half of a keyed hash of a counter, and then its other half."""
    cdef uint64_t half = table.random_half
    if half:
        table.random_half = 0
        return <uint32_t>half
    table.random_counter += 1
    half = siphash(&table.key, table.random_counter, <uint64_t>2 << 56)
    table.random_half = half >> 32
    return <uint32_t>half

cdef inline PortPool* pool_of(NatTable* table, uint16_t pool, uint8_t transport) noexcept nogil:
    return &table.pools[<size_t>pool * 3 + transport]
