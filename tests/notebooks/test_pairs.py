"""Every notebook is a pair of files that say the same, a text before it is code, and kept without outputs."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))


def cells_of(name: str) -> list[dict[str, Any]]:
    return json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def test_pairs_are_in_reading_order() -> None:
    places = [int(name[:2]) for name in NAMES]
    assert places == sorted(set(places))
    assert {*range(1, 9), 10} <= set(places) <= set(range(1, 11))
    assert sorted(path.stem for path in NOTEBOOKS.glob("*.py")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_both_files_of_a_pair_hold_the_same_cells(name: str) -> None:
    jupytext = pytest.importorskip("jupytext", reason="pairs are read by jupytext: install the notebooks extra")
    scripted = jupytext.read(NOTEBOOKS / f"{name}.py")
    assert [(cell.cell_type, cell.source) for cell in scripted.cells] == [
        (cell["cell_type"], source(cell)) for cell in cells_of(name)
    ]


@pytest.mark.parametrize("name", NAMES)
def test_no_outputs_are_kept(name: str) -> None:
    whole = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))
    assert whole["metadata"]["kernelspec"]["name"] == "python3"
    code = [cell for cell in whole["cells"] if cell["cell_type"] == "code"]
    assert [cell for cell in code if cell["outputs"] or cell["execution_count"] is not None] == []


@pytest.mark.parametrize("name", NAMES)
def test_prose_comes_before_code(name: str) -> None:
    cells = cells_of(name)
    assert source(cells[0]).startswith("# ")
    assert len(source(cells[0]).split()) > 40
    kinds = [cell["cell_type"] for cell in cells]
    # A cell that only tidies up, at the end, may stand alone.
    assert [i for i in range(1, len(kinds) - 1) if kinds[i] == kinds[i - 1] == "code"] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_names_no_place_on_a_machine(name: str) -> None:
    text = (NOTEBOOKS / f"{name}.py").read_text(encoding="utf-8")
    assert re.findall(r"(?:/home/|/Users/|/tmp/|/work/|[A-Z]:\\\\)", text) == []
    assert re.findall(r"^\s*[%!]", text, flags=re.MULTILINE) == []


@pytest.mark.parametrize("name", [*NAMES, "README"])
def test_links_lead_somewhere(name: str) -> None:
    text = (NOTEBOOKS / f"{name}.md" if name == "README" else NOTEBOOKS / f"{name}.py").read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", text):
        assert (NOTEBOOKS / target).is_file(), target


def test_the_tour_has_ten_code_cells_and_one_for_the_real_model() -> None:
    assert [cell["cell_type"] for cell in cells_of("01_tour")].count("code") == 11
