"""SIP between SIPps: calls over UDP and TCP to a server outside, and to one inside by a forward.

SIPp asks for no rport and looks at little: what each end has seen is compared.
"""

import re
import socket
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from netns.sip_programs import sipp_answering, sipp_calling
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import CLIENT1, CLIENT2, EXTERNAL, SERVER1, Topology

CALLS = 4
FIRST_FRAGMENT = 1500 - 20 - 8
"""Bytes of a datagram in its first fragment."""
LAB = {
    "config": {
        "helpers": {"sip": {"enabled": True, "mode": "full"}},
        "forward": [
            {"protocol": protocol, "external_port": 5060, "to": f"{CLIENT2}:5060"}
            for protocol in ("udp", "tcp")
        ],
    }
}
OF_ENDPOINTS = re.compile(r"(?m)^(?:Via|Contact|c=|INVITE|ACK|BYE)[^\r\n]*")
TRANSPORTS = pytest.mark.parametrize("transport", ["udp", "tcp"])


def naming(messages: str, address: IPv4Address) -> list[str]:
    """The lines that lead to an address; identities are none of them."""
    return [line for line in OF_ENDPOINTS.findall(messages) if str(address) in line]


def refused(daemon: DaemonUnderLab) -> float:
    """How many messages the helper has left alone."""
    return daemon.metrics()['nfmasq_helper_messages_total{helper="sip",result="refused"}']


@TRANSPORTS
def test_calls_go_out(net: Topology, daemon: DaemonUnderLab, transport: str, tmp_path: Path) -> None:
    with sipp_answering(net.server1, SERVER1, transport) as messages:
        inside = sipp_calling(net.client1, CLIENT1, SERVER1, tmp_path, transport=transport, calls=CALLS)
        outside = messages.read_text(errors="replace")
    assert len(naming(outside, EXTERNAL)) >= 4 * CALLS
    assert not naming(outside, CLIENT1)
    assert not naming(inside, EXTERNAL)
    assert refused(daemon) == 0


@TRANSPORTS
def test_calls_come_in(net: Topology, daemon: DaemonUnderLab, transport: str, tmp_path: Path) -> None:
    with sipp_answering(net.client2, CLIENT2, transport) as messages:
        outside = sipp_calling(net.server1, SERVER1, EXTERNAL, tmp_path, transport=transport, calls=CALLS)
        inside = messages.read_text(errors="replace")
    assert not naming(outside, CLIENT2)
    assert len(re.findall(rf"(?m)^c=IN IP4 {EXTERNAL}\r?$", outside)) == CALLS
    assert len(re.findall(rf"(?m)^c=IN IP4 {CLIENT2}\r?$", inside)) == CALLS
    assert refused(daemon) == 0


def test_a_message_in_the_second_fragment_of_a_datagram_opens_nothing(
    net: Topology, daemon: DaemonUnderLab
) -> None:
    """A browser can be made to send long datagrams, whose fragments begin where it likes."""
    body = (
        f"v=0\r\no=- 1 1 IN IP4 {CLIENT1}\r\ns=-\r\nc=IN IP4 {CLIENT1}\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n"
    )
    inner = (
        f"INVITE sip:bob@{SERVER1} SIP/2.0\r\nVia: SIP/2.0/UDP {CLIENT1}:40000;branch=z9hG4bK1\r\n"
        f"From: <sip:ann@{SERVER1}>;tag=1\r\nTo: <sip:bob@{SERVER1}>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n"
        f"Contact: <sip:ann@{CLIENT1}:40000>\r\nContent-Type: application/sdp\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()
    rewritten = 'nfmasq_helper_messages_total{helper="sip",result="rewritten"}'
    before = daemon.metrics()[rewritten]
    sending = net.client1.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    receiving = net.server1.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    with sending, receiving:
        receiving.bind((str(SERVER1), 5060))
        receiving.settimeout(10)
        sending.bind((str(CLIENT1), 40000))
        for text, changes in ((b"a" * FIRST_FRAGMENT + inner, 0), (inner, 4)):
            sending.sendto(text, (str(SERVER1), 5060))
            heard = receiving.recv(65536)
            assert (heard == text) == (changes == 0)
            assert daemon.metrics()[rewritten] - before == changes
