"""The page as it is written: nothing on it escapes its place, it needs no network, and everything is on it."""

import base64
import gzip
import html
import json
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from workbench.report.contents import Report, ReportFigure, Verdict
from workbench.report.page import render_report, write_report

HOSTILE = "Who are you? </script><img src=x onerror=\"document.title='broken'\"><!-- <script>"
TRAITS = ["Openness", "Neuroticism"]


def unpacked(text: str) -> tuple[Any, bytes]:
    """A compressed block: its JSON, and its arrays' bytes."""
    block = gzip.decompress(base64.b64decode(text))
    length = int.from_bytes(block[:4], "little")
    return json.loads(block[4 : 4 + length]), block[4 + length :]


def taken(described: Any, arrays: bytes) -> np.ndarray:
    dtype = np.dtype(described["dtype"])
    planes = arrays[described["at"] : described["at"] + described["count"] * dtype.itemsize]
    return np.frombuffer(planes, "u1").reshape(dtype.itemsize, -1).T.copy().view(dtype).ravel()


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
    assert len(elements.all("script")) == 2 + 1 + 3 + 2 + 4
    stored = [unpacked(text)[0] for text in elements.scripts[:6]]
    assert stored[3]["data"][0]["name"] == HOSTILE


def test_a_figures_numbers_are_stored_as_exactly_as_it_is_drawn() -> None:
    few, many = np.array([1 / 3, -2e-9, np.nan, 6144.0]), np.concatenate([np.geomspace(1e-6, 9, 99), [np.nan, 14335]])
    figure = go.Figure({"type": "scatter", "y": few, "x": np.arange(4), "customdata": np.outer(many, [1, 2])})
    page = render_report(Report("t", "q", "l", figures=[ReportFigure("a", "A", "c", "alt", {"all": figure})]))
    stored, arrays = unpacked(Elements(page).scripts[0])
    [trace] = stored["data"]
    assert trace["x"]["dtype"] == "i1"
    assert trace["y"]["dtype"] == trace["customdata"]["beside"]["dtype"] == "f4"
    np.testing.assert_allclose(np.frombuffer(base64.b64decode(trace["y"]["bdata"]), "<f4"), few, rtol=1e-7)
    assert trace["customdata"]["beside"]["shape"] == "101, 2"
    beside = taken(trace["customdata"]["beside"], arrays).reshape(101, 2)
    np.testing.assert_allclose(beside[:, 0], many, rtol=2**-13)
    assert beside[-1].tolist() == [14335, 28670]  # whole numbers, such as neurons', are what they were


def test_what_hovering_tells_of_a_neuron_is_stored_once() -> None:
    names, values = [f"neuron {k}" for k in range(90)], np.random.default_rng(0).normal(size=(90, 4))
    order = np.random.default_rng(1).permutation(90)
    first = go.Figure({"type": "scatter", "y": values[:, 0], "text": names, "customdata": values})
    second = go.Figure(
        {
            "type": "heatmap",
            "z": values[order, 1].reshape(9, 10),
            "text": np.array(names)[order].reshape(9, 10),
            "customdata": values[order].reshape(9, 10, 4),
        }
    )
    figures = [ReportFigure(name, "A", "c", "alt", {"all": each}) for name, each in (("a", first), ("b", second))]
    scripts = Elements(render_report(Report("t", "q", "l", figures=figures))).scripts
    (one, its), (other, others), (pool, columns) = map(unpacked, scripts[:3])
    assert pool["texts"] == names
    [rows] = pool["rows"]
    held = np.stack([taken(column, columns) for column in rows["columns"]], axis=1)
    np.testing.assert_allclose(held, values, rtol=2**-13)
    assert taken(one["data"][0]["pooled"], its).tolist() == list(range(90))
    assert taken(other["data"][0]["pooled"], others).tolist() == order.tolist()
    assert other["data"][0]["pooled"]["outer"] == [9, 10]


def test_groups_come_in_the_order_of_their_first_figure_or_table(report: Report) -> None:
    page = render_report(report)
    top = [
        "<h1>A title &amp; more</h1>", report.question, report.lead, 'class="facts"', "1 warning</a>", 'id="trait"',
        '<nav aria-label="Contents">',
    ]  # fmt: skip
    main = [
        '<section id="verdicts"', "3 claims: 1 supported, 1 refuted, 1 undecided.", '<section id="answers"',
        '<h2 id="group-where-is-it-heading">', "<b>Figure 1.</b> By trait.", "<b>Figure 2.</b> Static.",
        '<h2 id="group-what-does-editing-do-heading">', "<b>Figure 3.</b> A caption.", "Table 1</span> Arms</h3>",
        '<h2 id="group-what-does-it-cost-heading">', "Table 2</span> Long</h3>", '<section id="methods"',
        "<math><mi>d</mi></math>", '<section id="warnings"', "Few clusters.", '<section id="manifest"', "steps <span",
    ]  # fmt: skip
    found = [page.index(place) for place in [*top, *main]]
    assert found == sorted(found)
    for word in ("Supported", "Refuted", "Undecided"):
        assert re.search(rf"</svg>\s+{word}", page)


def test_contents_and_verdicts_link_to_what_is_there(report: Report) -> None:
    elements = Elements(render_report(report))
    ids = {attributes["id"] for _, attributes in elements.tags if "id" in attributes}
    links = [link["href"] for link in elements.all("a")]
    assert all(link is not None and link[1:] in ids for link in links)
    for anchor in ("#fig-map", "#fig-dose", "#fig-one", "#table-arms", "#table-long", "#methods", "#manifest"):
        assert anchor in links
    assert '<a href="#fig-dose">Figure 3</a>, <a href="#table-long">Table 2</a>' in render_report(report)


def test_parts_without_a_group_stand_by_their_kind(report: Report) -> None:
    bare = replace(
        report,
        figures=[replace(figure, group="") for figure in report.figures],
        tables=[replace(table, group="") for table in report.tables],
    )
    assert [(group.title, group.anchor) for group in bare.groups] == [
        ("Figures", "group-figures"),
        ("Tables", "group-tables"),
    ]
    alike = [replace(report.tables[0], group="Is it?"), replace(report.tables[1], group="Is it!")]
    anchors = [group.anchor for group in replace(report, tables=alike).groups]
    assert len(set(anchors)) == len(anchors)


def test_a_score_moves_as_meant_or_the_other_way(report: Report) -> None:
    page = render_report(report)
    assert '<span class="change as-meant"><b>+1.2</b> as meant</span>' in page
    assert "I <mark>rarely</mark> stay." in page
    assert "not scored" in page


def test_figures_name_their_files(report: Report) -> None:
    page = render_report(report)
    assert '<code class="file">figures/dose.*</code>' in page
    assert 'data-key="Openness" data-height="440" data-file="figures/dose-openness.*"' in page
    assert page.count('class="file"') == 1


def test_an_empty_report_says_that_there_are_no_warnings() -> None:
    page = render_report(Report(title="t", question="q", lead="l"))
    assert [section["id"] for section in Elements(page).all("section")] == ["warnings"]
    assert "<p>None was raised.</p>" in page
    assert 'id="trait"' not in page


def test_the_manifest_is_read_at_a_glance_and_in_full(report: Report) -> None:
    page = render_report(report)
    for name, value in (("seed", "0"), ("path", "a/b"), ("twins", "none")):
        assert f"<dt>{name}</dt><dd>{value}</dd>" in page
    assert "&#34;one&#34;: {" in page
    flat = render_report(replace(report, manifest={"versions": {"python": "3.11", "torch": "2.4"}}))
    assert "<dt>versions</dt><dd>python: 3.11; torch: 2.4</dd>" in flat


def test_headings_and_landmarks_are_ordered(report: Report) -> None:
    elements = Elements(render_report(report))
    levels = [int(tag[1]) for tag, _ in elements.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert elements.all("html") == [{"lang": "en"}]
    assert len(elements.all("main")) == len(elements.all("nav")) == len(elements.all("header")) == 1
    images = [attributes for attributes in elements.all("div") if attributes.get("role") == "img"]
    assert [image["aria-label"] for image in images] == ["A map.", "A line.", HOSTILE]
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
    packed = Elements(page).scripts[-5]
    assert b"plotly.js v" in gzip.decompress(base64.b64decode(packed))[:200]


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
        patch.setattr(os, "replace", refuse)
        with pytest.raises(PermissionError, match=re.escape(str(path))):
            write_report(report, path)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("report.html", "old")]
    assert write_report(report, path) == path
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_a_missing_folder_is_made_and_one_that_cannot_be_is_named(report: Report, tmp_path: Path) -> None:
    made = write_report(report, tmp_path / "missing" / "report.html")
    path = made / "report.html"  # as if a file were a folder
    with pytest.raises(OSError, match="The report cannot be written .*; choose another path") as caught:
        write_report(report, path)
    assert caught.value.filename == str(path)


def test_mistakes_are_named(report: Report) -> None:
    with pytest.raises(ValueError, match="'map' is repeated"):
        replace(report, figures=[report.figures[0], report.figures[0]])
    with pytest.raises(ValueError, match="holds no spaces, but 'a b' was given"):
        replace(report, tables=[replace(report.tables[0], id="a b")])
    with pytest.raises(ValueError, match="needs at least one plotly figure, but 'map' has none"):
        replace(report.figures[0], figures={})
    with pytest.raises(ValueError, match="'Claim' shows 'gone', which is none of arms, dose, map, one, table-long"):
        replace(report, verdicts=[Verdict("Claim", "undecided", "", ("dose", "gone"))])
    verdict = Verdict("Claim", "undecided", "")
    object.__setattr__(verdict, "verdict", "maybe")
    with pytest.raises(ValueError, match="supported, refuted, undecided, but 'Claim' has 'maybe'"):
        verdict.__post_init__()


def test_the_switch_offers_what_the_page_can_show(report: Report) -> None:
    assert report.choices == ["all", *TRAITS]
    traits_only = replace(report, verdicts=[], figures=[report.figures[0], report.figures[2]])
    assert traits_only.choices == TRAITS
    assert replace(report, verdicts=[], figures=[], answers=[]).choices == ["all"]
