"""[[forward]]: external endpoints that lead to internal hosts."""

from ipaddress import IPv4Address
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainValidator

from nfmasq.config.addresses import Target, host_address, target
from nfmasq.config.protocols import ANY, protocol
from nfmasq.config.sections.table import Ports, Table

Protocol = Annotated[str, PlainValidator(protocol)]
Address = Annotated[IPv4Address, PlainValidator(host_address)]
To = Annotated[Target, PlainValidator(target)]


def _one_or_several(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class Forward(Table):
    """One [[forward]]. Several internal hosts share its sessions.

    A target with one port takes all the external ports; one with as many takes them one by one; one without
    leaves each port what it is. external_port, external_address: None: all.
    """

    protocol: Protocol = ANY
    external_port: Ports | None = None
    external_address: Address | None = None
    to: Annotated[list[To], BeforeValidator(_one_or_several)] = Field(
        min_length=1, examples=['"192.168.1.10:80"']
    )

    @property
    def id(self) -> str:
        """Its short name, made of what it claims outside: no two forwards that may be together share it."""
        parts = (self.external_address, self.protocol, self.external_port)
        return "-".join(str(part) for part in parts if part is not None)

    def written(self) -> dict[str, Any]:
        """The table that gives this forward again; of plain values."""
        keys = {"external_port": self.external_port, "external_address": self.external_address}
        given = {key: str(value) for key, value in keys.items() if value is not None}
        return {"protocol": self.protocol, **given, "to": [str(target) for target in self.to]}
