# Revert: the packet that an ICMP error quotes becomes what its sender had sent (RFC 5508 REQ-4a).
#
# Whoever gets an error knows by the quote which of its packets the error is about; some programs know it by
# the identification, by a checksum or by an option. Addresses, ports and sequence numbers are reverted by
# rewrite and correct, out of the session. All else that this router changes is noted here, packet by packet,
# when the packet leaves, and learned again when an error quotes it.

from libc.stdint cimport uint16_t, uint32_t
from libc.string cimport memcmp, memcpy

from nfmasq._hot.state.changes cimport Change, OptionChange, change_at, change_key, option_change_at
from nfmasq._hot.state.packet cimport INBOUND, OUTBOUND, Packet
from nfmasq._hot.state.table cimport NatTable
from nfmasq._hot.way.identify cimport numbers_taken
from nfmasq._hot.way.options cimport hide_in_options
from nfmasq._hot.wire.checksum cimport sum_words, whole_check
from nfmasq._hot.wire.tcpoptions cimport find_mss_above
from nfmasq._hot.wire.wire cimport IpHeader, TcpHeader, header_length, htons, ntohs

cdef inline uint32_t key_of_quoted(const Packet* packet) noexcept nogil:
    """The quoted packet went against the error."""
    return change_key(packet.session, INBOUND if packet.direction == OUTBOUND else OUTBOUND)

cdef inline uint16_t sent_as(const Packet* packet) noexcept nogil:
    """The identification that the packet has on its way on."""
    return packet.identification if packet.renumbered else (<IpHeader*>packet.data).identification

# As a packet leaves --------------------------------------------------------------------------------------

cdef inline void note_mss(Change* change, const Packet* packet) noexcept nogil:
    """The MSS that its SYN came with, if rewrite is going to lower it."""
    cdef TcpHeader* tcp = <TcpHeader*>packet.l4
    cdef const unsigned char* option = find_mss_above(tcp, packet.most_mss) if packet.most_mss else NULL
    change.mss_sent = 0
    if option != NULL:
        change.mss_sent = htons(packet.most_mss)
        change.mss_at = <unsigned char>(option + 2 - packet.l4)
        memcpy(&change.mss, option + 2, 2)

cdef inline void note_change(NatTable* table, const Packet* packet) noexcept nogil:
    """Note what rewrite is going to change of the packet. The parts of a super-packet are numbered on."""
    cdef uint32_t key = change_key(packet.session, packet.direction)
    cdef uint16_t sent = sent_as(packet)
    cdef uint16_t came = (<IpHeader*>packet.data).identification
    cdef uint16_t part
    cdef Change* change
    for part in range(numbers_taken(packet)):
        change = change_at(table.changes, key, htons(<uint16_t>(ntohs(sent) + part)))
        change.key = key
        change.sent = htons(<uint16_t>(ntohs(sent) + part))
        change.identification = htons(<uint16_t>(ntohs(came) + part))
        note_mss(change, packet)

cdef inline void hide_options(NatTable* table, Packet* packet, uint32_t external) noexcept nogil:
    """Rid the packet's IP options of internal addresses, and note what they were."""
    cdef IpHeader* ip = <IpHeader*>packet.data
    cdef uint32_t key = change_key(packet.session, packet.direction)
    cdef OptionChange* change = option_change_at(table.changes, key, sent_as(packet))
    cdef uint32_t length = header_length(ip) - sizeof(IpHeader)
    change.key = 0
    memcpy(change.came_with, ip + 1, length)
    hide_in_options(&table.rules, ip, external)
    if memcmp(change.came_with, ip + 1, length):
        change.key, change.sent, change.length = key, sent_as(packet), <unsigned char>length
        memcpy(change.sent_with, ip + 1, length)

# As an error comes ----------------------------------------------------------------------------------------

cdef inline void learn_original(NatTable* table, Packet* packet) noexcept nogil:
    """Copy to an error what its quoted packet was before rewrite changed it."""
    cdef uint32_t key = key_of_quoted(packet)
    cdef const Change* change = change_at(table.changes, key, packet.quoted.identification)
    if change.key == key and change.sent == packet.quoted.identification:
        packet.original = change[0]
        packet.reverts = True

cdef inline void revert_options(NatTable* table, Packet* packet) noexcept nogil:
    """Let the quote's IP options have their internal addresses again; later routers added theirs."""
    cdef IpHeader* quoted = packet.quoted
    cdef uint32_t key = key_of_quoted(packet)
    cdef const OptionChange* change = option_change_at(table.changes, key, quoted.identification)
    cdef unsigned char* at = <unsigned char*>(quoted + 1)
    cdef unsigned int i
    if (
        change.key != key or change.sent != quoted.identification
        or change.length != header_length(quoted) - sizeof(IpHeader)
    ):
        return
    for i in range(change.length):
        if change.came_with[i] != change.sent_with[i] and at[i] == change.sent_with[i]:
            at[i] = change.came_with[i]
    quoted.check = 0                                 # parse has found it right
    quoted.check = whole_check(sum_words(<const unsigned char*>quoted, header_length(quoted)))
