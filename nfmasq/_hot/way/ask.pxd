# Ask: does connection tracking know a packet that would begin a session with the default host?
#
# Or one of a connection whose session is lost, and that would go on by a forward. The default host gets what
# nobody claims. A flow of the router itself, of a container that another rule masquerades or of a tunnel is
# claimed by its conntrack entry, which the kernel looks up after this queue. So the kernel is asked for the
# entry, by one ctnetlink GET a packet, outside the table's lock. The answer is there when the send returns.

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset

from nfmasq._hot.state.packet cimport CLASS_ICMP, CONTINUE, PASS, Packet
from nfmasq._hot.wire.netlink cimport (
    AF_INET, CTA_IP_V4_DST, CTA_IP_V4_SRC, CTA_PROTO_DST_PORT, CTA_PROTO_ICMP_CODE, CTA_PROTO_ICMP_ID,
    CTA_PROTO_ICMP_TYPE, CTA_PROTO_NUM, CTA_PROTO_SRC_PORT, CTA_TUPLE_IP, CTA_TUPLE_ORIG, CTA_TUPLE_PROTO,
    IPCTNL_MSG_CT_GET, MSG_DONTWAIT, NFNETLINK_V0, NFNL_SUBSYS_CTNETLINK, NLA_F_NESTED, NLMSG_ERROR,
    NLM_F_REQUEST, aligned, nfgenmsg, nlattr, nlmsghdr, recv, send,
)
from nfmasq._hot.wire.wire cimport IcmpHeader

cdef enum:
    QUESTION = 32            # words: more than the longest, which has 108 bytes
    ANSWER = 64              # words: only its header is read
    MOST_ANSWERS = 8         # that are not for the question, before it counts as unanswered

cdef inline nlattr* put_attribute(
    nlmsghdr* message, int type, const void* value, uint16_t length
) noexcept nogil:
    """Append an attribute; a nest is one without a value, whose length end_nest sets."""
    cdef nlattr* attribute = <nlattr*>(<uint8_t*>message + message.nlmsg_len)
    attribute.nla_type = <uint16_t>type
    attribute.nla_len = <uint16_t>(sizeof(nlattr) + length)
    if length:
        memcpy(attribute + 1, value, length)
    message.nlmsg_len += aligned(attribute.nla_len)
    return attribute

cdef inline nlattr* begin_nest(nlmsghdr* message, int type) noexcept nogil:
    return put_attribute(message, type | NLA_F_NESTED, NULL, 0)

cdef inline void end_nest(const nlmsghdr* message, nlattr* nest) noexcept nogil:
    nest.nla_len = <uint16_t>(<const uint8_t*>message + message.nlmsg_len - <uint8_t*>nest)

cdef inline void put_transport(nlmsghdr* message, const Packet* packet) noexcept nogil:
    """The protocol, and what tells its flows apart; portless ones have zeros, which the kernel ignores."""
    cdef const IcmpHeader* icmp = <const IcmpHeader*>packet.l4
    put_attribute(message, CTA_PROTO_NUM, &packet.protocol, 1)
    if packet.transport == CLASS_ICMP:
        put_attribute(message, CTA_PROTO_ICMP_ID, &icmp.identifier, 2)
        put_attribute(message, CTA_PROTO_ICMP_TYPE, &icmp.type, 1)
        put_attribute(message, CTA_PROTO_ICMP_CODE, &icmp.code, 1)
    else:
        put_attribute(message, CTA_PROTO_SRC_PORT, &packet.remote_port, 2)
        put_attribute(message, CTA_PROTO_DST_PORT, &packet.near_port, 2)

cdef inline void write_question(nlmsghdr* message, const Packet* packet) noexcept nogil:
    """GET the entry that has this packet's addresses in either direction."""
    cdef nfgenmsg* family = <nfgenmsg*>(message + 1)
    cdef nlattr* whole
    cdef nlattr* part
    memset(message, 0, 4 * QUESTION)
    message.nlmsg_len = sizeof(nlmsghdr) + sizeof(nfgenmsg)
    message.nlmsg_type = <uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET)
    message.nlmsg_flags = <uint16_t>NLM_F_REQUEST
    message.nlmsg_seq = packet.id
    family.nfgen_family = <uint8_t>AF_INET
    family.version = <uint8_t>NFNETLINK_V0
    whole = begin_nest(message, CTA_TUPLE_ORIG)
    part = begin_nest(message, CTA_TUPLE_IP)
    put_attribute(message, CTA_IP_V4_SRC, &packet.remote_address, 4)
    put_attribute(message, CTA_IP_V4_DST, &packet.near_address, 4)
    end_nest(message, part)
    part = begin_nest(message, CTA_TUPLE_PROTO)
    put_transport(message, packet)
    end_nest(message, part)
    end_nest(message, whole)

cdef inline bint is_tracked(int fd, const Packet* packet) noexcept nogil:
    """Has conntrack an entry for the packet? No, when it cannot be asked."""
    cdef uint32_t[QUESTION] question
    cdef uint32_t[ANSWER] answer
    cdef nlmsghdr* message = <nlmsghdr*>question
    cdef nlmsghdr* heard = <nlmsghdr*>answer
    cdef int _
    if fd < 0:
        return False
    write_question(message, packet)
    if send(fd, message, message.nlmsg_len, 0) < 0:
        return False
    for _ in range(MOST_ANSWERS):
        if recv(fd, heard, 4 * ANSWER, MSG_DONTWAIT) < <ssize_t>sizeof(nlmsghdr):
            break
        if heard.nlmsg_seq == packet.id:
            return heard.nlmsg_type != NLMSG_ERROR
    return False

cdef inline void ask(Packet* packet, int fd) noexcept nogil:
    """Let what conntrack knows go by; what it does not know is decided again."""
    packet.asked = True
    packet.verdict = PASS if is_tracked(fd, packet) else CONTINUE
