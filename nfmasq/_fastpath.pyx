"""The compiled core. The way of a packet is `serve` and `translate`, below; the stages are in `_hot/`.

Worker threads live in `serve` and never hold the GIL there. They share one NatTable under one lock, taken
once a batch. What Python sees of the table and of a queue is in the files included at the end.
"""

from libc.errno cimport EAGAIN, EINTR, ENOBUFS, errno
from libc.stdint cimport uint32_t, uint64_t

from nfmasq._hot.base.clock cimport clock_seconds
from nfmasq._hot.base.likelihood cimport seldom
from nfmasq._hot.calls.steps cimport let_workers_in
from nfmasq._hot.state.critical cimport enter, leave
from nfmasq._hot.state.packet cimport (
    ASIDE, ASK, CONTINUE, DROP, HAIRPIN, INBOUND, PASS, SEGMENT, TRANSLATE, Packet, segment_first,
)
from nfmasq._hot.state.sessions cimport advance_wheel
from nfmasq._hot.state.table cimport NatTable
from nfmasq._hot.way.account cimport account
from nfmasq._hot.way.admit cimport admit
from nfmasq._hot.way.ask cimport ask
from nfmasq._hot.way.hairpin cimport finish_hairpin, is_second_pass, start_hairpin
from nfmasq._hot.way.introduce cimport introduce
from nfmasq._hot.way.look_again cimport look_again
from nfmasq._hot.way.lookup cimport find
from nfmasq._hot.way.parse cimport orient, parse
from nfmasq._hot.way.prefetch cimport prefetch
from nfmasq._hot.way.receive cimport Batch, receive
from nfmasq._hot.way.refuse cimport refuse
from nfmasq._hot.way.rewrite cimport rewrite
from nfmasq._hot.way.screen cimport screen_error
from nfmasq._hot.way.set_aside cimport is_read_in_parts, set_aside
from nfmasq._hot.way.track cimport track
from nfmasq._hot.way.verdict cimport accept_batch, send_verdicts

cdef extern from "<sys/eventfd.h>" nogil:
    int eventfd_write(int fd, uint64_t value)

cdef enum:
    WHEEL_STEP = 256         # sessions a worker looks at on the wheel per batch
    WHEEL_STEP_IDLE = 1024   # and at a time when there was no packet,
    WHEEL_STEPS = 16         # so many times at most

# The way of a packet ------------------------------------------------------------------------------------

cdef inline bint decide(NatTable* table, Packet* packet, uint32_t now) noexcept nogil:
    """The stages of one packet under the lock. True: it is refused, and its sender's answer is due."""
    if packet.verdict == CONTINUE:
        if seldom(packet.second_look):
            look_again(table, packet)
        elif seldom(packet.direction == HAIRPIN):
            start_hairpin(table, packet, now)
        elif seldom(is_second_pass(&table.rules, packet)):
            finish_hairpin(table, packet)
        elif screen_error(packet) and (find(table, packet, now) or admit(table, packet, now)):
            if seldom(is_read_in_parts(table, packet)):
                segment_first(packet)
            elif track(table, packet, now) and seldom(table.sessions[packet.session].helper != 0):
                set_aside(table, packet)
    account(table, packet)
    return packet.verdict == DROP and refuse(table, packet, now)

cdef bint decide_all(NatTable* table, Packet* packets, int count, uint32_t now) noexcept nogil:
    """The stages of packets that have bytes and endpoints, all under one holding of the lock; as decide."""
    cdef bint refused = False
    cdef int i
    enter(table)
    for i in range(count):
        refused |= decide(table, &packets[i], now)
    advance_wheel(table, now, WHEEL_STEP)
    leave(table)
    return refused

cdef void turn_wheel(NatTable* table, uint32_t now) noexcept nogil:
    """When no packet came: end what is due, in steps, between which other workers come in."""
    cdef int steps = 1
    enter(table)
    advance_wheel(table, now, WHEEL_STEP_IDLE)
    while steps < WHEEL_STEPS and <int>(now - table.wheel_now) > 0:
        let_workers_in(table)
        advance_wheel(table, now, WHEEL_STEP_IDLE)
        steps += 1
    leave(table)

cdef void translate(
    NatTable* table, Packet* packets, int count, uint32_t now, int conntrack
) noexcept nogil:
    """Take a batch of packets from their bytes to their verdicts."""
    cdef bint refused
    cdef int i
    for i in range(count):
        if packets[i].verdict == CONTINUE:
            orient(&table.rules, &packets[i])
            parse(&packets[i])
    prefetch(table, packets, count)

    refused = decide_all(table, packets, count, now)
    for i in range(count):
        if packets[i].verdict == ASK:
            ask(&packets[i], conntrack)
            refused |= decide_all(table, &packets[i], 1, now)
        if packets[i].verdict == TRANSLATE or packets[i].verdict == ASIDE:
            if packets[i].untaken:
                introduce(&packets[i], conntrack)
            rewrite(&packets[i])
    if refused:
        eventfd_write(table.refusal_fd, 1)

cdef void echo(Packet* packets, int count) noexcept nogil:
    """Rewrite every packet to what it is: translation without a table, the measure for one with it."""
    cdef int i
    for i in range(count):
        if packets[i].verdict == CONTINUE and parse(&packets[i]):
            packets[i].verdict = TRANSLATE
            packets[i].new_address, packets[i].new_port = packets[i].near_address, packets[i].near_port
            rewrite(&packets[i])
        elif packets[i].verdict != SEGMENT:
            packets[i].verdict = PASS

cdef enum Mode:
    MODE_TRANSLATE
    MODE_ACCEPT
    MODE_REWRITE

cdef int serve(Batch* batch, NatTable* table, Mode mode, const volatile bint* stopping) noexcept nogil:
    """Answer batches of packets until `stopping` is set; 0, or the errno the socket failed with."""
    while not stopping[0]:
        batch.stats.beats += 1
        if receive(batch) < 0:
            if errno == ENOBUFS:
                batch.stats.overruns += 1
            elif errno != EAGAIN and errno != EINTR:
                return errno
        if mode == MODE_TRANSLATE and batch.count == 0:
            turn_wheel(table, clock_seconds())
        elif mode == MODE_TRANSLATE:
            translate(table, batch.packets, batch.count, clock_seconds(), batch.conntrack)
            send_verdicts(batch)
        elif mode == MODE_REWRITE:
            echo(batch.packets, batch.count)
            send_verdicts(batch)
        elif batch.count:
            accept_batch(batch)
    return 0


# What Python sees of it ------------------------------------------------------------------------------------

__all__ = [
    "REASONS",
    "TCP_STATES",
    "Counters",
    "Expected",
    "Fill",
    "Gauges",
    "MappingRow",
    "Queue",
    "QueueCounters",
    "Refusal",
    "SessionRow",
    "SetAside",
    "Table",
    "TableLock",
    "checksum",
    "finish",
    "layout",
    "limits",
]

include "_hot/face/uplinks.pxi"
include "_hot/face/policy.pxi"
include "_hot/face/rows.pxi"
include "_hot/face/lists.pxi"
include "_hot/face/expectations.pxi"
include "_hot/face/stand.pxi"
include "_hot/face/memory.pxi"
include "_hot/face/table.pxi"
include "_hot/face/queue.pxi"
include "_hot/face/functions.pxi"
