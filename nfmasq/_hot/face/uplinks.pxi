# Uplinks in: their addresses, put in the order of their realms. A part of _fastpath.pyx.
#
# Called with the GIL and never per packet.

from nfmasq.core.limits import require_room

from nfmasq._hot.state.capacity cimport MOST_EXTERNAL_ADDRESSES, MOST_REALMS, MOST_SOURCES, MOST_UPLINKS
from nfmasq._hot.state.rules cimport Rules
from nfmasq._hot.state.uplinks cimport NO_REALM, Realm, Source, Uplink

cdef dict owners_of(object uplinks):
    """Every external address, and the number of the first uplink that has it: its realm is that uplink's."""
    owners = {}
    for number, uplink in enumerate(uplinks):
        for address in (*uplink.pooled, *uplink.addresses):
            owners.setdefault(address, number)
    return owners

cdef list realms_of(object uplinks, dict owners, set given_whole):
    """The number of an uplink and the addresses, of each realm."""
    realms = []
    for number, uplink in enumerate(uplinks):
        own = [
            address for address in dict.fromkeys(uplink.pooled)
            if owners[address] == number and address not in given_whole
        ]
        groups = [[address] for address in own] if uplink.sources else [own] if own else []
        realms.extend([(number, group) for group in groups])
    return realms

cdef int read_sources(Rules* rules, Uplink* row, object uplink, dict realm_of) except -1:
    """A source whose address is not handed out says nothing: a shorter prefix, or another address, counts."""
    cdef Source* source
    for each in uplink.sources:
        if each.address in realm_of:
            source = &rules.sources[row.first_source + row.source_count]
            read_network(&source.network, each.network)
            row.realm = source.realm = realm_of[each.address]
            row.source_count += 1
    return 0

cdef object realm_in(int number, dict realms, dict owners):
    """The realm of an uplink whose pooled addresses have these: one of its own, else one it shares."""
    own = [realm for address, realm in realms.items() if owners[address] == number]
    return (own or [*realms.values(), NO_REALM])[0]

cdef int read_realms(Rules* rules, list realms) except -1:
    cdef Realm* row
    for i, (number, addresses) in enumerate(realms):
        row = &rules.realms[i]
        row.first, row.count, row.uplink = rules.pooled_count, len(addresses), number
        rules.pooled_count += len(addresses)
    rules.realm_count = len(realms)
    return 0

cdef int read_uplinks(Rules* rules, object policy) except -1:
    """Addresses that are handed out come first, those of a realm together; then all others."""
    cdef Uplink* row
    cdef uint32_t sources = 0
    require_room("uplinks", len(policy.uplinks), MOST_UPLINKS)
    require_room("sources", sum([len(uplink.sources) for uplink in policy.uplinks]), MOST_SOURCES)
    owners = owners_of(policy.uplinks)
    require_room("external addresses", len(owners), MOST_EXTERNAL_ADDRESSES)
    given_whole = {forward.external for forward in policy.forwards if is_one_to_one(forward)}
    realms = realms_of(policy.uplinks, owners, given_whole)
    require_room("realms", len(realms), MOST_REALMS)
    read_realms(rules, realms)
    realm_of = {address: i for i, (_, addresses) in enumerate(realms) for address in addresses}
    rules.external_count = len(owners)
    for i, address in enumerate(dict.fromkeys((*realm_of, *owners))):
        rules.external[i] = word_of(address)
        rules.uplink_of[i] = owners[address]
        rules.realm_of[i] = realm_of.get(address, NO_REALM)
        for number, uplink in enumerate(policy.uplinks):
            if address in uplink.addresses or address in uplink.pooled:
                rules.sharers[i] |= <uint8_t>(1 << number)
    rules.uplink_count = len(policy.uplinks)
    for number, uplink in enumerate(policy.uplinks):
        row = &rules.uplinks[number]
        row.index, row.mss, row.first_source = uplink.index, uplink.mss, sources
        own = {address: realm_of[address] for address in uplink.pooled if address in realm_of}
        row.realm = realm_in(number, own, owners)
        read_sources(rules, row, uplink, own)
        sources += row.source_count
    rules.single = rules.uplink_count == 1 and rules.pooled_count != 0
    return 0
