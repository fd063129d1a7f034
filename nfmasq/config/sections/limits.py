"""[limits]: the most of each; 0: no limit by number. The core's Limits have these names and defaults."""

from typing import Annotated

from pydantic import PlainValidator

from nfmasq.config.sections.table import Table
from nfmasq.config.values import whole
from nfmasq.core.limits import MOST_SESSIONS

Sessions = Annotated[int, PlainValidator(whole(1, MOST_SESSIONS))]
Limit = Annotated[int, PlainValidator(whole(0, MOST_SESSIONS))]


class Limits(Table):
    """[limits], all of it copied to the core by name.

    sessions_per_host, ports_per_host: 0: the host's share of what is free.
    """

    sessions: Sessions = 1_000_000
    half_open: Limit = 0
    new_per_second: Limit = 0
    sessions_per_host: Limit = 0
    ports_per_host: Limit = 0
    half_open_per_host: Limit = 0
    new_per_second_per_host: Limit = 0
