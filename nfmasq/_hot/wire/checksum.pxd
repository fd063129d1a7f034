# The Internet checksum (RFC 1071) and its incremental update (RFC 1624, equation 3).
#
# Sums are of 16-bit words in network order, added as they lie in memory: one's complement addition does not
# mind the byte order as long as it is the same throughout. "Sum" is not complemented, "check" is.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from nfmasq._hot.wire.wire cimport htons

cdef inline uint16_t fold(uint64_t total) noexcept nogil:
    """Bring a sum of words down to 16 bits, end-around carries included.

    A number added to itself with its halves exchanged has the sum of both in its upper half, carry included.
    """
    cdef uint32_t half = <uint32_t>((total + (total << 32 | total >> 32)) >> 32)
    return <uint16_t>((half + (half << 16 | half >> 16)) >> 16)

cdef extern from *:
    """
    /* 32-bit words into a 64-bit total: the compiler makes vector code of the loop, and 2**32 words fit. */
    static inline uint64_t nfmasq_add_words(const uint8_t *data, uint32_t words) {
        uint64_t total = 0;
        for (uint32_t i = 0; i < words; i++) {
            uint32_t word;
            memcpy(&word, data + 4 * (size_t)i, 4);
            total += word;
        }
        return total;
    }

    /* For long packets, once for each kind of processor; which it is, is found out when the module loads. */
    #if defined(__x86_64__) && defined(__GLIBC__)
    __attribute__((target_clones("avx512f", "avx2", "default")))
    #endif
    static uint64_t nfmasq_add_many_words(const uint8_t *data, uint32_t words) {
        return nfmasq_add_words(data, words);
    }
    """
    uint64_t add_words "nfmasq_add_words" (const uint8_t* data, uint32_t words) noexcept nogil
    uint64_t add_many_words "nfmasq_add_many_words" (const uint8_t* data, uint32_t words) noexcept nogil

cdef enum:
    MANY = 256               # words from which a call costs less than it saves

cdef inline uint64_t sum_words(const uint8_t* data, uint32_t length) noexcept nogil:
    """The unfolded sum of `length` bytes; an odd last byte counts as the high half of a word."""
    cdef uint32_t words = length >> 2
    cdef uint64_t total = add_words(data, words) if words < MANY else add_many_words(data, words)
    cdef uint32_t at = length & ~<uint32_t>3
    cdef uint16_t half
    if length & 2:
        memcpy(&half, data + at, 2)
        total += half
        at += 2
    if length & 1:
        total += htons(<uint16_t>(data[at] << 8))
    return total

cdef inline uint64_t pseudo_header(
    uint32_t source, uint32_t destination, uint8_t protocol, uint32_t length
) noexcept nogil:
    """The unfolded sum of the TCP or UDP pseudo-header (RFC 9293 section 3.1); length in host order."""
    return (
        <uint64_t>source + destination + htons(protocol)
        + htons(<uint16_t>(length & 0xFFFF)) + htons(<uint16_t>(length >> 16))
    )

cdef inline uint16_t whole_check(uint64_t total) noexcept nogil:
    """The checksum field for data with this sum (the field itself counted as 0)."""
    return <uint16_t>(~fold(total) & 0xFFFF)

cdef inline uint16_t never_zero(uint16_t check) noexcept nogil:
    """UDP sends a checksum of 0 as 0xFFFF: 0 says that there is none (RFC 768); UDP-Lite has no 0 at all."""
    return check if check else 0xFFFF

cdef inline uint64_t lane(const void* start, const uint8_t* field) noexcept nogil:
    """How often a field's value counts in the sum of the header that begins at `start`.

    At an odd byte the two bytes of each word are summed swapped, which in one's complement is the same as
    multiplying by 256.
    """
    return 256 if (field - <const uint8_t*>start) & 1 else 1

cdef inline uint64_t difference(uint64_t before, uint64_t after) noexcept nogil:
    """What a sum changes by when words summing to `before` become words summing to `after`, each below 2^48.

    Differences add up. In one's complement 2^48 - 1 is a zero, and its exclusive or a negation.
    """
    return (before ^ <uint64_t>0xFFFFFFFFFFFF) + after

cdef inline uint16_t update_check(uint16_t check, uint64_t changed) noexcept nogil:
    """The checksum field once the words under it have changed by this difference.

    HC' = ~(~HC + ~m + m'), RFC 1624: never turns a valid check into 0xFFFF by mistake, and keeps a wrong
    one wrong by the same amount, so damage on the way in is still seen at the far end.
    """
    return whole_check(<uint64_t>(<uint16_t>~check) + changed)

cdef inline uint16_t update_sum(uint16_t partial, uint64_t changed) noexcept nogil:
    """As update_check for a pseudo-header sum that a device will complete: not complemented."""
    return fold(<uint64_t>partial + changed)
