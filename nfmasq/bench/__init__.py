"""The bench: how fast is nfmasq on this machine, against its upper bounds and its alternatives?

Every variant gets a bed of its own: a client, a router and a server in namespaces of their own, joined by two
cables, all beds alike. The variants differ only in the router's treatment of packets:

    plain            forwards them; the server knows the way back
    masquerade       the kernel's MASQUERADE
    floor            a queue program that accepts each batch unchanged: the least any queue program can cost
    rewriting-floor  a queue program that parses each packet, rewrites it and sends it back, without a table
    nfmasq           the same loop with the table
    scapy            a NetfilterQueue callback that translates with scapy

The daemon's own rules divert packets to the queue programs, each of which runs in a process of its own on the
router. All beds stand from the first to the last second. In every round each measure is taken of each
variant, one straight after the other, and the variant that comes first changes from round to round. So
whatever else the machine does meets all of them alike. A figure is the median of its rounds. Each measure's
module says what it counts: `datagrams`, `bulk`, `segments`, `connections`, `pingpong`.
"""
