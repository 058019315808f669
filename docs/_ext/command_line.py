"""The command line's reference, from the application itself."""

import enum
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from workbench import cli

_WORDS = {int: "N", float: "NUMBER", str: "TEXT", Path: "PATH"}
_EXAMPLE = re.compile(r"\n\s*Examples?: *", re.DOTALL)


def _plain(text: str) -> str:
    """A help text as Markdown, with Markdown's signs escaped and with options and commands set as code."""
    text = re.sub(r"\[/?(bold|dim|italic)?\]", "", " ".join(text.split()))
    pieces = re.split(r"(`[^`]+`)", text)
    pieces[::2] = [re.sub(r"([*<|\\])", r"\\\1", piece) for piece in pieces[::2]]
    pieces[::2] = [re.sub(r"(?<![\w-])(--[a-z][\w-]*)", r"`\1`", piece) for piece in pieces[::2]]
    return "".join(pieces)


def _kind(parameter: Any) -> str:
    """The kind of value that an option takes, in one word, or its choices."""
    if parameter.is_flag:
        return ""
    hint = parameter.type_descriptor.annotation
    while typing.get_origin(hint) in (list, tuple):
        hint = typing.get_args(hint)[0]
    if typing.get_origin(hint) is typing.Literal:
        return " | ".join(map(str, typing.get_args(hint)))
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return " | ".join(str(choice.value) for choice in hint)
    return _WORDS.get(hint, getattr(hint, "__name__", str(hint)).upper())


def _default(parameter: Any) -> str:
    value = parameter.default
    if parameter.required:
        return "required"
    if parameter.param_type_name == "option" and parameter.is_flag:
        return f"default `{parameter.opts[0]}`" if value and parameter.secondary_opts else ""
    if callable(value) or value is None or value is False or (not value and value != 0):
        return ""
    shown = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(getattr(value, "value", value))
    return f"default `{shown}`"


def _usual_name(parameter: Any) -> str:
    return parameter.name.upper().replace("_", "-")


def _parameter(parameter: Any) -> list[str]:
    option = parameter.param_type_name == "option"
    spelt = [*parameter.opts, *parameter.secondary_opts] if option else [_usual_name(parameter)]
    names = ", ".join(f"`{name}`" for name in spelt)
    kind = _kind(parameter) if option else ""
    many = option and parameter.multiple and "may be repeated" not in (parameter.help or "")
    details = [f"*{kind}*" if kind else "", _default(parameter), "may be repeated" if many else ""]
    detail = ", ".join(part for part in details if part)
    return [f"{names} {detail}".strip(), f":   {_plain(parameter.help or '') or 'Not explained.'}", ""]


def _flat(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every command by name, and those of a group as `group command`."""
    for name, command in group.commands.items():
        yield f"{before}{name}", command
        if hasattr(command, "commands"):
            yield from _flat(command, f"{before}{name} ")


def reference() -> str:
    """A section for each command: what it does, an example, its arguments and options; those of a group after it."""
    lines: list[str] = []
    for name, command in _flat(get_command(cli.app)):
        if command.hidden:
            continue
        explanation, *examples = _EXAMPLE.split(command.help or "")
        parameters = [p for p in command.params if p.name != "help" and not getattr(p, "hidden", False)]
        arguments = [p for p in parameters if p.param_type_name == "argument"]
        options = [p for p in parameters if p.param_type_name == "option"]
        usage = " ".join(
            ["workbench", name]
            + [f"[{_usual_name(p)}]" if not p.required else _usual_name(p) for p in arguments]
            + [f"{p.opts[-1]} {_kind(p)}".strip() for p in options if p.required]
            + (["[OPTIONS]"] if any(not p.required for p in options) else [])
        )
        lines += [f"## {name}", "", f"`{usage}`", ""]
        lines += [line for paragraph in explanation.split("\n\n") for line in (_plain(paragraph), "")]
        for example in examples:
            lines += ["```bash", " ".join(example.split()), "```", ""]
        for parameter in [*arguments, *options]:
            lines += _parameter(parameter)
    return "\n".join(lines)
