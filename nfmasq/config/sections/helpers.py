"""[helpers]: which helpers are enabled, on which ports, and with which options of their own."""

from typing import Any

from pydantic import ConfigDict, Field

from nfmasq.config.sections.table import Flag, Port, Table
from nfmasq.config.values import described


class HelperConfig(Table):
    """One entry of [helpers]. ports: none means the helper's own. Other keys are options it declares."""

    model_config = ConfigDict(frozen=True, extra="allow")

    enabled: Flag = Field(examples=["true"])
    ports: list[Port] = Field(default=[])

    @property
    def options(self) -> dict[str, Any]:
        """All keys but these two, as TOML gave them."""
        return self.model_extra or {}


def flag_or_table(value: Any) -> Any:
    """`true` and `false` stand for a table in which only `enabled` is written. Raises ValueError."""
    if isinstance(value, bool):
        return {"enabled": value}
    if not isinstance(value, (dict, HelperConfig)):
        kinds = "true, false or a table such as { enabled = true, ports = [6667] }"
        raise ValueError(f"must be {kinds}, not {described(value)}")
    return value
