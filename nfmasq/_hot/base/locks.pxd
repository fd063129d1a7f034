# Locks: those of the C library, for threads that hold no GIL.

from libc.stdint cimport uint64_t

from nfmasq._hot.base.clock cimport CLOCK_MONOTONIC, clock_nanoseconds, timespec

cdef extern from "<pthread.h>" nogil:
    ctypedef struct pthread_mutex_t:
        pass
    ctypedef struct pthread_mutexattr_t:
        pass
    int PTHREAD_MUTEX_ADAPTIVE_NP
    int pthread_mutexattr_init(pthread_mutexattr_t* attributes)
    int pthread_mutexattr_settype(pthread_mutexattr_t* attributes, int type)
    int pthread_mutex_init(pthread_mutex_t* mutex, const pthread_mutexattr_t* attributes)
    int pthread_mutex_lock(pthread_mutex_t* mutex)
    int pthread_mutex_unlock(pthread_mutex_t* mutex)
    int pthread_mutex_destroy(pthread_mutex_t* mutex)

cdef extern from "<semaphore.h>" nogil:
    ctypedef struct sem_t:
        pass
    int sem_init(sem_t* semaphore, int shared, unsigned int value)
    int sem_post(sem_t* semaphore)
    int sem_clockwait(sem_t* semaphore, int clock, const timespec* until)

cdef inline void make_lock(pthread_mutex_t* lock) noexcept nogil:
    """A lock that is waited for awake at first: a batch holds it for less time than falling asleep takes."""
    cdef pthread_mutexattr_t attributes
    pthread_mutexattr_init(&attributes)
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP)
    pthread_mutex_init(lock, &attributes)

cdef inline void await_post(sem_t* semaphore, uint64_t nanoseconds) noexcept nogil:
    """Wait until the semaphore is posted, but no longer than this."""
    cdef uint64_t end = clock_nanoseconds() + nanoseconds
    cdef timespec until
    until.tv_sec, until.tv_nsec = <long>(end // 1_000_000_000), <long>(end % 1_000_000_000)
    sem_clockwait(semaphore, CLOCK_MONOTONIC, &until)
