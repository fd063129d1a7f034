# Receive: a batch of the queues' messages, each read into a slot of its own, with a Packet that describes it.
#
# A worker serves several queues by one socket, and reads their packets in the order they came in.
#
# What is stored: BATCH slots, each long enough for the longest message a queue sends, so nothing is ever
# cut off short; and for each the Packet that stages work on, which points into the slot. One worker owns
# it all. What ends it: the next batch is read over this one, once all its verdicts are sent.

from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from nfmasq._hot.state.aside cimport AsideQueue
from nfmasq._hot.state.capacity cimport MOST_WORKER_QUEUES
from nfmasq._hot.state.packet cimport INBOUND, OUTBOUND, Packet, drop
from nfmasq._hot.state.reasons cimport MESSAGE_INVALID, OVERSIZED
from nfmasq._hot.wire.netlink cimport (
    MSG_TRUNC, MSG_WAITFORONE, NF_INET_LOCAL_IN, NF_INET_PRE_ROUTING, NFNL_SUBSYS_QUEUE, NFQA_CAP_LEN,
    NFQA_IFINDEX_INDEV, NFQA_IFINDEX_OUTDEV, NFQA_MARK, NFQA_PACKET_HDR, NFQA_PAYLOAD, NFQA_SKB_CSUMNOTREADY,
    NFQA_SKB_GSO, NFQA_SKB_INFO, NFQNL_MSG_PACKET, NLA_TYPE_MASK,
    aligned, iovec, mmsghdr, nfgenmsg, nfqnl_msg_packet_hdr, nlattr, nlmsghdr, recvmmsg,
)
from nfmasq._hot.wire.wire cimport ntohl, ntohs

cdef enum:
    BATCH = 64
    # Super-packets are copied four times on their way. So many of them stay in a processor's second-level
    # cache meanwhile; and no packet waits long behind them.
    BULK_BATCH = 4
    BULK = 8192              # bytes of a mean packet from which a batch is one of super-packets
    # The longest message and some room, for a verdict's mark among others, in an odd number of cache lines:
    # neighbouring slots start in different sets of the cache.
    SLOT = 1037 * 64

cdef struct QueueStats:
    uint64_t packets
    uint64_t batches
    uint64_t lost            # gaps in the kernel's packet numbers
    uint64_t overruns        # times the kernel said ENOBUFS
    uint64_t refused         # rejected verdicts: the kernel answered with an error
    uint64_t beats           # rounds of the loop

cdef struct Batch:
    int fd
    uint16_t first_queue
    uint16_t queues          # so many from the first on
    AsideQueue* aside        # where packets for helpers go; NULL: nowhere
    int conntrack            # a socket to ask connection tracking by; -1: none
    int32_t segment_queue    # where super-packets are sent to be cut up; -1: nowhere
    int32_t untaken_queue    # of packets that the rules of others left (DNAT); -1: none
    uint32_t[MOST_WORKER_QUEUES] next_id    # of each queue: the number the next packet should have
    int count                # packets of this batch
    uint32_t size            # bytes of its messages
    uint8_t* slots
    mmsghdr[BATCH] messages
    iovec[BATCH] buffers
    iovec[BATCH] answers
    Packet[BATCH] packets
    QueueStats stats

cdef inline void lay_out(Batch* batch) noexcept nogil:
    """Point every message at its slot; once, before the first batch."""
    cdef int i
    memset(batch.messages, 0, sizeof(batch.messages))
    for i in range(BATCH):
        batch.buffers[i].iov_base = batch.slots + <size_t>i * SLOT
        batch.buffers[i].iov_len = SLOT
        batch.messages[i].msg_hdr.msg_iov = &batch.buffers[i]
        batch.messages[i].msg_hdr.msg_iovlen = 1

cdef inline uint32_t word_at(const uint8_t* value) noexcept nogil:
    return ntohl((<uint32_t*>value)[0])

cdef enum:
    HEAD = 36                # bytes a verdict needs before its payload; a packet's message always has them

cdef inline bint read_attributes(Packet* packet, uint8_t* at, uint8_t* end) noexcept nogil:
    """Read all that the kernel says of a packet; False when it has no number, so it can have no verdict."""
    cdef nlattr* attribute
    cdef nfqnl_msg_packet_hdr* header = NULL
    cdef uint32_t info = 0
    cdef uint32_t length
    cdef bint cut_short = False
    cdef int type
    while end - at >= <int>sizeof(nlattr):
        attribute = <nlattr*>at
        length = attribute.nla_len
        if length < sizeof(nlattr) or <int>length > end - at:
            break
        type = attribute.nla_type & NLA_TYPE_MASK
        at += sizeof(nlattr)
        length -= sizeof(nlattr)
        if type == NFQA_PAYLOAD and at - packet.message >= HEAD:
            packet.data = at
            packet.length = length
        elif type == NFQA_PACKET_HDR and length >= sizeof(nfqnl_msg_packet_hdr) - 1:
            header = <nfqnl_msg_packet_hdr*>at
        elif type == NFQA_SKB_INFO and length == 4:
            info = word_at(at)
        elif type == NFQA_IFINDEX_INDEV and length == 4:
            packet.in_device = word_at(at)
        elif type == NFQA_IFINDEX_OUTDEV and length == 4:
            packet.out_device = word_at(at)
        elif type == NFQA_MARK and length == 4:
            packet.mark = word_at(at)
        elif type == NFQA_CAP_LEN:
            cut_short = True
        at += aligned(length)
    if header == NULL:
        return False
    packet.id = ntohl(header.packet_id)
    packet.second_look = header.hook == NF_INET_LOCAL_IN
    packet.direction = INBOUND if header.hook == NF_INET_PRE_ROUTING or packet.second_look else OUTBOUND
    packet.checksum_ready = not info & NFQA_SKB_CSUMNOTREADY
    packet.gso = (info & NFQA_SKB_GSO) != 0
    if packet.data == NULL:
        drop(packet, MESSAGE_INVALID)
    elif cut_short:
        drop(packet, OVERSIZED)
    return True

cdef inline bint read_message(Batch* batch, int slot, uint32_t length, Packet* packet) noexcept nogil:
    """One slot's message; False when it is none about a packet."""
    cdef uint8_t* start = batch.slots + <size_t>slot * SLOT
    cdef nlmsghdr* message = <nlmsghdr*>start
    cdef uint32_t head = sizeof(nlmsghdr) + sizeof(nfgenmsg)
    if length < head or message.nlmsg_len < head or message.nlmsg_len > length:
        batch.stats.refused += 1
        return False
    if message.nlmsg_type != (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET):
        batch.stats.refused += 1     # NLMSG_ERROR: a rejected verdict
        return False
    memset(packet, 0, sizeof(Packet))
    packet.message = start
    packet.queue = ntohs((<nfgenmsg*>(message + 1)).res_id)
    packet.untaken = packet.queue == batch.untaken_queue
    return read_attributes(packet, start + head, start + message.nlmsg_len)

cdef inline void count_losses(Batch* batch, const Packet* packet) noexcept nogil:
    """The kernel numbers a queue's packets without gaps: a gap is packets it could not hand us."""
    cdef uint16_t queue = packet.queue - batch.first_queue
    if queue >= batch.queues:
        return
    if batch.next_id[queue] != 0 and packet.id != batch.next_id[queue]:
        batch.stats.lost += <uint32_t>(packet.id - batch.next_id[queue])
    batch.next_id[queue] = packet.id + 1

cdef inline unsigned int most_at_once(const Batch* batch) noexcept nogil:
    """The next batch is expected to be like the last."""
    return BULK_BATCH if batch.size > <uint32_t>batch.count * BULK else BATCH

cdef inline int receive(Batch* batch) noexcept nogil:
    """Wait for packets and read what there is, up to a batch; negative when recvmmsg failed."""
    cdef int got = recvmmsg(batch.fd, batch.messages, most_at_once(batch), MSG_WAITFORONE, NULL)
    cdef int i
    batch.count = 0
    batch.size = 0
    if got < 0:
        return got
    for i in range(got):
        batch.size += batch.messages[i].msg_len
        if not batch.messages[i].msg_hdr.msg_flags & MSG_TRUNC and read_message(
            batch, i, batch.messages[i].msg_len, &batch.packets[batch.count]
        ):
            count_losses(batch, &batch.packets[batch.count])
            batch.count += 1
    batch.stats.packets += batch.count
    batch.stats.batches += 1
    return got
