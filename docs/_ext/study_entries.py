"""The entries of `study.toml`, from the fields of the configuration."""

import types
import typing
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

import workbench as wb

_WORDS = {int: "whole number", float: "number", str: "text", bool: "true or false"}
_BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def _type(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return " or ".join(f"`{choice}`" for choice in arguments)
    if origin is tuple:
        inner = _type(arguments[0])
        plural = {"whole number": "whole numbers", "number": "numbers", "text": "texts"}.get(inner, inner)
        return f"list of {plural}"
    if origin in (typing.Union, types.UnionType):
        kinds = [_type(argument) for argument in arguments if argument is not type(None)]
        return " or ".join(kinds)
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return "a table, see below"
    return _WORDS.get(hint, getattr(hint, "__name__", str(hint)))


def _bounds(field: FieldInfo) -> str:
    told = [
        f"{sign} {getattr(bound, name):g}"
        for bound in field.metadata
        for name, sign in _BOUNDS.items()
        if getattr(bound, name, None) is not None
    ]
    return ", ".join(told)


def _default(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_default, value))}]"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _entries(model: type[BaseModel]) -> list[str]:
    lines: list[str] = []
    for name, field in model.model_fields.items():
        told = [f"*{_type(field.annotation)}*", _bounds(field)]
        default = "required" if field.is_required() else f"default `{_default(field.default)}`"
        head = ", ".join(part for part in [*told, default] if part)
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
