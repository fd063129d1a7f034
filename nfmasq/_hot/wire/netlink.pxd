# Netlink, netfilter-queue and ctnetlink messages, as the headers below linux/netfilter/ lay them out.

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from nfmasq._hot.base.clock cimport timespec

cdef extern from "<sys/socket.h>" nogil:
    struct iovec:
        void* iov_base
        size_t iov_len
    struct msghdr:
        void* msg_name
        unsigned int msg_namelen
        iovec* msg_iov
        size_t msg_iovlen
        int msg_flags
    struct mmsghdr:
        msghdr msg_hdr
        unsigned int msg_len
    int recvmmsg(int fd, mmsghdr* messages, unsigned int count, int flags, timespec* timeout)
    ssize_t sendmsg(int fd, const msghdr* message, int flags)
    ssize_t send(int fd, const void* message, size_t length, int flags)
    ssize_t recv(int fd, void* message, size_t length, int flags)
    int AF_INET
    int MSG_DONTWAIT
    int MSG_WAITFORONE
    int MSG_TRUNC

cdef extern from "<linux/netlink.h>" nogil:
    struct nlmsghdr:
        uint32_t nlmsg_len
        uint16_t nlmsg_type
        uint16_t nlmsg_flags
        uint32_t nlmsg_seq
        uint32_t nlmsg_pid
    struct nlattr:
        uint16_t nla_len
        uint16_t nla_type
    int NLM_F_ACK
    int NLM_F_CREATE
    int NLM_F_REQUEST
    int NLMSG_ERROR
    int NLA_F_NESTED
    int NLA_TYPE_MASK

cdef extern from "<linux/netfilter/nfnetlink.h>" nogil:
    struct nfgenmsg:
        uint8_t nfgen_family
        uint8_t version
        uint16_t res_id
    int NFNL_SUBSYS_CTNETLINK
    int NFNL_SUBSYS_QUEUE
    int NFNETLINK_V0

cdef extern from "<linux/netfilter/nfnetlink_queue.h>" nogil:
    struct nfqnl_msg_packet_hdr:
        uint32_t packet_id
        uint16_t hw_protocol
        uint8_t hook
    struct nfqnl_msg_verdict_hdr:
        uint32_t verdict
        uint32_t id
    int NFQNL_MSG_PACKET
    int NFQNL_MSG_VERDICT
    int NFQNL_MSG_VERDICT_BATCH
    int NFQA_PACKET_HDR
    int NFQA_VERDICT_HDR
    int NFQA_IFINDEX_INDEV
    int NFQA_IFINDEX_OUTDEV
    int NFQA_MARK
    int NFQA_PAYLOAD
    int NFQA_CAP_LEN
    int NFQA_SKB_INFO
    int NFQA_SKB_CSUMNOTREADY
    int NFQA_SKB_GSO

cdef extern from "<linux/netfilter/nfnetlink_conntrack.h>" nogil:
    int IPCTNL_MSG_CT_GET
    int IPCTNL_MSG_CT_NEW
    int CTA_PROTOINFO
    int CTA_PROTOINFO_SCTP
    int CTA_PROTOINFO_SCTP_STATE
    int CTA_PROTOINFO_SCTP_VTAG_ORIGINAL
    int CTA_PROTOINFO_SCTP_VTAG_REPLY
    int CTA_PROTOINFO_TCP
    int CTA_PROTOINFO_TCP_FLAGS_ORIGINAL
    int CTA_PROTOINFO_TCP_FLAGS_REPLY
    int CTA_PROTOINFO_TCP_STATE
    int CTA_TIMEOUT
    int CTA_TUPLE_ORIG
    int CTA_TUPLE_REPLY
    int CTA_TUPLE_IP
    int CTA_TUPLE_PROTO
    int CTA_IP_V4_SRC
    int CTA_IP_V4_DST
    int CTA_PROTO_NUM
    int CTA_PROTO_SRC_PORT
    int CTA_PROTO_DST_PORT
    int CTA_PROTO_ICMP_ID
    int CTA_PROTO_ICMP_TYPE
    int CTA_PROTO_ICMP_CODE

cdef extern from "<linux/netfilter.h>" nogil:
    int NF_DROP
    int NF_ACCEPT
    int NF_QUEUE
    int NF_INET_PRE_ROUTING
    int NF_INET_LOCAL_IN

cdef inline uint32_t aligned(uint32_t length) noexcept nogil:
    """Netlink pads messages and attributes to four bytes."""
    return (length + 3) & ~<uint32_t>3
