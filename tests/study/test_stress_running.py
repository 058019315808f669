"""A small study under stress: what is asked and of which edits, against the same done by hand; and what is kept."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import workbench as wb
from workbench.edit.making import dpn_edit
from workbench.measure.pairwise import pair_cosine
from workbench.outcome.statements import Statements
from workbench.report.study_figures import study_figures
from workbench.report.study_page import study_report
from workbench.report.study_tables import study_tables
from workbench.score.statements.scoring import high_minus_low, statement_scores
from workbench.select.rules import select_neurons
from workbench.study.pairs import pairs_of
from workbench.study.stressing.halves import Halves
from workbench.study.stressing.texts import texts
from workbench.vocabulary import Pole

TRAIT = "Extraversion"
FEW: dict[str, Any] = {
    "traits": (TRAIT,),
    "pairs": 24,
    "quantile": 0.99,
    "quantiles": (),
    "arms": ("DPN-LE", "random"),
    "gammas": (1.0,),
    "outcomes": ({"statements": "testbed", "n": 4}, {"minimal-pairs": "pairs.csv", "n": 4}),
    "target": "statements",
    "draws": 2,
    "permutations": 19,
    "resamples": 100,
    "patching_pairs": 4,
}
STRESS = ["system", {"conversation": [1]}, "language", {"pairs": [10, 500]}, {"seeds": 1}, "halves"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stressed")


@pytest.fixture(scope="module")
def config(folder: Path) -> wb.StudyConfig:
    path = folder / "pairs.csv"
    rows = [(f"You are a {role}.", f"You are are {role}.") for role in ("teacher", "nurse", "baker", "pilot")]
    pd.DataFrame(rows, columns=["good", "bad"]).to_csv(path, index=False)
    outcomes = (FEW["outcomes"][0], {"minimal-pairs": str(path), "n": 4})
    return wb.StudyConfig.model_validate({**FEW, "outcomes": outcomes, "stress": STRESS})


@pytest.fixture(scope="module")
def study(model: wb.Model, config: wb.StudyConfig, folder: Path) -> wb.Study:
    return wb.run_study(config, folder / "study", model=model)


def row_of(table: pd.DataFrame, **where: str) -> Any:
    for name, value in where.items():
        table = table[table[name] == value]
    [row] = table.to_dict("records")
    return row


def by_hand(model: wb.Model, config: wb.StudyConfig, edit: Any, system: str | None = None) -> float:
    """The mean change of the statements' score under an edit, against the unedited model under the same prompt."""
    statements = Statements((TRAIT,), "testbed", n=4).statements_of(TRAIT, "test")
    scores = []
    for each in (None, edit):
        if each is None:
            frame = statement_scores(model, statements, system=system)
        else:
            with wb.edited(model, each, scope=config.scope):
                frame = statement_scores(model, statements, system=system)
        scores.append(high_minus_low(frame)["score"].mean())
    return scores[1] - scores[0]


def shift_by_hand(model: wb.Model, config: wb.StudyConfig, edits: dict[str, Any], system: str | None = None) -> float:
    """The mean over both directions, in the intended one."""
    changes = {way: by_hand(model, config, edit.with_gamma(1.0), system) for way, edit in edits.items()}
    return (changes["increase"] - changes["decrease"]) / 2


def test_a_shift_under_another_role_is_the_edits_under_that_role(
    study: wb.Study, model: wb.Model, config: wb.StudyConfig
) -> None:
    edits = {way: study.edit(TRAIT, way) for way in ("increase", "decrease")}
    table = study.tables["stress"]
    for role in texts("testbed")["system"]:
        row = row_of(table, condition=role, arm="DPN-LE", trait=TRAIT, quantity="statements")
        assert row["change"] == pytest.approx(shift_by_hand(model, config, edits, role), abs=1e-5)
        assert row["plain"] == pytest.approx(shift_by_hand(model, config, edits), abs=1e-5)
    assert len({round(each, 6) for each in table.loc[table["arm"] == "DPN-LE", "change"]}) > 5


def test_an_edit_from_ten_pairs_is_made_of_the_first_ten(
    study: wb.Study, model: wb.Model, config: wb.StudyConfig
) -> None:
    contrast = pairs_of(config, TRAIT).rows(range(10))
    effects = wb.effect_sizes(wb.capture(model, contrast))
    chosen = select_neurons(effects, quantile=0.99, min_d=config.min_d)
    edits = {way: dpn_edit(effects, chosen, direction=way) for way in ("increase", "decrease")}
    row = row_of(study.tables["stress"], condition="10 pairs", arm="DPN-LE", trait=TRAIT, quantity="statements")
    assert row["change"] == pytest.approx(shift_by_hand(model, config, edits), abs=1e-5)
    made = row_of(study.tables["stress_edits"], condition="10 pairs")
    own = study.edit(TRAIT, "increase")
    units = {(int(layer), int(unit)) for layer, unit in zip(own.layer, own.unit, strict=True)}  # type: ignore[union-attr]
    theirs = set(chosen.both)
    assert (made["pairs"], made["units"]) == (10, len(theirs))
    assert made["jaccard"] == pytest.approx(len(units & theirs) / len(units | theirs))
    assert 0 < made["cosine"] < 1


def test_other_pairs_are_those_of_another_seed_and_halves_share_nothing(
    study: wb.Study, config: wb.StudyConfig
) -> None:
    table = study.tables["stress_edits"].set_index("condition")
    assert table.loc["other pairs 1", "pairs"] == 24
    contrast = pairs_of(config, TRAIT)
    first, second = (list(each.rows(contrast)) for each in Halves(seed=config.seed).remakings())  # type: ignore[misc]
    assert (table.loc["one half", "pairs"], table.loc["other half", "pairs"]) == (len(first), len(second))
    for labels in (contrast.questions, contrast.descriptions[Pole.HIGH], contrast.descriptions[Pole.LOW]):
        shared = {labels[row] for row in first} & {labels[row] for row in second}
        assert not shared or labels is not contrast.questions
    assert not set(first) & set(second)
    assert min(len(first), len(second)) >= 3


def test_a_random_control_of_the_same_size_runs_beside_every_stress(study: wb.Study) -> None:
    table = study.tables["stress"]
    both = table[table["quantity"] == "statements"].groupby(["stress", "condition", "trait"])["arm"].agg(set)
    assert all(arms == {"DPN-LE", "random"} for arms in both)
    own = table[(table["arm"] == "DPN-LE") & (table["quantity"] == "statements")]
    assert own["beyond"].notna().all()
    control = table.merge(own, on=["stress", "condition", "trait", "quantity"], suffixes=("_of_control", ""))
    control = control[control["arm_of_control"] == "random"]
    assert (control["change"] - control["change_of_control"]).to_numpy() == pytest.approx(control["beyond"].to_numpy())


def test_what_cannot_be_asked_is_told_and_nothing_else_is_lost(study: wb.Study) -> None:
    table = study.tables["stress_left_out"]
    left = dict(zip(table["stress"], table["reason"], strict=True))
    assert "has no second language" in left["language"]
    assert "made from 24 pairs, so that 500 are not fewer" in left["pairs"]
    assert "minimal-pairs puts no question to the model in a chat" in left["another wording"]
    assert len(left) == 3
    stresses = study.tables["stress"].groupby("quantity")["stress"].agg(lambda names: list(dict.fromkeys(names)))
    assert stresses["statements"] == ["system", "conversation", "pairs", "seeds", "halves"]
    assert stresses["minimal_pairs"] == ["pairs", "seeds", "halves"]


def test_signs_are_read_from_what_was_known_beforehand(
    study: wb.Study, model: wb.Model, config: wb.StudyConfig
) -> None:
    row = row_of(study.tables["stress_signs"], trait=TRAIT)
    rows: Any = wb.capture(model, pairs_of(config, TRAIT), keep=True)
    assert row["pair_cosine"] == pytest.approx(
        pair_cosine(rows.activations, layers=rows.layers)["cosine"].mean(), abs=1e-4
    )
    table = study.tables["stability"]
    table = table[(table["unit"] == "description") & (table["measure"] == "split-half Jaccard, corrected")]
    assert row["stability"] == pytest.approx(table["estimate"].iloc[0])
    assert set(study.tables["stress_foretold"]["stress"]) == {"all"}
    assert study.tables["stress_foretold"]["text"].str.startswith("too few traits to say: ").all()


def test_it_is_in_findings_figures_tables_and_the_page(study: wb.Study) -> None:
    found = {finding.id: finding for finding in study.findings}
    assert {"holds:wording", "holds:data"} <= set(found)
    for stress in ("system", "conversation"):
        assert stress in found["holds:wording"].sentence
    [figure] = study_figures(study, only=["stress-left"])
    assert set(figure.figures) == {"all", TRAIT}
    layout: Any = figure.figures[TRAIT].layout
    labels = layout["yaxis"].ticktext
    assert any("after 1 turn" in label for label in labels)
    names = {table.name: table for table in study_tables(study)}
    assert {"stress", "stress-edits", "stress-signs", "stress-foretold", "stress-left-out"} <= set(names)
    report = study_report(study)
    group = next(each for each in report.groups if each.title == "Does it hold elsewhere?")
    assert [each.id for each in group.figures] == ["stress-left"]
    shown = next(each for each in report.verdicts if each.claim == found["holds:wording"].claim).shown
    assert shown == ("stress-left", "table-stress", "table-stress-left-out")


def test_a_second_run_asks_nothing(
    study: wb.Study, model: wb.Model, config: wb.StudyConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("asked again")

    keys = {name: step["key"] for name, step in study.manifest["steps"].items()}
    monkeypatch.setattr(Statements, "ask", refuse)
    again = wb.run_study(config, study.folder, model=model)
    assert {name: step["key"] for name, step in again.manifest["steps"].items()} == keys
    pd.testing.assert_frame_equal(again.tables["stress"], study.tables["stress"])
