"""The arms of a study: the edit under test and what it is compared with, all at gamma 1."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from workbench.capture.tally import Tally
from workbench.edit.controls import (
    flipped_control,
    matched_control,
    other_trait_control,
    random_control,
    shuffled_control,
)
from workbench.edit.edit import AnyEdit, Composite, Edit
from workbench.edit.making import dpn_edit, residual_edit
from workbench.edit.prompting import Instruction, description_prompt, neutral_prompt, simple_prompt
from workbench.edit.rivals import head_edit, npti_edit
from workbench.measure.effects import Effects
from workbench.model.model import Model
from workbench.select.controls import matched_neurons
from workbench.select.rules import select_neurons
from workbench.select.selection import Selection
from workbench.study.cells import DIRECTIONS
from workbench.study.config import PROMPTING, StudyConfig
from workbench.study.store import key_of
from workbench.vocabulary import NeuronSet

Way = tuple[str, str]
"""A trait and a direction."""

Arm = dict[Way, AnyEdit | Instruction]
"""What an arm does for each trait and direction."""


@dataclass(frozen=True)
class Located:
    """What was found for one trait.

    Attributes:
        neurons: effects at `hook_post`, with the norms of what the neurons write.
        residual: effects at `resid_post`.
        heads: effects at `z`.
        gates: moments, signs and a sample of rows at `hook_pre`.
        rule: the rule that chooses the neurons of the DPN-LE arms.
        selections: by rule.
        seed: of the controls.
    """

    neurons: Effects
    residual: Effects
    heads: Effects
    gates: Tally
    rule: str
    selections: Mapping[str, Selection]
    seed: int

    @property
    def selection(self) -> Selection:
        """The neurons under test."""
        return self.selections[self.rule]

    @property
    def matched(self) -> NeuronSet:
        """As many other neurons in each layer, as large in |s| as there are."""
        return matched_neurons(self.selection.both, self.neurons, seed=self.seed)


def locate(
    neurons: Effects, residual: Effects, heads: Effects, gates: Tally, config: StudyConfig, *, seed: int
) -> Located:
    """Selections of one trait by the rules that the arms need."""
    rules = {config.rule, "magnitude-only", "d-only", "write-norm", "broad"}
    selections = {
        rule: select_neurons(neurons, rule=rule, quantile=config.quantile, min_d=config.min_d, layers=config.layers)
        for rule in sorted(rules)
    }
    return Located(neurons, residual, heads, gates, config.rule, selections, seed)


def build_arms(
    config: StudyConfig, located: Mapping[str, Located], model: Model
) -> tuple[dict[str, Arm], dict[str, str]]:
    """Every arm that can be built, for every trait and direction, and why the others cannot."""
    arms: dict[str, Arm] = {}
    left_out: dict[str, str] = {}
    for arm in config.arms:
        try:
            arms[arm] = {
                (trait, way): _built(arm, trait, way, config, located, model) for trait in located for way in DIRECTIONS
            }
        except ValueError as error:
            if arm == "DPN-LE":
                raise
            left_out[arm] = str(error)
    return arms, left_out


def _built(
    arm: str, trait: str, direction: str, config: StudyConfig, located: Mapping[str, Located], model: Model
) -> AnyEdit | Instruction:
    if arm in PROMPTING:
        makes = {"simple prompt": simple_prompt, "description prompt": description_prompt}
        speaks = "testbed" if config.model == "testbed" or config.contrast == "testbed" else "builtin"
        make = makes.get(arm, neutral_prompt)
        return replace(make(trait, direction, speaks=speaks, seed=config.seed), method=arm)
    if arm == "other trait":
        return replace(_other_trait(trait, direction, config, located), method=arm)
    edit = _EDITS[arm](located[trait], direction, model)
    return replace(edit, name=arm) if isinstance(edit, Composite) else replace(edit, method=arm)


def _other_trait(trait: str, direction: str, config: StudyConfig, located: Mapping[str, Located]) -> Edit:
    """The next trait's edit in the same direction, as strong as this trait's."""
    names = list(located)
    if len(names) < 2:
        raise ValueError(f"Another trait's edit needs a second trait, but {trait} is the only one.")
    other = names[(names.index(trait) + 1) % len(names)]
    return other_trait_control(_dpn(located[trait], direction), _dpn(located[other], direction))


def _dpn(located: Located, direction: str) -> Edit:
    return dpn_edit(located.neurons, located.selection, direction=direction)


def _of_rule(rule: str) -> Callable[[Located, str, Model], Edit]:
    def make(located: Located, direction: str, model: Model) -> Edit:
        return dpn_edit(located.neurons, located.selections[rule], direction=direction)

    return make


def _weighted(located: Located, direction: str, model: Model) -> Edit:
    return dpn_edit(located.neurons, located.selection, direction=direction, weighted=True)


def _directional(located: Located, direction: str, model: Model) -> Edit:
    return dpn_edit(located.neurons, located.selection, direction=direction, neurons="directional")


def _npti(located: Located, direction: str, model: Model) -> AnyEdit:
    return npti_edit(located.gates, direction=direction, gamma=1.0, activation=model.activation_function(0))


def _residual(located: Located, direction: str, model: Model) -> Edit:
    edit = _dpn(located, direction)
    return residual_edit(located.residual, edit, {layer: model.w_out(layer).cpu() for layer in edit.layers})


def _heads(located: Located, direction: str, model: Model) -> Edit:
    return head_edit(located.heads, _dpn(located, direction), model=model)


def _random(located: Located, direction: str, model: Model) -> Edit:
    return random_control(_dpn(located, direction), seed=located.seed)


def _matched(located: Located, direction: str, model: Model) -> Edit:
    return matched_control(_dpn(located, direction), located.matched, located.neurons)


def _shuffled(located: Located, direction: str, model: Model) -> Edit:
    return shuffled_control(_dpn(located, direction), seed=located.seed)


_EDITS: dict[str, Callable[[Located, str, Model], AnyEdit]] = {
    "DPN-LE": lambda located, direction, model: _dpn(located, direction),
    "DPN-LE weighted": _weighted,
    "DPN-LE directional": _directional,
    "magnitude only": _of_rule("magnitude-only"),
    "d only": _of_rule("d-only"),
    "write norm": _of_rule("write-norm"),
    "broad": _of_rule("broad"),
    "NPTI": _npti,
    "residual": _residual,
    "heads": _heads,
    "random": _random,
    "matched random": _matched,
    "shuffled": _shuffled,
    "flipped": lambda located, direction, model: flipped_control(_dpn(located, direction)),
}


def same_edits(a: Arm, b: Arm) -> bool:
    """Whether two arms do exactly the same for every trait and direction."""
    return a.keys() == b.keys() and all(digest_of(a[way]) == digest_of(b[way]) for way in a)


def digest_of(does: AnyEdit | Instruction | None) -> str:
    """A hash of what an edit does to activations, or an instruction says, whatever its name."""
    if does is None or isinstance(does, Instruction):
        return key_of(said=does and does.text)
    parts = [
        [part.site, part.operation, part.gamma, part.mask, part.seed, part.layer.tolist(), part.unit.tolist()]
        for part in does.parts
    ]
    return key_of(parts=parts, values=[part.value.tolist() for part in does.parts])
