# Verdict: the answers of a whole batch in one send.
#
# The kernel's message leaves just enough room before the packet for the answer's header, and the attribute
# header of the payload is the same in both: so the answer is written where the question was, and each packet
# goes back as one piece, uncopied. Answers are in the order of the packets.

from libc.errno cimport EAGAIN, EINTR, ENOBUFS, errno
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memset

from nfmasq._hot.state.aside cimport hand_over
from nfmasq._hot.state.packet cimport ASIDE, PASS, SEGMENT, TRANSLATE, Packet
from nfmasq._hot.way.receive cimport Batch
from nfmasq._hot.wire.netlink cimport (
    NF_ACCEPT, NF_DROP, NF_QUEUE, NFNETLINK_V0, NFNL_SUBSYS_QUEUE, NFQA_MARK, NFQA_PAYLOAD,
    NFQA_VERDICT_HDR,
    NFQNL_MSG_VERDICT, NFQNL_MSG_VERDICT_BATCH, NLM_F_REQUEST, aligned, iovec, msghdr, nfgenmsg,
    nfqnl_msg_verdict_hdr, nlattr, nlmsghdr, sendmsg,
)
from nfmasq._hot.wire.wire cimport htonl, htons

cdef struct Answer:                  # 32 bytes, without a payload
    nlmsghdr message
    nfgenmsg family
    nlattr attribute
    nfqnl_msg_verdict_hdr verdict

cdef struct Mark:
    nlattr attribute
    uint32_t value                   # network order

cdef enum:
    MOST_BYTES = 1 << 20             # a send of more only grows the kernel's copy of it

cdef inline void write_answer(
    Answer* answer, uint16_t queue, int type, uint32_t id, uint32_t verdict
) noexcept nogil:
    memset(answer, 0, sizeof(Answer))
    answer.message.nlmsg_len = sizeof(Answer)
    answer.message.nlmsg_type = <uint16_t>(NFNL_SUBSYS_QUEUE << 8 | type)
    answer.message.nlmsg_flags = <uint16_t>NLM_F_REQUEST
    answer.family.version = <uint8_t>NFNETLINK_V0
    answer.family.res_id = htons(queue)
    answer.attribute.nla_len = sizeof(nlattr) + sizeof(nfqnl_msg_verdict_hdr)
    answer.attribute.nla_type = <uint16_t>NFQA_VERDICT_HDR
    answer.verdict.verdict = htonl(verdict)
    answer.verdict.id = htonl(id)

cdef inline uint32_t kernel_verdict(const Packet* packet, int32_t segment_queue) noexcept nogil:
    if packet.verdict == TRANSLATE or packet.verdict == PASS:
        return NF_ACCEPT
    if packet.verdict == SEGMENT and segment_queue >= 0:
        return NF_QUEUE | <uint32_t>segment_queue << 16
    return NF_DROP

cdef inline Mark mark_attribute(uint32_t mark) noexcept nogil:
    cdef Mark made
    made.attribute.nla_len = sizeof(Mark)
    made.attribute.nla_type = <uint16_t>NFQA_MARK
    made.value = htonl(mark)
    return made

cdef inline void append_mark(nlmsghdr* message, uint32_t mark) noexcept nogil:
    """Set the packet's mark, behind the payload: every slot has room for it there."""
    cdef Mark* place = <Mark*>(<uint8_t*>message + aligned(message.nlmsg_len))
    place[0] = mark_attribute(mark)
    message.nlmsg_len = aligned(message.nlmsg_len) + <uint32_t>sizeof(Mark)

cdef inline void answer_packet(Batch* batch, const Packet* packet, iovec* piece) noexcept nogil:
    """Write one packet's verdict before its payload, and with it when the payload was rewritten."""
    cdef Answer* answer
    cdef uint8_t* at = packet.message
    if packet.data != NULL:
        at = packet.data - sizeof(nlattr) - sizeof(Answer)
    answer = <Answer*>at
    write_answer(
        answer, packet.queue, NFQNL_MSG_VERDICT, packet.id, kernel_verdict(packet, batch.segment_queue)
    )
    if packet.verdict == TRANSLATE:
        answer.message.nlmsg_len = <uint32_t>(sizeof(Answer) + sizeof(nlattr) + packet.length)
        if packet.marked:
            append_mark(&answer.message, packet.mark)
    piece.iov_base = at
    piece.iov_len = aligned(answer.message.nlmsg_len)

cdef inline void send_answers(Batch* batch, iovec* first, size_t count) noexcept nogil:
    """One send, tried again until the kernel takes it: a packet without a verdict keeps its place."""
    cdef msghdr message
    memset(&message, 0, sizeof(message))
    message.msg_iov = first
    message.msg_iovlen = count
    while sendmsg(batch.fd, &message, 0) < 0:
        if errno != EINTR and errno != EAGAIN and errno != ENOBUFS:
            batch.stats.refused += count
            return

cdef inline void send_verdicts(Batch* batch) noexcept nogil:
    """Answer all packets but those set aside, in their order."""
    cdef iovec* answer
    cdef int count = 0
    cdef size_t size = 0
    cdef int i
    for i in range(batch.count):
        if batch.packets[i].verdict == ASIDE:
            hand_over(
                batch.aside, batch.packets[i].aside, batch.packets[i].data,
                batch.fd, batch.packets[i].queue, batch.packets[i].id,
            )
            continue
        answer = &batch.answers[count]
        answer_packet(batch, &batch.packets[i], answer)
        if size and size + answer.iov_len > MOST_BYTES:
            send_answers(batch, batch.answers, count)
            batch.answers[0] = answer[0]
            count = 0
            size = 0
        count += 1
        size += answer.iov_len
    if count:
        send_answers(batch, batch.answers, count)

cdef inline void send_one(
    int fd, uint16_t queue, uint32_t id, const uint8_t* data, uint32_t length, const uint32_t* mark
) noexcept nogil:
    """One packet's verdict from another thread than its queue's: these bytes, or with none of them a drop.

    mark: what the packet's mark shall be; NULL: it stays.
    """
    cdef Answer answer
    cdef nlattr payload
    cdef Mark marking
    cdef uint32_t padding = 0
    cdef iovec[5] pieces
    cdef msghdr message
    write_answer(&answer, queue, NFQNL_MSG_VERDICT, id, NF_ACCEPT if length else NF_DROP)
    pieces[0].iov_base, pieces[0].iov_len = &answer, sizeof(Answer)
    pieces[1].iov_base, pieces[1].iov_len = &payload, sizeof(nlattr)
    pieces[2].iov_base, pieces[2].iov_len = <void*>data, length
    pieces[3].iov_base, pieces[3].iov_len = &padding, aligned(length) - length
    if length:
        payload.nla_len = <uint16_t>(sizeof(nlattr) + length)
        payload.nla_type = <uint16_t>NFQA_PAYLOAD
        answer.message.nlmsg_len = <uint32_t>(sizeof(Answer) + sizeof(nlattr) + length)
    memset(&message, 0, sizeof(message))
    message.msg_iov = pieces
    message.msg_iovlen = 4 if length else 1
    if length and mark != NULL:
        marking = mark_attribute(mark[0])
        pieces[4].iov_base, pieces[4].iov_len = &marking, sizeof(Mark)
        answer.message.nlmsg_len = aligned(answer.message.nlmsg_len) + <uint32_t>sizeof(Mark)
        message.msg_iovlen = 5
    while sendmsg(fd, &message, 0) < 0:
        if errno != EINTR and errno != EAGAIN and errno != ENOBUFS:
            return

cdef inline void accept_batch(Batch* batch) noexcept nogil:
    """Accept all of its one queue up to the batch's last packet, unchanged: the least a program can do."""
    cdef Answer answer
    cdef iovec piece
    write_answer(
        &answer, batch.first_queue, NFQNL_MSG_VERDICT_BATCH, batch.packets[batch.count - 1].id, NF_ACCEPT
    )
    piece.iov_base = &answer
    piece.iov_len = sizeof(Answer)
    send_answers(batch, &piece, 1)
