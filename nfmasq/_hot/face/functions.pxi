# Functions without a table: see _fastpath.pyi. A part of _fastpath.pyx.

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memset

from nfmasq._hot.calls.finish cimport finish_packet
from nfmasq._hot.state cimport capacity
from nfmasq._hot.state.packet cimport Packet
from nfmasq._hot.state.table cimport Host, Mapping, Session
from nfmasq._hot.wire.checksum cimport fold, sum_words
from nfmasq._hot.wire.wire cimport htons, ntohs


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


def limits() -> dict:
    return {
        "MOST_SESSIONS": capacity.MOST_SESSIONS,
        "MOST_UPLINKS": capacity.MOST_UPLINKS,
        "MOST_EXTERNAL_ADDRESSES": capacity.MOST_EXTERNAL_ADDRESSES,
        "MOST_SOURCES": capacity.MOST_SOURCES,
        "MOST_REALMS": capacity.MOST_REALMS,
        "MOST_INTERNAL_NETWORKS": capacity.MOST_INTERNAL_NETWORKS,
        "MOST_BEHAVIOURS": capacity.MOST_BEHAVIOURS,
        "MOST_FORWARDS": capacity.MOST_FORWARDS,
        "MOST_FORWARD_TARGETS": capacity.MOST_FORWARD_TARGETS,
        "MOST_OWN": capacity.MOST_OWN,
        "MOST_HELPERS": capacity.MOST_HELPERS,
        "MOST_HELPER_PORTS": capacity.MOST_HELPER_PORTS,
        "MOST_HELPER_NETWORKS": capacity.MOST_HELPER_NETWORKS,
        "MOST_WORKER_QUEUES": capacity.MOST_WORKER_QUEUES,
        "MOST_SET_ASIDE": capacity.MOST_SET_ASIDE,
    }
