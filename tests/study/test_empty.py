"""Studies whose method selects nothing, of all traits or of one: everything else is given, and that is said."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import workbench as wb
from workbench.arm.building import build_arms, empty_traits
from workbench.arm.registry import LARGEST_MIN_D, arm_named
from workbench.report.study_page import write_study_report
from workbench.report.terminal import print_study
from workbench.select.near import HANDFUL

CONFIG = wb.StudyConfig(
    traits=("Extraversion", "Openness"),
    pairs=30,
    quantile=0.99,
    min_d=50.0,
    quantiles=(0.97,),
    gammas=(0.5, 1.0),
    broad_gammas=(0.1, 0.3),
    arms=("DPN-LE", "DPN-LE weighted", "magnitude only", "broad", "residual", "random", "matched random", "flipped"),
    draws=2,
    scopes=("generated", "decode"),
    search_questions=1,
    test_questions=2,
    items_per_task=1,
    patching_pairs=4,
    permutations=19,
    resamples=100,
)


@pytest.fixture(scope="module")
def nothing(model: wb.Model, tmp_path_factory: pytest.TempPathFactory) -> wb.Study:
    """The method selects nothing of either trait."""
    return wb.run_study(CONFIG, tmp_path_factory.mktemp("nothing"), model=model)


@pytest.fixture(scope="module")
def one(nothing: wb.Study, model: wb.Model, tmp_path_factory: pytest.TempPathFactory) -> wb.Study:
    """The method selects nothing of Extraversion, and a neuron or more of Openness."""
    largest = nothing.tables["above_tau_q"].set_index("trait")["d_max"]
    assert largest["Extraversion"] < largest["Openness"]
    config = CONFIG.model_copy(update={"min_d": float(largest.mean())})
    return wb.run_study(config, tmp_path_factory.mktemp("one"), model=model)


def shown(study: wb.Study) -> str:
    console = Console(width=200, file=io.StringIO())
    with console.capture() as captured:
        print_study(study, console)
    return captured.get()


def test_a_method_that_selects_nothing_is_a_finding(nothing: wb.Study) -> None:
    first = nothing.findings[0]
    assert (first.id, first.verdict) == ("selects-neurons", "refuted")
    assert "the method selects nothing here, for any trait" in first.sentence
    assert "largest min_d that selects any is" in first.sentence
    verdicts = nothing.verdict()
    judged = verdicts[~verdicts["id"].isin(["selects-neurons", "poles-exclusive"])]
    assert set(judged["verdict"]) == {"undecided"}
    assert judged["text"].str.contains("the method selects no neuron").all()
    assert set(verdicts["trait"]) == {"all", *CONFIG.traits}


def test_what_stands_for_it_is_compared_with_everything_else(nothing: wb.Study) -> None:
    assert (nothing.method, nothing.stands_for) == (LARGEST_MIN_D.name, "DPN-LE")
    assert set(nothing.roles) == {LARGEST_MIN_D.name, *CONFIG.arms} - {"DPN-LE", "DPN-LE weighted"}
    assert nothing.roles[LARGEST_MIN_D.name] == "method"
    assert {"DPN-LE", "DPN-LE weighted", "DPN-LE q=0.97"} <= set(nothing.left_out)
    assert nothing.left_out["DPN-LE"].startswith("The dual rule selects nothing.")
    assert set(nothing.tables["search"]["arm"]) == {LARGEST_MIN_D.name}
    assert nothing.gamma in CONFIG.gammas
    sizes = nothing.tables["neurons_edited"].set_index(["arm", "trait"])["units"]
    for trait, stands in nothing.stand_ins.items():
        n = stands["high"] + stands["low"]
        assert n >= HANDFUL
        assert set(sizes.loc[[(LARGEST_MIN_D.name, trait), ("matched random", trait), ("random", trait)]]) == {n}
        assert len(nothing.edit(trait, "increase")) == n
    ratio = nothing.tables["neurons_edited"].query("arm == 'residual'")["write_ratio"]
    np.testing.assert_allclose(ratio, 1, atol=0.02)
    tables = nothing.tables
    assert set(tables["against_controls"]["control"]) == {"random", "matched random", "flipped"}
    assert set(tables["patching_verdict"]["trait"]) == set(CONFIG.traits)
    assert (tables["null"]["selected"] == 0).all()
    assert tables["stability"].query("measure == 'split-half Jaccard'")["estimate"].isna().all()
    assert set(tables["scopes"]["scope"]) == {"generated", "decode"}


def test_the_manifest_the_page_and_the_terminal_say_so(nothing: wb.Study, one: wb.Study, tmp_path: Path) -> None:
    for study, where in ((nothing, "selects nothing for any trait"), (one, "selects nothing of Extraversion")):
        manifest = json.loads((study.folder / "manifest.json").read_text())
        assert manifest["stand_ins"]["Extraversion"]["arm"] == LARGEST_MIN_D.name
        assert len(manifest["stand_ins"]["Extraversion"]["why"].splitlines()) == 3
        page = write_study_report(study, tmp_path / "report.html").read_text()
        assert where in page
        assert "The effect sizes that min_d is put to" in page
        assert where in " ".join(shown(study).split())
        assert wb.report.write_figures(study, tmp_path / study.folder.name)


def test_the_other_trait_is_judged_and_the_text_says_which_was_left_out(one: wb.Study) -> None:
    assert (one.method, one.stands_for, set(one.stand_ins)) == ("DPN-LE", "", {"Extraversion"})
    verdicts: Any = one.verdict().set_index(["id", "trait"])
    for trait, text in (("all", "Left out, as the method selects nothing there: Extraversion."), ("Openness", "")):
        assert text in verdicts.loc[("moves:trait_score", trait), "text"]
        assert "intended direction" in verdicts.loc[("moves:trait_score", trait), "text"]
    assert "selects no neuron of Extraversion" in verdicts.loc[("moves:trait_score", "Extraversion"), "text"]
    assert verdicts.loc[("selects-neurons", "Openness"), "verdict"] == "supported"
    arms: Any = one.tables["arms"].set_index("arm")
    assert arms.loc["DPN-LE", "left_out"].startswith("for Extraversion: The dual rule selects nothing.")
    assert arms.loc["magnitude only", "left_out"] == ""


def test_rows_on_all_traits_are_of_those_that_are_judged(one: wb.Study) -> None:
    shifts = one.tables["shifts"].query("direction == 'both'").set_index(["arm", "trait"])["shift"]
    for arm in ("DPN-LE", "magnitude only", "broad", "random"):
        assert shifts[arm, "all"] == shifts[arm, "Openness"]
    assert ("DPN-LE", "Extraversion") not in shifts.index
    assert {(LARGEST_MIN_D.name, "Extraversion"), ("magnitude only", "Extraversion")} <= set(shifts.index)
    assert (LARGEST_MIN_D.name, "all") not in shifts.index
    answers = one.tables["answers"]
    assert set(answers.loc[answers["arm"] == "DPN-LE", "trait"]) == {"Openness"}
    assert set(answers.loc[answers["arm"] == "broad", "trait"]) == set(CONFIG.traits)
    across = one.tables["equal_shift_by_trait"]
    assert set(across.loc[across["arm"] == LARGEST_MIN_D.name, "trait"]) == {"Extraversion"}
    table = one.tables["specificity"]
    assert set(table.loc[table["arm"] == "DPN-LE", "edited"]) == {"Openness"}
    assert set(table.loc[table["arm"] == "DPN-LE", "measured"]) == set(CONFIG.traits)


@pytest.mark.parametrize("which", ["nothing", "one"])
def test_a_second_run_asks_nothing_and_gives_the_same_tables(
    which: str, request: pytest.FixtureRequest, model: wb.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = request.getfixturevalue(which)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a kept step was made again")

    monkeypatch.setattr("workbench.study.asking.ask_cells", refuse)
    monkeypatch.setattr("workbench.study.running.compared_tables", refuse)
    again = wb.run_study(study.config, study.folder, model=model)
    assert set(again.tables) == set(study.tables)
    for name, table in study.tables.items():
        pd.testing.assert_frame_equal(again.tables[name], table)


def test_a_method_of_one_pole_that_has_none_selects_nothing(model: wb.Model, nothing: wb.Study) -> None:
    """At a min_d between the poles' largest |d| the low pole alone has neurons: enough for both, not for one."""
    from workbench.study.meter import Meter
    from workbench.study.store import Store
    from workbench.study.traits import locate_traits

    row: Any = nothing.tables["above_tau_q"].set_index("trait").loc["Extraversion"]
    assert row["largest_min_d_high"] < row["largest_min_d_low"]
    config = CONFIG.model_copy(update={"min_d": float(row["largest_min_d_low"]), "traits": ("Extraversion",)})
    located, _ = locate_traits(model, config, Store(nothing.folder.with_name("poles")), Meter(1.0, None))
    given = {"seed": 0, "speaks": "testbed"}
    assert empty_traits(arm_named("DPN-LE"), located, model, **given) == {}
    directional = arm_named("DPN-LE directional")
    empty = empty_traits(directional, located, model, **given)
    assert "no neuron of the high pole" in str(empty["Extraversion"])
    arms, left_out = build_arms(
        [arm_named("DPN-LE"), directional], located, model, method=arm_named("DPN-LE"), draws=1, **given
    )
    assert set(arms) == {"DPN-LE"}
    assert "no neuron of the high pole" in left_out["DPN-LE directional"]
