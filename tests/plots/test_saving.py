import os
import re
import shutil
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import pytest

from workbench import plots
from workbench.plots import saving

FIGURE = go.Figure(go.Scatter(x=[0, 1], y=[1, 0]), layout={"template": plots.TEMPLATE, "height": 300})


def browser() -> str | None:
    return os.environ.get("BROWSER_PATH") or shutil.which("chromium") or shutil.which("google-chrome")


def test_html_is_self_contained_and_beside_its_data(tmp_path: Path) -> None:
    data = pd.DataFrame({"x": [0, 1]})
    path = plots.save_figure(FIGURE, tmp_path / "new" / "f.html", data=data)
    page = path.read_text(encoding="utf-8")
    assert "<script src=" not in page
    assert "Plotly.newPlot" in page
    pd.testing.assert_frame_equal(pd.read_parquet(path.with_suffix(".parquet")), data)
    assert sorted(file.name for file in path.parent.iterdir()) == ["f.html", "f.parquet"]


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<svg"), (".pdf", b"%PDF")])
def test_images_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, start: bytes) -> None:
    path = browser()
    if path is None:
        pytest.skip("no Chromium on this machine")
    monkeypatch.setenv("BROWSER_PATH", path)
    drawn = plots.save_figure(FIGURE, tmp_path / f"f{suffix}", width_mm=85.0)
    assert drawn.read_bytes().startswith(start)


def test_without_kaleido_the_way_out_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match=r"Images need kaleido: pip install 'dpn-workbench\[images\]'"):
        plots.save_figure(FIGURE, tmp_path / "f.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("The browser closed.", "Try another."), "one): The browser closed. Without it"),
        (RuntimeError(), "one): RuntimeError. Without it"),
        (FileNotFoundError(2, "No such file"), "one): No such file. Without it"),
    ],
)
def test_without_a_chromium_the_way_out_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    def to_image(*_: object, **__: object) -> bytes:
        raise error

    monkeypatch.setattr(saving, "find_spec", lambda name: object())
    monkeypatch.setattr(go.Figure, "to_image", to_image)
    with pytest.raises(RuntimeError, match=re.escape(told)):
        plots.save_figure(FIGURE, tmp_path / "f.svg", data=pd.DataFrame({"x": [0]}))
    assert not list(tmp_path.iterdir())


def test_nothing_half_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def replace(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(saving.os, "replace", replace)
    with pytest.raises(OSError, match="disk full"):
        plots.save_figure(FIGURE, tmp_path / "f.html")
    assert not list(tmp_path.iterdir())


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"saved as .html, .svg, .pdf, .png, but f.gif ends in '.gif'"):
        plots.save_figure(FIGURE, tmp_path / "f.gif")
