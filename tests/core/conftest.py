"""A router to run daemons on."""

from support.daemons import daemon, prepared, router

__all__ = ["daemon", "prepared", "router"]
