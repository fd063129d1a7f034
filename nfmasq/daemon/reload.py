"""Reads the configuration again while packets flow: some keys may change, others need a restart."""

from operator import attrgetter
from pathlib import Path

from nfmasq.config import Config, ConfigError, ConfigInvalid, load, missing_interfaces, warnings_of
from nfmasq.control.running import ReloadOutcome
from nfmasq.daemon.supervise import Supervisor

FIXED = {
    "engine.workers": attrgetter("engine.chosen_workers"),
    "engine.first_queue": attrgetter("engine.first_queue"),
    "engine.state": attrgetter("engine.state"),
    "engine.saved": attrgetter("engine.saved"),
    "engine.forwards": attrgetter("engine.forwards"),
    "engine.diversion": attrgetter("engine.diversion"),
    "engine.on_failure": attrgetter("engine.on_failure"),
    "limits.sessions": attrgetter("limits.sessions"),
    "control.socket": attrgetter("control.socket"),
    "metrics.listen": attrgetter("metrics.listen"),
    "metrics.hosts": attrgetter("metrics.hosts"),
}
"""Keys that are fixed at the start of the daemon."""


def adopt(path: Path, supervisor: Supervisor) -> ReloadOutcome:
    """Adopt the configuration at `path` when it is good."""
    try:
        config = read_again(path, supervisor.config)
        warnings = supervisor.adopt(config)
    except ConfigInvalid as invalid:
        return ReloadOutcome(errors=tuple(invalid.errors))
    missing = map(str, missing_interfaces(config))
    return ReloadOutcome(warnings=(*warnings_of(config), *missing, *warnings))


def read_again(path: Path, old: Config) -> Config:
    """The configuration at `path`. Raises ConfigInvalid if it is not good, also for a running daemon."""
    new = load(path)
    errors = fixed_changes(old, new)
    if errors:
        raise ConfigInvalid(errors)
    return new


def fixed_changes(old: Config, new: Config) -> list[ConfigError]:
    """An error for each key that differs and cannot change while the daemon runs."""
    return [
        ConfigError(key, "cannot change while nfmasq runs; restart it, or put the old value back")
        for key, read in FIXED.items()
        if read(old) != read(new)
    ]
