"""A study's file resolved into arms, outcomes and quantities, and mistakes that are reported before anything runs."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from workbench.arm.spec import ArmSpec
from workbench.model.model import Model
from workbench.outcome.outcome import Asking, Outcome
from workbench.outcome.quantity import Quantity
from workbench.study.config import StudyConfig
from workbench.study.plan import Plan


@dataclass(frozen=True)
class Words(Outcome):
    """How many words an answer has."""

    name: str = "words"
    needs: tuple[str, ...] = ()
    quantities = (Quantity("words", "cost", "words of an answer", "words", max_loss=3.0),)

    def ask(self, model: Model, asking: Asking) -> pd.DataFrame:
        raise AssertionError("never asked")


def test_the_defaults_are_the_whole_claim() -> None:
    plan = Plan.of(StudyConfig())
    assert [each.name for each in plan.outcomes] == ["answers", "fluency", "capability", "off-target", "questionnaire"]
    assert [each.name for each in plan.traced] == ["patching"]
    assert plan.target.name == "trait_score"
    assert [cost.name for cost in plan.costs] == ["wellformed", "coverage", "capability"]
    assert plan.bounds == {"wellformed": (None, 0.95), "coverage": (0.05, None), "capability": (0.02, None)}
    assert {each.name for each in plan.searched} == {"answers", "capability"}


def test_one_trait_has_no_others() -> None:
    plan = Plan.of(StudyConfig(traits=("Openness",)))
    assert "off-target" not in {each.name for each in plan.outcomes}


def test_any_quantity_of_the_trait_can_be_the_target() -> None:
    plan = Plan.of(StudyConfig(target="questionnaire"))
    assert plan.targeted.name == "questionnaire"
    assert plan.at_every_dose(plan.targeted)
    assert plan.compared[0] is plan.targeted
    assert "trait_score" in {quantity.name for each in plan.compared[1:] for quantity in each.quantities}


def test_any_arm_can_be_under_test() -> None:
    plan = Plan.of(StudyConfig(method="residual"))
    roles = {spec.name: spec.role for spec in plan.arms}
    assert (plan.method.name, roles["residual"], roles["DPN-LE"], roles["random"]) == (
        *("residual", "method", "rival", "control"),
    )


def test_ones_own_bound_is_searched_and_its_own_default() -> None:
    plan = Plan.of(StudyConfig(max_loss={"capability": 0.5}), outcomes=["answers", "capability", Words()])
    assert plan.bounds["words"] == (3.0, None)
    assert plan.bounds["capability"] == (0.5, None)
    assert "words" in {each.name for each in plan.searched}


@pytest.mark.parametrize(
    ("settings", "outcomes", "arms", "message"),
    [
        ({}, ["capability"], None, "needs an outcome that measures the trait, but its outcomes are capability. Add"),
        ({"target": "charm"}, None, None, "The target is one of trait_score, questionnaire, but 'charm' arrived"),
        ({"max_loss": {"charm": 1.0}}, None, None, "bound costs, .*capability.*, but 'charm' arrived"),
        ({}, ["answers", Words(), Words()], None, "names of their own, but two are called 'words'"),
        ({}, ["answers", Words(needs=("fluency",))], None, "'words' reads 'fluency', which must come before it"),
        ({}, [{"minimal-pairs": "x.jsonl", "many": 3}], None, r"minimal-pairs has entries .*, but \['many'\] arrived"),
        ({}, ["gsm8k"], None, "The outcome gsm8k needs file. Write e.g. { gsm8k = "),
        ({}, None, ["random"], "The arm under test, 'DPN-LE', is not among the arms: random"),
        ({}, None, ["DPN-LE", ArmSpec("DPN-LE", "rival", "graded", str)], "Arms need names of their own"),
        ({}, None, ["DPN-LE", "wide"], "There is no arm 'wide'. Choose among DPN-LE, .*, or pass an ArmSpec"),
    ],
)
def test_what_makes_no_study_is_refused(settings: dict, outcomes: list, arms: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Plan.of(StudyConfig(**settings), outcomes, arms)


def test_missing_pairs_are_reported_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no-such"):
        Plan.of(StudyConfig(contrast=str(tmp_path / "no-such.jsonl"))).check()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "none"}, "An arm needs a name, and 'none' is the unedited model's"),
        ({"role": "hero"}, "role is one of method, rival, control, prompt, reference, but 'x' has 'hero'"),
        ({"doses": "often"}, "doses are graded, wide, chosen, none or numbers, but 'x' has 'often'"),
    ],
)
def test_an_arm_that_is_none_is_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ArmSpec(**{"name": "x", "role": "rival", "doses": "graded", "build": str, **settings})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"role": "hero"}, "role is trait or cost, but 'x' has 'hero'"),
        ({"name": "two words"}, "name is that of a column, e.g. word_count, but 'two words' arrived"),
        ({"role": "trait", "losses": (0.1,)}, "Losses are of a cost and above 0"),
    ],
)
def test_a_quantity_that_is_none_is_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Quantity(**{"name": "x", "role": "cost", "label": "x", "unit": "x", **settings})
