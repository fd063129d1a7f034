"""Errors of a good configuration on this machine, as the machine is now."""

import socket

from nfmasq.config.errors import ConfigError, did_you_mean, key_of, quoted
from nfmasq.config.models import Config


def machine_errors(config: Config) -> list[ConfigError]:
    """An error for each interface which this process's network namespace does not have."""
    existing = {name for _, name in socket.if_nameindex()}
    wanted = {key_of(("nat", "internal", place)): name for place, name in enumerate(config.nat.internal)}
    wanted["nat.external"] = config.nat.external
    return [
        ConfigError(key, _missing(name, existing)) for key, name in wanted.items() if name not in existing
    ]


def _missing(name: str, existing: set[str]) -> str:
    advice = did_you_mean(name, sorted(existing)) or f"; there are: {', '.join(sorted(existing)) or 'none'}"
    return f"no interface {quoted(name)} here{advice}"
