"""What the machine is right now: interfaces, sockets, programs, privileges. Read, never kept."""
