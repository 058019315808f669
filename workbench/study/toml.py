"""A configuration written as TOML."""

import json
from collections.abc import Collection, Mapping

from pydantic import BaseModel


def toml_of(
    config: BaseModel,
    *,
    explained: bool = False,
    instead: Mapping[str, object] | None = None,
    without: Collection[str] = (),
) -> str:
    """A model's entries as TOML, its tables at the end, with a comment above each entry where it is to be explained.

    Args:
        instead: values that are written instead of the model's own, by entry.
        without: entries that are left out.
    """
    tables = [(name, value) for name, value in config if isinstance(value, BaseModel)]
    lines = _entries(config, explained, without={name for name, _ in tables} | {*without}, instead=instead or {})
    for name, table in tables:
        lines += [f"\n[{name}]\n", *_entries(table, explained, (), {})]
    return "".join(lines)


def _entries(
    config: BaseModel,
    explained: bool,
    without: Collection[str],
    instead: Mapping[str, object],
) -> list[str]:
    lines = []
    for name, value in config:
        if name in without:
            continue
        value = instead.get(name, value)
        if explained:
            lines.append(f"# {type(config).model_fields[name].description}\n")
        lines.append(f"{name} = {_literal(value)}\n" if value is not None else f"# {name} =\n" if explained else "")
    return lines


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, dict):
        inside = ", ".join(f"{_key(name)} = {_literal(each)}" for name, each in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)


def _key(name: object) -> str:
    text = str(name)
    return text if text.replace("-", "").replace("_", "").isalnum() and text.isascii() else _literal(text)
