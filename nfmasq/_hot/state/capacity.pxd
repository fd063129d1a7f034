# Capacity: every number of what the core can hold.
#
# nfmasq/core/limits.py has the same numbers, for the control path; a test compares all of them.

cdef enum:
    MOST_SESSIONS = 0x03FFFFFF
    MOST_UPLINKS = 8
    MOST_EXTERNAL_ADDRESSES = 256      # of all uplinks together
    MOST_SOURCES = 1024                # of all uplinks together
    MOST_REALMS = 255                  # pools, and addresses that routes name
    MOST_INTERNAL_NETWORKS = 4096
    MOST_BEHAVIOURS = 257              # networks with a behaviour of their own, and everywhere
    MOST_FORWARDS = 1024
    MOST_FORWARD_TARGETS = 4096        # of all forwards together
    MOST_OWN = 256                     # protocols and remote addresses that are for the router itself
    MOST_HELPERS = 31
    MOST_HELPER_PORTS = 256
    MOST_HELPER_NETWORKS = 1024        # of all helpers' ports together
    MOST_WORKER_QUEUES = 64            # queues of one worker
    MOST_SET_ASIDE = 4096              # packets that wait for the helpers' thread
