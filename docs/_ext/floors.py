"""Write a reference page for every floor from its public names, so that nothing is listed by hand."""

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
    """The floors in the order of the contract in pyproject.toml, ground floor first."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    layers = next(each["layers"] for each in tools["importlinter"]["contracts"] if each["type"] == "layers")
    return [part.strip().split(".")[1] for layer in reversed(layers) for part in layer.split("|")]


def packages() -> list[ModuleType]:
    """The root package, and every floor that is a package with public names."""
    floors_with_names = [name for name in floors() if (ROOT / "workbench" / name / "__init__.py").is_file()]
    return [wb, *(importlib.import_module(f"workbench.{name}") for name in floors_with_names if name != "cli")]


@cache
def homes(package: ModuleType) -> dict[str, str]:
    """The module of each public name, read from the imports in the package's stub, or in the package if it has none.

    Modules, which have pages of their own, and classes of other libraries are left out.
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
    """The module and the value of every public name, by the name that users write (`workbench.plots.dose_curves`).

    A name of the root is not repeated for its package.
    """
    names: dict[str, tuple[str, Any]] = {}
    for package in packages():
        for name, home in homes(package).items():
            if package is wb or name not in homes(wb):
                names[f"{package.__name__}.{name}"] = (home, getattr(package, name))
    return names


def returned(names: dict[str, tuple[str, Any]]) -> dict[str, tuple[str, Any]]:
    """Our classes that public functions, methods or attributes return, and that are not public themselves."""
    seen = {id(value) for _, value in names.values()}
    classes: dict[str, tuple[str, Any]] = {}
    waiting = [value for _, value in names.values() if callable(value)]
    while waiting:
        for cls in _returned_by(waiting.pop()):
            if id(cls) not in seen:
                seen.add(id(cls))
                classes[f"{cls.__module__}.{cls.__qualname__}"] = (cls.__module__, cls)
                waiting.append(cls)
    return classes


def _returned_by(value: Any) -> Iterator[type]:
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
    ours = inspect.isclass(hint) and not arguments and hint.__module__.startswith("workbench.")
    if ours and inspect.getdoc(hint) and not hint.__name__.startswith("_") and not getattr(hint, "_is_protocol", False):
        yield hint


def _summary(value: Any, name: str, home: str) -> str:
    text = inspect.getdoc(value) or "" if callable(value) else _summary_of_constant(value, name, home)
    return as_rst(" ".join(text.split("\n\n")[0].split()))


def _summary_of_constant(value: Any, name: str, home: str) -> str:
    return _constant(name, home) or f"A {type(value).__module__.split('.')[0]} {type(value).__name__}."


@cache
def _constant(name: str, home: str) -> str:
    """The docstring below a constant in its module."""
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
    text = as_rst(_summary_of_constant(value, name, home)).splitlines()
    return [
        f".. py:data:: {name}",
        f"   :module: {full.rsplit('.', 1)[0]}",
        *shown,
        "",
        *(f"   {line}" for line in text),
        "",
    ]


def _page(floor: str, names: dict[str, tuple[str, Any]], besides: dict[str, tuple[str, Any]]) -> str:
    modules: dict[str, list[str]] = {}
    for full, (home, _) in {**names, **besides}.items():
        modules.setdefault(home, []).append(full)
    package = importlib.import_module(f"workbench.{floor}")
    introduction = as_rst(inspect.getdoc(package) or "")
    lines = [floor, "=" * len(floor), "", introduction, ""]
    if names:
        lines += [".. list-table::", "   :class: names", "   :widths: 35 65", ""]
        for full, (home, value) in sorted(names.items(), key=lambda item: item[0].casefold()):
            short = full.removeprefix("workbench.")
            lines += [f"   * - :py:obj:`{short} <{full}>`", f"     - {_summary(value, full.rsplit('.', 1)[1], home)}"]
        lines.append("")
    for home, entries in sorted(
        modules.items(), key=lambda item: (not any(name in names for name in item[1]), item[0])
    ):
        module = importlib.import_module(home)
        title = home.removeprefix(f"workbench.{floor}").removeprefix(".").replace(".", " · ")
        if title:
            text = as_rst((inspect.getdoc(module) or "").split("\n\n")[0])
            lines += [title, "-" * len(title), "", text, ""]
        for full in sorted(entries, key=lambda name: (name not in names, name.casefold())):
            lines += _entry(full, home, {**names, **besides}[full][1])
    return "\n".join(lines)


def _of(floor: str, among: dict[str, tuple[str, Any]]) -> dict[str, tuple[str, Any]]:
    return {full: entry for full, entry in among.items() if entry[0].split(".")[1] == floor}


@cache
def pages() -> dict[str, str]:
    """The page of every floor that has public names or returned classes, ground floor first."""
    names = public()
    besides = returned(names)
    order = floors()
    order += sorted({home.split(".")[1] for home, _ in names.values()} - set(order))
    entries = [(floor, _of(floor, names), _of(floor, besides)) for floor in order]
    return {floor: _page(floor, of_names, others) for floor, of_names, others in entries if of_names or others}


def linked(text: str) -> str:
    """Markdown in which each public name in code, such as `wb.capture`, links to its entry."""

    def link(match: re.Match[str]) -> str:
        full = f"workbench.{match[1]}"
        return f"{{py:obj}}`wb.{match[1]} <{full}>`" if full in public() else match[0]

    pieces = re.split(r"(^```.*?^```$)", text, flags=re.DOTALL | re.MULTILINE)
    pieces[::2] = [re.sub(r"(?<![`}])`wb\.([\w.]+)`(?!`)", link, piece) for piece in pieces[::2]]
    return "".join(pieces)


def contents() -> str:
    """A table of the floors and what each holds, and the toctree of their pages."""
    lines = ["| floor | what it holds |", "|---|---|"]
    for floor in pages():
        package = importlib.import_module(f"workbench.{floor}")
        summary = (inspect.getdoc(package) or "").split("\n\n")[0]
        lines.append(f"| [{floor}](api/{floor}.rst) | {' '.join(summary.split())} |")
    toctree = ["```{toctree}", ":hidden:", "", *(f"api/{floor}" for floor in pages()), "```"]
    return "\n".join([*lines, "", *toctree])


def write_pages(app: Sphinx) -> None:
    """Before Sphinx reads: write the changed pages into `reference/api/`, and remove pages of floors that are gone."""
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
