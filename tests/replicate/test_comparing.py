"""The paper's numbers against invented results of which the right answer is known."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from workbench.replicate.comparing import Comparison, NotMeasured, Ours, counted_in, measured_in, table_of
from workbench.replicate.people import ALWAYS_MIDDLE, distance_to_people
from workbench.replicate.protocol import Published
from workbench.replicate.telling import markdown_table, number, shown
from workbench.study.config import StudyConfig
from workbench.study.study import Study


def published(**entries: Any) -> Published:
    given = {"id": "x", "step": "s", "quantity": "trait of 10", "arm": "DPN-LE", "value": 8.0, "where": "here"}
    return Published(**given | entries)


def invented() -> Study:
    """40 questions in two traits; under increase every rating is 4.5 and under decrease 1.5, but for noise."""
    rng = np.random.default_rng(0)
    rows = []
    for trait in ("Extraversion", "Openness"):
        for question in range(20):
            for direction, mean in (("increase", 4.5), ("decrease", 1.5)):
                labels = {"arm": "DPN-LE", "trait": trait, "direction": direction, "gamma": 1.0}
                score = mean + rng.normal(0, 0.2)
                rows.append(labels | {"question": f"q{question}", "score": score, "wellformed": 0.75})
    answers = pd.DataFrame(rows)
    weaker = answers.assign(gamma=0.8, score=3 + 0.5 * (answers["score"] - 3))
    items = []
    for trait in ("Extraversion", "Openness"):
        for item in range(30):
            items.append(
                {"arm": "none", "trait": trait, "direction": "none", "gamma": 0.0, "item": item, "correct": True}
            )
            for direction, lost in (("increase", item < 3), ("decrease", item < 15)):
                labels = {"arm": "DPN-LE", "trait": trait, "direction": direction, "gamma": 1.0, "item": item}
                items.append(labels | {"correct": not lost})
    counts = pd.DataFrame(
        [{"trait": t, "layer": n, "pole": "high", "neurons": k} for t, k in (("a", 3), ("b", 5)) for n in range(2)]
    )
    arms = pd.DataFrame({"arm": ["DPN-LE"]})
    tables = {"answers": pd.concat([answers, weaker]), "gsm8k": pd.DataFrame(items), "counts": counts, "arms": arms}
    study = Study(Path(), StudyConfig(resamples=400), {"gamma": 1.0, "left_out": {"PAS": "heads lack"}})
    vars(study)["tables"] = tables
    return study


def test_both_directions_are_summed_out_of_ten() -> None:
    ours = measured_in(invented(), published(gamma=1.0))
    assert ours.estimate == pytest.approx(9.0, abs=0.1), "4.5 and six minus 1.5"
    assert ours.low < ours.estimate < ours.high
    assert ours.n == 40
    assert measured_in(invented(), published(gamma=0.8)).estimate == pytest.approx(7.5, abs=0.1)
    fluent = measured_in(invented(), published(gamma=1.0, quantity="fluency of 10"))
    assert (fluent.estimate, fluent.low) == (8.0, 8.0), "0.75 of the way from 1 to 5 is 4, twice"


def test_without_a_dose_the_best_of_the_published_ones_is_taken_and_said() -> None:
    best = measured_in(invented(), published(), (0.8, 1.0))
    assert best.estimate == pytest.approx(9.0, abs=0.1)
    assert "the best of doses 0.8, 1, at 1" in best.why
    assert measured_in(invented(), published(), (0.8,)).estimate == pytest.approx(7.5, abs=0.1)


def test_a_question_without_both_ratings_is_left_out() -> None:
    study = invented()
    answers = study.tables["answers"]
    gone = (answers["gamma"] == 1.0) & (answers["direction"] == "decrease") & (answers["question"] == "q0")
    study.tables["answers"] = answers.assign(score=answers["score"].where(~gone))
    assert measured_in(study, published(gamma=1.0)).n == 38


def test_a_drop_is_paired_by_item_and_in_percentage_points() -> None:
    asked: dict[str, Any] = {"quantity": "gsm8k change", "gamma": 1.0}
    up = measured_in(invented(), published(direction="increase", **asked))
    down = measured_in(invented(), published(direction="decrease", **asked))
    assert (up.estimate, down.estimate) == (pytest.approx(-10.0), pytest.approx(-50.0))
    assert down.high < up.low


def test_neurons_are_counted_by_pole_over_traits() -> None:
    ours = measured_in(invented(), published(quantity="neurons high"))
    assert ours.estimate == 8.0
    assert ours.low == pytest.approx(8.0 - 12.706 * 2.0, abs=0.01), "Student's, of two traits with 6 and 10"


def test_what_did_not_run_says_why() -> None:
    with pytest.raises(NotMeasured, match="heads lack"):
        measured_in(invented(), published(arm="PAS"))
    with pytest.raises(NotMeasured, match=r"ran at 0\.8, 1, not at 1\.5"):
        measured_in(invented(), published(gamma=1.5))
    with pytest.raises(NotMeasured, match="was not run"):
        measured_in(invented(), published(gamma=1.0, quantile=0.999))


def test_verdicts_are_the_paper_s_only_on_its_own_model_and_protocol() -> None:
    def verdict(ours: Ours, *, faithful: bool) -> str:
        return Comparison.of(published(), lambda: ours, faithful=faithful).verdict

    within, beyond = Ours(8.1, 7.9, 8.3, 40), Ours(9.0, 8.8, 9.2, 40)
    assert [verdict(each, faithful=True) for each in (within, beyond)] == ["reproduced", "not reproduced"]
    assert [verdict(each, faithful=False) for each in (within, beyond)] == ["inside", "outside"]
    assert verdict(Ours(8.0, 8.0, 8.0, 2), faithful=True) == "no interval", "rows that are all alike show no spread"
    assert verdict(Ours(8.0, float("nan"), float("nan"), 1), faithful=True) == "no interval"

    def unmeasured() -> Ours:
        raise NotMeasured("there are no data")

    said = Comparison.of(published(), unmeasured, faithful=True)
    assert (said.verdict, said.why) == ("not run", "there are no data")
    row = shown(table_of([said])).iloc[0]
    assert (row["paper"], row["ours"], row["95 % interval"]) == ("8.00", "–", "–")


def test_distance_from_people_takes_the_direction_that_each_person_s_given_items_say() -> None:
    traits = pd.Series("Extraversion", index=["i1", "i2"])
    ratings = pd.DataFrame({"i1": [5.0, 1.0, 5.0], "i2": [5.0, 1.0, 4.0]})
    rows = [("none", "none", 3.5), ("DPN-LE", "increase", 5.0), ("DPN-LE", "decrease", 1.0)]
    items = pd.DataFrame(
        [
            {"arm": arm, "gamma": 1.0 if arm != "none" else 0.0, "direction": way, "trait": "Extraversion"}
            | {"item": "i2", "expected": score}
            for arm, way, score in rows
        ]
    )
    found = distance_to_people(items, ratings, ["i1"], traits=traits, resamples=100).set_index("arm")["error"]
    assert found["DPN-LE"] == pytest.approx(1 / 3), "right for two people, a point off for the third"
    assert found["none"] == pytest.approx((1.5 + 2.5 + 0.5) / 3)
    assert found[ALWAYS_MIDDLE] == pytest.approx((2 + 2 + 1) / 3)


def test_published_sets_are_counted(tmp_path: Any) -> None:
    for trait, count in (("Extraversion", 3), ("Openness", 5)):
        rows = ",".join(f"[0, {n}, 0.2, 0.5, 1.0]" for n in range(count))
        (tmp_path / f"{trait}_dict.json").write_text(f'{{"0": [{rows}]}}', encoding="utf-8")
        (tmp_path / f"{trait}_reversed_dict.json").write_text(f'{{"0": [{rows}]}}', encoding="utf-8")
    assert counted_in(tmp_path, "high").estimate == 4.0


def test_tables_hold_whatever_a_cell_says() -> None:
    table = markdown_table(pd.DataFrame({"a": ["x|y", "line\nbreak"]}))
    assert table.count("\n") == 3
    assert "x\\|y" in table
    assert [number(value) for value in (0.5, 1234.0, float("nan"))] == ["0.50", "1,234", "–"]
