"""A study's page, figures, tables and terminal, whatever the study measured and whichever arm is under test."""

import html
import re
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

import workbench as wb
from tests.report.studies import EVERYTHING, SMALL, Letters, Words, with_tables
from workbench.outcome.finding import Finding
from workbench.plots.palette import METHOD
from workbench.report.cells import table_cells
from workbench.report.measured import shown_costs
from workbench.report.steered import steered_answers
from workbench.report.study_figures import study_figures
from workbench.report.study_figures.figure import curve_arms
from workbench.report.study_page import study_report
from workbench.report.study_tables import study_tables
from workbench.report.terminal import print_study
from workbench.score.judge.settings import JudgeConfig
from workbench.study.study import Study

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def study(model: wb.Model, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Every built-in outcome that needs no file, DPN-LE under test."""
    return wb.run_study(EVERYTHING, tmp_path_factory.mktemp("everything"), model=model)


@pytest.fixture(scope="module")
def letters(model: wb.Model, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """One trait, and one outcome, which is not built in and measures it."""
    config = wb.StudyConfig(**{**SMALL, "traits": ("Extraversion",), "arms": ("DPN-LE", "random")})
    return wb.run_study(config, tmp_path_factory.mktemp("letters"), outcomes=[Letters()], model=model)


@pytest.fixture(scope="module")
def words(model: wb.Model, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Open answers, a cost and a second quantity of the trait that are not built in; the residual shift under test."""
    arms = ("DPN-LE", "broad", "residual", "random")
    config = wb.StudyConfig(**{**SMALL, "traits": ("Extraversion", "Openness"), "arms": arms, "method": "residual"})
    return wb.run_study(config, tmp_path_factory.mktemp("words"), outcomes=["answers", Letters(), Words()], model=model)


@pytest.fixture(params=["study", "letters", "words"])
def each(request: pytest.FixtureRequest) -> Study:
    return request.getfixturevalue(request.param)


def told(study: Study, width: int = 80) -> str:
    console = Console(width=width, record=True, file=StringIO())
    print_study(study, console)
    return console.export_text()


def axes(figure: Any) -> list[str]:
    """Titles of a figure's axes and panels, in one line each."""
    titles = [axis.title.text for axis in (*figure.select_xaxes(), *figure.select_yaxes())]
    titles += [note.text for note in figure.layout.annotations]
    return [title.replace("<br>", " ") for title in titles if title]


def test_everything_is_written_whatever_the_study_measured(each: Study, tmp_path: Path) -> None:
    report = study_report(each)
    page = wb.report.write_study_report(each, tmp_path / "page.html").read_text(encoding="utf-8")
    assert [verdict.claim for verdict in report.verdicts] == [finding.claim for finding in each.findings]
    for finding in each.findings:
        assert finding.claim in html.unescape(page)
        assert finding.sentence in html.unescape(page)
    assert report.title == f"{each.method} on testbed"
    assert "nan" not in f"{report.title} {report.question} {report.lead} {report.facts} {report.warnings}"
    figures = study_figures(each)
    assert all(figure.caption and figure.group and len(figure.data) for figure in figures)
    written = wb.report.write_figures(each, tmp_path / "figures")
    assert {path.stem for path in written} == {stem for figure in figures for stem in figure.files.values()}
    assert {table.id.removeprefix("table-") for table in report.tables} == {
        path.stem for path in wb.report.write_tables(each, tmp_path / "tables")
    }
    text = told(each)
    assert max(map(len, text.splitlines())) <= 80
    for arm in each.roles:
        assert arm in text


def test_a_verdict_links_to_its_evidence_and_to_nothing_that_is_not_there(each: Study) -> None:
    report = study_report(each)
    figures, tables = {figure.id for figure in report.figures}, {table.id for table in report.tables}
    for finding, verdict in zip(each.findings, report.verdicts, strict=True):
        expected = [name for name in finding.evidence if name in figures]
        named = [f"table-{name.replace('_', '-')}" for name in finding.evidence if name in each.tables]
        assert set(verdict.shown) == {*expected, *(name for name in named if name in tables)}
        assert verdict.shown, finding.id
        assert set(named) <= tables, finding.id


def test_figures_cover_what_the_study_asked(study: Study, letters: Study, words: Study) -> None:
    names = [figure.name for figure in study_figures(study)]
    assert names[12:] == [
        *("dose-curves", "arms-at-equal-dose", "against-controls", "token-heat-map", "quantile-sweep", "specificity"),
        *("trait-against-wellformed", "trait-against-coverage", "trait-against-capability"),
        *("cost-by-breadth", "capability-retention"),
        *("dose-wellformed", "dose-coverage", "dose-capability", "fluency", "patching-by-layer"),
    ]
    assert [figure.name for figure in study_figures(letters)] == [
        *names[:12],
        *("dose-curves", "arms-at-equal-dose", "against-controls"),
    ]
    assert [figure.name for figure in study_figures(words)] == [
        *names[:12],
        *("dose-curves", "dose-letters", "arms-at-equal-dose", "against-controls", "token-heat-map"),
        *("trait-against-wellformed", "trait-against-coverage", "trait-against-words", "cost-by-breadth"),
        *("dose-wellformed", "dose-coverage", "dose-words"),
    ]
    with pytest.raises(ValueError, match="has no figure 'pie'; what it would show .* Choose among effect-map,"):
        study_figures(study, only=["pie"])
    with pytest.raises(ValueError, match="has no figure 'specificity'; what it would show may not have been asked for"):
        study_figures(letters, only=["specificity"])


def test_a_few_answers_are_kept_token_by_token(study: Study) -> None:
    table = study.tables["monitor"]
    answers = study.tables["answers"]
    assert list(dict.fromkeys(table["trait"])) == list(study.config.traits)
    for (trait, question, label), rows in table.groupby(["trait", "question", "label"], sort=False):
        way = {"Unedited": "none", "Increased": "increase", "Decreased": "decrease"}[str(label)]
        said = answers[(answers["trait"] == trait) & (answers["question"] == question) & (answers["direction"] == way)]
        said = said[said["arm"].isin([study.method, "none"]) & said["gamma"].isin([0.0, study.gamma])]
        assert "".join(rows.loc[rows["part"] == "assistant", "token"]) in set(said["answer"])
        assert len(rows) == rows["position"].nunique()
    assert set(table["label"]) == {"Unedited", "Increased", "Decreased"}
    # The unedited model reads all of them, so that equal words have equal values, whoever said them.
    words = ["trait", "question", "position", "projection"]
    asked = table[table["part"] == "user"].assign(projection=table["projection"].round(4))[words]
    assert len(asked.drop_duplicates()) == len(asked) / 3
    [drawn] = study_figures(study, only=["token-heat-map"])
    assert list(drawn.figures) == list(study.config.traits)
    assert "<|" not in "".join(drawn.data["token"])


def test_the_guide_to_statistics_knows_every_figure_and_table(study: Study) -> None:
    text = (DOCS / "statistics.md").read_text(encoding="utf-8")
    measured = "|".join(study.quantities["name"])
    names = [figure.name for figure in study_figures(study)]
    names += [table.name.replace("-", "_") for table in study_tables(study)]
    # Names of quantities stand alone, or with a part before or after them.
    names = [re.sub(rf"(?<=[-_])({measured})$|^({measured})(?=[-_])", "QUANTITY", name) for name in names]
    assert [name for name in dict.fromkeys(names) if f"`{name}`" not in text] == []


def test_an_outcome_of_the_trait_that_is_not_built_in_gets_figure_columns_and_verdict(letters: Study) -> None:
    [curves, arms] = study_figures(letters, only=["dose-curves", "arms-at-equal-dose"])
    assert "length of an answer (letters)" in axes(curves.figures["all"])
    assert axes(arms.figures["all"]) == ["trait shift (letters, intended direction)"]
    [table] = study_tables(letters, only=["equal-dose"])
    assert "length of an answer" in table.caption
    report = study_report(letters)
    [verdict] = [each for each in report.verdicts if each.claim == "Editing a few selected neurons moves the trait"]
    assert verdict.shown == ("dose-curves", "arms-at-equal-dose", "table-shifts", "table-equal-dose")
    assert "letters in the intended direction" in verdict.text
    assert report.answers == []
    assert report.facts["rows of letters of answers"] == "18"
    assert "what does it cost" not in report.question
    assert "<code>letters</code>: length of an answer, in letters, resampled by question" in report.methods
    assert "length of an answer in the intended direction (letters)" in " ".join(told(letters).split())


def test_a_cost_that_is_not_built_in_is_compared_like_any_other(words: Study) -> None:
    figures = {figure.name: figure.figures["all"] for figure in study_figures(words) if "all" in figure.figures}
    change = "change of words of an answer (words)"
    assert change in axes(figures["trait-against-words"])
    assert change in axes(figures["arms-at-equal-dose"])
    assert change in axes(figures["cost-by-breadth"])
    assert "words of an answer (words)" in axes(figures["dose-words"])
    report = study_report(words)
    [verdict] = [each for each in report.verdicts if each.claim.startswith("Words of an answer")]
    assert verdict.shown == ("dose-words", "table-kept")
    rival = next(each for each in report.verdicts if each.claim.endswith("costs less than editing all neurons"))
    assert {"trait-against-wellformed", "trait-against-words", "cost-by-breadth"} <= set(rival.shown)
    text = told(words)
    assert "answer, words" in text
    assert "Arms at equal trait shift" in text


def test_costs_that_no_verdict_rests_on_stand_in_tables_alone(words: Study) -> None:
    assert shown_costs(words) == ["wellformed", "coverage", "words"]
    columns = [name for name in words.tables["equal_shift"].columns if str(name).startswith("words_")]
    not_compared = with_tables(words, equal_shift=words.tables["equal_shift"].drop(columns=columns))
    assert shown_costs(not_compared) == ["wellformed", "coverage", "words"]  # it has a margin
    quantities = [{**row, "margin": None} for row in words.manifest["quantities"]]
    without_margin = replace(words, manifest={**words.manifest, "quantities": quantities})
    assert shown_costs(with_tables(without_margin, **not_compared.tables)) == ["wellformed", "coverage"]
    nothing = words.tables["equal_shift"][["arm", "reached", "gamma", "shift"]]
    assert shown_costs(with_tables(without_margin, **{**words.tables, "equal_shift": nothing})) == [
        *("wellformed", "coverage", "words")
    ]


def test_a_second_quantity_of_the_trait_stands_beside_the_target(words: Study) -> None:
    figures = {figure.name: figure.figures["all"] for figure in study_figures(words) if "all" in figure.figures}
    assert "length of an answer (letters)" in axes(figures["dose-letters"])
    assert "trait score of open answers (points of 4)" in axes(figures["dose-curves"])
    assert "shift of length of an answer (letters, intended direction)" in axes(figures["arms-at-equal-dose"])
    [verdict] = [each for each in study_report(words).verdicts if each.claim.endswith("moves the length of an answer")]
    assert verdict.shown == ("dose-letters", "table-shifts-letters")
    [table] = study_tables(words, only=["shifts-letters"])
    assert table.title == "Shift of the length of an answer by trait and direction"
    row = words.tables["equal_dose"].set_index("arm").loc["residual"]
    assert f"{row['letters_shift']:+.2f}" in told(words, width=200)


def test_another_arm_may_be_under_test(words: Study) -> None:
    report = study_report(words)
    assert report.question.startswith("Does a residual-stream shift move a personality trait further")
    [curves, arms] = study_figures(words, only=["arms-at-equal-dose", "dose-curves"])
    rows: Any = arms.figures["all"]
    assert rows.layout.yaxis.ticktext[0] == "residual"
    lines: Any = curves.figures["all"].data
    assert {trace.line.color for trace in lines if trace.name == "residual"} == {METHOD.colour}
    assert METHOD.colour not in {trace.line.color for trace in lines if trace.name != "residual"}
    assert {trace.name for trace in lines} == {"DPN-LE", "broad", "residual", "random"}
    [against] = study_figures(words, only=["trait-against-words"])
    for trait in ("all", "Openness"):
        drawn: Any = against.figures[trait]
        at_gamma = words.tables["tradeoff"].query("arm == 'residual' and trait == @trait and gamma == @words.gamma")
        assert [shape.x0 for shape in drawn.layout.shapes] == at_gamma["shift"].tolist()
    answers = words.tables["answers"]
    steered = answers[(answers["arm"] == "residual") & (answers["gamma"] == words.gamma)]
    shown = steered_answers(words)
    assert len(shown) == 4
    for answer in shown:
        rows = steered[(steered["trait"] == answer.trait) & (steered["question"] == answer.question)]
        assert rows.set_index("direction")["answer"].to_dict() == {
            "increase": answer.increase,
            "decrease": answer.decrease,
        }
    for table in study_tables(words):
        assert "DPN-LE" not in f"{table.title} {table.caption}"
    for figure in study_figures(words):
        assert "DPN-LE" not in f"{figure.title} {figure.caption}"


def test_curves_are_the_arms_that_tell_most(study: Study) -> None:
    assert curve_arms(study) == ["DPN-LE", "broad", "residual", "random"]
    specs = [
        ("DPN-LE", "method", "editing few"),
        *((name, "rival", "") for name in ("DPN-LE weighted", "d only")),
        ("broad", "rival", "editing all"),
        *((name, "rival", "") for name in ("NPTI", "heads")),
        *((name, "control", "") for name in ("random", "shuffled")),
        ("simple prompt", "prompt", ""),
    ]
    arms = pd.DataFrame(specs, columns=["arm", "role", "claimed_as"]).assign(has_dose=lambda t: t["role"] != "prompt")
    sites = {"NPTI": "act", "heads": "z", "simple prompt": "prompt"}
    edited = pd.DataFrame({"arm": arms["arm"], "site": [sites.get(arm, "hook_post") for arm in arms["arm"]]})
    once = {"shuffled", "simple prompt"}
    doses = [(arm, gamma) for arm in arms["arm"] for gamma in ((1.0,) if arm in once else (0.5, 1.0))]
    tables = {"neurons_edited": edited, "tradeoff": pd.DataFrame(doses, columns=["arm", "gamma"])}
    assert curve_arms(with_tables(study, arms=arms, **tables)) == ["DPN-LE", "broad", "NPTI", "heads", "random"]
    mine = pd.DataFrame([{"arm": "mine", "role": "rival", "claimed_as": "", "has_dose": True}])
    with_mine = with_tables(study, arms=pd.concat([arms, mine]), **tables)
    assert curve_arms(with_mine) == ["DPN-LE", "broad", "NPTI", "random", "mine"]
    few = arms[arms["arm"].isin(["DPN-LE", "DPN-LE weighted", "random"])]
    assert curve_arms(with_tables(study, arms=few, **tables)) == ["DPN-LE", "DPN-LE weighted", "random"]


def test_the_terminal_shows_every_number(study: Study) -> None:
    text = told(study)
    assert "Arms at equal dose (gamma 0.5)" in text
    assert "Arms at equal trait shift" in text
    assert "* magnitude only: the same edits as DPN-LE, value by value." in " ".join(text.split())
    assert "…" not in text
    assert "0.99" in text
    row = study.tables["equal_dose"].set_index("arm").loc["broad"]
    narrow, wide = told(study, width=44), told(study, width=200)
    cost = f"{100 * row['capability_change']:+.1f}"
    for shown in (text, narrow, wide):
        assert f"{row['shift']:+.2f}" in shown
        assert cost in shown
    assert "continued" in narrow
    assert "continued" not in wide
    assert max(map(len, narrow.splitlines())) <= 44


def test_the_page_warns_of_what_a_reader_must_know(study: Study, words: Study) -> None:
    warnings = " ".join(study_report(study).warnings)
    assert "The arm magnitude only is the arm DPN-LE, value by value" in warnings
    assert "judge" not in warnings
    judge = JudgeConfig(model="a-judge")
    judged = replace(study, config=study.config.model_copy(update={"scorer": "judge", "judge": judge}))
    first = study_report(judged).warnings[0]
    assert first.startswith("Open answers were scored by the judge a-judge, which saw question and answer alone")
    assert f"of {len(study.tables['answers']):,} answers have no trait rating" in first
    assert "The judge of open answers is a-judge." in study_report(judged).methods
    shifts = study.tables["shifts"]
    unscored = with_tables(study, shifts=shifts.assign(unscored=shifts["n"]))
    assert (
        "50.0% of the rows at the chosen dose have no trait score of open answers." in study_report(unscored).warnings
    )
    search = with_tables(words, search=words.tables["search"].assign(allowed=False))
    assert "No dose kept within the bounds" in " ".join(study_report(search).warnings)


def test_a_page_stands_without_the_tables_that_nobody_asked_for(study: Study) -> None:
    absent = ("answers", "capability", "capability_tests", "fluency", "questionnaire", "specificity", "off_target")
    bare = with_tables(study, **dict.fromkeys((*absent, "patching", "patching_verdict", "ablation", "quantile_sweep")))
    report = study_report(bare)
    ids = {part.id for part in (*report.figures, *report.tables)}
    assert not ids & {"fluency", "specificity", "patching-by-layer", "capability-retention", "table-ablation"}
    assert report.answers == []
    assert all(set(verdict.shown) <= ids for verdict in report.verdicts)
    told(bare)


def test_a_table_is_shown_with_its_text_or_because_a_finding_rests_on_it(study: Study) -> None:
    names = [table.name for table in study_tables(study)]
    assert "answers" not in names
    assert {"equal-dose", "tradeoff", "shifts-questionnaire", "capability-tests"} <= set(names)
    own = pd.DataFrame({"arm": ["DPN-LE"], "value": [1.0]})
    more = with_tables(study, my_table=own, scopes=study.tables["scopes"].head(0))
    assert "my-table" not in {table.name for table in study_tables(more)}
    assert "scopes" not in {table.name for table in study_tables(more)}
    finding = Finding("mine", "Mine", "supported", {}, ("my_table",))
    more.__dict__["_all_findings"] = [finding]
    [table] = [table for table in study_tables(more) if table.name == "my-table"]
    assert table.title == "My table"
    assert study_report(more).verdicts[0].shown == ("table-my-table",)


def test_figures_are_written_beside_their_data(study: Study, tmp_path: Path) -> None:
    written = wb.report.write_figures(study, tmp_path, only=["dose-curves", "effect-map"])
    assert [path.name for path in written] == [
        "effect-map-extraversion.html",
        "effect-map-openness.html",
        "dose-curves.html",
        "dose-curves-extraversion.html",
        "dose-curves-openness.html",
    ]
    data = pd.read_parquet(tmp_path / "effect-map.parquet")
    assert set(data["trait"]) == set(EVERYTHING.traits)
    assert not (tmp_path / "README.md").exists()
    with pytest.raises(ValueError, match="Figures come as html, svg, pdf, png, but 'gif' was asked for"):
        wb.report.write_figures(study, tmp_path, formats=["gif"])


def test_without_a_browser_pages_are_written_and_the_reason_is_given(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(figures: list[tuple[Any, Path]], **settings: Any) -> list[Path]:
        if any(path.suffix != ".html" for _, path in figures):
            raise RuntimeError("Images need a Chromium on this machine.")
        return [path for _, path in figures]

    monkeypatch.setattr(wb.plots, "save_figures", without)
    with pytest.raises(RuntimeError, match="Images need a Chromium"):
        wb.report.write_figures(study, tmp_path, only=["balance"], formats=["png", "html"])
    reasons: list[str] = []
    with pytest.raises(RuntimeError, match="Images need a Chromium"):
        wb.report.write_figures(study, tmp_path, formats=["pdf"], warn=reasons.append)
    assert reasons == []
    assert not list(tmp_path.iterdir())
    written = wb.report.write_figures(study, tmp_path, formats=["png", "html"], warn=reasons.append)
    assert reasons == ["Images need a Chromium on this machine."]
    assert {path.suffix for path in written} == {".html"}
    page = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "![" not in page
    assert "The study of DPN-LE on the model testbed: 2 traits" in page
    assert "Files: `dose-curves` and `dose-curves-TRAIT`, a file a trait; `.html`. Data: `dose-curves.parquet`." in page
    for figure in study_figures(study):
        assert figure.caption in page
        assert (tmp_path / f"{figure.name}.parquet").is_file()


def test_tables_have_the_names_and_numbers_of_the_page(study: Study, tmp_path: Path) -> None:
    written = wb.report.write_tables(study, tmp_path)
    shown = {table.id.removeprefix("table-"): table.frame for table in study_report(study).tables}
    assert {path.stem for path in written} == set(shown)
    for name, frame in shown.items():
        assert (tmp_path / f"{name}.tex").read_text(encoding="utf-8").count(rf"\label{{tab:{name}}}") == 1
        assert len(pd.read_csv(tmp_path / f"{name}.csv")) == len(frame)
    exact = pd.read_csv(tmp_path / "equal-dose.csv")
    pd.testing.assert_frame_equal(exact, shown["equal-dose"], rtol=1e-12, check_dtype=False)
    [row] = [line for line in (tmp_path / "equal-dose.tex").read_text().splitlines() if line.startswith("DPN-LE &")]
    _, rows = table_cells(shown["equal-dose"])
    assert [cell.strip() for cell in row.removesuffix(r"\\").split("&")] == [
        cell.text.replace("\u2212", "$-$").replace("\u2013", "--") for cell in rows[0]
    ]
    with pytest.raises(ValueError, match="has no table 'pie'; .* Choose among equal-dose,"):
        wb.report.write_tables(study, tmp_path, only=["pie"])
    with pytest.raises(ValueError, match="Tables come as csv, tex, but 'xls' was asked for"):
        wb.report.write_tables(study, tmp_path, formats=["xls"])
