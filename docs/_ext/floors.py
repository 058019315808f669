"""A page of the reference for every floor, from the names that the package makes public: nothing is listed by hand."""

import ast
import dataclasses
import importlib
import inspect
import re
import tomllib
import typing
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

from docstrings import as_rst
from sphinx.application import Sphinx

import workbench as wb

ROOT = Path(wb.__file__).parents[1]


def floors() -> list[str]:
    """The floors from the ground up, as pyproject's contract has them."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    layers = next(each["layers"] for each in tools["importlinter"]["contracts"] if each["type"] == "layers")
    return [part.strip().split(".")[1] for layer in reversed(layers) for part in layer.split("|")]


def packages() -> list[ModuleType]:
    """The root, and every package that has names of its own."""
    floors_with_names = [name for name in floors() if (ROOT / "workbench" / name / "__init__.py").is_file()]
    return [wb, *(importlib.import_module(f"workbench.{name}") for name in floors_with_names if name != "cli")]


@cache
def homes(package: ModuleType) -> dict[str, str]:
    """Each public name's module, as the package's stub, or else the package itself, imports it.

    Modules have pages of their own, and classes of other libraries, such as plotly's `Figure`, are explained there.
    """
    path = Path(str(package.__file__))
    stub = path.with_suffix(".pyi")
    tree = ast.parse((stub if stub.is_file() else path).read_text(encoding="utf-8"))
    imported = {
        alias.asname or alias.name: f"{package.__name__}.{line.module}" if line.level else line.module
        for line in ast.walk(tree)
        if isinstance(line, ast.ImportFrom) and line.module
        for alias in line.names
    }
    values = {name: getattr(package, name) for name in package.__all__}
    return {
        name: imported.get(name, package.__name__)
        for name, value in values.items()
        if not isinstance(value, ModuleType) and not _is_foreign(value)
    }


def _is_foreign(value: object) -> bool:
    return inspect.isclass(value) and value.__module__.split(".")[0] != "workbench"


@cache
def public() -> dict[str, tuple[str, Any]]:
    """Every public name as it is used (`workbench.capture`, `workbench.plots.dose_curves`): its module and value.

    A name that stands at the root is not repeated for its package.
    """
    found: dict[str, tuple[str, Any]] = {}
    for package in packages():
        for name, home in homes(package).items():
            if package is wb or name not in homes(wb):
                found[f"{package.__name__}.{name}"] = (home, getattr(package, name))
    return found


def returned(names: dict[str, tuple[str, Any]]) -> dict[str, tuple[str, Any]]:
    """Classes of ours that a public function, method or attribute hands out, and that are not public themselves."""
    seen = {id(value) for _, value in names.values()}
    found: dict[str, tuple[str, Any]] = {}
    waiting = [value for _, value in names.values() if callable(value)]
    while waiting:
        for cls in _hands_out(waiting.pop()):
            if id(cls) not in seen:
                seen.add(id(cls))
                found[f"{cls.__module__}.{cls.__qualname__}"] = (cls.__module__, cls)
                waiting.append(cls)
    return found


def _hands_out(value: Any) -> Iterator[type]:
    if not inspect.isclass(value):
        yield from _classes(_hints(inspect.unwrap(value)).get("return"))
        return
    if dataclasses.is_dataclass(value):
        for hint in _hints(value).values():
            yield from _classes(hint)
    for name, member in vars(value).items():
        if not name.startswith("_"):
            function = (
                getattr(member, "fget", None) or getattr(member, "func", None) or getattr(member, "__func__", member)
            )
            if inspect.isfunction(function):
                yield from _classes(_hints(inspect.unwrap(function)).get("return"))


def _hints(of: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(of)
    except (NameError, TypeError):
        return {}


def _classes(hint: Any) -> Iterator[type]:
    arguments = typing.get_args(hint)
    for argument in arguments:
        yield from _classes(argument)
    own = inspect.isclass(hint) and not arguments and hint.__module__.startswith("workbench.")
    if own and inspect.getdoc(hint) and not hint.__name__.startswith("_") and not getattr(hint, "_is_protocol", False):
        yield hint


def _summary(value: Any, name: str, home: str) -> str:
    text = inspect.getdoc(value) or "" if callable(value) else _summary_of_constant(value, name, home)
    return as_rst(" ".join(text.split("\n\n")[0].split()))


def _summary_of_constant(value: Any, name: str, home: str) -> str:
    return _constant(name, home) or f"A {type(value).__module__.split('.')[0]} {type(value).__name__}."


@cache
def _constant(name: str, home: str) -> str:
    """The string that stands below a constant in its module."""
    body = ast.parse(inspect.getsource(importlib.import_module(home))).body
    for line, after in pairwise(body):
        targets = getattr(line, "targets", [getattr(line, "target", None)])
        named = any(isinstance(target, ast.Name) and target.id == name for target in targets)
        if named and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            return inspect.cleandoc(str(after.value.value))
    return ""


def _entry(full: str, home: str, value: Any) -> list[str]:
    name = full.rsplit(".", 1)[1]
    if inspect.isclass(value):
        ours = any(base.__module__.startswith("workbench.") for base in value.__bases__)
        return [f".. autoclass:: {full}", "   :members:", *(["   :show-inheritance:"] if ours else []), ""]
    if callable(value):
        return [f".. autofunction:: {full}", ""]
    shown = [f"   :value: {value!r}"] if len(repr(value)) < 200 else []
    said = as_rst(_summary_of_constant(value, name, home)).splitlines()
    return [
        f".. py:data:: {name}",
        f"   :module: {full.rsplit('.', 1)[0]}",
        *shown,
        "",
        *(f"   {line}" for line in said),
        "",
    ]


def _page(floor: str, names: dict[str, tuple[str, Any]], handed: dict[str, tuple[str, Any]]) -> str:
    modules: dict[str, list[str]] = {}
    for full, (home, _) in {**names, **handed}.items():
        modules.setdefault(home, []).append(full)
    package = importlib.import_module(f"workbench.{floor}")
    said = as_rst(inspect.getdoc(package) or "")
    lines = [floor, "=" * len(floor), "", said, ""]
    if names:
        lines += [".. list-table::", "   :class: names", "   :widths: 35 65", ""]
        for full, (home, value) in sorted(names.items(), key=lambda item: item[0].casefold()):
            short = full.removeprefix("workbench.")
            lines += [f"   * - :py:obj:`{short} <{full}>`", f"     - {_summary(value, full.rsplit('.', 1)[1], home)}"]
        lines.append("")
    for home, own in sorted(modules.items(), key=lambda item: (not any(name in names for name in item[1]), item[0])):
        module = importlib.import_module(home)
        title = home.removeprefix(f"workbench.{floor}").removeprefix(".").replace(".", " · ")
        if title:
            text = as_rst((inspect.getdoc(module) or "").split("\n\n")[0])
            lines += [title, "-" * len(title), "", text, ""]
        for full in sorted(own, key=lambda name: (name not in names, name.casefold())):
            lines += _entry(full, home, {**names, **handed}[full][1])
    return "\n".join(lines)


def _of(floor: str, among: dict[str, tuple[str, Any]]) -> dict[str, tuple[str, Any]]:
    return {full: found for full, found in among.items() if found[0].split(".")[1] == floor}


@cache
def pages() -> dict[str, str]:
    """Every floor that has something to show, ground floor first, and its page."""
    names = public()
    handed = returned(names)
    order = floors()
    order += sorted({home.split(".")[1] for home, _ in names.values()} - set(order))
    found = [(floor, _of(floor, names), _of(floor, handed)) for floor in order]
    return {floor: _page(floor, own, besides) for floor, own, besides in found if own or besides}


def linked(text: str) -> str:
    """Markdown with each public name in code, `wb.capture` say, led to its entry."""

    def link(match: re.Match[str]) -> str:
        full = f"workbench.{match[1]}"
        return f"{{py:obj}}`wb.{match[1]} <{full}>`" if full in public() else match[0]

    pieces = re.split(r"(^```.*?^```$)", text, flags=re.DOTALL | re.MULTILINE)
    pieces[::2] = [re.sub(r"(?<![`}])`wb\.([\w.]+)`(?!`)", link, piece) for piece in pieces[::2]]
    return "".join(pieces)


def contents() -> str:
    """The floors as a list of what each does, and as the pages below this one."""
    lines = ["| floor | what it holds |", "|---|---|"]
    for floor in pages():
        package = importlib.import_module(f"workbench.{floor}")
        said = (inspect.getdoc(package) or "").split("\n\n")[0]
        lines.append(f"| [{floor}](api/{floor}.rst) | {' '.join(said.split())} |")
    toctree = ["```{toctree}", ":hidden:", "", *(f"api/{floor}" for floor in pages()), "```"]
    return "\n".join([*lines, "", *toctree])


def write_pages(app: Sphinx) -> None:
    """Before reading: the floors' pages into `reference/api/`, changed ones alone; what has no floor is removed."""
    folder = Path(app.srcdir) / "reference" / "api"
    folder.mkdir(parents=True, exist_ok=True)
    written = {f"{floor}.rst": text for floor, text in pages().items()}
    for path in folder.iterdir():
        if path.name not in written:
            path.unlink()
    for name, text in written.items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
