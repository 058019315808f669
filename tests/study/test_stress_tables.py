"""What is left under stress, by hand; whether it was foretold, where that is planted; and verdicts that are known."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.measure.ratio import ratio_of_means, surely_above
from workbench.outcome.outcome import Asking, Outcome
from workbench.outcome.quantity import SHARE, Quantity
from workbench.outcome.results import Results
from workbench.study.claims.stressing import stress_claims
from workbench.study.plan import Plan
from workbench.study.stressing.foretelling import foretold, signs_of
from workbench.study.stressing.tables import Beside, stress_table

ITEMS = tuple("abcdefgh")
TRAITS = ("Openness", "Extraversion")
DRAWN = {"resamples": 200, "seed": 0}


@dataclass(frozen=True)
class Two(Outcome):
    """A quantity of the trait, and a cost of right and wrong answers."""

    name = "two"
    cluster = "item"
    quantities = (Quantity("moved", "trait", "moved", "points"), Quantity("right", "cost", "right", SHARE))

    def ask(self, model: wb.Model, asking: Asking) -> pd.DataFrame:
        raise NotImplementedError


def rows_of(shift: dict[str, list[list[float]]], *, base: float = 0.0, right: float = 1.0) -> pd.DataFrame:
    """By arm and draw the shift of each item in the intended direction, in both traits and directions."""
    rows = [
        {"arm": "none", "trait": trait, "direction": "none", "gamma": 0.0, "draw": 0, "item": item, "moved": base}
        | {"right": 1.0}
        for trait in TRAITS
        for item in ITEMS
    ]
    for arm, draws in shift.items():
        for draw, values in enumerate(draws):
            for trait in TRAITS:
                for way, sign in (("increase", 1.0), ("decrease", -1.0)):
                    for item, value in zip(ITEMS, values, strict=True):
                        labels = {"arm": arm, "trait": trait, "direction": way, "gamma": 1.0, "draw": draw}
                        rows.append({**labels, "item": item, "moved": base + sign * value, "right": right})
    return pd.DataFrame(rows)


PLAIN = [0.8, 1.2, 1.0, 0.9, 1.1, 1.0, 0.7, 1.3]
STRESSED = [0.5, 0.7, -0.1, 0.4, 0.6, 0.5, -0.2, 0.8]
CONTROL = [[0.3, 0.2] * 4, [-0.1, -0.2] * 4]


def table_of(stressed: pd.DataFrame, plain: pd.DataFrame, **more: Any) -> pd.DataFrame:
    beside = [Beside("system", "a guide", Two(), stressed, plain, **more)]
    return stress_table(beside, "DPN-LE", **DRAWN)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    plain = rows_of({"DPN-LE": [PLAIN], "random": CONTROL})
    return table_of(rows_of({"DPN-LE": [STRESSED], "random": CONTROL}, base=2.0, right=0.0), plain)


def row_of(table: pd.DataFrame, **where: str) -> Any:
    for name, value in where.items():
        table = table[table[name] == value]
    [row] = table.to_dict("records")
    return row


def test_what_is_left_is_the_ratio_of_mean_shifts(table: pd.DataFrame) -> None:
    row = row_of(table, arm="DPN-LE", trait="Openness", quantity="moved", condition="a guide")
    assert row["change"] == pytest.approx(np.mean(STRESSED)) == pytest.approx(0.4)
    assert row["plain"] == pytest.approx(np.mean(PLAIN)) == pytest.approx(1.0)
    assert row["left"] == pytest.approx(0.4)
    expected = ratio_of_means(2 * STRESSED, 2 * PLAIN, clusters=2 * list(ITEMS), **DRAWN)
    assert (row["left_low"], row["left_high"]) == pytest.approx((expected.low, expected.high))
    assert row["low"] < row["change"] < row["high"]
    assert row["n"] == 16
    half_more = np.array(STRESSED) - 0.5 * np.array(PLAIN)
    assert row["p_half"] == pytest.approx(surely_above(2 * half_more.tolist(), clusters=2 * list(ITEMS)))
    assert row["p_half"] + row["p_less"] == pytest.approx(1.0)


def test_the_share_that_goes_the_wrong_way_counts_items(table: pd.DataFrame) -> None:
    own = row_of(table, arm="DPN-LE", trait="all", quantity="moved", condition="all")
    assert own["wrong_way"] == 2 / 8
    assert own["wrong_way_low"] <= 0.25 <= own["wrong_way_high"]
    control = row_of(table, arm="random", trait="all", quantity="moved", condition="all")
    assert control["wrong_way"] == 0.5
    cost = row_of(table, arm="DPN-LE", trait="all", quantity="right", condition="all")
    assert np.isnan(cost["wrong_way"])


def test_a_random_control_counts_by_the_mean_of_its_draws_and_is_subtracted_item_by_item(table: pd.DataFrame) -> None:
    control = row_of(table, arm="random", trait="all", quantity="moved", condition="all")
    assert control["change"] == pytest.approx(0.05)
    assert np.isnan(control["beyond"])
    own = row_of(table, arm="DPN-LE", trait="all", quantity="moved", condition="all")
    assert own["beyond"] == pytest.approx(0.35)
    assert own["p_beyond"] < 0.05


def test_a_change_is_against_the_unedited_model_under_the_same_stress(table: pd.DataFrame) -> None:
    """The unedited model stands at 2 under the stress and at 0 without; neither enters the change."""
    cost = row_of(table, arm="DPN-LE", trait="all", quantity="right", condition="all")
    assert (cost["change"], cost["plain"]) == (-1.0, 0.0)
    assert np.isnan(cost["left"])  # nothing was lost without the stress


def test_all_conditions_of_a_stress_are_taken_together() -> None:
    plain = rows_of({"DPN-LE": [PLAIN]})
    conditions = {"one": STRESSED, "other": PLAIN}
    beside = [Beside("system", name, Two(), rows_of({"DPN-LE": [each]}), plain) for name, each in conditions.items()]
    table = stress_table(beside, "DPN-LE", **DRAWN)
    row = row_of(table, arm="DPN-LE", trait="all", quantity="moved", condition="all")
    assert row["left"] == pytest.approx(0.7)
    assert row["n"] == 64
    assert row_of(table, trait="all", quantity="moved", condition="other")["left"] == 1.0


def test_a_quantity_that_no_wording_changes_has_no_row_but_edits_made_again_do() -> None:
    plain = rows_of({"DPN-LE": [PLAIN]}, base=0.5)
    assert set(table_of(plain, plain)["quantity"]) == {"right"}  # right and wrong answers may well be the same
    again = table_of(plain, plain, of_data=True)
    assert row_of(again, trait="all", quantity="moved", condition="all")["left"] == 1.0
    assert set(again["kind"]) == {"data"}


def stress_of(left: dict[str, float], wrong: dict[str, float]) -> pd.DataFrame:
    rows = [
        {"stress": stress, "condition": "all", "arm": "DPN-LE", "trait": trait, "quantity": "moved", "plain": 1.0}
        | {"change": value, "left": value, "wrong_way": wrong[trait]}
        for stress in ("system", "typing")
        for trait, value in left.items()
    ]
    return pd.DataFrame(rows)


def made_of(signs: dict[str, float]) -> dict[str, pd.DataFrame]:
    measure = "split-half Jaccard, corrected"
    return {
        "separability": pd.DataFrame(
            [{"trait": trait, "control": "none", "auc": value} for trait, value in signs.items() for _ in range(2)]
        ),
        "stability": pd.DataFrame(
            [
                {"trait": trait, "unit": "description", "measure": measure, "estimate": 1 - value}
                for trait, value in signs.items()
            ]
        ),
    }


def test_a_sign_that_orders_traits_as_what_is_left_foretells_it() -> None:
    traits = list("abcdef")
    left = {trait: 0.1 * number for number, trait in enumerate(traits)}
    stress = stress_of(left, {trait: 1 - value for trait, value in left.items()})
    cosines = {trait: pd.DataFrame({"cosine": [0.5, 0.5]}) for trait in traits}
    signs = signs_of(stress, made_of({t: 0.5 + v / 2 for t, v in left.items()}), cosines, "DPN-LE", "moved")
    assert signs["separability"].tolist() == pytest.approx([0.5 + 0.05 * number for number in range(6)])
    assert signs["pair_cosine"].tolist() == [0.5] * 6
    table = foretold(signs, stress, "DPN-LE", "moved", seed=0)
    assert set(table["stress"]) == {"all", "system", "typing"}
    row = row_of(table, stress="all", of="left", sign="separability")
    assert row["correlation"] == pytest.approx(1.0)
    assert row["p"] == pytest.approx(2 / 720)
    assert row["text"] == "more of it, more of this"
    assert row_of(table, stress="all", of="wrong way", sign="separability")["correlation"] == pytest.approx(-1.0)
    assert row_of(table, stress="all", of="left", sign="stability")["text"] == "more of it, less of this"
    assert row_of(table, stress="all", of="left", sign="pair_cosine")["text"] == "it does not vary over the traits"


def test_too_few_traits_say_nothing() -> None:
    left = {"a": 0.1, "b": 0.5, "c": 0.6, "d": np.nan, "e": 0.9}
    stress = stress_of(left, dict.fromkeys(left, 0.1))
    signs = signs_of(stress, made_of(dict.fromkeys(left, 0.5)), {}, "DPN-LE", "moved")
    table = foretold(signs, stress, "DPN-LE", "moved", seed=0)
    rows = table[(table["of"] == "left") & (table["sign"] == "separability")]
    assert rows["stress"].tolist() == ["all"]
    assert rows["text"].tolist() == ["too few traits to say: 4, and it takes 5"]
    assert rows["correlation"].isna().all()


PLAN = Plan.of(wb.StudyConfig(stress=("system", "typing", "pairs")))


def judged(rows: dict[str, dict[str, float]], kind: str = "wording") -> Any:
    """The claim on wordings, from what is left under each stress."""
    known = {"left_low": 0.0, "left_high": 2.0, "n": 16, "wrong_way": 0.2, "beyond": 0.1, "p_beyond": 0.001}
    table = pd.DataFrame(
        [
            {"stress": stress, "kind": kind, "condition": "all", "arm": "DPN-LE", "trait": "all"}
            | {"quantity": PLAN.target.name, "plain": 0.4, "p_half": 0.001, "p_less": 0.999, "left": 0.9}
            | known
            | row
            for stress, row in rows.items()
        ]
    )
    settings: dict[str, Any] = {"frames": {}, "arms": {}, "method": "DPN-LE", "gamma": 1.0, "traits": TRAITS}
    settings |= {"target": PLAN.target, "costs": (), "resamples": 100, "seed": 0, "tables": {"stress": table}}
    [claim] = [each for each in stress_claims(PLAN) if each.id == f"holds:{kind}"]
    return claim.finding(Results(**settings), "all")


def test_an_edit_holds_where_half_is_surely_left_everywhere_and_random_neurons_are_beaten() -> None:
    found = judged({"system": {}, "typing": {}})
    assert found.verdict == "supported"
    assert "there is left: system 90 % [0, 200] (20 % of items the wrong way); typing 90 %" in found.sentence
    unsure = judged({"system": {}, "typing": {"p_half": 0.2, "p_less": 0.8}})
    assert unsure.verdict == "undecided"
    assert "Not surely 50% or more: typing." in unsure.sentence
    no_better = judged({"system": {}, "typing": {"p_beyond": 0.3}})
    assert no_better.verdict == "undecided"
    assert "Not surely further than random neurons: typing." in no_better.sentence


def test_it_does_not_where_less_than_half_is_surely_left_somewhere_allowing_for_how_many_were_tried() -> None:
    assert judged({"system": {}, "typing": {"left": 0.1, "p_half": 0.999, "p_less": 0.001}}).verdict == "refuted"
    once = judged({"system": {"p_half": 0.9, "p_less": 0.1}, "typing": {"p_half": 0.96, "p_less": 0.04}})
    assert once.verdict == "undecided"


def test_without_a_shift_there_is_nothing_to_be_left() -> None:
    for row in ({"left": np.nan}, {"plain": -0.4}):
        found = judged({"system": row})
        assert found.verdict == "undecided"
        assert "nothing of which a share could be left" in found.sentence


def test_a_study_claims_of_each_kind_of_stress_that_it_has() -> None:
    assert [claim.id for claim in stress_claims(PLAN)] == ["holds:wording", "holds:data"]
    assert stress_claims(Plan.of(wb.StudyConfig())) == []
    assert judged({"pairs": {}}, kind="data").verdict == "supported"
