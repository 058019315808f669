"""A report with something of every kind on it, and a Chromium to open it with."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from workbench.report.answers import SteeredAnswer
from workbench.report.contents import Report, ReportFigure, ReportTable, Verdict
from workbench.report.page import write_report

HOSTILE = "Who are you? </script><img src=x onerror=\"document.title='broken'\"><!-- <script>"
TRAITS = ["Openness", "Neuroticism"]
_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")


def line(name: str, kind: str = "scatter") -> go.Figure:
    trace = {"type": kind, "x": [0, 1, 2], "y": [1.0, float("nan"), 3.0], "name": name}
    figure = go.Figure([trace, {"type": "scatter", "y": [2, 1], "name": "none", "line": {"color": "black"}}])
    return figure.update_layout(title=name, xaxis_title="gamma", width=1400)


def heat_map(trait: str) -> go.Figure:
    scale = [[0, "#053c66"], [0.5, "#f7f7f7"], [1, "#7f3300"]]
    values = np.linspace(-1, 1, 24).reshape(2, 12)
    figure = go.Figure(go.Heatmap(z=values, x=list("abcdefghijkl"), colorscale=scale, zmid=0, texttemplate="%{z:.1f}"))
    return figure.update_layout(height=300, meta={"alt": f"A heat map of {trait}."})


@pytest.fixture
def report() -> Report:
    wide = pd.DataFrame(
        {
            "arm": ["random", "DPN-LE", "broad <b>"],
            "shift": [0.0312, 1.1234, None],
            "shift_low": [-0.05, 1.0, None],
            "shift_high": [0.1, 1.25, None],
            "n": [14336, 240, 2],
            **{f"column_{k}": [k, k, k] for k in range(8)},
        }
    )
    long = pd.DataFrame(
        {
            "trait": np.repeat(["all", *TRAITS], 20),
            "question": [f'What, "{k}"?' for k in range(60)],
            "p": np.linspace(1e-9, 1, 60),
            "reached": [k % 2 == 0 for k in range(60)],
        }
    )
    return Report(
        title="A title & more",
        question="Do few neurons carry a trait?",
        lead="A lead paragraph.",
        verdicts=[
            Verdict("Claim supported", "supported", "Because supported.", ("dose", "table-long")),
            Verdict("Claim refuted", "refuted", "Because refuted.", ("map",)),
            Verdict("Claim undecided", "undecided", "Because undecided."),
        ],
        facts={"Model": "testbed", "Seed": "0"},
        figures=[
            ReportFigure(
                "map", "Map", "By trait.", "A map.", {trait: heat_map(trait) for trait in TRAITS}, "Where is it?"
            ),
            ReportFigure(
                "dose",
                "Dose",
                "A caption.",
                HOSTILE,
                {key: line(HOSTILE) for key in ["all", *TRAITS]},
                "What does editing do?",
                "figures/dose",
            ),
            ReportFigure("one", "One", "Static.", "A line.", {"all": line("all", "scattergl")}, "Where is it?"),
        ],
        tables=[
            ReportTable("arms", "Arms", "At equal dose.", wide, "What does editing do?"),
            ReportTable("table-long", "Long", "By trait.", long, "What does it cost?"),
        ],
        answers=[
            SteeredAnswer(
                trait, f"{k}? {HOSTILE}", "I often stay.", "I rarely stay.\n\nMore.", "Less.", 3.0, 4.25, None
            )
            for trait in TRAITS
            for k in range(2)
        ],
        methods="<h3>Edit</h3><p>Let <math><mi>d</mi></math> be.</p>",
        manifest={"seed": 0, "note": HOSTILE, "path": Path("a/b"), "steps": {"one": {"key": "x"}}, "twins": {}},
        warnings=["Few clusters."],
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright opens the page; it is not installed")
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip("no Chromium on the path to open the page with")
    with api.sync_playwright() as started:
        one = started.chromium.launch(executable_path=found, args=list(_FLAGS))
        yield one
        one.close()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Opens a report and gives its page; nothing may complain on the console, or ask for anything but the file."""
    contexts, told, asked = [], [], []

    def open_page(report: Report, address: str = "", *, phone: bool = False, **options: Any) -> Any:
        path = write_report(report, tmp_path / "report.html")
        size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 900}
        context = browser.new_context(
            viewport=size, has_touch=phone, is_mobile=phone, reduced_motion="reduce", **options
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: told.append(said.text) if "WebGL" not in said.text else None)
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("request", lambda request: asked.append(request.url.partition("#")[0]))
        page.goto(f"{path.as_uri()}{address}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert told == []
    assert {url for url in asked if not url.startswith(("data:", "blob:"))} == {(tmp_path / "report.html").as_uri()}
