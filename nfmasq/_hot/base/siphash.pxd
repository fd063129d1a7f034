# SipHash-1-3 of exactly sixteen bytes (Aumasson, Bernstein 2012): the keyed hash of the table's indexes,
# so that no attacker can choose tuples that fall into one bucket; and the source of unpredictable ports.

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy

cdef struct HashKey:
    uint64_t[4] start        # the state before the first word: the key and SipHash's constants

cdef inline uint64_t rotate(uint64_t x, int bits) noexcept nogil:
    return (x << bits) | (x >> (64 - bits))

cdef inline void sip_round(uint64_t* v) noexcept nogil:
    v[0] += v[1]
    v[1] = rotate(v[1], 13)
    v[1] ^= v[0]
    v[0] = rotate(v[0], 32)
    v[2] += v[3]
    v[3] = rotate(v[3], 16)
    v[3] ^= v[2]
    v[0] += v[3]
    v[3] = rotate(v[3], 21)
    v[3] ^= v[0]
    v[2] += v[1]
    v[1] = rotate(v[1], 17)
    v[1] ^= v[2]
    v[2] = rotate(v[2], 32)

cdef inline void set_key(HashKey* key, const uint8_t* secret) noexcept nogil:
    """Make a key of 16 secret bytes."""
    cdef uint64_t[2] words
    memcpy(words, secret, sizeof(words))
    key.start[0] = words[0] ^ <uint64_t>0x736F6D6570736575
    key.start[1] = words[1] ^ <uint64_t>0x646F72616E646F6D
    key.start[2] = words[0] ^ <uint64_t>0x6C7967656E657261
    key.start[3] = words[1] ^ <uint64_t>0x7465646279746573

cdef inline uint64_t siphash(const HashKey* key, uint64_t first, uint64_t second) noexcept nogil:
    cdef uint64_t[4] v
    v[0], v[1], v[2], v[3] = key.start[0], key.start[1], key.start[2], key.start[3]
    v[3] ^= first
    sip_round(v)
    v[0] ^= first
    v[3] ^= second
    sip_round(v)
    v[0] ^= second
    v[3] ^= <uint64_t>16 << 56
    sip_round(v)
    v[0] ^= <uint64_t>16 << 56
    v[2] ^= 0xFF
    sip_round(v)
    sip_round(v)
    sip_round(v)
    return v[0] ^ v[1] ^ v[2] ^ v[3]
