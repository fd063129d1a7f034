# Likelihood: what the compiler is to know of a question's answer.

cdef extern from *:
    """
    /* The code of a rare case stays out of the way of all others. */
    #define nfmasq_seldom(question) __builtin_expect(!!(question), 0)
    """
    bint seldom "nfmasq_seldom" (bint question) noexcept nogil
