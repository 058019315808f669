"""The page in a browser: drawn, driven, printed, and readable without its scripts."""

import base64
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

import workbench as wb
from workbench.report.contents import Report, ReportFigure, ReportTable
from workbench.report.study_page import study_report


def drawn(page: Any) -> list[str]:
    return page.eval_on_selector_all("figure", "all => all.map(one => one.dataset.drawn || '')")


def seen(page: Any, selector: str) -> list[str]:
    """The texts of what is shown, as a reader sees them."""
    return page.eval_on_selector_all(
        selector, "all => all.filter(one => one.checkVisibility()).map(one => one.innerText.trim())"
    )


def scroll_through(page: Any) -> None:
    for figure in page.locator("figure").all():
        figure.scroll_into_view_if_needed()
    page.wait_for_function("[...document.querySelectorAll('figure')].every(one => one.dataset.drawn)")
    assert page.evaluate("document.documentElement.dataset.errors") == ""


def sideways(page: Any) -> int:
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def test_figures_are_drawn_when_they_come_into_view(report: Report, opened: Callable[..., Any]) -> None:
    page = opened(report)
    page.wait_for_timeout(200)
    assert "" in drawn(page)
    scroll_through(page)
    assert drawn(page) == ["Openness", "all", "all"]
    heights = "all => all.map(one => one.querySelector('.main-svg').clientHeight)"
    assert min(page.eval_on_selector_all(".plot", heights)) > 100
    assert page.title() == "A title & more"


@pytest.mark.parametrize("phone", [False, True])
def test_the_trait_switch_changes_figures_answers_and_tables(
    report: Report, opened: Callable[..., Any], phone: bool
) -> None:
    page = opened(report, phone=phone)
    scroll_through(page)
    page.evaluate("document.querySelectorAll('details.table').forEach(table => { table.open = true; })")
    assert len(seen(page, "article")) == 2  # one a trait
    page.get_by_role("button", name="Show all 4 answers").click()
    assert len(seen(page, "article")) == 4
    page.get_by_label("Trait shown").select_option("Neuroticism")
    page.wait_for_function("document.querySelector('#fig-dose').dataset.drawn === 'Neuroticism'")
    assert drawn(page) == ["Neuroticism", "all", "Neuroticism"]
    assert page.locator("#fig-map .standin").get_attribute("aria-label") == "A heat map of Neuroticism."
    assert page.locator("#fig-dose .standin").get_attribute("aria-label").endswith("Shown: Neuroticism.")
    assert seen(page, "#fig-dose .file") == ["figures/dose-neuroticism.*"]
    assert seen(page, "article .shown") == ["Neuroticism", "Neuroticism"]
    assert set(seen(page, "#table-long tbody th")) == {"Neuroticism"}
    assert seen(page, "#table-long .which") == ["Neuroticism: 20 of 60 rows"]
    assert len(seen(page, "#table-arms tbody tr")) == 3  # no column of traits: all of it
    assert page.url.endswith("#trait=Neuroticism")
    assert page.get_by_role("status").first.inner_text() == "Figures, answers and tables now show Neuroticism."
    assert sideways(page) == 0


def test_the_address_chooses_a_trait_colours_and_a_place(report: Report, opened: Callable[..., Any]) -> None:
    page = opened(report, "#trait=Neuroticism&dark")
    scroll_through(page)
    assert drawn(page) == ["Neuroticism", "all", "Neuroticism"]
    assert page.evaluate("document.querySelector('.plot').layout.paper_bgcolor") == "#14171a"
    page.goto(page.url.partition("#")[0] + "#table-long")
    assert page.locator("#table-long").get_attribute("open") is not None


def test_dark_mode_recolours_what_was_drawn(report: Report, opened: Callable[..., Any]) -> None:
    page = opened(report)
    scroll_through(page)
    look = """() => {
      const [map, , dose] = [...document.querySelectorAll('.plot')];
      return [dose.layout.paper_bgcolor, dose.data[1].line.color, map.data[0].colorscale.map(([, colour]) => colour)];
    }"""
    assert page.evaluate(look) == ["#ffffff", "black", ["#053c66", "#f7f7f7", "#7f3300"]]
    page.get_by_role("button", name="Dark mode").click()
    page.wait_for_function("document.querySelector('#fig-dose .plot').layout.paper_bgcolor === '#14171a'")
    _, black, (least, middle, most) = page.evaluate(look)
    assert black == "rgba(235, 235, 235, 1)"
    parts = [[int(part) for part in colour[5:].split(",")[:3]] for colour in (least, middle, most)]
    assert max(parts[1]) < 40  # zero is the ground
    assert min(max(parts[0]), max(parts[2])) > 200  # and both ends stand out
    assert page.get_by_role("button", name="Dark mode").get_attribute("aria-pressed") == "true"


def test_a_dark_system_gets_a_dark_page(report: Report, opened: Callable[..., Any]) -> None:
    page = opened(report, color_scheme="dark")
    scroll_through(page)
    assert page.evaluate("document.querySelector('.plot').layout.paper_bgcolor") == "#14171a"
    page.emulate_media(color_scheme="light")
    page.wait_for_function("document.querySelector('.plot').layout.paper_bgcolor === '#ffffff'")


def test_tables_are_sorted_and_shown_in_part(report: Report, opened: Callable[..., Any]) -> None:
    page = opened(report)
    page.locator("#table-arms summary").click()
    heading = page.get_by_role("columnheader", name="shift")
    column = "#table-arms tbody td:nth-child(2)"
    heading.get_by_role("button").press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    assert seen(page, column) == ["0.031 [−0.050, 0.100]", "1.123 [1.000, 1.250]", "–"]
    heading.get_by_role("button").press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    assert seen(page, column) == ["1.123 [1.000, 1.250]", "0.031 [−0.050, 0.100]", "–"]
    assert seen(page, "#table-arms .done") == ["Sorted by shift, greatest first."]
    page.locator("#table-long summary").click()
    assert len(seen(page, "#table-long tbody tr")) == 12
    page.get_by_role("button", name="Show all 60 rows").click()
    assert len(seen(page, "#table-long tbody tr")) == 60
    page.locator("#table-long thead button", has_text="p").last.click()
    page.get_by_role("button", name="Show the first 12 rows").click()
    assert len(seen(page, "#table-long tbody tr")) == 12


@pytest.mark.parametrize("number", [0, 1])
def test_a_table_is_saved_with_its_exact_values(report: Report, opened: Callable[..., Any], number: int) -> None:
    table = report.tables[number]
    page = opened(report, "#trait=Openness", accept_downloads=True)
    box = page.locator(f"#{table.anchor}")
    box.locator("summary").click()
    box.locator("thead button").nth(1).click()  # neither order nor trait changes what is saved
    with page.expect_download() as waiting:
        box.get_by_role("button", name="Download CSV").click()
    assert waiting.value.suggested_filename == f"{table.name}.csv"
    saved = Path(waiting.value.path()).read_bytes().decode()
    assert saved == table.frame.to_csv(index=False, lineterminator="\n")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    box.get_by_role("button", name="Copy as CSV").click()
    page.wait_for_function(f"document.querySelector('#{table.anchor} .done').textContent.startsWith('Copied')")
    assert page.evaluate("navigator.clipboard.readText()") == saved


def test_a_figure_is_saved_as_svg_on_white(report: Report, opened: Callable[..., Any]) -> None:
    page = opened(report, "#trait=Openness&dark", accept_downloads=True)
    scroll_through(page)
    for figure, name in (("map", "map-openness.svg"), ("one", "one.svg")):
        with page.expect_download() as waiting:
            page.locator(f"#fig-{figure}").get_by_role("button", name="Save as SVG").click()
        assert waiting.value.suggested_filename == name
        saved = Path(waiting.value.path()).read_text(encoding="utf-8")
        assert saved.startswith("<svg")
        assert "rgb(255, 255, 255)" in saved


def test_a_verdicts_evidence_is_a_click_away(report: Report, opened: Callable[..., Any]) -> None:
    page = opened(report)
    page.locator("#verdicts").get_by_role("link", name="Table 2").click()
    assert page.locator("#table-long").get_attribute("open") is not None
    assert page.evaluate("document.querySelector('#table-long').getBoundingClientRect().top") < 200
    page.wait_for_function("document.querySelector('#contents .here')")


def test_contents_fold_on_a_phone(report: Report, opened: Callable[..., Any]) -> None:
    page = opened(report, phone=True)
    assert sideways(page) == 0
    entry = page.locator("#contents").get_by_role("link", name="Figure 3 Dose")
    assert not entry.is_visible()
    page.locator("#contents summary").click()
    entry.click()
    assert not entry.is_visible()
    page.wait_for_function("Math.abs(document.querySelector('#fig-dose').getBoundingClientRect().top) < 200")
    page.locator("#contents summary").click()
    page.keyboard.press("Escape")
    assert not entry.is_visible()
    scroll_through(page)
    assert sideways(page) == 0


def test_the_keyboard_reaches_everything_and_leaves_it(report: Report, opened: Callable[..., Any]) -> None:
    page = opened(report)
    scroll_through(page)
    page.evaluate("window.scrollTo(0, 0)")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    stops = []
    for _ in range(40):
        page.keyboard.press("Tab")
        look = "one => [one.innerText.split('\\n')[0], getComputedStyle(one).outlineStyle]"
        name, outline = page.evaluate(f"({look})(document.activeElement)")
        if page.evaluate("document.activeElement === document.body"):
            break
        stops.append(name)
        assert outline == "solid"
    assert stops == [
        "Figure 3", "Table 2", "Figure 1", "Show all 4 answers", "Save as SVG", "Save as SVG", "Save as SVG",
        "Table 1 Arms 3 rows", "Table 2 Long 60 rows", "steps 1 entry",
    ]  # fmt: skip


def test_paper_holds_everything(report: Report, opened: Callable[..., Any], tmp_path: Path) -> None:
    page = opened(report, "#trait=Neuroticism&dark")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    page.wait_for_function("[...document.querySelectorAll('figure')].every(one => one.dataset.drawn)")
    assert drawn(page) == ["Neuroticism", "all", "Neuroticism"]
    assert page.evaluate("document.querySelector('#fig-one .plot').data[0].type") == "scatter"
    grounds = page.eval_on_selector_all(".plot", "all => all.map(plot => plot.layout.paper_bgcolor)")
    assert set(grounds) == {"#ffffff"}
    assert len(seen(page, "article")) == 4
    assert len(seen(page, "tbody tr")) == 63
    assert seen(page, "pre") != []
    assert seen(page, ".side") == seen(page, ".tools button") == []
    page.emulate_media(media="screen")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("document.querySelectorAll('details.table[open]').length") == 0
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert len(page.pdf(prefer_css_page_size=True)) > 20_000


def test_the_page_is_readable_without_scripts(report: Report, opened: Callable[..., Any]) -> None:
    page = opened(report, java_script_enabled=False)
    text = page.locator("body").inner_text()
    for part in (
        report.lead,
        "Claim refuted",
        "Figures are drawn by a script",
        "A map.",
        "A caption.",
        "Few clusters.",
    ):
        assert part in text
    assert page.locator("article:visible").count() == 4
    page.locator("#table-long summary").click()
    assert page.locator("#table-long tbody tr:visible").count() == 60
    assert page.locator("button:visible:not(th button)").count() == 0
    assert page.locator("select:visible").count() == 0


def test_what_is_packed_comes_out_as_it_went_in(opened: Callable[..., Any]) -> None:
    names = np.array([f"neuron {k}" for k in range(120)])
    values = np.random.default_rng(0).normal(size=(120, 4)).astype(np.float32)
    scatter = {"type": "scatter", "mode": "markers", "x": values[:, 0], "y": np.arange(120)}
    scatter |= {"text": names[::-1], "customdata": values[::-1]}
    heat = {"type": "heatmap", "z": values[:, 1].reshape(10, 12), "text": names.reshape(10, 12)}
    heat |= {"customdata": values.reshape(10, 12, 4)}
    figures = {"a": go.Figure([scatter]), "b": go.Figure([heat])}
    page = opened(
        Report("t", "q", "l", figures=[ReportFigure(name, "A", "c", "alt", {"all": figures[name]}) for name in "ab"])
    )
    scroll_through(page)
    unpack = "name => packed.figure(document.querySelector(`#fig-${name} script[data-key]`)).data[0]"
    points, cells = (page.evaluate(unpack, name) for name in "ab")

    def numbers(described: dict[str, str]) -> np.ndarray:
        return np.frombuffer(base64.b64decode(described["bdata"]), described["dtype"])

    assert points["text"] == names[::-1].tolist()
    assert cells["text"] == names.reshape(10, 12).tolist()
    assert (points["customdata"]["shape"], cells["customdata"]["shape"]) == ("120, 4", "10, 12, 4")
    assert numbers(points["y"]).tolist() == list(range(120))
    close: dict[str, Any] = {"rtol": 2**-13}
    np.testing.assert_allclose(numbers(points["x"]), values[:, 0], **close)
    np.testing.assert_allclose(numbers(points["customdata"]).reshape(120, 4), values[::-1], **close)
    np.testing.assert_allclose(numbers(cells["z"]), values[:, 1], **close)
    np.testing.assert_allclose(numbers(cells["customdata"]).reshape(120, 4), values, **close)


def test_a_long_tables_rows_are_unpacked_when_it_is_opened(opened: Callable[..., Any]) -> None:
    rows = pd.DataFrame({"trait": ["Openness", "Neuroticism"] * 400, "value": np.linspace(-1, 1, 800)})
    table = ReportTable("values", "Values", "Each.", rows)
    page = opened(Report("t", "q", "l", tables=[table]), accept_downloads=True)
    assert page.locator("#table-values tbody tr").count() == 12
    page.locator("#table-values summary").click()
    page.get_by_role("button", name="Show all 800 rows").click()
    assert len(seen(page, "#table-values tbody tr")) == 800
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download CSV").click()
    assert Path(waiting.value.path()).read_text() == rows.to_csv(index=False, lineterminator="\n")
    bare = opened(Report("t", "q", "l", tables=[table]), java_script_enabled=False)
    bare.locator("#table-values summary").click()
    assert "The first 12 rows" in bare.locator("#table-values").inner_text()


def test_a_page_of_one_trait_has_no_switch(report: Report, opened: Callable[..., Any]) -> None:
    page = opened(replace(report, verdicts=[], figures=[report.figures[2]], answers=[]))
    scroll_through(page)
    assert page.locator("select").count() == 0


def test_a_studys_page_is_whole(model: wb.Model, opened: Callable[..., Any], tmp_path: Path) -> None:
    config = wb.StudyConfig(
        traits=("Extraversion",), arms=("DPN-LE", "random"), outcomes=("answers", "capability"), pairs=16,
        quantile=0.99, gammas=(0.5,), search_questions=1, test_questions=2, items_per_task=1, patching_pairs=2,
        permutations=19, resamples=100, quantiles=(),
    )  # fmt: skip
    report = study_report(wb.run_study(config, tmp_path / "study", model=model))
    narrow = opened(report, phone=True)
    equations = narrow.locator("#methods .equation math")
    assert equations.count() > 10
    assert min(equations.evaluate_all("all => all.map(one => one.getBoundingClientRect().height)")) > 10
    overflow = "all => all.map(one => one.scrollWidth - one.clientWidth)"
    assert max(narrow.locator("#methods .equation").evaluate_all(overflow)) == 0
    assert sideways(narrow) == 0
    page = opened(report)
    scroll_through(page)
    assert len(drawn(page)) == len(report.figures) > 10
    assert page.locator("details.table").count() == len(report.tables) > 10
    assert sideways(page) == 0


def test_a_phone_gets_panels_above_each_other(opened: Callable[..., Any]) -> None:
    rows = [
        {"arm": "DPN-LE", "gamma": gamma, "quantity": quantity, "estimate": gamma, "low": 0.0, "high": 2.0, "n": 9}
        for quantity in ("perplexity_change", "repetition_change", "length_change")
        for gamma in (0.5, 1.0)
    ]
    figure = wb.plots.changes_by_dose(pd.DataFrame(rows))
    report = Report(
        title="t", question="q", lead="l", figures=[ReportFigure("fluency", "F", "C.", "A.", {"all": figure})]
    )
    columns = "document.querySelector('.plot').layout"
    places = f"['xaxis', 'xaxis2', 'xaxis3'].map(name => {columns}[name].domain[0])"
    for phone, across in ((False, 3), (True, 1)):
        page = opened(report, phone=phone)
        scroll_through(page)
        assert len(set(page.evaluate(places))) == across
        assert sideways(page) == 0
