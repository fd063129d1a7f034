# Finish: a packet that was edited gets its lengths and its checksums, all made anew.

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from nfmasq._hot.state.packet cimport Packet
from nfmasq._hot.wire.checksum cimport never_zero, pseudo_header, sum_words, whole_check
from nfmasq._hot.wire.wire cimport TCP, UDP, IpHeader, TcpHeader, UdpHeader, header_length, htons

cdef inline uint16_t l4_check(const IpHeader* ip, const uint8_t* l4, uint32_t length) noexcept nogil:
    return whole_check(
        pseudo_header(ip.source, ip.destination, ip.protocol, length) + sum_words(l4, length)
    )

cdef inline bint finish_packet(Packet* packet) noexcept nogil:
    """False: it is too short, too long, or of another protocol."""
    cdef IpHeader* ip = <IpHeader*>packet.data
    cdef TcpHeader* tcp
    cdef UdpHeader* udp
    cdef uint32_t header, length
    if packet.length < sizeof(IpHeader) or packet.length > 0xFFFF:
        return False
    header = header_length(ip)
    if header < sizeof(IpHeader) or header + sizeof(UdpHeader) > packet.length:
        return False
    length = packet.length - header
    ip.total_length = htons(<uint16_t>packet.length)
    ip.check = 0
    ip.check = whole_check(sum_words(packet.data, header))
    if ip.protocol == TCP and length >= sizeof(TcpHeader):
        tcp = <TcpHeader*>(packet.data + header)
        tcp.check = 0
        tcp.check = l4_check(ip, <uint8_t*>tcp, length)
        return True
    if ip.protocol == UDP:
        udp = <UdpHeader*>(packet.data + header)
        udp.length = htons(<uint16_t>length)
        udp.check = 0
        udp.check = never_zero(l4_check(ip, <uint8_t*>udp, length))
        return True
    return False
