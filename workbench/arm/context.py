"""What an arm is built from: where a trait was found in the model, and the edit that the study tests."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from workbench.capture.tally import Activations, Tally
from workbench.concept.concept import Concept
from workbench.concept.named import concept_of
from workbench.concept.texts import EXPLICIT
from workbench.contrast.prompt import Prompt
from workbench.edit.edit import AnyEdit, Composite, Edit
from workbench.edit.making import dpn_edit
from workbench.edit.writing import Writing
from workbench.measure.effects import Effects
from workbench.model.model import Model
from workbench.select.controls import matched_neurons
from workbench.select.near import HANDFUL, Above, EmptySelectionError
from workbench.select.rules import select_neurons
from workbench.select.selection import Selection
from workbench.select.settings import RuleSettings
from workbench.vocabulary import NeuronSet


@dataclass(frozen=True)
class Located:
    """Where one trait was found.

    Attributes:
        neurons: effects at `hook_post`, with the norms of what the neurons write.
        residual: effects at `resid_post`.
        heads: effects at `z`.
        answers: gives moments, signs and a sample of rows at `hook_pre` over the tokens of the model's own answers
            under each pole; called where a method reads them, as the model has to answer first.
        prompts: some of the prompts that tell what an edit writes, where a norm makes that depend on them.
        rule: the rule that chooses the neurons under test, with its thresholds.
        layers: the layers in which neurons are chosen; None for all.
        seed: of the controls.
        one_layer: the layer of the rival that shifts the residual stream in one; None until it has been chosen.
        head_rows: gives rows at `z` of some of the pairs, for a method that trains probes on heads; called where one
            does.
    """

    neurons: Effects
    residual: Effects
    heads: Effects
    answers: Callable[[], Tally]
    prompts: tuple[Prompt, ...]
    rule: RuleSettings
    layers: tuple[int, ...] | None
    seed: int
    one_layer: int | None = None
    head_rows: Callable[[], Activations] | None = None
    _selections: dict[str, Selection] = field(default_factory=dict, repr=False, compare=False)
    _writings: dict[int, Writing] = field(default_factory=dict, repr=False, compare=False)

    @property
    def trait(self) -> str:
        """The trait's name."""
        return self.neurons.trait

    @property
    def selection(self) -> Selection:
        """The neurons under test.

        Raises:
            EmptySelectionError: if the rule selects none.
        """
        return self.chosen_by(self.rule.rule)

    @property
    def selected(self) -> Selection:
        """The neurons under test, which may be none."""
        try:
            return self.selection
        except EmptySelectionError as error:
            return error.selection

    @property
    def above(self) -> Above:
        """The neurons that min_d is put to."""
        return Above.of(self._searched, self.rule)

    @property
    def reachable_min_d(self) -> float:
        """The largest min_d at which the rule selects a handful of neurons; the rule's own where it selects any.

        Raises:
            EmptySelectionError: if no min_d would select a neuron, or the rule has none.
        """
        try:
            self.selection  # noqa: B018
        except EmptySelectionError as error:
            lower = None if error.above is None else error.above.largest_min_d(HANDFUL)
            if lower is None:
                raise
            return lower
        return self.rule.min_d

    @property
    def standing(self) -> Selection:
        """The neurons under test, or where the rule selects none those at the largest min_d that selects a handful.

        What is matched to the neurons under test, be it a control or a rival's strength, is matched to these.

        Raises:
            EmptySelectionError: as `reachable_min_d`.
        """
        lower = self.reachable_min_d
        if lower == self.rule.min_d:
            return self.selection
        if "standing" not in self._selections:
            settings = replace(self.rule, min_d=lower)
            self._selections["standing"] = select_neurons(self._searched, settings)
        return self._selections["standing"]

    @property
    def _searched(self) -> Effects:
        """Effects in the layers in which neurons are chosen."""
        return self.neurons if self.layers is None else self.neurons.restrict(self.layers)

    def chosen_by(self, rule: str) -> Selection:
        """The neurons that a rule chooses at the study's thresholds; chosen once.

        Raises:
            ValueError: as `select_neurons`.
        """
        if rule not in self._selections:
            self._selections[rule] = select_neurons(self.neurons, replace(self.rule, rule=rule), layers=self.layers)
        return self._selections[rule]

    def at_quantile(self, quantile: float) -> "Located":
        """The same trait with neurons chosen at another q of tau_q."""
        return replace(self, rule=replace(self.rule, quantile=quantile), _selections={})

    @property
    def matched(self) -> NeuronSet:
        """As many other neurons in each layer as are `standing`, as large in |s| as there are."""
        return self.matched_by(self.seed)

    def matched_by(self, seed: int) -> NeuronSet:
        """Another draw of `matched`."""
        return matched_neurons(self.standing.both, self.neurons, seed=seed)

    @property
    def gates(self) -> Tally:
        """What NPTI reads of the model's answers."""
        return self.answers()

    def writing(self, model: Model) -> Writing:
        """How the model's layers write to the residual stream, at the ends of this trait's prompts; read once."""
        if id(model) not in self._writings:
            self._writings[id(model)] = Writing.of(model, self.prompts)
        return self._writings[id(model)]

    def neuron_edit(self, direction: str) -> Edit:
        """DPN-LE's linear edit of the neurons `standing` for the method, which gives others their strength here."""
        return dpn_edit(self.neurons, self.standing, direction=direction)


@dataclass(frozen=True)
class ArmContext:
    """What an arm's `build` is given, for one trait and direction.

    Attributes:
        trait, direction: what the arm is to move, and which way.
        located: where each of the study's traits was found.
        model: the model that will be edited.
        method: makes the edit under test of any trait in any direction, or what stands for it where it selects nothing.
        seed: the study's.
        speaks: whose words prompts use: `testbed`, or `builtin` for plain English.
        style: the style of the concepts' personas, e.g. `explicit`.
        concepts: those of the study's traits that are no built-in ones.
        draw: the number of the draw, of an arm that is random; the first is 0.
    """

    trait: str
    direction: str
    located: Mapping[str, Located]
    model: Model
    method: Callable[[str, str], object]
    seed: int
    speaks: str
    draw: int = 0
    style: str = EXPLICIT
    concepts: tuple[Concept, ...] = ()

    @property
    def concept(self) -> Concept:
        """The concept of this trait.

        Raises:
            ValueError: if nobody has said what the trait's texts are.
        """
        return concept_of(self.trait, among=self.concepts)

    @property
    def here(self) -> Located:
        """Where this trait was found."""
        return self.located[self.trait]

    @property
    def draw_seed(self) -> int:
        """The seed of this draw of this trait's controls; no two draws of a study share one."""
        return self.here.seed + 1000 * self.draw

    def reference(self, trait: str | None = None) -> AnyEdit:
        """The edit under test, of this trait or another, in this direction; controls are made from it.

        Raises:
            ValueError: if the method under test edits nothing.
        """
        made = self.method(trait or self.trait, self.direction)
        if not isinstance(made, Edit | Composite):
            raise ValueError("The method under test is a prompt: it has no edit from which a control could be made.")
        return made

    def single_reference(self, trait: str | None = None) -> Edit:
        """The edit under test where it is one operation at one site.

        Raises:
            ValueError: if it is composed of several, or none.
        """
        made = self.reference(trait)
        if not isinstance(made, Edit):
            raise ValueError(f"This control is made from one edit at one site, but {made!r} is the method under test.")
        return made
