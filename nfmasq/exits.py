"""The exit codes of the command line; scripts and the service unit rely on their numbers."""

from enum import IntEnum


class Exit(IntEnum):
    """How a command ended."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_REACHABLE = 3
    NOT_PERMITTED = 4
    CONFIG_INVALID = 5
    DEGRADED = 6
