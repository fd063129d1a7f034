"""The attacks nfmasq must withstand, in the words in which the tests' docstrings name them.

A test against an attack begins its docstring with the row's words; test_rows.py finds rows without a test.
"""

TCP_STATE = (
    "Blind RST removes a mapping",
    "LAN attacker hijack",
    "Wrong sequence numbers accepted; header length wraps the payload's",
    "SYN on a stale tuple, challenge ACK, SYN-ACK retransmit",
    "Window tracking too strict",
    "Option walkers",
    "URG pointer, timestamps, MSS, ECN bits",
    "Simultaneous open, unsolicited SYN probing",
)

IP_AND_ICMP = (
    "Private address leak by untranslatable packets",
    "Router ICMP quotes a private address",
    "ICMP error of no flow, not to whom it quotes, truncated, with a bad checksum; redirect",
    "ICMP error ends or refreshes a session",
    "Forged fragmentation-needed",
    "Tiny fragments (RFC 1858), overlapping, overlong, orphan flood",
    "IP-ID host counting, ID collision",
    "TTL not decremented, TTL 0",
    "IP options",
    "LAND, martian and spoofed addresses",
    "Hairpin spoof or loop",
    "Port shadow",
    "Port prediction",
    "UDP zero checksum",
    "Checksum-invalid",
    "Unknown protocol clash",
)

RESOURCES = (
    "One host opens 64k flows",
    "SYN flood from many spoofed inside sources",
    "Fragment store",
    "Log and metric flooding",
    "Hash flooding of the flow table",
)

ROWS = (*TCP_STATE, *IP_AND_ICMP, *RESOURCES)
