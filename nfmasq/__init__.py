"""nfmasq: a masquerader for Linux routers, over netfilter queues."""

__version__ = "0.1.0"
