"""The arms of a study: the edit under test and what it is compared with, all at gamma 1."""

from dataclasses import dataclass, replace

from workbench.edit.edit import Edit
from workbench.edit.making import dpn_edit, random_control, residual_edit
from workbench.measure.effect import Effects
from workbench.model.model import Model
from workbench.select.rules import select_neurons
from workbench.select.selection import Selection
from workbench.study.config import StudyConfig

DIRECTIONS = ("increase", "decrease")


@dataclass(frozen=True)
class Located:
    """What was found for one trait."""

    neurons: Effects
    residual: Effects
    selections: dict[str, Selection]

    @property
    def selection(self) -> Selection:
        """The dual rule's."""
        return self.selections["dual"]


def locate(neurons: Effects, residual: Effects, config: StudyConfig) -> Located:
    """Selections of one trait by the rules that the arms need."""
    rules = ("dual", "magnitude-only", "broad")
    selections = {
        rule: select_neurons(neurons, rule=rule, quantile=config.quantile, min_d=config.min_d, layers=config.layers)
        for rule in rules
    }
    return Located(neurons, residual, selections)


def build_arm(arm: str, located: Located, direction: str, model: Model, *, seed: int) -> Edit:
    """The edit of one arm for one trait and direction, at gamma 1, named after the arm."""
    dpn = dpn_edit(located.neurons, located.selection, direction=direction)
    if arm == "DPN-LE":
        edit = dpn
    elif arm == "DPN-LE weighted":
        edit = dpn_edit(located.neurons, located.selection, direction=direction, weighted=True)
    elif arm == "magnitude only":
        edit = dpn_edit(located.neurons, located.selections["magnitude-only"], direction=direction)
    elif arm == "broad":
        edit = dpn_edit(located.neurons, located.selections["broad"], direction=direction)
    elif arm == "random":
        edit = random_control(dpn, seed=seed)
    elif arm == "residual":
        edit = residual_edit(located.residual, dpn, {layer: model.w_out(layer).cpu() for layer in dpn.layers})
    else:
        raise ValueError(f"There is no arm {arm!r}.")
    return replace(edit, method=arm)


def same_edits(a: dict[tuple[str, str], Edit], b: dict[tuple[str, str], Edit]) -> bool:
    """Whether two arms add exactly the same values for every trait and direction."""
    return a.keys() == b.keys() and all(replace(a[k], method="") == replace(b[k], method="") for k in a)
