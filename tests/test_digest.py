"""Keys: what they depend on, and what they do not."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from workbench import digest
from workbench.digest import code_of, code_of_type, key_of


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of three modules, of which the first imports the second."""
    files = {"one": "from workbench.two import f\n", "two": "def f():\n    return 1\n", "three": "x = 1\n"}
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    paths = {f"workbench.{name}": tmp_path / f"{name}.py" for name in files}
    monkeypatch.setattr(digest, "_path_of", paths.get)
    return tmp_path


def clear() -> None:
    for function in (digest.code_of, digest._imports, digest._lazy_names, digest._source_hash):
        function.cache_clear()


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("from workbench.parts import f", {"two"}),
        ("from workbench import parts", {"two", "three"}),
        ("import workbench.parts as parts", {"two", "three"}),
        ("from workbench.parts.three import x", {"three"}),
    ],
)
def test_code_that_a_package_loads_lazily_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, counts: set[str]
) -> None:
    (tmp_path / "one.py").write_text(f"{line}\n")
    (tmp_path / "__init__.py").write_text("")
    (tmp_path / "two.py").write_text("def f():\n    return 1\n")
    (tmp_path / "three.py").write_text("x = 1\n")
    (tmp_path / "__init__.pyi").write_text("from . import three as three\nfrom .two import f as f\n")
    paths = {f"workbench.parts.{name}": tmp_path / f"{name}.py" for name in ("two", "three")}
    paths |= {"workbench.one": tmp_path / "one.py", "workbench.parts": tmp_path / "__init__.py"}
    monkeypatch.setattr(digest, "_path_of", paths.get)
    clear()
    before = code_of("workbench.one")
    for changed in ("two", "three"):
        text = (tmp_path / f"{changed}.py").read_text()
        (tmp_path / f"{changed}.py").write_text("x = 2\n")
        clear()
        assert (code_of("workbench.one") != before) is (changed in counts)
        (tmp_path / f"{changed}.py").write_text(text)
    clear()


def test_equal_values_have_equal_keys() -> None:
    assert key_of(a=1, b=[1, 2]) == key_of(b=[1, 2], a=1)
    assert key_of(a=1) != key_of(a=2)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ('def f():\n    """Prose."""\n    return 1\n', True),
        ("def f():  # a comment\n    return (1)\n", True),
        ("def f():\n    return 2\n", False),
    ],
)
def test_code_counts_and_prose_does_not(package: Path, text: str, same: bool) -> None:
    clear()
    before = {name: code_of(f"workbench.{name}") for name in ("one", "two", "three")}
    (package / "two.py").write_text(text)
    clear()
    assert (code_of("workbench.two") == before["two"]) is same
    assert (code_of("workbench.one") == before["one"]) is same, "what is imported counts"
    assert code_of("workbench.three") == before["three"], "what is not imported does not"
    clear()


def test_a_scorer_is_part_of_the_answers_and_a_sentence_is_not() -> None:
    modules = digest._imported("workbench.outcome.answers")
    assert "workbench.testbed.scorer" in modules
    assert "workbench.score.answers" in modules
    every = {
        name
        for start in ("outcome.items", "outcome.patching", "study.tables")
        for name in digest._imported(f"workbench.{start}")
    }
    assert "workbench.measure.paired" in every
    assert not [name for name in every if name.startswith(("workbench.outcome.claims", "workbench.study.claims"))]
    assert not [name for name in every if name.startswith(("workbench.plots", "workbench.report"))]


def test_a_class_of_ones_own_is_told_apart_by_what_its_methods_do() -> None:
    @dataclass(frozen=True)
    class First:
        def ask(self) -> int:
            """Prose."""
            return sum(one for one in (1, 2))

    @dataclass(frozen=True)
    class Second:
        def ask(self) -> int:
            return sum(one for one in (1, 3))

    @dataclass(frozen=True)
    class Third:
        def ask(self) -> int:
            """Other prose."""
            return sum(one for one in (1, 2))

    assert code_of_type(First) != code_of_type(Second)
    for kind in (First, Third):
        kind.__qualname__ = "Same"
    assert code_of_type(First) == code_of_type(Third)


WORDS = ["a"]


def helper() -> int:
    return 1


def test_values_and_functions_that_a_method_names_are_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own:
        def ask(self) -> int:
            return len(WORDS) + helper()

    keys = [code_of_type(Own)]
    monkeypatch.setitem(globals(), "WORDS", ["b"])
    keys.append(code_of_type(Own))
    monkeypatch.setattr(helper, "__code__", (lambda: 2).__code__)
    keys.append(code_of_type(Own))
    assert len(set(keys)) == 3


def test_what_is_no_module_is_refused() -> None:
    with pytest.raises(ValueError, match="no module 'workbench.nothing'"):
        code_of("workbench.nothing")
