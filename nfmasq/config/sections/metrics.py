"""[metrics]: where the metrics and the status page are served."""

from typing import Annotated

from pydantic import PlainValidator

from nfmasq.config.addresses import host_name, listen
from nfmasq.config.sections.table import Table

Listen = Annotated[tuple[str, int] | None, PlainValidator(listen)]
HostName = Annotated[str, PlainValidator(host_name)]


class Metrics(Table):
    """[metrics]. listen: host and port, or None: nowhere. hosts: names of the router in public domains."""

    listen: Listen = ("127.0.0.1", 9853)
    hosts: tuple[HostName, ...] = ()
