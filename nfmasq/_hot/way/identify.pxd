# Identify: an IP identification of the router's own for datagrams that may be cut up.
#
# Behind one address the identifications of many hosts would meet, and fragments of two datagrams be joined
# into one (RFC 6864 section 5.3.1, RFC 7857 section 10). One with DF is never cut up and keeps its own.
# Numbers count on for each group of remote addresses, from a random start; the groups are keyed, so that
# no host can infer another's numbers from its own (RFC 7739).

from libc.stdint cimport uint16_t

from nfmasq._hot.state.packet cimport Packet
from nfmasq._hot.state.table cimport IDENTIFICATIONS, NatTable, endpoint_bucket
from nfmasq._hot.wire.wire cimport DONT_FRAGMENT, IpHeader, htons, ntohs

cdef enum:
    IDENTITY = 0xFFFF        # no port: these groups are not those of endpoints
    LEAST_PART = 512         # bytes: a super-packet's parts each take a number, and are no shorter as a rule

cdef inline uint16_t numbers_taken(const Packet* packet) noexcept nogil:
    """How many identifications the packet has, or its parts have."""
    return <uint16_t>(1 + packet.length // LEAST_PART if packet.gso else 1)

cdef inline void identify(NatTable* table, Packet* packet) noexcept nogil:
    """Choose the identification of a packet that leaves, if it needs one."""
    cdef IpHeader* ip = <IpHeader*>packet.data
    cdef uint16_t* last
    if ntohs(ip.fragment) & DONT_FRAGMENT:
        return
    last = &table.identifications[
        endpoint_bucket(table, ip.protocol, ip.destination, IDENTITY) & (IDENTIFICATIONS - 1)
    ]
    packet.identification = htons(<uint16_t>(last[0] + 1))
    packet.renumbered = True
    last[0] += numbers_taken(packet)
