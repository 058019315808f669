"""The page: nothing on it escapes its place, it needs no network, and a browser draws and drives it."""

import html
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import pytest

from workbench.report import page as page_module
from workbench.report.page import (
    Report,
    ReportFigure,
    ReportTable,
    SteeredAnswer,
    Verdict,
    render_report,
    write_report,
)

HOSTILE = "Who are you? </script><img src=x onerror=\"document.title='broken'\"><!-- <script>"
TRAITS = ["Openness", "Neuroticism"]


def line(name: str, kind: str = "scatter") -> go.Figure:
    trace = {"type": kind, "x": [0, 1, 2], "y": [1.0, float("nan"), 3.0], "name": name}
    figure = go.Figure([trace, {"type": "scatter", "y": [2, 1], "name": "none", "line": {"color": "black"}}])
    return figure.update_layout(title=name, xaxis_title="gamma", width=1400)


@pytest.fixture
def report() -> Report:
    frame = pd.DataFrame(
        {
            "arm": ["random", "DPN-LE", "broad <b>"],
            "shift": [0.0312, 1.1234, None],
            "shift_low": [-0.05, 1.0, None],
            "n": [14336, 240, 2],
            **{f"column_{k}": [k, k, k] for k in range(8)},
        }
    )
    return Report(
        title="A title & more",
        question="Do few neurons carry a trait?",
        lead="A lead paragraph.",
        verdicts=[Verdict(f"Claim {word}", word, f"Because {word}.") for word in ("supported", "refuted", "undecided")],
        facts={"Model": "testbed", "Seed": "0"},
        figures=[
            ReportFigure("dose", "Dose", "A caption.", HOSTILE, {key: line(HOSTILE) for key in ["all", *TRAITS]}),
            ReportFigure("map", "Map", "By trait.", "A map.", {trait: line(trait, "scattergl") for trait in TRAITS}),
            ReportFigure("one", "One", "Static.", "A line.", {"all": line("all")}),
        ],
        tables=[ReportTable("arms", "Arms", "At equal dose.", frame)],
        answers=[SteeredAnswer(t, HOSTILE, "Base.", "More.\n\nMore.", "Less.", 3.0, 4.25, None) for t in TRAITS],
        methods="<p>Let <i>d</i> be <math><mi>d</mi></math>.</p>",
        manifest={"seed": 0, "note": HOSTILE, "path": Path("a/b")},
        warnings=["Few clusters."],
    )


class Elements(HTMLParser):
    """Every start tag with its attributes, and the text of each script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.lasttag == "script" and self.scripts:
            self.scripts[-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_text_stays_text(report: Report) -> None:
    page = render_report(report)
    elements = Elements(page)
    assert elements.all("img") == []
    assert html.escape(HOSTILE, quote=False) in page.replace("&#34;", '"').replace("&#39;", "'")
    assert not [name for _, attributes in elements.tags for name in attributes if name.startswith("on")]
    assert len(elements.all("script")) == 3 + 2 + 1 + 2
    stored = [json.loads(text) for text in elements.scripts[:6]]
    assert stored[0]["data"][0]["name"] == HOSTILE


def test_the_sections_come_in_order(report: Report) -> None:
    page = render_report(report)
    places = [
        "<h1>A title &amp; more</h1>", report.question, report.lead, 'class="facts"', 'id="verdicts"', 'id="trait"',
        'id="figures"', "<b>Figure 3.</b> Static.", 'id="answers"', 'id="tables"', 'id="methods"',
        "<math><mi>d</mi></math>", 'id="warnings"', 'id="manifest"', "<details>",
    ]  # fmt: skip
    found = [page.index(place) for place in places]
    assert found == sorted(found)
    for word in ("Supported", "Refuted", "Undecided"):
        assert re.search(rf"</svg>\s+{word}", page)
    assert "score</span> 4.2 (+1.2)" in page
    assert "not scored" in page


def test_an_empty_report_has_no_empty_sections() -> None:
    page = render_report(Report(title="t", question="q", lead="l"))
    assert Elements(page).all("section") == []
    assert 'id="trait"' not in page


def test_headings_and_landmarks_are_ordered(report: Report) -> None:
    elements = Elements(render_report(report))
    levels = [int(tag[1]) for tag, _ in elements.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert elements.all("html") == [{"lang": "en"}]
    assert len(elements.all("main")) == len(elements.all("nav")) == len(elements.all("header")) == 1
    images = [attributes for attributes in elements.all("div") if attributes.get("role") == "img"]
    assert [image["aria-label"] for image in images] == [figure.alt for figure in report.figures]
    ids = [attributes["id"] for _, attributes in elements.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_nothing_is_fetched(report: Report) -> None:
    page = render_report(report)
    for _, attributes in Elements(page).tags:
        for name in ("src", "href", "srcset", "data", "action"):
            assert not re.match(r"(https?:)?//", attributes.get(name) or "")
    assert "@import" not in page.split("</style>")[0]
    assert "url(" not in page.split("</style>")[0]
    assert "default-src 'none'" in page
    assert page.count("plotly.js v") >= 1


def test_equal_reports_give_equal_pages(report: Report) -> None:
    assert render_report(report) == render_report(report)


def test_half_a_surrogate_pair_does_not_stop_the_page(report: Report, tmp_path: Path) -> None:
    path = write_report(replace(report, lead="before \ud83d after"), tmp_path / "report.html")
    assert "before ? after" in path.read_text(encoding="utf-8")


def test_a_failed_write_leaves_the_old_page_and_nothing_else(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    def refuse(source: object, target: object) -> None:
        raise PermissionError(13, "Permission denied", str(source))

    with monkeypatch.context() as patch:
        patch.setattr(page_module.os, "replace", refuse)
        with pytest.raises(PermissionError, match=re.escape(str(path))):
            write_report(report, path)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("report.html", "old")]
    assert write_report(report, path) == path
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_a_missing_folder_is_named(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "missing" / "report.html"
    with pytest.raises(FileNotFoundError, match="create its folder or choose another path") as caught:
        write_report(report, path)
    assert caught.value.filename == str(path)


def test_mistakes_are_named(report: Report) -> None:
    with pytest.raises(ValueError, match="'dose' is repeated"):
        replace(report, figures=[report.figures[0], report.figures[0]])
    with pytest.raises(ValueError, match="holds no spaces, but 'a b' was given"):
        replace(report, tables=[replace(report.tables[0], id="a b")])
    with pytest.raises(ValueError, match="needs at least one plotly figure, but 'dose' has none"):
        replace(report.figures[0], figures={})
    verdict = Verdict("Claim", "undecided", "")
    object.__setattr__(verdict, "verdict", "maybe")
    with pytest.raises(ValueError, match="supported, refuted, undecided, but 'Claim' has 'maybe'"):
        verdict.__post_init__()


def test_the_switch_offers_what_the_page_can_show(report: Report) -> None:
    assert report.choices == ["all", *TRAITS]
    assert replace(report, figures=report.figures[1:]).choices == TRAITS
    assert replace(report, figures=[], answers=[]).choices == ["all"]


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path to open the page with")


def dumped(address: str, *flags: str) -> tuple[str, list[str]]:
    """The page after its scripts ran, and its complaints on the console."""
    command = [str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom", *flags]
    command += ["--enable-logging=stderr", "--v=0", "--virtual-time-budget=8000", address]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120, check=True)
    lines = [line for line in done.stderr.splitlines() if "CONSOLE" in line and "WebGL" not in line]
    return done.stdout, lines


@needs_chromium
def test_a_browser_draws_the_trait_of_the_address(report: Report, tmp_path: Path) -> None:
    path = write_report(report, tmp_path / "report.html")
    page, console = dumped(f"{path.as_uri()}#trait=Neuroticism", "--window-size=1280,6000")
    assert console == []
    elements = Elements(page)
    assert elements.all("html")[0]["data-errors"] == ""
    assert [figure.get("data-drawn") for figure in elements.all("figure")] == ["Neuroticism", "Neuroticism", "all"]
    assert ["hidden" in article for article in elements.all("article")] == [True, False]
    assert "<title>A title &amp; more</title>" in page


DRIVER = """<!DOCTYPE html><iframe style="width:380px;height:700px;border:0" src="report.html"></iframe><script>
const frame = document.querySelector("iframe");
const pause = () => new Promise((done) => setTimeout(done, 400));
frame.addEventListener("load", async () => {
  const page = frame.contentDocument;
  const all = (query) => [...page.querySelectorAll(query)];
  const drawn = () => all("figure").map((figure) => figure.dataset.drawn || "");
  const ground = () => page.querySelector(".plot").layout.paper_bgcolor;
  const column = () => all("tbody td:nth-child(2)").map((cell) => cell.textContent);
  const seen = {};
  await pause();
  seen.lazy = drawn().includes("");
  const room = () => page.documentElement.scrollWidth - page.documentElement.clientWidth;
  seen.narrow = room();
  frame.contentWindow.dispatchEvent(new Event("beforeprint"));
  await pause();
  seen.printed = drawn();
  frame.contentWindow.dispatchEvent(new Event("afterprint"));
  const choice = page.getElementById("trait");
  choice.value = "Openness";
  choice.dispatchEvent(new Event("change"));
  await pause();
  seen.chosen = drawn();
  seen.label = page.querySelector(".plot").getAttribute("aria-label");
  seen.hidden = all("article").map((article) => article.hidden);
  seen.before = ground();
  page.getElementById("theme").click();
  await pause();
  seen.after = ground();
  const button = all("th button")[1];
  button.click();
  seen.ascending = [button.parentElement.getAttribute("aria-sort"), ...column()];
  button.click();
  seen.descending = [button.parentElement.getAttribute("aria-sort"), ...column()];
  seen.drawn = room();
  seen.errors = page.documentElement.dataset.errors;
  const out = document.createElement("output");
  out.textContent = JSON.stringify(seen);
  document.body.append(out);
});
</script>"""


@needs_chromium
def test_a_reader_can_drive_the_page_on_a_phone(report: Report, tmp_path: Path) -> None:
    write_report(report, tmp_path / "report.html")
    (tmp_path / "driver.html").write_text(DRIVER)
    page, console = dumped((tmp_path / "driver.html").as_uri(), "--allow-file-access-from-files")
    assert console == []
    found = re.search(r"<output>(.*?)</output>", page, re.DOTALL)
    assert found, page
    seen = json.loads(html.unescape(found.group(1)))
    assert seen["errors"] == ""
    assert seen["lazy"]
    assert (seen["narrow"], seen["drawn"]) == (0, 0)
    assert seen["printed"] == ["all", "Openness", "all"]
    assert seen["chosen"] == ["Openness", "Openness", "all"]
    assert seen["label"] == f"{HOSTILE} Shown: Openness."
    assert seen["hidden"] == [False, True]
    assert {seen["before"], seen["after"]} == {"#ffffff", "#14171a"}
    assert seen["ascending"] == ["ascending", "0.031", "1.123", "–"]
    assert seen["descending"] == ["descending", "1.123", "0.031", "–"]
