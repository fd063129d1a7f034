"""A packet's new bytes, compared with what scapy makes of the same: its checksums are the measure of ours."""

import struct
from ipaddress import IPv4Address, IPv4Network
from typing import NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, in4_chksum
from scapy.utils import checksum as scapy_checksum
from support.packets import ACK, CHECK_AT, DCCP, ECHO, ECHO_REPLY, ICMP, SYN, TCP, UDP, UDPLITE, ip, put, word
from support.router import Router, policy

from nfmasq._fastpath import checksum

Endpoint = tuple[IPv4Address, int]
HEADS = {
    TCP: struct.pack("!IIBBHHH", 1, 2, 0x50, SYN, 512, 0, 0),
    UDP: bytes(4),
    UDPLITE: bytes(4),
    DCCP: bytes(4) + bytes(8),
}

words = st.sampled_from([0, 1, 0xFF, 0xFF00, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF]) | st.integers(0, 0xFFFF)
ports = words.filter(bool)
payloads = st.binary(max_size=64) | st.lists(words, max_size=24).map(
    lambda values: b"".join(map(word, values))
)


@st.composite
def addresses(draw: st.DrawFn, first: st.SearchStrategy[int]) -> IPv4Address:
    """Addresses whose words are often all zeros or all ones."""
    high = draw(first) << 8 | draw(st.sampled_from([0, 0xFF]) | st.integers(0, 0xFF))
    return IPv4Address(high << 16 | draw(words))


anywhere = addresses(st.integers(1, 255)).filter(lambda address: int(address) != 0)
remotes = addresses(st.integers(1, 126) | st.integers(128, 223))


class Case(NamedTuple):
    """One flow: who speaks, as whom, with whom, over what, and what is said each way."""

    protocol: int
    internal: IPv4Address
    port: int
    external: IPv4Address
    external_port: int
    remote: IPv4Address
    remote_port: int
    said: bytes
    answered: bytes


cases = st.builds(
    Case,
    st.sampled_from([TCP, UDP, ICMP, UDPLITE, DCCP]),
    anywhere,
    ports,
    anywhere,
    ports,
    remotes,
    ports,
    payloads,
    payloads,
).filter(lambda case: case.remote not in (case.external, case.internal))


def by_scapy(protocol: int, source: Endpoint, destination: Endpoint, flags: int, text: bytes) -> bytes:
    """A packet with these endpoints, both its checksums scapy's."""
    if protocol == ICMP:
        kind = ECHO if flags == SYN else ECHO_REPLY
        segment = struct.pack("!BBHHH", kind, 0, 0, source[1] or destination[1], 1) + text
        segment = put(segment, 2, word(scapy_checksum(segment)))
    else:
        segment = struct.pack("!HH", source[1], destination[1]) + HEADS[protocol] + text
        if protocol == TCP:
            segment = put(segment, 13, bytes([flags]))
        if protocol == UDP:
            segment = put(segment, 4, word(len(segment)))
        header = IP(src=str(source[0]), dst=str(destination[0]), proto=protocol)
        check = in4_chksum(protocol, header, segment)
        if check == 0 and protocol in (UDP, UDPLITE):
            check = 0xFFFF
        segment = put(segment, CHECK_AT[protocol], word(check))
    packet = put(ip(source[0], destination[0], protocol, segment), 10, b"\0\0")
    return put(packet, 10, word(scapy_checksum(packet[:20])))


class Flow:
    """A case and a router for it: one host is internal, and only one external port can be chosen."""

    def __init__(self, case: Case) -> None:
        self.case = case
        with_ports = case.protocol in (TCP, UDP, ICMP)
        self.inside = (case.internal, case.port)
        self.outside = (case.external, case.external_port if with_ports else case.port)
        self.far = (case.remote, 0 if case.protocol == ICMP else case.remote_port)
        self.router = Router(
            policy(
                external=(case.external,),
                internal=(IPv4Network((case.internal, 32)),),
                ports=((case.external_port, case.external_port),),
            )
        )

    def said(self, near: Endpoint) -> bytes:
        """What leaves, with this endpoint as its source."""
        return by_scapy(self.case.protocol, near, self.far, SYN, self.case.said)

    def answered(self, near: Endpoint) -> bytes:
        """What comes back, with this endpoint as its destination."""
        return by_scapy(self.case.protocol, self.far, near, ACK, self.case.answered)


ONES = IPv4Address("1.255.255.255")
CORNER = IPv4Address("1.0.0.0")


@settings(max_examples=150, deadline=None, derandomize=True)
@given(cases)
@example(Case(UDP, ONES, 0xFFFF, CORNER, 1, IPv4Address("2.0.0.0"), 0xFFFF, b"", b"\xff"))
@example(Case(TCP, CORNER, 1, ONES, 0xFFFF, IPv4Address("2.255.255.255"), 1, b"\0\0", b"\xff\xff\xff"))
def test_a_flow_is_translated_as_scapy_would(case: Case) -> None:
    """Every byte of the packet out and of the answer in, whatever the old and new words are."""
    flow = Flow(case)
    assert flow.router.out(flow.said(flow.inside)) == flow.said(flow.outside)
    assert flow.router.into(flow.answered(flow.outside)) == flow.answered(flow.inside)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(cases.filter(lambda case: case.protocol in (TCP, UDP)), words)
def test_what_was_left_to_the_device_gets_scapy_s_sum(case: Case, partial: int) -> None:
    """Whatever stands in the field: it is made anew."""
    flow = Flow(case)
    at = 20 + CHECK_AT[case.protocol]
    left = put(flow.said(flow.inside), at, word(partial))
    assert flow.router.out(left, checksum_ready=False) == flow.said(flow.outside)
    came = put(flow.answered(flow.outside), at, word(partial))
    assert flow.router.into(came, checksum_ready=False) == flow.answered(flow.inside)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.binary(max_size=400), st.integers(0, 7), words)
def test_sums_are_scapy_s(data: bytes, start: int, initial: int) -> None:
    part = memoryview(data)[start:]
    assert checksum(part) ^ 0xFFFF == scapy_checksum(bytes(part))
    assert checksum(part, initial) ^ 0xFFFF == scapy_checksum(word(initial) + bytes(part))
