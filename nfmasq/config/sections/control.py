"""[control]: where the control API is."""

from pathlib import Path
from typing import Annotated

from pydantic import PlainValidator

from nfmasq.config.sections.table import Table
from nfmasq.config.values import socket_path

SocketPath = Annotated[Path, PlainValidator(socket_path)]


class Control(Table):
    """[control]. socket: of the control API."""

    socket: SocketPath = Path("/run/nfmasq/control.sock")
