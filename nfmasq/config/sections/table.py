"""What all tables of the file share: how they treat keys, and kinds of value that several of them have.

Frozen: a daemon reloads by making another Config and never by changing one. A key that is missing in the file
has its default; `model_fields_set` names the keys that were written. `examples` are shown when a required key
is missing.
"""

from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainValidator

from nfmasq.config.addresses import LAST_PORT, PortRange, network, port_range
from nfmasq.config.values import duration, flag, path, whole


class Table(BaseModel):
    """One table of the file. A key it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Flag = Annotated[bool, PlainValidator(flag)]
Seconds = Annotated[int, PlainValidator(duration)]
Port = Annotated[int, PlainValidator(whole(1, LAST_PORT))]
Ports = Annotated[PortRange, PlainValidator(port_range)]
Cidr = Annotated[IPv4Network, PlainValidator(network)]
FilePath = Annotated[Path, PlainValidator(path)]
