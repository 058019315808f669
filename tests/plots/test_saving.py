import os
import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pytest

from workbench import plots
from workbench.plots import saving
from workbench.plots.theme import Look

FIGURE = go.Figure(
    go.Scatter(x=[0, 1], y=[1, 0]),
    layout={"template": plots.TEMPLATE, "height": 300, "meta": {"alt": 'A line: it falls from "1" to 0.'}},
)
STARTS = {".png": b"\x89PNG", ".svg": b"<svg", ".pdf": b"%PDF"}


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> None:
    path = os.environ.get("BROWSER_PATH") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine")
    monkeypatch.setenv("BROWSER_PATH", path)


def drawing(monkeypatch: pytest.MonkeyPatch, answer: Any) -> list[list[dict[str, Any]]]:
    """Let kaleido do what `answer` does with what it gets; the calls are kept."""
    import kaleido

    calls = []

    def draw(specs: list[dict[str, Any]], **_: object) -> Any:
        calls.append(specs)
        return answer(specs)

    monkeypatch.setattr(kaleido, "write_fig_from_object_sync", draw)
    return calls


def touch(specs: list[dict[str, Any]]) -> tuple[Exception, ...]:
    for spec in specs:
        spec["path"].write_bytes(f"{spec['opts']['width']} x {spec['opts']['height']}".encode())
    return ()


def test_html_is_self_contained_and_beside_its_data(tmp_path: Path) -> None:
    data = pd.DataFrame({"x": [0, 1]})
    path = plots.save_figure(FIGURE, tmp_path / "new" / "f.html", data=data)
    page = path.read_text(encoding="utf-8")
    assert "<script src=" not in page
    assert "Plotly.newPlot" in page
    pd.testing.assert_frame_equal(pd.read_parquet(path.with_suffix(".parquet")), data)
    assert sorted(file.name for file in path.parent.iterdir()) == ["f.html", "f.parquet"]


def test_a_page_says_in_words_what_it_shows(tmp_path: Path) -> None:
    page = plots.save_figure(FIGURE, tmp_path / "f.html").read_text(encoding="utf-8")
    assert '<html lang="en">' in page
    assert "<title>A line</title>" in page
    assert "<h1>A line</h1>" in page
    assert '<figure aria-label="A line: it falls from &quot;1&quot; to 0.">' in page
    assert "background: #ffffff" in page
    dark = go.Figure(FIGURE).update_layout(template=plots.DARK)
    ground = Look.of(plots.DARK).paper
    assert f"background: {ground}" in plots.save_figure(dark, tmp_path / "d.html").read_text(encoding="utf-8")
    plain = plots.save_figure(go.Figure(), tmp_path / "plain.html").read_text(encoding="utf-8")
    assert "<title>A figure</title>" in plain


def test_pages_of_a_folder_share_one_plotly(tmp_path: Path) -> None:
    pages = {tmp_path / "a" / f"{name}.html": FIGURE for name in "xyz"}
    written = plots.save_figures({**pages, tmp_path / "b" / "w.html": FIGURE}, share_plotlyjs=True)
    assert [path.name for path in written] == ["x.html", "y.html", "z.html", "w.html"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["plotly.min.js", "x.html", "y.html", "z.html"]
    assert (tmp_path / "b" / "plotly.min.js").stat().st_size > 1_000_000
    for path in written:
        assert path.stat().st_size < 50_000
        assert 'src="plotly.min.js"' in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("suffix", STARTS)
def test_images_are_drawn(tmp_path: Path, browser: None, suffix: str) -> None:
    drawn = plots.save_figure(FIGURE, tmp_path / f"f{suffix}", width_mm=85.0)
    assert drawn.read_bytes().startswith(STARTS[suffix])


@pytest.mark.parametrize("width_mm", [85.0, 170.0])
def test_drawings_in_lines_are_as_wide_on_paper_as_asked(tmp_path: Path, browser: None, width_mm: float) -> None:
    svg = plots.save_figure(FIGURE, tmp_path / "f.svg", width_mm=width_mm).read_text(encoding="utf-8")
    found = re.search(r'<svg[^>]* width="([\d.]+)"', svg)
    assert found
    assert float(found[1]) / 96 * 25.4 == pytest.approx(width_mm, abs=0.5)
    pdf = plots.save_figure(FIGURE, tmp_path / "f.pdf", width_mm=width_mm).read_bytes()
    box = re.search(rb"/MediaBox *\[ *0 +0 +([\d.]+) +[\d.]+ *\]", pdf)
    assert box
    assert float(box[1]) / 72 * 25.4 == pytest.approx(width_mm, abs=0.5)


def test_many_images_and_pages_are_written_together(tmp_path: Path, browser: None) -> None:
    wanted = [(FIGURE, tmp_path / f"f{suffix}") for suffix in (*STARTS, ".html")]
    assert plots.save_figures(wanted) == [path for _, path in wanted]
    for suffix, start in STARTS.items():
        assert (tmp_path / f"f{suffix}").read_bytes().startswith(start)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f.html", "f.pdf", "f.png", "f.svg"]


def test_all_images_are_drawn_by_one_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = drawing(monkeypatch, touch)
    plots.save_figures({tmp_path / f"{number}.png": FIGURE for number in range(30)})
    assert [len(call) for call in calls] == [30]
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {b"760 x 300"}


def test_a_narrow_column_is_laid_out_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (calls, figure) = drawing(monkeypatch, touch), go.Figure(FIGURE)
    figure.update_layout(xaxis_title="the number that each of these was given (a share of what there was at first)")
    plots.save_figure(figure, tmp_path / "f.png", width_mm=85.0)
    plots.save_figure(figure, tmp_path / "g.png", width_mm=85.0, height_mm=85.0)
    plots.save_figure(figure, tmp_path / "h.png", width_mm=170.0)
    narrow, square, wide = (call[0] for call in calls)
    assert "<br>" in narrow["fig"]["layout"]["xaxis"]["title"]["text"]
    assert "<br>" not in wide["fig"]["layout"]["xaxis"]["title"]["text"]
    assert (narrow["opts"]["width"], narrow["opts"]["height"]) == (386, 300)
    assert square["opts"]["height"] == square["opts"]["width"]


def test_without_kaleido_the_way_out_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match=r"Images need kaleido: pip install 'dpn-workbench\[images\]'"):
        plots.save_figure(FIGURE, tmp_path / "f.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            RuntimeError("The browser closed.", "Try another."),
            "one): The browser closed. Without it no image is written: get one with",
        ),
        (RuntimeError(), "one): RuntimeError. Without it"),
        (FileNotFoundError(2, "No such file"), "one): No such file. Without it"),
    ],
)
def test_without_a_chromium_the_way_out_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    def fail(_: object) -> None:
        raise error

    drawing(monkeypatch, fail)
    with pytest.raises(RuntimeError, match=re.escape(told)) as raised:
        plots.save_figure(FIGURE, tmp_path / "f.svg", data=pd.DataFrame({"x": [0]}))
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_an_image_that_cannot_be_drawn_is_named_and_none_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw_one(specs: list[dict[str, Any]]) -> tuple[Exception, ...]:
        touch(specs[:1])
        return (RuntimeError("Error 525: no such layer\nat line 3"),)

    drawing(monkeypatch, draw_one)
    with pytest.raises(RuntimeError, match="could not draw b.png: Error 525: no such layer. Save it as .html"):
        plots.save_figures([(FIGURE, tmp_path / "a.png"), (FIGURE, tmp_path / "b.png")])
    assert not list(tmp_path.iterdir())


def test_nothing_half_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def replace(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(OSError, match="disk full"):
        plots.save_figure(FIGURE, tmp_path / "f.html")
    assert not list(tmp_path.iterdir())


def test_data_are_kept_as_parquet_or_csv(tmp_path: Path) -> None:
    data = pd.DataFrame({"arm": ["DPN-LE", "broad"], "shift": [0.5, 0.25]})
    plots.save_figure(FIGURE, tmp_path / "f.html", data=data, data_format="csv")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "f.csv"), data)
    for name in ("d.csv", "d.parquet"):
        assert plots.save_data(data, tmp_path / name) == tmp_path / name
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "d.parquet"), data)
    with pytest.raises(ValueError, match="saved as parquet or csv, but 'xlsx' was asked for"):
        plots.save_figure(FIGURE, tmp_path / "g.html", data=data, data_format="xlsx")
    assert not (tmp_path / "g.html").exists()


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"saved as .html, .svg, .pdf, .png, but f.gif ends in '.gif'"):
        plots.save_figure(FIGURE, tmp_path / "f.gif")
    with pytest.raises(ValueError, match=r"needs a path of its own, but .*f.html was given twice"):
        plots.save_figures([(FIGURE, tmp_path / "f.html"), (FIGURE, tmp_path / "f.html")])
    assert not list(tmp_path.iterdir())
