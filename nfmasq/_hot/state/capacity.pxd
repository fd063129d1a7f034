# Capacity: every number of what the core can hold.
#
# nfmasq/core/limits.py has the same numbers, for the control path; a test compares all of them.

cdef enum:
    MOST_SESSIONS = 0x03FFFFFF         # a hairpinned packet's mark has 26 bits for the session's number
    MOST_EXTERNAL_ADDRESSES = 256
    MOST_INTERNAL_NETWORKS = 64
    MOST_BEHAVIOURS = 257              # networks with a behaviour of their own, and everywhere
    MOST_FORWARDS = 1024
    MOST_FORWARD_TARGETS = 4096        # of all forwards together
    MOST_HELPERS = 31
    MOST_HELPER_PORTS = 256
    MOST_HELPER_NETWORKS = 1024        # of all helpers' ports together
    MOST_WORKER_QUEUES = 64            # queues of one worker
    MOST_SET_ASIDE = 4096              # packets that wait for the helpers' thread
