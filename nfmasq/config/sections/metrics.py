"""[metrics]: where the metrics and the status page are served."""

from typing import Annotated

from pydantic import PlainValidator

from nfmasq.config.addresses import listen
from nfmasq.config.sections.table import Table

Listen = Annotated[tuple[str, int] | None, PlainValidator(listen)]


class Metrics(Table):
    """[metrics]. listen: host and port, or None: nowhere."""

    listen: Listen = ("127.0.0.1", 9853)
