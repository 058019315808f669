"""The modules of the package import each other without a circle, also inside functions."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "workbench"

LATE = ("cli/", "explore/panel.py")
"""Folders and files that may import the project's modules inside functions, so that they start without them."""


@dataclass(frozen=True)
class Import:
    """One import of a module of the package.

    Attributes:
        file: where it stands, relative to the package.
        line: its line there.
        importer, imported: the two modules.
        function: the outermost function that holds it; empty at the top of the module.
    """

    file: str
    line: int
    importer: str
    imported: str
    function: str

    def __str__(self) -> str:
        where = f" inside {self.function}" if self.function else ""
        return f"{self.file}:{self.line} imports {self.imported}{where}"


def modules(package: Path) -> dict[str, Path]:
    """The files of a package by module name."""
    named = {}
    for file in sorted(package.rglob("*.py")):
        parts = [package.name, *file.relative_to(package).with_suffix("").parts]
        named[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return named


def listed(package: Path) -> dict[str, str]:
    """The modules that hold the names which packages list in an `__init__.pyi` and load when they are first used."""
    homes = {}
    for file in package.rglob("__init__.pyi"):
        name = ".".join([package.name, *file.relative_to(package).parts[:-1]])
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module:
                homes |= {f"{name}.{alias.name}": f"{name}.{node.module}" for alias in node.names}
    return homes


def imports(package: Path) -> list[Import]:
    """Every import of one of the package's modules by another, those for type checking alone left out."""
    named, homes = modules(package), listed(package)
    return [
        Import(str(file.relative_to(package)), line, name, target, function)
        for name, file in named.items()
        for node, function in _import_nodes(ast.parse(file.read_text(encoding="utf-8")))
        for target, line in _targets(node, named, homes)
        if target != name
    ]


def _import_nodes(tree: ast.AST, function: str = "", of: str = "") -> Iterator[tuple[ast.stmt | ast.Call, str]]:
    """Imports, and calls of import_module, each with the outermost function around it, `of` the class around that."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            yield from _import_nodes(ast.Module(node.orelse, []), function, of)
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, function
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
            yield node, function
        if isinstance(node, ast.ClassDef):
            yield from _import_nodes(node, function, f"{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _import_nodes(node, function or f"{of}{node.name}", of)
        else:
            yield from _import_nodes(node, function or ("a lambda" if isinstance(node, ast.Lambda) else ""), of)


def _targets(
    node: ast.stmt | ast.Call, named: Mapping[str, Path], homes: Mapping[str, str]
) -> Iterator[tuple[str, int]]:
    """The modules of the package that a node imports."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name in named:
                yield alias.name, node.lineno
    elif isinstance(node, ast.ImportFrom):
        assert not node.level, f"line {node.lineno}: relative imports are not used here"
        for alias in node.names:
            module = f"{node.module}.{alias.name}"
            module = module if module in named else homes.get(module, str(node.module))
            if module in named:
                yield module, node.lineno
    elif isinstance(node, ast.Call):
        constants = [each.value for each in node.args if isinstance(each, ast.Constant)]
        for module in named:
            if module in constants:
                yield module, node.lineno


def circles(found: list[Import]) -> list[list[str]]:
    """Groups of modules that reach each other: Tarjan's strongly connected components of more than one module."""
    graph: dict[str, list[str]] = {}
    for each in found:
        graph.setdefault(each.importer, []).append(each.imported)
        graph.setdefault(each.imported, [])
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    components: list[list[str]] = []

    def visit(module: str) -> None:
        number[module] = lowest[module] = len(number)
        stack.append(module)
        for imported in graph[module]:
            if imported not in number:
                visit(imported)
                lowest[module] = min(lowest[module], lowest[imported])
            elif imported in stack:
                lowest[module] = min(lowest[module], number[imported])
        if lowest[module] == number[module]:
            component = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            components.append(sorted(component))

    for module in graph:
        if module not in number:
            visit(module)
    return [component for component in components if len(component) > 1]


def hidden(found: list[Import]) -> list[str]:
    """Imports inside functions that do not belong there."""
    return [
        str(each)
        for each in found
        if each.function
        and not each.file.startswith(LATE)
        and not (each.file.endswith("__init__.py") and each.function == "__getattr__")
    ]


def test_no_circle_not_even_inside_functions() -> None:
    found = imports(ROOT)
    assert len({each.importer for each in found}) > 150
    assert circles(found) == []


def test_only_what_starts_without_the_rest_imports_inside_functions() -> None:
    found = imports(ROOT)
    assert any(each.function for each in found)
    assert hidden(found) == []


LIGHT = ("workbench.capture.settings", "workbench.select.settings", "workbench.vocabulary")
"""Modules whose names are needed before anything large is loaded."""
HEAVY = {"torch", "transformers", "transformer_lens", "pandas", "scipy", "sklearn", "plotly"}


@pytest.mark.parametrize("module", LIGHT)
def test_settings_and_names_load_nothing_large(module: str) -> None:
    named, found = modules(ROOT), imports(ROOT)
    loaded, waiting = set(), [module]
    while waiting:
        current = waiting.pop()
        loaded.add(current)
        at_once = [each.imported for each in found if each.importer == current and not each.function]
        packages = [current.rsplit(".", 1)[0]] if current.count(".") > 1 else []
        waiting += [each for each in (*at_once, *packages) if each not in loaded]
    outside = {
        name.split(".")[0]
        for each in loaded
        for node, function in _import_nodes(ast.parse(named[each].read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom) and not function
        for name in ([str(node.module)] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    assert outside
    assert outside & HEAVY == set()


FIRST = "import json\nfrom package.second import value\n"
SECOND = {
    "at the top": "from package.first import value\n",
    "inside a function": "def f():\n    import package.first\n",
    "inside a method": "class A:\n    def f(self):\n        from package import first\n",
    "inside a nested function": "def f():\n    def g():\n        from package.first import value\n    return g\n",
    "in a branch": "try:\n    from package.first import value\nexcept ImportError:\n    value = 1\n",
    "by name": "from importlib import import_module\ndef f():\n    return import_module('package.first')\n",
    "inside a lambda": "from importlib import import_module\nf = lambda: import_module('package.first')\n",
    "for type checking": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from package.first import value\n",
    "not at all": "value = 1\n",
}


@pytest.mark.parametrize("kind", SECOND)
def test_a_circle_is_seen_wherever_its_import_stands(kind: str, tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    files = {"__init__.py": "", "first.py": FIRST, "second.py": SECOND[kind]}
    for name, text in files.items():
        (package / name).write_text(text, encoding="utf-8")
    found = imports(package)
    expected = [] if kind in ("for type checking", "not at all") else [["package.first", "package.second"]]
    assert circles(found) == expected
    inside = kind.startswith("inside") or kind == "by name"
    assert len(hidden(found)) == inside


def test_a_circle_through_a_packages_list_of_names_is_seen(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "__init__.pyi").write_text("from .first import value as value\n", encoding="utf-8")
    (package / "first.py").write_text("from package.second import other\n", encoding="utf-8")
    (package / "second.py").write_text("from package import value\n", encoding="utf-8")
    assert circles(imports(package)) == [["package.first", "package.second"]]


def test_a_longer_circle_is_one_group_and_its_neighbours_are_none() -> None:
    pairs = [("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("e", "a")]
    found = [Import("x.py", 1, importer, imported, "") for importer, imported in pairs]
    assert circles(found) == [["a", "b", "c"]]


def test_a_package_may_load_its_names_when_they_are_asked_for(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    late = "def __getattr__(name):\n    from package.first import value\n    return value\n"
    (package / "__init__.py").write_text(late, encoding="utf-8")
    (package / "first.py").write_text(late.replace("package.first", "package.second"), encoding="utf-8")
    (package / "second.py").write_text("value = 1\n", encoding="utf-8")
    (package / "third").mkdir()
    method = "class A:\n    def __getattr__(self, name):\n        import package.second\n"
    (package / "third" / "__init__.py").write_text(method, encoding="utf-8")
    assert hidden(imports(package)) == [
        "first.py:2 imports package.second inside __getattr__",
        "third/__init__.py:3 imports package.second inside A.__getattr__",
    ]
