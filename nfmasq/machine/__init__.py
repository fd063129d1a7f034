"""Linux as it is now: interfaces, sockets, queues, programs, privileges. Read, never kept."""
