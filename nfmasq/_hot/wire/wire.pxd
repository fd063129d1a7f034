# IPv4, TCP, UDP and ICMP headers as they lie on the wire (RFC 791, 9293, 768, 792).
#
# Every field is in network byte order; addresses and ports stay so throughout the hot path and are only
# swapped where arithmetic is done on them. Pointers to these structs are made in parse alone, which has
# checked the lengths.

from libc.stdint cimport uint8_t, uint16_t, uint32_t

cdef extern from "<arpa/inet.h>" nogil:
    uint16_t ntohs(uint16_t value)
    uint16_t htons(uint16_t value)
    uint32_t ntohl(uint32_t value)
    uint32_t htonl(uint32_t value)

cdef enum:
    ICMP = 1
    TCP = 6
    UDP = 17
    GRE = 47
    DCCP = 33
    AH = 51
    SCTP = 132
    UDPLITE = 136

cdef enum:
    FIN = 0x01
    SYN = 0x02
    RST = 0x04
    PSH = 0x08
    ACK = 0x10
    URG = 0x20

cdef enum:
    MORE_FRAGMENTS_OR_OFFSET = 0x3FFF
    FRAGMENT_OFFSET = 0x1FFF
    DONT_FRAGMENT = 0x4000

cdef enum:
    OPTION_END = 0
    OPTION_NOP = 1
    OPTION_RECORD_ROUTE = 7
    OPTION_TIMESTAMP = 68
    OPTION_LOOSE_SOURCE_ROUTE = 131
    OPTION_STRICT_SOURCE_ROUTE = 137

cdef struct IpHeader:
    uint8_t version_and_length
    uint8_t tos
    uint16_t total_length
    uint16_t identification
    uint16_t fragment
    uint8_t ttl
    uint8_t protocol
    uint16_t check
    uint32_t source
    uint32_t destination

cdef inline uint32_t header_length(const IpHeader* ip) noexcept nogil:
    """Bytes of the IP header, options included, as it says; parse has checked it."""
    return <uint32_t>(ip.version_and_length & 15) * 4

cdef struct TcpHeader:
    uint16_t source
    uint16_t destination
    uint32_t sequence
    uint32_t acknowledgment
    uint8_t data_offset
    uint8_t flags
    uint16_t window
    uint16_t check
    uint16_t urgent

cdef inline uint32_t tcp_header_length(const TcpHeader* tcp) noexcept nogil:
    """Bytes of the TCP header, options included, as it says; parse has checked it."""
    return <uint32_t>(tcp.data_offset >> 4) * 4

cdef struct UdpHeader:
    uint16_t source
    uint16_t destination
    uint16_t length
    uint16_t check

cdef struct IcmpHeader:
    uint8_t type
    uint8_t code
    uint16_t check
    uint16_t identifier
    uint16_t sequence
