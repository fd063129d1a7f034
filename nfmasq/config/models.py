"""The whole configuration file, made of its tables; each is in `sections`, in a file named after it."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from nfmasq.config.sections.control import Control
from nfmasq.config.sections.engine import Engine
from nfmasq.config.sections.forwards import Forward
from nfmasq.config.sections.helpers import HelperConfig, flag_or_table
from nfmasq.config.sections.limits import Limits
from nfmasq.config.sections.metrics import Metrics
from nfmasq.config.sections.nat import Behaviour, Nat, Network
from nfmasq.config.sections.table import Table
from nfmasq.config.sections.timeouts import Timeouts

__all__ = [
    "Behaviour",
    "Config",
    "Control",
    "Engine",
    "Forward",
    "HelperConfig",
    "Limits",
    "Metrics",
    "Nat",
    "Network",
    "Table",
    "Timeouts",
]


class Config(Table):
    """A whole configuration file."""

    nat: Nat
    network: list[Network] = Field(default=[])
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    helpers: dict[str, Annotated[HelperConfig, BeforeValidator(flag_or_table)]] = Field(default={})
    forward: list[Forward] = Field(default=[])
    metrics: Metrics = Metrics()
    control: Control = Control()
    engine: Engine = Engine()
