# Parse: from bytes to the endpoints a session is looked up by.
#
# The one place where lengths are checked. After it, every field a later stage reads or writes lies inside the
# packet: the IP header with its options, the whole TCP header, eight bytes of any other transport that has
# ports, and in ICMP errors the same of the quoted packet.

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from nfmasq._hot.base.likelihood cimport seldom
from nfmasq._hot.state.keys cimport INWARD, OUTWARD
from nfmasq._hot.state.packet cimport (
    CLASS_ICMP, CLASS_OTHER, CLASS_TCP, CLASS_UDP, DATA, HAIRPIN, ICMP_ERROR, ICMP_QUERY, ICMP_REPLY,
    INBOUND, OUTBOUND, Packet, drop, segment_first,
)
from nfmasq._hot.state.reasons cimport (
    FRAGMENT, ICMP_CHECKSUM_WRONG, ICMP_QUOTE_INVALID, ICMP_QUOTE_TRUNCATED, ICMP_TYPE_UNSUPPORTED,
    IP_HEADER_INVALID, NOT_IPV4, PORT_ZERO, PROTOCOL_UNTRANSLATABLE, TCP_FLAGS_INVALID,
    TCP_HEADER_INVALID, TRUNCATED, UDP_LENGTH_INVALID,
)
from nfmasq._hot.state.rules cimport Rules, uplink_at
from nfmasq._hot.state.tcpstate cimport flags_make_sense
from nfmasq._hot.state.uplinks cimport NO_UPLINK
from nfmasq._hot.way.options cimport check_options
from nfmasq._hot.wire.checksum cimport fold, sum_words
from nfmasq._hot.wire.gre cimport GreHeader, is_of_call
from nfmasq._hot.wire.icmp cimport REDIRECT, is_error, is_reply, is_request
from nfmasq._hot.wire.wire cimport (
    AH, DCCP, FRAGMENT_OFFSET, GRE, ICMP, MORE_FRAGMENTS_OR_OFFSET, SCTP, TCP, UDP, UDPLITE,
    IcmpHeader, IpHeader, TcpHeader, UdpHeader, header_length, ntohs, tcp_header_length,
)

cdef inline void set_endpoints(
    Packet* packet, uint32_t source, uint16_t source_port, uint32_t destination, uint16_t destination_port
) noexcept nogil:
    """The near end is the source of a packet from inside, the destination of one from outside."""
    if packet.direction == INBOUND:
        packet.near_address, packet.near_port = destination, destination_port
        packet.remote_address, packet.remote_port = source, source_port
    else:
        packet.near_address, packet.near_port = source, source_port
        packet.remote_address, packet.remote_port = destination, destination_port

cdef inline bint parse_tcp(Packet* packet, IpHeader* ip) noexcept nogil:
    cdef TcpHeader* tcp = <TcpHeader*>packet.l4
    cdef uint32_t length
    packet.transport = CLASS_TCP
    if packet.l4_length < sizeof(TcpHeader):
        return drop(packet, TRUNCATED)
    length = tcp_header_length(tcp)
    if length < sizeof(TcpHeader) or length > packet.l4_length:
        return drop(packet, TCP_HEADER_INVALID)
    if not flags_make_sense(tcp.flags):
        return drop(packet, TCP_FLAGS_INVALID)
    if tcp.source == 0 or tcp.destination == 0:
        return drop(packet, PORT_ZERO)
    packet.tcp_flags = tcp.flags
    set_endpoints(packet, ip.source, tcp.source, ip.destination, tcp.destination)
    return True

cdef inline bint parse_udp(Packet* packet, IpHeader* ip) noexcept nogil:
    cdef UdpHeader* udp = <UdpHeader*>packet.l4
    packet.transport = CLASS_UDP
    if packet.l4_length < sizeof(UdpHeader):
        return drop(packet, TRUNCATED)
    if ntohs(udp.length) < sizeof(UdpHeader) or ntohs(udp.length) > packet.l4_length:
        return drop(packet, UDP_LENGTH_INVALID)
    if udp.source == 0 or udp.destination == 0:
        return drop(packet, PORT_ZERO)
    # Once conntrack has verified a UDP super-packet that carries a payload verdict, the kernel can no longer
    # cut it up: it must come in parts. On its way out nothing verifies it.
    if packet.gso and packet.direction != OUTBOUND and not packet.second_look:
        return segment_first(packet)
    set_endpoints(packet, ip.source, udp.source, ip.destination, udp.destination)
    return True

cdef inline void parse_key(
    const uint8_t* l4, uint32_t length, bint inward, uint16_t* source, uint16_t* destination
) noexcept nogil:
    """GRE: the key of a packet of a call, as the near end's port, and its way, as the remote one's.

    Of any other GRE both stay. A key counts only if a helper has announced it (keyed).
    """
    cdef const GreHeader* gre = <const GreHeader*>l4
    if length < sizeof(GreHeader) or not is_of_call(gre):
        return
    if inward:
        source[0], destination[0] = INWARD, gre.call_id
    else:
        source[0], destination[0] = gre.call_id, OUTWARD

cdef inline bint parse_portless(Packet* packet, IpHeader* ip) noexcept nogil:
    """Any other protocol, known by its addresses alone.

    Three have ports, which conntrack is asked by. Two of them have a checksum over the addresses.
    """
    packet.transport = CLASS_OTHER
    if packet.protocol == AH and packet.direction != INBOUND:
        return drop(packet, PROTOCOL_UNTRANSLATABLE)
    if (
        packet.protocol == UDPLITE or packet.protocol == DCCP or packet.protocol == SCTP
    ) and packet.l4_length < sizeof(UdpHeader):
        return drop(packet, TRUNCATED)
    set_endpoints(packet, ip.source, 0, ip.destination, 0)
    return True

cdef inline bint parse_gre(Packet* packet, IpHeader* ip) noexcept nogil:
    """Known by its key, or by its addresses alone."""
    cdef uint16_t source = 0
    cdef uint16_t destination = 0
    packet.transport = CLASS_OTHER
    parse_key(packet.l4, packet.l4_length, packet.direction == INBOUND, &source, &destination)
    set_endpoints(packet, ip.source, source, ip.destination, destination)
    return True

cdef inline bint parse_quoted_ports(Packet* packet, uint16_t* source, uint16_t* destination) noexcept nogil:
    """The ports of the quoted packet; of a query, its identifier as the asking end's port; else 0."""
    cdef UdpHeader* ports = <UdpHeader*>packet.quoted_l4
    cdef IcmpHeader* query = <IcmpHeader*>packet.quoted_l4
    source[0] = destination[0] = 0
    if packet.protocol == TCP or packet.protocol == UDP or packet.protocol == ICMP:
        if packet.quoted_l4_length < 8:
            return drop(packet, ICMP_QUOTE_TRUNCATED)
    if packet.protocol == TCP or packet.protocol == UDP:
        packet.transport = CLASS_TCP if packet.protocol == TCP else CLASS_UDP
        source[0] = ports.source
        destination[0] = ports.destination
    elif packet.protocol == ICMP:
        packet.transport = CLASS_ICMP
        if is_request(query.type):
            source[0] = query.identifier
            packet.near_identifier = packet.direction == INBOUND     # the quoted packet had gone out
        elif is_reply(query.type):
            destination[0] = query.identifier
            packet.near_identifier = packet.direction != INBOUND
        else:
            return drop(packet, ICMP_QUOTE_INVALID)
    else:
        packet.transport = CLASS_OTHER
        if seldom(packet.protocol == GRE):
            parse_key(             # the quoted packet went the other way
                packet.quoted_l4, packet.quoted_l4_length, packet.direction != INBOUND, source, destination
            )
    return True

cdef inline bint parse_quote(Packet* packet, IpHeader* ip) noexcept nogil:
    """The packet inside an ICMP error (RFC 5508 REQ-3): its endpoints, swapped, name the error's session.

    Whatever follows the quoted headers, RFC 4884 extensions included, is left alone.
    """
    cdef IpHeader* quoted = <IpHeader*>(packet.l4 + sizeof(IcmpHeader))
    cdef uint32_t room = packet.l4_length - sizeof(IcmpHeader)
    cdef uint16_t source, destination
    if packet.checksum_ready and fold(sum_words(packet.l4, packet.l4_length)) != 0xFFFF:
        return drop(packet, ICMP_CHECKSUM_WRONG)
    if room < sizeof(IpHeader) or header_length(quoted) > room:
        return drop(packet, ICMP_QUOTE_TRUNCATED)
    if quoted.version_and_length >> 4 != 4 or header_length(quoted) < sizeof(IpHeader):
        return drop(packet, ICMP_QUOTE_INVALID)
    if fold(sum_words(<uint8_t*>quoted, header_length(quoted))) != 0xFFFF:
        return drop(packet, ICMP_QUOTE_INVALID)
    if ntohs(quoted.fragment) & FRAGMENT_OFFSET:
        return drop(packet, ICMP_QUOTE_TRUNCATED)
    packet.has_options |= header_length(quoted) > sizeof(IpHeader)
    packet.quoted = quoted
    packet.quoted_l4 = <uint8_t*>quoted + header_length(quoted)
    packet.quoted_l4_length = room - header_length(quoted)
    packet.protocol = quoted.protocol
    if not parse_quoted_ports(packet, &source, &destination):
        return False
    # The quoted packet went the other way: its source is this error's destination.
    if ip.destination != quoted.source:
        return drop(packet, ICMP_QUOTE_INVALID)
    set_endpoints(packet, quoted.destination, destination, quoted.source, source)
    return True

cdef inline bint parse_icmp(Packet* packet, IpHeader* ip) noexcept nogil:
    cdef IcmpHeader* icmp = <IcmpHeader*>packet.l4
    packet.transport = CLASS_ICMP
    if packet.l4_length < sizeof(IcmpHeader):
        return drop(packet, TRUNCATED)
    if is_error(icmp.type):
        packet.kind = ICMP_ERROR
        return parse_quote(packet, ip)
    if is_request(icmp.type):
        packet.kind = ICMP_QUERY
    elif is_reply(icmp.type):
        packet.kind = ICMP_REPLY
    elif packet.direction != INBOUND or icmp.type == REDIRECT:
        return drop(packet, ICMP_TYPE_UNSUPPORTED)
    # A query's identifier is the asking end's port; the other end has none. A message from outside that is
    # neither query nor reply is for the router itself: no host has the identifier 0.
    if packet.kind == ICMP_QUERY:
        packet.near_identifier = packet.direction != INBOUND
        set_endpoints(packet, ip.source, icmp.identifier, ip.destination, 0)
    elif packet.kind == ICMP_REPLY:
        packet.near_identifier = packet.direction == INBOUND
        set_endpoints(packet, ip.source, 0, ip.destination, icmp.identifier)
    else:
        set_endpoints(packet, ip.source, 0, ip.destination, 0)
    return True

cdef inline void orient(const Rules* rules, Packet* packet) noexcept nogil:
    """Tell what comes from inside to an external address from what comes in from outside."""
    if (
        packet.direction == INBOUND and rules.hairpin_mark
        and packet.in_device != rules.uplinks[0].index and uplink_at(rules, packet.in_device) == NO_UPLINK
    ):
        packet.direction = HAIRPIN

cdef inline bint parse(Packet* packet) noexcept nogil:
    """Check the packet's shape and find its endpoints. False: its way has ended."""
    cdef IpHeader* ip = <IpHeader*>packet.data
    cdef uint32_t header, total
    packet.transport = CLASS_OTHER
    packet.kind = DATA
    if packet.length < sizeof(IpHeader):
        return drop(packet, TRUNCATED)
    if ip.version_and_length >> 4 != 4:
        return drop(packet, NOT_IPV4)
    header = header_length(ip)
    total = ntohs(ip.total_length)
    if header < sizeof(IpHeader) or total < header:
        return drop(packet, IP_HEADER_INVALID)
    if total > packet.length:
        return drop(packet, TRUNCATED)
    if header > sizeof(IpHeader) and not check_options(packet, header):
        return False
    if ntohs(ip.fragment) & MORE_FRAGMENTS_OR_OFFSET:
        return drop(packet, FRAGMENT)
    packet.has_options = header > sizeof(IpHeader)
    packet.protocol = ip.protocol
    packet.l4 = packet.data + header
    packet.l4_length = total - header
    if ip.protocol == TCP:
        return parse_tcp(packet, ip)
    if ip.protocol == UDP:
        return parse_udp(packet, ip)
    if ip.protocol == ICMP:
        return parse_icmp(packet, ip)
    if seldom(ip.protocol == GRE):
        return parse_gre(packet, ip)
    return parse_portless(packet, ip)
