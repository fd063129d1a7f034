"""The configuration file: what may be in it, what it means, and what is wrong with it.

A file goes this way. `file` reads it. `models` and `sections` name its keys; `values`, `addresses` and
`protocols` parse them. `explain` words what is wrong. `across`, `forwards` and `helpers` find what clashes;
`warnings`, what is odd but taken. `policy` makes the core's policy of it. `added` judges a forward that is in
no file.
"""

from nfmasq.config.added import added_forward
from nfmasq.config.addresses import PortRange, Target
from nfmasq.config.errors import ConfigError, ConfigInvalid
from nfmasq.config.file import load, parse
from nfmasq.config.machine import machine_errors
from nfmasq.config.models import Behaviour, Config, Forward, HelperConfig, Network
from nfmasq.config.policy import forwards_of, policy_of
from nfmasq.config.warnings import warnings_of

__all__ = [
    "Behaviour",
    "Config",
    "ConfigError",
    "ConfigInvalid",
    "Forward",
    "HelperConfig",
    "Network",
    "PortRange",
    "Target",
    "added_forward",
    "forwards_of",
    "load",
    "machine_errors",
    "parse",
    "policy_of",
    "warnings_of",
]
