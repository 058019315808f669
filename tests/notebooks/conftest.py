"""The notebooks, and a fresh kernel that runs one from top to bottom."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SECONDS = 300
"""The longest that a cell may take on a busy machine; a whole notebook takes under a minute on an idle one."""


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Runs a notebook in a fresh kernel, without network, history or warnings; gives expressions' values at its end."""
    nbformat = pytest.importorskip("nbformat", reason="notebooks are read by nbformat: install the dev extra")
    nbclient = pytest.importorskip("nbclient", reason="notebooks are run by nbclient: install the dev extra")
    pytest.importorskip("ipykernel", reason="notebooks run in ipykernel: install the notebooks extra")
    home = tmp_path / "home"
    home.mkdir()
    for variable in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(home / variable.lower()))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("PYTHONWARNINGS", "error::UserWarning")

    def execute(name: str, **expressions: str) -> dict[str, Any]:
        notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
        asked = ", ".join(f"{key!r}: {expression}" for key, expression in expressions.items())
        notebook.cells.append(nbformat.v4.new_code_cell(f"import json\n\nprint(json.dumps({{{asked}}}))"))
        here = tmp_path / name
        here.mkdir()
        nbclient.NotebookClient(
            notebook,
            timeout=SECONDS,
            kernel_name="python3",
            extra_arguments=["--HistoryManager.enabled=False"],
            resources={"metadata": {"path": str(here)}},
        ).execute()
        assert list(here.iterdir()) == [], "a notebook leaves no files behind"
        *cells, last = [cell for cell in notebook.cells if cell.cell_type == "code"]
        said = [out for cell in cells for out in cell.outputs if out.output_type == "stream"]
        assert said == [], "nothing is printed or warned: a cell shows its last value"
        return json.loads(last.outputs[0].text)

    return execute
