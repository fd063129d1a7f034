# Likelihood: what the compiler is to know of a question's answer.

cdef extern from *:
    """
    /* A probability of 1: the code of a rare case is not inlined, and takes no register of all others. */
    #define nfmasq_seldom(question) __builtin_expect_with_probability(!!(question), 0, 1.0)
    """
    bint seldom "nfmasq_seldom" (bint question) noexcept nogil
