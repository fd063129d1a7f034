"""The RTSP programs that the helper is tried with: GStreamer, ffmpeg, rtsp-server-perl.

What is stored: the process of a server. Servers send two streams, pictures and sound.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from ipaddress import IPv4Address

from netns.ftp_servers import program
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.waiting import wait_until

PICTURES = 20
"""Packets of a stream that a client waits for."""
STREAMS = (
    "( videotestsrc is-live=true ! video/x-raw,format=I420,width=160,height=120,framerate=15/1"
    " ! jpegenc ! rtpjpegpay name=pay0 pt=26"
    " audiotestsrc is-live=true ! audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay1 pt=8 )"
)
_SYSTEM_PYTHON = "/usr/bin/python3"
"""Debian's bindings of GStreamer belong to it."""
_SERVER = """
import sys, gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
server, factory = GstRtspServer.RTSPServer(), GstRtspServer.RTSPMediaFactory()
server.set_address("0.0.0.0")
server.set_service(sys.argv[1])
factory.set_launch(sys.argv[2])
server.get_mount_points().add_factory("/test", factory)
server.attach(None)
GLib.MainLoop().run()
"""


@contextmanager
def _running(host: Namespace, port: int, *command: str) -> Iterator[None]:
    server = host.popen(
        *command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        wait_until(
            lambda: server.poll() is not None or f":{port} " in host.run("ss", "-Hltn"),
            f"{command[0]} to listen",
            20,
        )
        assert server.poll() is None, server.stderr.read() if server.stderr else sys.exc_info()
        yield
    finally:
        server.kill()
        server.communicate()


def gstreamer_server(host: Namespace, port: int = 554) -> AbstractContextManager[None]:
    """GStreamer's server with two live streams, at rtsp://HOST:PORT/test."""
    return _running(host, port, _SYSTEM_PYTHON, "-c", _SERVER, str(port), STREAMS)


def perl_server(host: Namespace, address: IPv4Address) -> AbstractContextManager[None]:
    """rtsp-server-perl: sources push to port 5545, clients play from port 554."""
    where = ("--client_listen_address", str(address), "--source_listen_address", str(address))
    return _running(
        host, 5545, program("rtsp-server-perl"), "--clientport", "554", "--serverport", "5545", *where
    )


def ffmpeg(
    host: Namespace, url: str, transport: str, seconds: float = 2, patience_s: float = 20
) -> dict[int, int]:
    """Play for some seconds; how many frames of each stream came, by its number.

    No keyboard, no fallback to another transport. Nothing comes: {}.
    """
    command = ("ffmpeg", "-nostdin", "-v", "error", "-rtsp_transport", transport, "-i", url)
    done = host.popen(
        "timeout", str(patience_s), *command,
        "-t", str(seconds), "-map", "0", "-c", "copy", "-f", "framecrc", "-",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    said, _ = done.communicate(timeout=patience_s + 10)
    lines = [line for line in said.splitlines() if line and not line.startswith("#")]
    streams = [int(line.split(",")[0]) for line in lines]
    return {stream: streams.count(stream) for stream in set(streams)}


def gstreamer(host: Namespace, url: str, protocols: str, patience_s: float = 20) -> str:
    """Play both streams until PICTURES packets of each came; why they did not come, or "".

    How the program ends is no matter: without any router, its PAUSE sometimes meets a closed connection.
    """
    sink = f"! fakesink num-buffers={PICTURES}"
    done = host.popen(
        "timeout", str(patience_s), "gst-launch-1.0",
        "rtspsrc", "name=s", f"location={url}", f"protocols={protocols}", "latency=0", "timeout=0",
        *f"s. ! application/x-rtp,media=video {sink} s. ! application/x-rtp,media=audio {sink}".split(),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    said, _ = done.communicate(timeout=patience_s + 10)
    return "" if "Got EOS from element" in said else f"{done.returncode}: {said}"


@contextmanager
def pushing(host: Namespace, url: str) -> Iterator[Callable[[], int | None]]:
    """ffmpeg pushes a tone by ANNOUNCE and RECORD over UDP; gives how it ended, None while it runs."""
    source = ("-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=8000", "-c:a", "pcm_alaw")
    push = host.popen(
        "ffmpeg", "-nostdin", "-v", "error", *source, "-f", "rtsp", "-rtsp_transport", "udp", url,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield push.poll
    finally:
        push.kill()
        push.wait(10)
