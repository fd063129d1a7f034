"""Makes ConfigErrors of what pydantic found: the key as the file has it, the reason, and what to write."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from nfmasq.config.errors import ConfigError, did_you_mean, key_of
from nfmasq.config.models import Config
from nfmasq.config.values import described

Place = Sequence[str | int]


def explained(
    invalid: ValidationError, document: dict[str, Any], above: tuple[str | int, ...] = ()
) -> list[ConfigError]:
    """Every error found in `document`, in the order of the tables.

    above: the place of `document` if it is one table of a configuration; the keys of the errors are below it.
    """
    return [
        ConfigError(key_of(_as_written(error["loc"], document)), _reason(error, (*above, *error["loc"])))
        for error in invalid.errors(include_url=False)
    ]


def _as_written(place: Place, document: Any) -> Iterator[str | int]:
    """A place without the list index pydantic gives for a value that stands alone in the file."""
    for part in place:
        if isinstance(part, str) or isinstance(document, list):
            yield part
            document = _inside(document, part)


def _inside(document: Any, part: str | int) -> Any:
    try:
        return document[part]
    except (LookupError, TypeError):
        return None


def _reason(error: ErrorDetails, place: Place) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    word = _WORDINGS.get(error["type"])
    return word(place, error["input"]) if word else error["msg"]


def _unknown(place: Place, _: Any) -> str:
    """The nearest key of the same table; else the tables that have a key of this name; else all there is."""
    wrong, here = str(place[-1]), keys_at(place[:-1])
    if near := did_you_mean(wrong, here):
        return f"unknown key{near}"
    if elsewhere := [header for header, keys in _tables(Config) if wrong in keys]:
        return f"unknown key here; it belongs in {' or '.join(elsewhere)}"
    return f"unknown key; there are: {', '.join(here)}"


def _missing(place: Place, _: Any) -> str:
    return f"is missing; for instance {place[-1]} = {_example(place)}"


def _empty(place: Place, _: Any) -> str:
    return f"must not be empty; for instance {place[-1]} = {_example(place)}"


def _not_a_list(place: Place, value: Any) -> str:
    if _table_below(place):
        return f"must be written as [[{place[-1]}]], once for each, not as {described(value)}"
    return f"must be a list in [ ], not {described(value)}"


def _not_a_table(place: Place, value: Any) -> str:
    name = key_of(part for part in place if isinstance(part, str))
    header = f"[{name}]" if isinstance(place[-1], str) else f"[[{name}]]"
    return f"must be a table, written as {header}, not {described(value)}"


_WORDINGS: dict[str, Callable[[Place, Any], str]] = {
    "extra_forbidden": _unknown,
    "missing": _missing,
    "too_short": _empty,
    "list_type": _not_a_list,
    "model_type": _not_a_table,
    "dict_type": _not_a_table,
}


def keys_at(place: Place) -> list[str]:
    """The keys the table at `place` may have."""
    return _keys(_model_at(place))


def _keys(table: type[BaseModel]) -> list[str]:
    """All but those that are older names of others."""
    return [field.alias or name for name, field in table.model_fields.items() if not field.json_schema_extra]


def _tables(model: type[BaseModel], above: str = "") -> Iterator[tuple[str, list[str]]]:
    """The header and the keys of each table of a fixed name below `model`."""
    for name, field in model.model_fields.items():
        below, shape = _model_in(field.annotation), get_origin(field.annotation)
        if below and shape is not dict:
            yield f"[[{above}{name}]]" if shape is list else f"[{above}{name}]", _keys(below)
            yield from _tables(below, f"{above}{name}.")


def _example(place: Place) -> str:
    field = _field(_model_at(place[:-1]), str(place[-1]))
    return str(field.examples[0]) if field and field.examples else "..."


def _table_below(place: Place) -> bool:
    field = _field(_model_at(place[:-1]), str(place[-1]))
    return field is not None and _model_in(field.annotation) is not None


def _model_at(place: Place) -> type[BaseModel]:
    """The model of the table at `place`; a list's index or a helper's name leads to no other."""
    model: type[BaseModel] = Config
    for part in place:
        field = _field(model, part) if isinstance(part, str) else None
        model = (field and _model_in(field.annotation)) or model
    return model


def _field(model: type[BaseModel], key: str) -> FieldInfo | None:
    for name, field in model.model_fields.items():
        if key == (field.alias or name):
            return field
    return None


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model an annotation such as `list[Model]` or `Model | None` is about."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for model in map(_model_in, get_args(annotation)) if model), None)
