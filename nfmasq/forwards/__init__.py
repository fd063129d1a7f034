"""The forwards of a running daemon: `all` holds them, `kept` is the file of those that outlast a restart."""

from nfmasq.forwards.all import CONFIG, KEPT, RUNTIME, Entry, ForwardRefused, Forwards, NoSuchForward

__all__ = ["CONFIG", "KEPT", "RUNTIME", "Entry", "ForwardRefused", "Forwards", "NoSuchForward"]
