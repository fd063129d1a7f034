"""The configuration file: what may be in it, what it means, and what is wrong with it.

A file goes this way: `file` reads it, `models` says which keys there are, `values` and `addresses` how each
is written, `explain` words what is wrong, `across` finds what clashes, `warnings` what is odd but taken, and
`policy` makes of it what the core decides by.
"""

from nfmasq.config.addresses import PortRange, Target
from nfmasq.config.errors import ConfigError, ConfigInvalid
from nfmasq.config.file import load, parse
from nfmasq.config.machine import machine_errors
from nfmasq.config.models import Behaviour, Config, Forward, HelperConfig, Network
from nfmasq.config.policy import policy_of

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
    "load",
    "machine_errors",
    "parse",
    "policy_of",
]
