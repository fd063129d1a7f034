# Ask: does connection tracking know a packet that would begin a session with the default host?
#
# Or one of a connection whose session is lost, and that would go on by a forward. The default host gets what
# nobody claims. A flow of the router itself, of a container that another rule masquerades or of a tunnel is
# claimed by its conntrack entry, which the kernel looks up after this queue. So the kernel is asked for the
# entry, by one ctnetlink GET a packet, outside the table's lock.
#
# Where rules of others lead packets inside, the question comes later (introduce): they lead what is new, too.

from nfmasq._hot.state.packet cimport CLASS_ICMP, CLASS_OTHER, CONTINUE, PASS, Packet
from nfmasq._hot.wire.conntrack cimport QUESTION, Tuple, begin_message, is_granted, put_tuple
from nfmasq._hot.wire.netlink cimport CTA_TUPLE_ORIG, IPCTNL_MSG_CT_GET, nlmsghdr
from nfmasq._hot.wire.wire cimport DCCP, SCTP, UDPLITE, IcmpHeader, UdpHeader

from libc.stdint cimport uint32_t
from libc.string cimport memset

cdef inline void tuple_of(const Packet* packet, Tuple* tuple) noexcept nogil:
    """What a packet from outside is known by. Some protocols have ports that sessions do not tell apart."""
    cdef const IcmpHeader* icmp = <const IcmpHeader*>packet.l4
    cdef const UdpHeader* ports = <const UdpHeader*>packet.l4
    memset(tuple, 0, sizeof(Tuple))
    tuple.protocol = packet.protocol
    tuple.source, tuple.destination = packet.remote_address, packet.near_address
    if packet.transport == CLASS_ICMP:
        tuple.identifier, tuple.type, tuple.code = icmp.identifier, icmp.type, icmp.code
    elif packet.transport != CLASS_OTHER:
        tuple.source_port, tuple.destination_port = packet.remote_port, packet.near_port
    elif packet.protocol == SCTP or packet.protocol == DCCP or packet.protocol == UDPLITE:
        tuple.source_port, tuple.destination_port = ports.source, ports.destination

cdef inline bint is_tracked(int fd, const Packet* packet) noexcept nogil:
    """Has conntrack an entry with this packet's endpoints, in either direction? No, if it cannot be asked."""
    cdef uint32_t[QUESTION] question
    cdef nlmsghdr* message = <nlmsghdr*>question
    cdef Tuple tuple
    if fd < 0:
        return False
    tuple_of(packet, &tuple)
    begin_message(message, IPCTNL_MSG_CT_GET, 0, packet.id)
    put_tuple(message, CTA_TUPLE_ORIG, &tuple)
    return is_granted(fd, message)

cdef inline void ask(Packet* packet, int fd) noexcept nogil:
    """Let what conntrack knows go by; what it does not know is decided again."""
    packet.asked = True
    packet.verdict = PASS if is_tracked(fd, packet) else CONTINUE
