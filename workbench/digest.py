"""Hashes of what a result depends on: values, and the source of the code that made it."""

import ast
import hashlib
import importlib.util
import inspect
import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from workbench import __version__

PACKAGE = "workbench"
_PLAIN = (str, bytes, int, float, bool, tuple, list, dict, frozenset, type(None))
VERSION = __version__
"""The package's version, which the key of every kept result holds."""

JUDGING = ("workbench.outcome.claims", "workbench.outcome.finding")
"""Modules that judge results and put them into words: no result depends on them."""


def key_of(**depends: Any) -> str:
    """A hash of everything that a result depends on.

    Example:
        >>> key_of(a=1, b=[1, 2]) == key_of(b=[1, 2], a=1), key_of(a=1) == key_of(a=2)
        (True, False)
    """
    return hashlib.sha256(json.dumps(depends, sort_keys=True, default=str).encode()).hexdigest()


def hash_file(path: Path) -> str:
    """SHA-256 over a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=256)
def code_of(module: str) -> str:
    """A hash of a module of the package and of all that it imports from the package, its prose left out.

    Docstrings, comments and layout do not count: a change of these makes no other result.

    Raises:
        ValueError: if there is no such module.
    """
    sources = {name: _source_hash(path) for name, path in sorted(_imported(module).items())}
    return key_of(sources=sources)


def code_of_type(kind: type) -> str:
    """A hash of the code of a class: of its module, and of its own methods where no file of the package holds it.

    A class that was written in a notebook has no module with a source; its methods' instructions are hashed.
    """
    if kind.__module__.split(".")[0] == PACKAGE:
        return code_of(kind.__module__)
    methods = {}
    for one in kind.__mro__:
        if one is not object and one.__module__.split(".")[0] != PACKAGE:
            methods |= {f"{one.__qualname__}.{name}": _method_hash(name, value) for name, value in vars(one).items()}
    bases = [code_of(one.__module__) for one in kind.__mro__ if one.__module__.split(".")[0] == PACKAGE]
    return key_of(methods=methods, bases=bases)


def _method_hash(name: str, value: Any) -> str:
    """A hash of a class attribute; what Python and dataclasses write into a class themselves counts as nothing."""
    function = inspect.unwrap(getattr(value, "fget", None) or getattr(value, "__func__", value))
    if isinstance(function, FunctionType):
        return "" if function.__code__.co_filename == "<string>" else _function_hash(function, set())
    return "" if name.startswith("__") or callable(value) else repr(value)


def _function_hash(function: FunctionType, seen: set[str]) -> str:
    """A hash of a function's instructions, and of the plain values and its module's functions that it names."""
    seen.add(function.__qualname__)
    closed = inspect.getclosurevars(function)
    named = {}
    for name, value in sorted({**closed.globals, **closed.nonlocals}.items()):
        if isinstance(value, _PLAIN):
            named[name] = repr(value)
        elif isinstance(value, FunctionType) and value.__module__ == function.__module__:
            named[name] = "" if value.__qualname__ in seen else _function_hash(value, seen)
    instructions = list(_instructions(function.__code__, function.__doc__))
    return key_of(code=instructions, defaults=repr(function.__defaults__), named=named)


def _instructions(code: CodeType, docstring: str | None = None) -> Iterator[str]:
    """A function's instructions, names and constants, and those of functions within it; its docstring left out."""
    yield code.co_code.hex()
    yield repr((code.co_names, code.co_varnames))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _instructions(constant)
        elif docstring is None or constant != docstring:
            yield repr(constant)


def _imported(module: str) -> dict[str, Path]:
    """The files of a module and of every module of the package that it imports, at any depth."""
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found or name.startswith(JUDGING):
            continue
        path = _path_of(name)
        if path is None:
            if name == module:
                raise ValueError(f"There is no module {module!r} whose source could be hashed.")
            continue
        found[name] = path
        waiting += _imports(path)
    return found


@lru_cache(maxsize=512)
def _path_of(name: str) -> Path | None:
    """The file of a module, found beside the package's own without importing anything."""
    root = importlib.util.find_spec(PACKAGE)
    assert root is not None
    assert root.submodule_search_locations is not None
    base = Path(root.submodule_search_locations[0]).joinpath(*name.split(".")[1:])
    for path in (base / "__init__.py", base.with_suffix(".py")):
        if path.is_file():
            return path
    return None


@lru_cache(maxsize=512)
def _imports(path: Path) -> tuple[str, ...]:
    """Modules of the package that a file imports, also inside functions; `from package import module` counts both.

    A name that a package loads lazily counts as its module; a lazy package that is imported itself, as all of them.
    """
    names: list[str] = []
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == PACKAGE:
            lazy = _lazy_names(node.module)
            names.append(node.module)
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                names += [lazy.get(alias.name, module), *_lazy_names(module).values()]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == PACKAGE:
                    names += [alias.name, *_lazy_names(alias.name).values()]
    return tuple(dict.fromkeys(name for name in names if name != PACKAGE))


@lru_cache(maxsize=512)
def _lazy_names(package: str) -> dict[str, str]:
    """The module of each name that a package lists in its stub, to be loaded when it is first used."""
    path = _path_of(package)
    stub = None if path is None else path.with_name("__init__.pyi")
    if path is None or stub is None or path.name != "__init__.py" or not stub.is_file():
        return {}
    nodes = [node for node in _tree(stub).body if isinstance(node, ast.ImportFrom)]
    return {alias.name: f"{package}.{node.module or alias.name}" for node in nodes for alias in node.names}


@lru_cache(maxsize=512)
def _source_hash(path: Path) -> str:
    """A hash of a file's statements without docstrings, comments and layout."""
    tree = _tree(path)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [each for each in node.body if not _is_prose(each)]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _is_prose(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))
