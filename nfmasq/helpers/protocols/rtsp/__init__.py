"""RTSP 1.0 and 2.0 (RFC 2326, RFC 7826): the ports on which SETUP lets media come in over UDP."""

from nfmasq.helpers.kit.base import Dialogue, Session, Side
from nfmasq.helpers.protocols.rtsp.dialogue import RtspDialogue


class Rtsp:
    """The helper. It has no options."""

    name = "rtsp"
    transport = "tcp"
    ports: tuple[int, ...] = (554, 8554)
    enabled_by_default = False
    about = "Streams of cameras and television: SETUP's ports for RTP"

    examples = (
        (Side.INSIDE, b"OPTIONS rtsp://203.0.113.10/a RTSP/1.0\r\nCSeq: 1\r\n\r\n"),
        (Side.OUTSIDE, b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: SETUP, PLAY\r\n\r\n"),
        (Side.INSIDE, b"DESCRIBE rtsp://203.0.113.10/a RTSP/1.0\r\nCSeq: 2\r\n\r\n"),
        (Side.OUTSIDE, b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 9\r\n\r\nv=0\r\ns=a\n"),
        (Side.INSIDE, b"SETUP rtsp://203.0.113.10/a/1 RTSP/1.0\r\nCSeq: 3\r\n"),
        (Side.INSIDE, b"Transport: RTP/AVP;unicast;client_port=5000-5001\r\n\r\n"),
        (Side.OUTSIDE, b"RTSP/1.0 200 OK\r\nCSeq: 3\r\nSession: 9\r\n"),
        (Side.OUTSIDE, b"Transport: RTP/AVP;unicast;client_port=40000-40001;server_port=6000-6001\r\n\r\n"),
        (Side.INSIDE, b"SETUP rtsp://203.0.113.10/a/2 RTSP/1.0\r\nCSeq: 4\r\nSession: 9\r\nTransport: "),
        (Side.INSIDE, b"RTP/AVP;unicast;destination=192.168.1.10;client_port=5002/5003,\r\n RTP/AVP/TCP"),
        (Side.INSIDE, b";interleaved=0-1,RTP/AVP/UDP;unicast;client_port=5002-5003\r\n\r\n"),
        (Side.OUTSIDE, b"RTSP/1.0 200 OK\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\nCSeq: 4\r\n\r\n"),
        (Side.OUTSIDE, b"$\0\0\x06media\n"),
        (Side.INSIDE, b"SETUP rtsp://203.0.113.10/a/3 RTSP/2.0\r\nCSeq: 5\r\nTransport: "),
        (Side.INSIDE, b'RTP/AVP/UDP;unicast;dest_addr="192.168.1.10:5006"/"192.168.1.10:5007"\r\n\r\n'),
        (Side.INSIDE, b"$\x01\0\x04data"),
        (Side.INSIDE, b"TEARDOWN rtsp://203.0.113.10/a RTSP/1.0\r\nCSeq: 6\r\nSession: 9\r\n\r\n"),
    )
    examples_from_outside = (
        (Side.OUTSIDE, b"SETUP rtsp://203.0.113.2/a RTSP/1.0\r\nCSeq: 1\r\n"),
        (Side.OUTSIDE, b"Transport: RTP/AVP;unicast;client_port=7000-7001\r\n\r\n"),
        (Side.INSIDE, b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nTransport: RTP/AVP;unicast;client_port=7000-7001;"),
        (Side.INSIDE, b"source=192.168.1.10;server_port=6000-6001\r\nSession: 7\r\n\r\n"),
    )

    def begin(self, session: Session) -> Dialogue:
        """A dialogue for a connection that begins."""
        return RtspDialogue(session)


HELPER = Rtsp
