"""Statements as an outcome: in a small study, and its tables on cases whose right answer is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.arm.registry import BUILT_IN
from workbench.outcome.registry import outcome_of
from workbench.outcome.results import Results
from workbench.outcome.statement_tables import cautions_of, item_shifts, pair_shifts, shares, validity, wrong_way
from workbench.outcome.statements import Statements
from workbench.score.statements.scoring import high_minus_low
from workbench.study.claims import with_cautions
from workbench.study.plan import Plan

TRAITS = ("Extraversion", "Neuroticism")
CONFIG = wb.StudyConfig(
    traits=TRAITS,
    pairs=20,
    quantile=0.99,
    quantiles=(),
    arms=("DPN-LE", "residual", "random", "flipped", "description prompt"),
    gammas=(0.5, 1.0),
    outcomes=({"statements": "testbed", "questions_each": 2}, "capability"),
    target="statements",
    draws=20,
    items_per_task=1,
    permutations=19,
    resamples=100,
)
PERSONA = "description prompt"


@pytest.fixture(scope="module")
def study(model: wb.Model, tmp_path_factory: pytest.TempPathFactory) -> wb.Study:
    return wb.run_study(CONFIG, tmp_path_factory.mktemp("statements"), model=model)


def results_of(**values: object) -> Results:
    """Results of the built-in arms in which statements are the target."""
    target = Statements.quantities[0]
    settings = {"frames": {}, "arms": {spec.name: spec for spec in BUILT_IN}, "method": "DPN-LE", "gamma": 1.0}
    settings |= {"traits": TRAITS, "target": target, "costs": (), "resamples": 200, "seed": 0}
    return Results(**settings | values)  # type: ignore[arg-type]


def pairs_of(shift: dict[tuple[str, str, str], list[float]]) -> pd.DataFrame:
    """Shifts of pairs by arm, trait and direction."""
    rows = [
        {"arm": arm, "trait": trait, "direction": direction, "pair": f"{i:03d}", "unedited": 0.2, "shift": value}
        for (arm, trait, direction), values in shift.items()
        for i, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def test_statements_choose_the_dose_and_every_table_is_there(study: wb.Study) -> None:
    names = {"statements", "statements_items", "statements_wrong_way", "statements_share", "statements_validity"}
    assert names | {"shifts", "dose", "tradeoff", "against_controls", "draws"} <= set(study.tables)
    assert study.manifest["target"] == "statements"
    assert study.gamma in CONFIG.gammas
    frame = study.tables["statements"]
    assert not frame["logprob"].isna().any()
    assert (frame["logprob"] < 0).all()
    assert set(frame["arm"]) == {"none", *CONFIG.arms}
    per_condition = frame.groupby(["arm", "gamma", "trait", "direction"])["item"].agg(["nunique", "size"])
    assert (per_condition["size"] == 2 * per_condition["nunique"]).all()
    assert (per_condition["nunique"].groupby("trait").nunique() == 1).all()
    assert set(study.tables["draws"]["draw"]) == set(range(20))
    assert not study.tables["against_controls"].query("control == 'random'")["p_draws"].isna().any()
    outcome = Statements(TRAITS, "testbed")
    for trait in TRAITS:
        asked = set(frame.loc[frame["trait"] == trait, "item"])
        assert asked == {each.text for each in outcome.statements_of(trait, "test")}
        assert not asked & {each.text for each in outcome.statements_of(trait, "search")}


def test_a_studys_shift_is_high_minus_low_against_the_unedited_model(study: wb.Study) -> None:
    frame = study.tables["statements"]
    means = frame.groupby(["arm", "gamma", "trait", "direction", "pole"])["logprob"].mean()
    shifts = study.tables["shifts"].set_index(["arm", "trait", "direction"])
    for arm in ("DPN-LE", "residual", PERSONA):
        for direction, sign in (("increase", 1), ("decrease", -1)):
            dose = study.gamma if arm != PERSONA else 1.0
            edited, base = means[arm, dose, TRAITS[0], direction], means["none", 0.0, TRAITS[0], "none"]
            told = sign * ((edited["high"] - edited["low"]) - (base["high"] - base["low"]))
            assert shifts.loc[(arm, TRAITS[0], direction), "shift"] == pytest.approx(told, abs=1e-9)
    # Its own tables agree with it.
    share = study.tables["statements_share"].set_index(["arm", "trait", "direction"])
    both = ("DPN-LE", TRAITS[0], "both")
    assert share.loc[both, "shift"] == pytest.approx(shifts.loc[both, "shift"])
    assert share.loc[(PERSONA, TRAITS[0], "both"), ["share", "low", "high"]].tolist() == [1.0] * 3


def test_a_statements_own_shift_counts_towards_the_direction() -> None:
    rows = []
    for arm, direction, lifts in (("none", "none", 0.0), ("a", "increase", 0.5), ("a", "decrease", 0.25)):
        for pole, item in (("high", "H"), ("low", "L")):
            lift = lifts if pole == "high" else -lifts / 5
            rows.append({"arm": arm, "gamma": 1.0, "trait": "T", "direction": direction, "pole": pole, "facet": ""})
            rows[-1] |= {"pair": "000", "item": item, "question": "?", "tokens": 4, "logprob": -2.0 + lift}
    items = item_shifts(pd.DataFrame(rows)).set_index(["direction", "item"])
    assert items["shift"].round(9).to_dict() == {
        ("increase", "H"): 0.5,
        ("increase", "L"): 0.1,
        ("decrease", "H"): -0.25,
        ("decrease", "L"): -0.05,
    }


def test_the_share_that_moves_the_wrong_way_is_counted_behind_the_average() -> None:
    # 3 of 10 go the wrong way, though the mean shift is up.
    shifts = [1.0] * 7 + [-0.1] * 3
    items = pd.DataFrame({"arm": "a", "trait": "T", "direction": "increase", "shift": shifts})
    items["pair"] = [f"{i:03d}" for i in range(10)]
    right = items.assign(arm="b", shift=1.0)
    table = wrong_way(pd.concat([items, right]), resamples=500).set_index(["arm", "trait", "direction"])
    row = table.loc[("a", "T", "increase")]
    assert row["share"] == pytest.approx(0.3)
    assert 0.0 <= row["low"] < 0.15
    assert 0.5 < row["high"] < 0.8
    assert row["n"] == 10
    # None wrong among 10 is not surely none: Wilson's interval.
    none = table.loc[("b", "all", "both")]
    assert none["share"] == 0.0
    assert none["high"] == pytest.approx(0.278, abs=1e-3)


def test_a_share_is_of_the_persona_prompts_shift_and_missing_where_that_moves_nothing() -> None:
    rng = np.random.default_rng(0)
    whole = (1.0 + 0.2 * rng.standard_normal(30)).tolist()
    noise = (rng.standard_normal(30) - 0.1).tolist()
    pairs = pairs_of(
        {
            (PERSONA, "T", "increase"): whole,
            ("half", "T", "increase"): [value / 2 for value in whole],
            (PERSONA, "T", "decrease"): noise,
            ("half", "T", "decrease"): whole,
            (PERSONA, "U", "increase"): [-value for value in whole],
            ("half", "U", "increase"): whole,
        }
    )
    table = shares(pairs, PERSONA, resamples=200, seed=0).set_index(["arm", "trait", "direction"])
    assert table.loc[("half", "T", "increase"), ["share", "low", "high"]].tolist() == pytest.approx([0.5] * 3)
    for nothing in (("half", "T", "decrease"), ("half", "U", "increase")):
        assert table.loc[nothing, ["share", "low", "high"]].isna().all()
    assert table.loc[("half", "U", "increase"), "persona_shift"] < -0.9
    assert shares(pairs[pairs["arm"] != PERSONA], PERSONA, resamples=50, seed=0).empty


def test_where_the_persona_prompt_does_nothing_no_claim_is_judged() -> None:
    rng = np.random.default_rng(1)
    up, nothing = (1.0 + 0.2 * rng.standard_normal(30)).tolist(), rng.standard_normal(30).round(2).tolist()
    nothing = [value - np.mean(nothing) for value in nothing]
    ways = ("increase", "decrease")
    pairs = pairs_of(
        {(PERSONA, TRAITS[0], "increase"): nothing, (PERSONA, TRAITS[0], "decrease"): up}
        | {(PERSONA, TRAITS[1], way): nothing for way in ways}
        | {("DPN-LE", trait, way): up for trait in TRAITS for way in ways}
    )
    table = validity(pairs, PERSONA, results_of())
    assert table["valid"].tolist() == ["no", "yes", "no", "no"]
    first, second = cautions_of(table)
    assert (first.trait, first.judged, second.judged) == (TRAITS[0], True, False)
    assert "near its ceiling" in first.text
    assert "does not surely raise what the model says of its own Extraversion (shift" in first.text
    assert "does not surely lower what the model says of its own Neuroticism" in second.text

    plan = Plan.of(CONFIG)
    moved = {"shift": 1.0, "low": 0.9, "high": 1.1, "p_holm": 0.001, "n": 60, "unscored": 0, "least": 1.0, "most": 1.0}
    shown = pd.DataFrame([{"arm": "DPN-LE", "trait": t, "direction": "both"} | moved for t in ("all", *TRAITS)])
    traded = pd.DataFrame([{"arm": "DPN-LE", "trait": t, "gamma": 1.0} for t in ("all", *TRAITS)])
    results = results_of(tables={"shifts": shown, "tradeoff": traded, "statements_validity": table})
    [moves] = [each for each in _claims(plan) if each.id == "moves:statements"]
    found = {t: with_cautions(moves, moves.finding(results, t), plan, results) for t in ("all", *TRAITS)}
    verdicts = {t: finding and finding.verdict for t, finding in found.items()}
    # Without the check all three are supported.
    assert verdicts == {"all": "supported", TRAITS[0]: "supported", TRAITS[1]: "undecided"}
    told = {t: finding.sentence for t, finding in found.items() if finding}
    assert told[TRAITS[1]].startswith("Not judged. The arm 'description prompt' does not surely")
    assert "near its ceiling" in told[TRAITS[0]]
    assert "Neuroticism" in told["all"]

    alone = replace(results, traits=TRAITS[1:], tables=results.tables | {"statements_validity": table.tail(2)})
    every = with_cautions(moves, moves.finding(alone, "all"), plan, alone)
    assert every is not None
    assert every.verdict == "undecided"


def _claims(plan: Plan) -> list[wb.outcome.Claim]:
    from workbench.study.claims import claims_of

    return claims_of(plan)


def test_every_claim_on_the_target_rests_on_it() -> None:
    rests = {each.id: each.rests_on for each in _claims(Plan.of(CONFIG))}
    assert {name for name, target in rests.items() if target} >= {"moves:statements", "beats-controls"}
    assert rests["costs-less:residual"] == rests["moves-further:residual"] == "statements"
    assert not rests["keeps:capability"]


def test_a_study_without_the_persona_prompt_says_so() -> None:
    pairs = pairs_of({("DPN-LE", trait, "increase"): [0.1, 0.2] for trait in TRAITS})
    table = validity(pairs, PERSONA, results_of())
    assert set(table["valid"]) == {"not checked"}
    assert [each.judged for each in cautions_of(table)] == [True, True]
    assert "was not checked" in cautions_of(table)[0].text


def test_pairs_shift_in_the_intended_direction(model: wb.Model) -> None:
    outcome = Statements(TRAITS[:1], "testbed")
    statements = outcome.statements_of(TRAITS[0], "test")
    base = wb.score.statement_scores(model, statements)
    edited = base.assign(logprob=base["logprob"] + base["pole"].map({"high": 0.3, "low": 0.1}))
    frame = pd.concat(
        [base.assign(arm="none", direction="none", gamma=0.0)]
        + [edited.assign(arm="a", direction=way, gamma=1.0) for way in ("increase", "decrease")]
    )
    shifts = pair_shifts(outcome.measured(frame), "statements").groupby("direction")["shift"]
    assert shifts.mean().to_dict() == pytest.approx({"increase": 0.2, "decrease": -0.2})
    assert shifts.std().max() < 1e-9
    assert len(high_minus_low(base)) == outcome.measured(frame).query("arm == 'none'").shape[0]


def test_entries_of_a_studys_file_and_what_cannot_be_asked(tmp_path: Path) -> None:
    settings = CONFIG.settings
    assert outcome_of("statements", settings) == Statements(TRAITS)
    rows = [{"statement": f"I am {pole} {i} here.", "pole": pole} for i in range(6) for pole in ("high", "low")]
    path = tmp_path / "mine.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    outcome = outcome_of({"statements": str(path), "n": 2}, settings)
    assert isinstance(outcome, Statements)
    assert [each.text for each in outcome.statements_of("Openness", "test")] == [
        "I am high 0 here.", "I am low 0 here.", "I am high 3 here.", "I am low 3 here."
    ]  # fmt: skip
    with pytest.raises(ValueError, match="in mine.csv 'I am high 0 here.' stands for Extraversion and Neuroticism"):
        outcome.check()
    replace(outcome, traits=("Extraversion",)).check()
    for wrong, message in (({"n": 1}, "n is 2 statements a pole"), ({"questions_each": 5}, "questions_each is 1 to 4")):
        with pytest.raises(ValueError, match=message):
            Statements(TRAITS, **wrong).check()


def test_a_changed_statement_is_asked_again(tmp_path: Path) -> None:
    rows = [{"statement": f"I am {pole} {i} here.", "pole": pole} for i in range(6) for pole in ("high", "low")]
    path = tmp_path / "mine.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    outcome = Statements(("Extraversion",), str(path))
    before = {split: outcome.key(split) for split in ("search", "test")}
    assert before["search"] != before["test"]
    pd.DataFrame([*rows[:-2], rows[-2] | {"statement": "I am new here."}, rows[-1]]).to_csv(path, index=False)
    assert outcome.key("test") != before["test"]
    assert outcome.key("search") == before["search"]
