"""A forward that comes from elsewhere than the file: judged as if it stood there behind the others."""

from collections.abc import Sequence
from ipaddress import IPv4Network
from typing import Any

from pydantic import ValidationError

from nfmasq.config.errors import ConfigError, ConfigInvalid, key_of
from nfmasq.config.explain import explained
from nfmasq.config.forwards import Misfit, misfits
from nfmasq.config.models import Forward


def added_forward(
    table: dict[str, Any], others: Sequence[Forward] = (), pool: Sequence[IPv4Network] = ()
) -> Forward:
    """The forward that `table`, with the keys of [[forward]], means together with `others`.

    pool: the external addresses that are configured.
    Raises ConfigInvalid with everything that is wrong; the keys are those of `table`.
    """
    tables = [*(other.written() for other in others), table]
    wrong = [
        _error(misfit)
        for misfit in misfits(tables, pool, lambda place: others[place].id)
        if misfit.place in {None, len(others)}
    ]
    try:
        forward = Forward.model_validate(table)
    except ValidationError as invalid:
        raise ConfigInvalid([*explained(invalid, table, ("forward", 0)), *wrong]) from None
    if wrong:
        raise ConfigInvalid(wrong)
    return forward


def _error(misfit: Misfit) -> ConfigError:
    return ConfigError(key_of(misfit.key) or "forward", misfit.reason)
