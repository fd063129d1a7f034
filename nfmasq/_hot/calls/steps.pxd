# Steps: how a call that reads or ends many records shares the table's lock with the workers.
#
# Such a call treats STEP records under one holding of the lock, half a millisecond's work where all sessions
# end. Between two steps it sleeps: a lock that is taken again immediately would leave the workers none of it.

from nfmasq._hot.state.critical cimport enter, leave
from nfmasq._hot.state.table cimport NatTable

cdef extern from "<unistd.h>" nogil:
    int usleep(unsigned int microseconds)

cdef enum:
    STEP = 1024              # records under one holding of the lock
    BREATH_US = 20           # for a worker to take the lock

cdef inline void let_workers_in(NatTable* table) noexcept nogil:
    """Between two steps of a call that holds the lock."""
    leave(table)
    usleep(BREATH_US)
    enter(table)
