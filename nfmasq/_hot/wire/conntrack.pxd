# Conntrack: messages about one entry of connection tracking (ctnetlink), and the answer to them.
#
# The kernel answers before the send returns.

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset

from nfmasq._hot.wire.netlink cimport (
    AF_INET, CTA_IP_V4_DST, CTA_IP_V4_SRC, CTA_PROTO_DST_PORT, CTA_PROTO_ICMP_CODE, CTA_PROTO_ICMP_ID,
    CTA_PROTO_ICMP_TYPE, CTA_PROTO_NUM, CTA_PROTO_SRC_PORT, CTA_TUPLE_IP, CTA_TUPLE_PROTO, MSG_DONTWAIT,
    NFNETLINK_V0, NFNL_SUBSYS_CTNETLINK, NLA_F_NESTED, NLMSG_ERROR, NLM_F_REQUEST,
    aligned, nfgenmsg, nlattr, nlmsghdr, recv, send,
)
from nfmasq._hot.wire.wire cimport ICMP

cdef enum:
    QUESTION = 64            # words: more than the longest, which has 220 bytes
    ANSWER = 64              # words: only its header, and the code of an error, are read
    MOST_ANSWERS = 8         # that are not for the question, before it counts as unanswered

cdef struct Tuple:           # one direction of an entry, in network order
    uint32_t source
    uint32_t destination
    uint16_t source_port     # 0 where the protocol has none
    uint16_t destination_port
    uint16_t identifier      # of an ICMP query, as the next two
    uint8_t type
    uint8_t code
    uint8_t protocol

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

cdef inline void put_tuple(nlmsghdr* message, int type, const Tuple* tuple) noexcept nogil:
    """Append one direction; of protocols without ports the kernel ignores them."""
    cdef nlattr* whole = begin_nest(message, type)
    cdef nlattr* part = begin_nest(message, CTA_TUPLE_IP)
    put_attribute(message, CTA_IP_V4_SRC, &tuple.source, 4)
    put_attribute(message, CTA_IP_V4_DST, &tuple.destination, 4)
    end_nest(message, part)
    part = begin_nest(message, CTA_TUPLE_PROTO)
    put_attribute(message, CTA_PROTO_NUM, &tuple.protocol, 1)
    if tuple.protocol == ICMP:
        put_attribute(message, CTA_PROTO_ICMP_ID, &tuple.identifier, 2)
        put_attribute(message, CTA_PROTO_ICMP_TYPE, &tuple.type, 1)
        put_attribute(message, CTA_PROTO_ICMP_CODE, &tuple.code, 1)
    else:
        put_attribute(message, CTA_PROTO_SRC_PORT, &tuple.source_port, 2)
        put_attribute(message, CTA_PROTO_DST_PORT, &tuple.destination_port, 2)
    end_nest(message, part)
    end_nest(message, whole)

cdef inline void begin_message(nlmsghdr* message, int kind, int flags, uint32_t number) noexcept nogil:
    """An empty message of QUESTION words. kind: IPCTNL_MSG_CT_GET or _NEW."""
    cdef nfgenmsg* family = <nfgenmsg*>(message + 1)
    memset(message, 0, 4 * QUESTION)
    message.nlmsg_len = sizeof(nlmsghdr) + sizeof(nfgenmsg)
    message.nlmsg_type = <uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | kind)
    message.nlmsg_flags = <uint16_t>(NLM_F_REQUEST | flags)
    message.nlmsg_seq = number
    family.nfgen_family = <uint8_t>AF_INET
    family.version = <uint8_t>NFNETLINK_V0

cdef inline bint is_granted(int fd, const nlmsghdr* message) noexcept nogil:
    """Send the message. Is the answer anything but an error? No, when there is none."""
    cdef uint32_t[ANSWER] answer
    cdef nlmsghdr* heard = <nlmsghdr*>answer
    cdef int _
    if fd < 0 or send(fd, message, message.nlmsg_len, 0) < 0:
        return False
    for _ in range(MOST_ANSWERS):
        if recv(fd, heard, 4 * ANSWER, MSG_DONTWAIT) < <ssize_t>sizeof(nlmsghdr):
            break
        if heard.nlmsg_seq == message.nlmsg_seq:
            return heard.nlmsg_type != NLMSG_ERROR
    return False
