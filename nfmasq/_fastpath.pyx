"""The compiled core. The way of a packet is `serve` and `translate`, below; the stages are in `_hot/`.

Worker threads live in `serve` and never hold the GIL there. They share one NatTable under one lock, taken
once a batch. What Python sees of the table and of a queue is in the files included at the end.
"""

import mmap
import os
from contextlib import suppress

from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.errno cimport EAGAIN, EINTR, ENOBUFS, errno
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset
from netfilterqueue._impl cimport NetfilterQueue
from posix.unistd cimport close

from nfmasq.core.arena import TOP_OFFSET, Arena
from nfmasq.core.queue_socket import COPY_RANGE, QUEUE_LENGTH, RECEIVE_BUFFER, bind, prepare
from nfmasq.core.rows import Expected, ExpectationRefused, MappingRow, QueueCounters, TableLock

from nfmasq._hot.way.account cimport account
from nfmasq._hot.calls.announce cimport announce, keep, let_go, named, note_correction, withdraw
from nfmasq._hot.way.admit cimport admit
from nfmasq._hot.state.aside cimport Aside, close_aside, hand_over, take_aside
from nfmasq._hot.wire.checksum cimport fold, sum_words
from nfmasq._hot.base.clock cimport clock_seconds, processor_nanoseconds
from nfmasq._hot.state.critical cimport enter, leave
from nfmasq._hot.calls.dump cimport Filter, copy_sessions, flush_some, next_mapping
from nfmasq._hot.calls.finish cimport finish_packet
from nfmasq._hot.calls.govern cimport govern
from nfmasq._hot.way.hairpin cimport MOST_SESSIONS, finish_hairpin, is_second_pass, turn_back
from nfmasq._hot.base.locks cimport (
    await_post, make_lock, pthread_mutex_destroy, pthread_mutex_lock, pthread_mutex_unlock, sem_init,
)
from nfmasq._hot.way.lookup cimport lookup
from nfmasq._hot.state.packet cimport (
    ASIDE, CLASS_TCP, CLASS_UDP, CONTINUE, DROP, HAIRPIN, INBOUND, OUTBOUND, PASS, SEGMENT, TRANSLATE, Packet,
)
from nfmasq._hot.way.parse cimport orient, parse
from nfmasq._hot.state.ports cimport PortPool
from nfmasq._hot.way.prefetch cimport prefetch
from nfmasq._hot.way.receive cimport BATCH, MOST_EACH, SLOT, Batch, QueueStats, lay_out, receive
from nfmasq._hot.way.refuse cimport next_refusal, refuse
from nfmasq._hot.calls.restore cimport restore
from nfmasq._hot.way.rewrite cimport rewrite
from nfmasq._hot.state.rules cimport MOST_EXTERNAL, Rules
from nfmasq._hot.way.screen cimport screen_error
from nfmasq._hot.state.sessions cimport name_session, turn_wheel
from nfmasq._hot.state.table cimport (
    HOST_SHARE, PEER_SHARE, WHEEL, Host, LockTimes, Mapping, NatTable, Session,
)
from nfmasq._hot.way.set_aside cimport set_aside
from nfmasq._hot.way.track cimport track
from nfmasq._hot.state.traffic cimport bytes_of, packets_of
from nfmasq._hot.way.verdict cimport accept_batch, send_one, send_verdicts
from nfmasq._hot.wire.wire cimport SYN, htonl, htons, ntohl, ntohs

cdef extern from "<sys/eventfd.h>" nogil:
    int eventfd_write(int fd, uint64_t value)

cdef enum:
    WHEEL_STEP = 256         # sessions a worker looks at on the wheel per batch
    WHEEL_STEP_IDLE = 16384  # and when there was no packet

# The way of a packet ------------------------------------------------------------------------------------

cdef inline bint decide(NatTable* table, Packet* packet, uint32_t now) noexcept nogil:
    """What becomes of one packet. True: it is refused, and its sender to be told at once."""
    if packet.verdict == CONTINUE:
        if packet.direction == HAIRPIN:
            turn_back(table, packet, now)
        elif is_second_pass(&table.rules, packet):
            finish_hairpin(table, packet)
        elif screen_error(&table.rules, packet) and (lookup(table, packet) or admit(table, packet, now)):
            if track(table, packet, now) and table.sessions[packet.session].helper:
                set_aside(table, packet)
    account(table, packet)
    return packet.verdict == DROP and refuse(table, packet, now)

cdef void translate(NatTable* table, Packet* packets, int count, uint32_t now) noexcept nogil:
    """Take a batch of packets from their bytes to their verdicts."""
    cdef bint refused = False
    cdef int i
    for i in range(count):
        if packets[i].verdict == CONTINUE:
            orient(&packets[i], table.rules.external_interface)
            parse(&packets[i])
    prefetch(table, packets, count)

    enter(table)
    for i in range(count):
        refused |= decide(table, &packets[i], now)
    turn_wheel(table, now, WHEEL_STEP if count else WHEEL_STEP_IDLE)
    leave(table)

    for i in range(count):
        if packets[i].verdict == TRANSLATE or packets[i].verdict == ASIDE:
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
    """Answer batches of packets until told to stop; 0, or the errno the socket failed with."""
    while not stopping[0]:
        batch.stats.beats += 1
        if receive(batch) < 0:
            if errno == ENOBUFS:
                batch.stats.overruns += 1
            elif errno != EAGAIN and errno != EINTR:
                return errno
        if mode == MODE_TRANSLATE:
            translate(table, batch.packets, batch.count, clock_seconds())
            send_verdicts(batch)
        elif mode == MODE_REWRITE:
            echo(batch.packets, batch.count)
            send_verdicts(batch)
        elif batch.count:
            accept_batch(batch)
    return 0


# What Python sees of it ------------------------------------------------------------------------------------

include "_hot/face/edge.pxi"
include "_hot/face/table.pxi"
include "_hot/face/queue.pxi"


def finish(packet) -> None:
    cdef uint8_t[::1] view = packet
    cdef Packet state
    memset(&state, 0, sizeof(Packet))
    state.data = &view[0]
    state.length = <uint32_t>len(packet)
    if not finish_packet(&state):
        raise ValueError("no TCP segment and no UDP datagram that could be finished")


def checksum(data, initial=0) -> int:
    cdef const uint8_t[::1] view = data if len(data) else b"\0"
    return ntohs(fold(sum_words(&view[0], <uint32_t>len(data)) + htons(initial)))


def layout() -> tuple:
    return (("session", sizeof(Session)), ("mapping", sizeof(Mapping)), ("host", sizeof(Host)))
