# Introduce: tell connection tracking of a session that begins behind the rules of others.
#
# Where rules of others lead packets inside (DNAT), the default host gets what they leave. Only behind them is
# that known, and by then connection tracking has taken down the packet as it came: for an external address.
# The answer comes from an internal address, and a firewall would drop it as invalid. So the kernel is given
# the entry it would have made of the translated packet, before the packet's verdict. The first entry is never
# answered and ends by its timer.
#
# The entry of a TCP connection has seen no segment: it takes every window (liberal). That of an SCTP
# association has the tag of its INIT: an answer without that tag is invalid (RFC 9260 section 8.5). Any other
# first packet of SCTP gets no entry, for the kernel would make none either.

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from nfmasq._hot.state.packet cimport CLASS_ICMP, CLASS_OTHER, CLASS_TCP, Packet
from nfmasq._hot.way.ask cimport tuple_of
from nfmasq._hot.wire.conntrack cimport (
    QUESTION, Tuple, begin_message, begin_nest, end_nest, is_granted, put_attribute, put_tuple,
)
from nfmasq._hot.wire.icmp cimport reply_to
from nfmasq._hot.wire.netlink cimport (
    CTA_PROTOINFO, CTA_PROTOINFO_SCTP, CTA_PROTOINFO_SCTP_STATE, CTA_PROTOINFO_SCTP_VTAG_ORIGINAL,
    CTA_PROTOINFO_SCTP_VTAG_REPLY, CTA_PROTOINFO_TCP, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL,
    CTA_PROTOINFO_TCP_FLAGS_REPLY, CTA_PROTOINFO_TCP_STATE, CTA_TIMEOUT, CTA_TUPLE_ORIG, CTA_TUPLE_REPLY,
    IPCTNL_MSG_CT_NEW, NLM_F_ACK, NLM_F_CREATE, nlattr, nlmsghdr,
)
from nfmasq._hot.wire.wire cimport SCTP, IpHeader, UdpHeader, htonl

cdef enum:
    FIRST_S = 30                 # as the kernel's shortest timer: each packet sets it anew
    SYN_SENT = 1                 # TCP_CONNTRACK_SYN_SENT
    LIBERAL = 0x08               # IP_CT_TCP_FLAG_BE_LIBERAL
    COOKIE_WAIT = 2              # SCTP_CONNTRACK_COOKIE_WAIT
    INIT = 1                     # the type of an SCTP chunk (RFC 9260 section 3.3.2)
    CHUNK_AT = 12                # where the first one begins, behind SCTP's header
    TAG_AT = 16                  # its initiate tag, if it is an INIT
    TAG_END = 20

cdef inline Tuple answer_to(const Tuple* tuple) noexcept nogil:
    """The other direction."""
    cdef Tuple answer = tuple[0]
    answer.source, answer.destination = tuple.destination, tuple.source
    answer.source_port, answer.destination_port = tuple.destination_port, tuple.source_port
    answer.type = reply_to(tuple.type)
    return answer

cdef inline void put_opening(nlmsghdr* message) noexcept nogil:
    """A TCP connection whose SYN has been seen."""
    cdef uint8_t state = SYN_SENT
    cdef uint8_t[2] flags = [LIBERAL, LIBERAL]           # which, and of which mask
    cdef nlattr* whole = begin_nest(message, CTA_PROTOINFO)
    cdef nlattr* part = begin_nest(message, CTA_PROTOINFO_TCP)
    put_attribute(message, CTA_PROTOINFO_TCP_STATE, &state, 1)
    put_attribute(message, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, flags, 2)
    put_attribute(message, CTA_PROTOINFO_TCP_FLAGS_REPLY, flags, 2)
    end_nest(message, part)
    end_nest(message, whole)

cdef inline bint is_init(const Packet* packet) noexcept nogil:
    """Does an SCTP packet ask for an association?"""
    return packet.l4_length >= TAG_END and packet.l4[CHUNK_AT] == INIT

cdef inline void put_asking(nlmsghdr* message, const uint8_t* tag) noexcept nogil:
    """An SCTP association whose INIT has been seen. tag: of four bytes; the other end's is not known yet."""
    cdef uint8_t state = COOKIE_WAIT
    cdef uint32_t unknown = 0
    cdef nlattr* whole = begin_nest(message, CTA_PROTOINFO)
    cdef nlattr* part = begin_nest(message, CTA_PROTOINFO_SCTP)
    put_attribute(message, CTA_PROTOINFO_SCTP_STATE, &state, 1)
    put_attribute(message, CTA_PROTOINFO_SCTP_VTAG_ORIGINAL, &unknown, 4)
    put_attribute(message, CTA_PROTOINFO_SCTP_VTAG_REPLY, tag, 4)
    end_nest(message, part)
    end_nest(message, whole)

cdef inline void introduce(const Packet* packet, int fd) noexcept nogil:
    """Make the entry of a packet for an external address that is translated, and not rewritten yet.

    Nothing is lost where the kernel does not take the entry: a firewall may drop the first answer.
    """
    cdef uint32_t[QUESTION] question
    cdef nlmsghdr* message = <nlmsghdr*>question
    cdef const IpHeader* ip = <const IpHeader*>packet.data
    cdef const UdpHeader* ports = <const UdpHeader*>packet.l4
    cdef uint32_t timeout = htonl(FIRST_S)
    cdef Tuple tuple
    cdef Tuple answer
    if fd < 0 or packet.protocol == SCTP and not is_init(packet):
        return
    tuple_of(packet, &tuple)
    tuple.source = ip.source                 # of a hairpinned packet the core's remote endpoint is another
    tuple.destination = packet.new_address
    if packet.transport != CLASS_ICMP and packet.transport != CLASS_OTHER:
        tuple.source_port = ports.source
        tuple.destination_port = packet.new_port
    answer = answer_to(&tuple)
    begin_message(message, IPCTNL_MSG_CT_NEW, NLM_F_CREATE | NLM_F_ACK, packet.id)
    put_tuple(message, CTA_TUPLE_ORIG, &tuple)
    put_tuple(message, CTA_TUPLE_REPLY, &answer)
    put_attribute(message, CTA_TIMEOUT, &timeout, 4)
    if packet.transport == CLASS_TCP:
        put_opening(message)
    elif packet.protocol == SCTP:
        put_asking(message, packet.l4 + TAG_AT)
    is_granted(fd, message)
