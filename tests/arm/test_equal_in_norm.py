"""Rivals and controls write as much to the residual stream as the edit, measured in forward passes."""

from dataclasses import dataclass
from functools import cached_property

import pytest

import workbench as wb
from tests.arm.small_models import NORMED, SMALL, found_in, measured_norm, small_model
from workbench.arm.building import Arm, build_arms
from workbench.arm.context import Located
from workbench.arm.registry import arm_named
from workbench.edit.controls import random_control
from workbench.edit.edit import Edit
from workbench.edit.making import residual_edit
from workbench.edit.writing import MATCHED_NORM, Writing

METHOD = "DPN-LE"
RIVALS = ("residual", "residual one layer", "heads")
CONTROLS = ("random", "matched random", "shuffled", "other trait")
WAYS = [("Extraversion", "increase"), ("Openness", "decrease")]


@dataclass
class Built:
    """Arms on one model."""

    model: wb.Model
    located: dict[str, Located]
    kind: str

    @cached_property
    def arms(self) -> dict[str, Arm]:
        specs = [arm_named(name) for name in (METHOD, *RIVALS, *CONTROLS, "flipped")]
        arms, left_out = build_arms(specs, self.located, self.model, method=arm_named(METHOD), seed=0, speaks="testbed")
        assert not left_out
        return arms

    def edit(self, arm: str, way: tuple[str, str]) -> Edit:
        made = self.arms[arm].steering[way]
        assert isinstance(made, Edit)
        return made

    def measured(self, arm: str, way: tuple[str, str]) -> float:
        return measured_norm(self.model, self.edit(arm, way), self.located[way[0]].prompts)


@pytest.fixture(scope="module", params=["testbed", *SMALL])
def built(request: pytest.FixtureRequest, model: wb.Model, tmp_path_factory: pytest.TempPathFactory) -> Built:
    name = request.param
    hooked = model
    if name != "testbed":
        hooked = small_model(name, model.tokenizer, tmp_path_factory.mktemp("written") / name)
    return Built(hooked, {trait: found_in(hooked, trait) for trait in ("Extraversion", "Openness")}, name)


@pytest.mark.parametrize("arm", [*RIVALS, *CONTROLS])
def test_every_arm_that_claims_it_writes_as_much_as_the_edit(built: Built, arm: str) -> None:
    for way in WAYS:
        ratio = built.measured(arm, way) / built.measured(METHOD, way)
        assert ratio == pytest.approx(1.0, abs=2e-3), way
        said = built.edit(arm, way).provenance
        assert said["matched_norm"] == MATCHED_NORM
        assert float(said["write_ratio"]) == pytest.approx(ratio, abs=2e-3)


def test_the_norm_is_that_of_a_forward_pass(built: Built) -> None:
    way = WAYS[0]
    writing = built.located["Extraversion"].writing(built.model)
    for arm in (METHOD, "heads", "residual", "flipped"):
        norm = writing.norm(built.edit(arm, way)).total
        assert norm == pytest.approx(built.measured(arm, way), rel=2e-3), arm
    assert bool(writing.outputs) is (built.kind in NORMED)


def test_a_flip_is_the_edit_turned_and_says_what_it_writes(built: Built) -> None:
    way = WAYS[0]
    flipped, edit = built.edit("flipped", way), built.edit(METHOD, way)
    assert flipped.value.tolist() == (-edit.value).tolist()
    ratio = built.measured("flipped", way) / built.measured(METHOD, way)
    assert float(flipped.provenance["write_ratio"]) == pytest.approx(ratio, abs=2e-3)
    if built.kind not in NORMED:
        assert ratio == pytest.approx(1.0, abs=1e-4)


def test_values_alone_would_not_be_equal(built: Built) -> None:
    """A random control carries the edit's values, and yet writes more or less."""
    edit = built.edit(METHOD, WAYS[0])
    writing = built.located["Extraversion"].writing(built.model)
    ratios = [
        float(writing.compared(random_control(edit, seed=seed), edit).provenance["write_ratio"]) for seed in range(4)
    ]
    assert max(abs(ratio - 1) for ratio in ratios) > 0.02


def test_a_norm_that_bounds_a_control_is_told(built: Built) -> None:
    found = built.located["Extraversion"]
    writing = found.writing(built.model)
    edit = found.neuron_edit("increase")
    huge = residual_edit(found.residual, edit, writing=writing)
    huge = Edit.of(
        {layer: 1e5 * huge.delta(layer) for layer in huge.layers},
        trait=huge.trait, method="huge", direction=huge.direction, site=huge.site,
    )  # fmt: skip
    control = writing.matched(random_control(edit), huge)
    ratio = float(control.provenance["write_ratio"])
    assert ratio < 0.1 if built.kind in NORMED else ratio == pytest.approx(1.0, abs=1e-3)


def test_prompts_are_asked_for_where_norms_follow(built: Built) -> None:
    edit = built.located["Extraversion"].neuron_edit("increase")
    if built.kind in NORMED:
        with pytest.raises(ValueError, match=r"normalises what its layers write.*Give some prompts"):
            Writing.of(built.model).norm(edit)
    else:
        writing = built.located["Extraversion"].writing(built.model)
        assert wb.edit.write_norm(edit, built.model).total == writing.norm(edit).total
