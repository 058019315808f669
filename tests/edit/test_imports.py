"""The floors `edit` and `export` name all that they import at the head of each file, so that no circle can hide."""

import ast
from pathlib import Path

import pytest

import workbench

ROOT = Path(next(iter(workbench.__path__)))
FILES = [path for floor in ("edit", "export") for path in sorted((ROOT / floor).glob("*.py"))]


def late_imports(source: str) -> list[int]:
    """The lines of imports inside functions or under `if TYPE_CHECKING`."""
    return [
        inner.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.If)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]


def test_late_imports_are_seen() -> None:
    assert late_imports("import a\ndef f():\n    import b\n") == [3]
    assert late_imports("if TYPE_CHECKING:\n    from a import b\n") == [2]
    assert late_imports("try:\n    import a\nexcept ImportError:\n    a = None\n") == []


@pytest.mark.parametrize("path", FILES, ids=[f"{path.parent.name}/{path.stem}" for path in FILES])
def test_nothing_is_imported_inside_a_function(path: Path) -> None:
    assert late_imports(path.read_text(encoding="utf-8")) == []
