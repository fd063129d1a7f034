# Hairpinning: internal hosts that reach each other by their external endpoints (RFC 4787 REQ-9).
#
# The packet is treated as if it went out and came back in: the sender's session takes it out, the
# receiver's takes it in, with the sender's external endpoint as the remote one (REQ-9a). The kernel routes in
# between, and takes no packet whose source is an address of its own. So the packet comes twice: in
# PREROUTING its destination is rewritten, in POSTROUTING its source. One bit of its mark tells the second
# pass from a packet that one LAN host sends to another. All other bits belong to other programs, and stay. No
# loop: the rewritten packet is for a host inside.
#
# The second pass knows the internal endpoints of both sides, and by them the sender's session. The first pass
# has noted its number in table.hairpins. The note may be another's by then: it is checked, and where it fails
# the receiver's mappings are tried.

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from nfmasq._hot.base.likelihood cimport seldom
from nfmasq._hot.state.index cimport find_by_external, find_by_internal
from nfmasq._hot.state.keys cimport has_key, is_keyed, other_way
from nfmasq._hot.state.mappings cimport find_mapping_by_external
from nfmasq._hot.state.packet cimport (
    CLASS_OTHER, CLASS_UDP, CONTINUE, HAIRPIN, ICMP_ERROR, ICMP_REPLY, INBOUND, OUTBOUND, TRANSLATE, Packet,
    drop, let_pass,
)
from nfmasq._hot.state.reasons cimport (
    HAIRPIN_LOST, ICMP_ERROR_UNMATCHED, ICMP_NO_SESSION, PORTLESS_REMOTE_TAKEN, SOURCE_NOT_INTERNAL,
)
from nfmasq._hot.state.rules cimport Forward, Rules, is_internal, uplink_at
from nfmasq._hot.state.table cimport (
    HAIRPINS, Mapping, NatTable, Session, internal_mapping_bucket, tuple_bucket,
)
from nfmasq._hot.state.uplinks cimport NO_UPLINK
from nfmasq._hot.way.admit_in cimport admit_inbound
from nfmasq._hot.way.admit_out cimport admit_outbound
from nfmasq._hot.way.attach cimport share_helper
from nfmasq._hot.way.forwards cimport find_forward, waits_for_others
from nfmasq._hot.way.keyed cimport forget_key, look_without_key
from nfmasq._hot.way.lookup cimport lookup
from nfmasq._hot.way.set_aside cimport set_aside_for
from nfmasq._hot.way.track cimport track

cdef inline bint is_second_pass(const Rules* rules, const Packet* packet) noexcept nogil:
    """Does it carry our mark, and leave by no uplink?"""
    return (
        packet.mark & rules.hairpin_mark and packet.direction == OUTBOUND
        and uplink_at(rules, packet.out_device) == NO_UPLINK
    )

cdef inline uint32_t* note_of(
    NatTable* table, uint8_t protocol,
    uint32_t sender, uint16_t sender_port, uint32_t receiver, uint16_t receiver_port,
) noexcept nogil:
    """Where the session is noted that takes a hairpinned packet out, by both internal endpoints.

    Of a packet with a key that is the receiver's alone: on its way it carries no other.
    """
    return &table.hairpins[
        tuple_bucket(table, protocol, sender, sender_port, receiver, receiver_port) & (HAIRPINS - 1)
    ]

cdef inline void note_sender(NatTable* table, const Packet* packet, uint32_t sender) noexcept nogil:
    cdef const Session* near = &table.sessions[sender]
    cdef const Session* far = &table.sessions[packet.session]
    note_of(
        table, packet.protocol,
        near.internal_address, 0 if is_keyed(near) else near.internal_port,
        far.internal_address, far.internal_port,
    )[0] = sender

cdef inline bint is_sender(const NatTable* table, const Packet* packet, uint32_t number) noexcept nogil:
    """Does this session take out what the packet's source sends to the internal endpoint it is sent to?"""
    cdef const Session* session = &table.sessions[number]
    cdef uint32_t receiver
    cdef bint by_key = has_key(packet)
    if (
        number == 0 or number > table.top[0] or not session.live
        or session.internal_address != packet.near_address or session.protocol != packet.protocol
        or session.remote_port != packet.remote_port and by_key
        or session.internal_port != packet.near_port and not by_key
    ):
        return False
    receiver = find_by_external(
        table, session.protocol,
        session.remote_address, session.external_port if by_key else session.remote_port,
        session.external_address, other_way(session.remote_port) if by_key else session.external_port,
    )
    return (
        receiver != 0 and table.sessions[receiver].internal_address == packet.remote_address
        and table.sessions[receiver].internal_port == (packet.near_port if by_key else packet.remote_port)
    )

cdef inline uint32_t find_sender(NatTable* table, const Packet* packet) noexcept nogil:
    """The session by which the packet goes out that is on its way to an internal host, or 0."""
    cdef bint by_key = has_key(packet)
    cdef uint32_t number = note_of(
        table, packet.protocol,
        packet.near_address, 0 if by_key else packet.near_port,
        packet.remote_address, packet.near_port if by_key else packet.remote_port,
    )[0]
    cdef uint32_t mapping
    cdef const Mapping* tried
    if is_sender(table, packet, number):
        return number
    mapping = table.mapping_by_internal[
        internal_mapping_bucket(table, packet.protocol, packet.remote_address, packet.remote_port, 0, 0)
    ]
    while mapping:
        tried = &table.mappings[mapping]
        number = find_by_internal(
            table, packet.protocol,
            packet.near_address, packet.near_port, tried.external_address, tried.external_port,
        )
        if is_sender(table, packet, number):
            return number
        mapping = tried.by_internal_next
    return 0

cdef inline void cross(NatTable* table, Packet* packet) noexcept nogil:
    """From having gone out to coming in: the sender's external endpoint is the remote one now."""
    cdef Session* sender = &table.sessions[packet.session]
    packet.near_address = packet.remote_address
    packet.remote_address = sender.external_address
    if is_keyed(sender):
        packet.near_port, packet.remote_port = sender.external_port, other_way(sender.remote_port)
    else:
        packet.near_port, packet.remote_port = packet.remote_port, sender.external_port
    packet.near_identifier = not packet.near_identifier
    packet.bucket = tuple_bucket(
        table, packet.protocol, packet.near_address, packet.near_port,
        packet.remote_address, packet.remote_port,
    )
    packet.session = packet.expected = 0
    packet.verdict = CONTINUE
    packet.direction = INBOUND

cdef inline bint leads_inside(NatTable* table, const Packet* packet) noexcept nogil:
    """Does the external endpoint that the packet is sent to lead to an internal host?"""
    cdef Packet coming = packet[0]
    cdef const Forward* forward
    coming.near_address, coming.near_port = packet.remote_address, packet.remote_port
    forward = find_forward(&table.rules, &coming)
    if forward != NULL and not waits_for_others(&table.rules, packet, forward):
        return True
    return packet.transport <= CLASS_UDP and find_mapping_by_external(
        table, packet.protocol, packet.remote_address, packet.remote_port, True
    ) != 0

cdef inline bint begin(NatTable* table, Packet* packet, uint32_t now) noexcept nogil:
    """A session for the sender, unless no internal host can receive what it sends."""
    if packet.kind == ICMP_ERROR:
        return drop(packet, ICMP_ERROR_UNMATCHED)
    if packet.kind == ICMP_REPLY:
        return drop(packet, ICMP_NO_SESSION)
    if not has_key(packet) and not leads_inside(table, packet):
        return let_pass(packet)          # for the router, or for a port that a container is reached by
    if not is_internal(&table.rules, packet.near_address):
        return drop(packet, SOURCE_NOT_INTERNAL)
    return admit_outbound(table, packet, now)

cdef inline bint go_out(NatTable* table, Packet* packet, uint32_t now) noexcept nogil:
    """The sender's session, found or begun, as if the packet left."""
    return (
        lookup(table, packet) or look_without_key(table, packet) or begin(table, packet, now)
    ) and track(table, packet, now)

cdef inline bint come_in(NatTable* table, Packet* packet, uint32_t sender, uint32_t now) noexcept nogil:
    """The receiver's session, found or begun, as if the packet came from outside."""
    if lookup(table, packet) or look_without_key(table, packet):
        if packet.transport == CLASS_OTHER and packet.session == sender:
            # Behind one address what it sends and what it would be answered look the same.
            return drop(packet, PORTLESS_REMOTE_TAKEN)
        return track(table, packet, now)
    if packet.kind == ICMP_ERROR:
        return drop(packet, ICMP_ERROR_UNMATCHED)
    return admit_inbound(table, packet, now) and track(table, packet, now)

cdef inline bint is_still(const Session* session, const Session* before) noexcept nogil:
    """Is it the session it was? The receiver's may have needed its room."""
    return (
        session.live and session.internal_address == before.internal_address
        and session.internal_port == before.internal_port and session.remote_port == before.remote_port
    )

cdef inline void start_hairpin(NatTable* table, Packet* packet, uint32_t now) noexcept nogil:
    """The first pass: both sessions, and the destination."""
    cdef uint32_t sender
    cdef Session before
    packet.direction = OUTBOUND
    packet.as_address = packet.remote_address
    if go_out(table, packet, now):
        sender = packet.session
        before = table.sessions[sender]
        cross(table, packet)
        if come_in(table, packet, sender, now) and (
            is_still(&table.sessions[sender], &before) or drop(packet, HAIRPIN_LOST)
        ):
            note_sender(table, packet, sender)
            packet.mark |= table.rules.hairpin_mark
            packet.marked = True
            share_helper(table, sender, packet.session)
            if seldom(table.sessions[packet.session].helper != 0):
                set_aside_for(table, packet, sender, packet.session, True)
    packet.direction = HAIRPIN

cdef inline void finish_hairpin(NatTable* table, Packet* packet) noexcept nogil:
    """The second pass: the source. Without its session it must not go on: the receiver would answer it."""
    cdef uint32_t number = find_sender(table, packet)
    cdef Session* session
    while seldom(not number and has_key(packet)):    # once
        forget_key(table, packet)
        number = find_sender(table, packet)
    session = &table.sessions[number]
    if not number:
        drop(packet, HAIRPIN_LOST)
        return
    packet.second_pass = True
    packet.marked = True
    packet.mark &= ~table.rules.hairpin_mark
    packet.verdict = TRANSLATE
    packet.new_address = session.external_address
    packet.new_port = packet.near_port if has_key(packet) else session.external_port
