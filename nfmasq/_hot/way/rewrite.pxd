# Rewrite: the near endpoint replaced, in place. No field is set without the checksums that cover it.
#
# Four ways to keep a transport checksum right:
#   a whole one is updated by the difference (RFC 1624), so a wrong one stays as wrong as it came;
#   the pseudo-header sum of a packet whose checksum the kernel left to the device is made whole, because the
#   kernel takes a packet handed back with a payload as summed, and conntrack verifies it;
#   the pseudo-header sum of a super-packet on its way out stays one, of the new addresses: nothing
#   verifies it any more, and whoever cuts it up sums each part;
#   UDP's zero, "no checksum", stays zero.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from nfmasq._hot.state.changes cimport Change
from nfmasq._hot.state.keys cimport has_key
from nfmasq._hot.state.packet cimport ICMP_ERROR, OUTBOUND, Packet
from nfmasq._hot.way.correct cimport correct_quoted, correct_segment
from nfmasq._hot.wire.checksum cimport (
    difference, lane, never_zero, pseudo_header, sum_words, update_check, update_sum, whole_check,
)
from nfmasq._hot.wire.gre cimport GreHeader
from nfmasq._hot.wire.tcpoptions cimport clamp_mss
from nfmasq._hot.wire.wire cimport (
    DCCP, GRE, ICMP, SYN, TCP, UDP, UDPLITE, IcmpHeader, IpHeader, TcpHeader, UdpHeader,
)

cdef inline uint64_t set_address(IpHeader* ip, bint source, uint32_t address) noexcept nogil:
    """Set the source, or the destination. Return the difference, for the checksums of what it carries."""
    cdef uint32_t* field = &ip.source if source else &ip.destination
    cdef uint64_t moved = difference(field[0], address)
    ip.check = update_check(ip.check, moved)
    field[0] = address
    return moved

cdef inline void set_identification(IpHeader* ip, uint16_t identification) noexcept nogil:
    ip.check = update_check(ip.check, difference(ip.identification, identification))
    ip.identification = identification

cdef inline void set_port(uint16_t* port, uint16_t* check, uint64_t moved, uint16_t new) noexcept nogil:
    """A port and the whole transport checksum over it. moved: the difference of the addresses it covers."""
    check[0] = update_check(check[0], moved + difference(port[0], new))
    port[0] = new

cdef inline uint64_t l4_sum(Packet* packet, IpHeader* ip) noexcept nogil:
    return (
        pseudo_header(ip.source, ip.destination, ip.protocol, packet.l4_length)
        + sum_words(packet.l4, packet.l4_length)
    )

cdef inline bint is_cut_up_later(const Packet* packet) noexcept nogil:
    return packet.gso and packet.direction == OUTBOUND

cdef inline void rewrite_tcp(Packet* packet, IpHeader* ip, uint64_t moved) noexcept nogil:
    cdef TcpHeader* tcp = <TcpHeader*>packet.l4
    cdef uint16_t* port = &tcp.source if packet.direction == OUTBOUND else &tcp.destination
    if packet.corrected:
        correct_segment(tcp, packet)
    if packet.most_mss:
        clamp_mss(tcp, packet.most_mss, packet.checksum_ready)
    if packet.checksum_ready:
        set_port(port, &tcp.check, moved, packet.new_port)
        return
    port[0] = packet.new_port
    if is_cut_up_later(packet):
        tcp.check = update_sum(tcp.check, moved)
    else:
        tcp.check = 0
        tcp.check = whole_check(l4_sum(packet, ip))

cdef inline void rewrite_udp(Packet* packet, IpHeader* ip, uint64_t moved) noexcept nogil:
    cdef UdpHeader* udp = <UdpHeader*>packet.l4
    cdef uint16_t* port = &udp.source if packet.direction == OUTBOUND else &udp.destination
    if not packet.checksum_ready:
        port[0] = packet.new_port
        if is_cut_up_later(packet):
            udp.check = update_sum(udp.check, moved)
        else:
            udp.check = 0
            udp.check = never_zero(whole_check(l4_sum(packet, ip)))
    elif udp.check:
        set_port(port, &udp.check, moved, packet.new_port)
        udp.check = never_zero(udp.check)
    else:
        port[0] = packet.new_port

cdef inline void rewrite_portless(UdpHeader* like_udp, const Packet* packet, uint64_t moved) noexcept nogil:
    """UDP-Lite and DCCP keep a checksum over the addresses where UDP has it (RFC 3828, 4340)."""
    if packet.protocol == UDPLITE or packet.protocol == DCCP:
        like_udp.check = update_check(like_udp.check, moved)
    if packet.protocol == UDPLITE:
        like_udp.check = never_zero(like_udp.check)

cdef inline void rewrite_key(uint8_t* l4, const Packet* packet) noexcept nogil:
    if has_key(packet):
        (<GreHeader*>l4).call_id = packet.new_port

cdef inline void rewrite_query(uint8_t* l4, uint16_t identifier) noexcept nogil:
    cdef IcmpHeader* icmp = <IcmpHeader*>l4
    set_port(&icmp.identifier, &icmp.check, 0, identifier)

cdef inline void revert_mss(TcpHeader* tcp, uint32_t length, const Change* original) noexcept nogil:
    """A quoted SYN's MSS as it came, as far as it is quoted; unless a router on the way changed it too."""
    cdef uint8_t* mss = <uint8_t*>tcp + original.mss_at
    cdef uint64_t times = lane(tcp, mss)
    cdef uint32_t quoted = min(max(length, <uint32_t>original.mss_at) - original.mss_at, <uint32_t>2)
    if length < 18 or not tcp.flags & SYN or memcmp(mss, &original.mss_sent, quoted):
        return
    memcpy(mss, &original.mss, quoted)
    tcp.check = update_check(tcp.check, difference(original.mss_sent * times, original.mss * times))

cdef inline void rewrite_quoted_ports(Packet* packet, uint64_t moved) noexcept nogil:
    """The quoted packet's own port and, as far as it is quoted, its checksum (RFC 5508 REQ-4, REQ-5)."""
    cdef TcpHeader* tcp = <TcpHeader*>packet.quoted_l4
    cdef UdpHeader* udp = <UdpHeader*>packet.quoted_l4
    # The error travels against the packet it quotes: the near endpoint is the other one of the two.
    cdef uint16_t* port = &tcp.destination if packet.direction == OUTBOUND else &tcp.source
    if packet.protocol == TCP:
        if packet.corrected:
            correct_quoted(tcp, packet.quoted_l4_length, packet)
        if packet.reverts and packet.original.mss_sent:
            revert_mss(tcp, packet.quoted_l4_length, &packet.original)
        if packet.quoted_l4_length >= 18:
            set_port(port, &tcp.check, moved, packet.new_port)
        else:
            port[0] = packet.new_port
    elif packet.protocol == UDP:
        if udp.check:
            set_port(port, &udp.check, moved, packet.new_port)
            udp.check = never_zero(udp.check)
        else:
            port[0] = packet.new_port
    elif packet.protocol == ICMP and packet.near_identifier:
        rewrite_query(packet.quoted_l4, packet.new_port)
    elif packet.protocol == UDPLITE or packet.protocol == DCCP:
        if packet.quoted_l4_length >= sizeof(UdpHeader):
            rewrite_portless(udp, packet, moved)
    elif packet.protocol == GRE:
        rewrite_key(packet.quoted_l4, packet)

cdef inline void rewrite_error(Packet* packet) noexcept nogil:
    """The quoted packet back to what its sender sent; the ICMP checksum over it all is made anew."""
    cdef IcmpHeader* icmp = <IcmpHeader*>packet.l4
    # The quoted packet went the other way: an error that comes in quotes what left, and its source is ours.
    cdef uint64_t moved = set_address(packet.quoted, packet.direction != OUTBOUND, packet.new_address)
    rewrite_quoted_ports(packet, moved)
    if packet.reverts:
        set_identification(packet.quoted, packet.original.identification)
    icmp.check = 0
    icmp.check = whole_check(sum_words(packet.l4, packet.l4_length))

cdef inline void rewrite(Packet* packet) noexcept nogil:
    """Put the session's other endpoint in the near one's place, in the headers and in what they quote.

    A hairpinned packet comes twice: first it is rewritten as what comes in, then as what leaves.
    """
    cdef IpHeader* ip = <IpHeader*>packet.data
    cdef uint64_t moved = set_address(ip, packet.direction == OUTBOUND, packet.new_address)
    if packet.renumbered:
        set_identification(ip, packet.identification)
    if packet.kind == ICMP_ERROR:
        rewrite_error(packet)
    elif ip.protocol == TCP:
        rewrite_tcp(packet, ip, moved)
    elif ip.protocol == UDP:
        rewrite_udp(packet, ip, moved)
    elif ip.protocol == ICMP:
        if packet.near_identifier:
            rewrite_query(packet.l4, packet.new_port)
    elif ip.protocol == GRE:
        rewrite_key(packet.l4, packet)
    else:
        rewrite_portless(<UdpHeader*>packet.l4, packet, moved)
