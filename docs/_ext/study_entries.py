"""The entries of `study.toml`, from the fields of the configuration."""

import types
import typing
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

import workbench as wb

_WORDS = {int: "whole number", float: "number", str: "text", bool: "true or false"}
_PLURAL = {"whole number": "whole numbers", "number": "numbers", "text": "texts", "text or table": "texts or tables"}
_BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def _type(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return " or ".join(f"`{choice}`" for choice in arguments)
    if origin is tuple:
        inner = _type(arguments[0])
        return f"list of {_PLURAL.get(inner, inner)}"
    if origin is dict:
        values = _type(arguments[1])
        return f"table of {_PLURAL[values]}" if values in _PLURAL else "table"
    if origin in (typing.Union, types.UnionType):
        kinds = [_type(argument) for argument in arguments if argument is not type(None)]
        return " or ".join(kinds)
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return "a table, see below"
    return _WORDS.get(hint, getattr(hint, "__name__", str(hint)))


def _bounds(field: FieldInfo) -> str:
    bounds = [
        f"{sign} {getattr(bound, name):g}"
        for bound in field.metadata
        for name, sign in _BOUNDS.items()
        if getattr(bound, name, None) is not None
    ]
    return ", ".join(bounds)


def _default(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_default, value))}]"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _default_of(field: FieldInfo) -> Any:
    """The value of an entry that a file leaves out."""
    return field.get_default(call_default_factory=True, validated_data={})


def _entries(model: type[BaseModel]) -> list[str]:
    lines: list[str] = []
    for name, field in model.model_fields.items():
        default = "required" if field.is_required() else f"default `{_default(_default_of(field))}`"
        head = ", ".join(part for part in (f"*{_type(field.annotation)}*", _bounds(field), default) if part)
        text = (field.description or "").replace("*", "\\*").replace("<", "\\<")
        lines += [f"`{name}`  {head}", f":   {text}", ""]
    return lines


def reference() -> str:
    """The configuration's entries, then those of each table in it."""
    lines = _entries(wb.StudyConfig)
    for name, field in wb.StudyConfig.model_fields.items():
        for hint in typing.get_args(field.annotation):
            if isinstance(hint, type) and issubclass(hint, BaseModel):
                lines += [f"## The table `[{name}]`", "", *_entries(hint)]
    return "\n".join(lines)


def example() -> str:
    """What `workbench study --example` prints."""
    return f"```toml\n{wb.StudyConfig.example().toml(explained=True)}```"
