"""Arms built for every trait and direction of a study, and told apart by what they do."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from workbench.arm.context import ArmContext, Located
from workbench.arm.registry import LARGEST_MIN_D
from workbench.arm.spec import ArmSpec
from workbench.concept.concept import Concept
from workbench.concept.texts import EXPLICIT
from workbench.digest import key_of
from workbench.edit.edit import AnyEdit, Composite
from workbench.edit.prompting import Instruction
from workbench.model.model import Model
from workbench.select.near import EmptySelectionError
from workbench.vocabulary import Direction

Steering = AnyEdit | Instruction
"""What one arm does for one trait in one direction."""


@dataclass(frozen=True)
class Arm:
    """An arm that has been built.

    Attributes:
        spec: what was asked for.
        draws: its edit at gamma 1, or its instruction, by trait and direction, for each draw; one draw alone of an
            arm that is not random.
    """

    spec: ArmSpec
    draws: tuple[Mapping[tuple[str, str], Steering], ...]

    @property
    def steering(self) -> Mapping[tuple[str, str], Steering]:
        """What its first draw does, by trait and direction."""
        return self.draws[0]

    @property
    def name(self) -> str:
        """As tables call it."""
        return self.spec.name

    @property
    def digest(self) -> str:
        """A hash of what it does for every trait and direction in every draw, whatever it is called."""
        return key_of(does=[[*way, digest_of(does)] for draw in self.draws for way, does in draw.items()])

    def sizes(self) -> pd.DataFrame:
        """Columns arm, trait, direction, site (`prompt` for an instruction), units edited, and write_ratio, a row each.

        The write ratio is what the arm writes to the residual stream as a share of what the edit that it is to equal
        does, the mean over its draws; missing for an arm that is to equal none.
        """
        rows = []
        for (trait, direction), does in self.steering.items():
            site, units = ("prompt", 0) if isinstance(does, Instruction) else (does.site, len(does))
            ratio = np.mean([_write_ratio(draw[trait, direction]) for draw in self.draws])
            rows.append(
                {"arm": self.name, "trait": trait, "direction": direction, "site": site, "units": units}
                | {"write_ratio": float(ratio)}
            )
        return pd.DataFrame(rows)


def build_arms(
    specs: Sequence[ArmSpec],
    located: Mapping[str, Located],
    model: Model,
    *,
    method: ArmSpec,
    seed: int,
    speaks: str,
    draws: int = 1,
    style: str = EXPLICIT,
    concepts: tuple[Concept, ...] = (),
    empty: Collection[str] = (),
) -> tuple[dict[str, Arm], dict[str, str]]:
    """Every arm that can be built, by name, and why the others cannot.

    An arm is built for all traits of which the method selects neurons or for none of them, and likewise for all of
    which it selects none, so that arms that are compared cover the same traits.

    Args:
        draws: how often a random arm is built.
        style: the style of the personas that prompts use.
        concepts: those of the traits that are no built-in ones.
        empty: the traits of which the method selects nothing; see `empty_traits`. There `LARGEST_MIN_D` stands for it,
            and it is built nowhere else.

    Raises:
        ValueError: if the method itself cannot be built where it selects neurons.
    """
    stands_in = LARGEST_MIN_D.builder() if empty else None

    def context(trait: str, direction: str, draw: int = 0) -> ArmContext:
        return ArmContext(trait, direction, located, model, edit_under_test, seed, speaks, draw, style, concepts)

    def edit_under_test(trait: str, direction: str) -> Steering:
        build = stands_in if stands_in is not None and trait in empty else method.builder()
        return build(context(trait, direction))

    def built(spec: ArmSpec, traits: Sequence[str], draw: int) -> dict[tuple[str, str], Steering]:
        build = spec.builder()
        return {
            (trait, direction.value): _named(build(context(trait, direction.value, draw)), spec.name)
            for trait in traits
            for direction in Direction
        }

    with_neurons = [trait for trait in located if trait not in empty]
    without = [trait for trait in located if trait in empty]
    arms: dict[str, Arm] = {}
    left_out: dict[str, str] = {}
    for spec in specs:
        groups = [without] if spec.name == LARGEST_MIN_D.name else [with_neurons, without]
        made: list[dict[tuple[str, str], Steering]] = [{} for _ in range(draws if spec.drawn else 1)]
        lacking: dict[tuple[str, ...], str] = {}
        for group in filter(None, groups):
            try:
                parts = [built(spec, group, draw) for draw in range(len(made))]
            except ValueError as error:
                if spec.name == method.name and group is with_neurons:
                    raise
                lacking[tuple(group)] = error.why if isinstance(error, EmptySelectionError) else str(error)
                continue
            for draw, part in zip(made, parts, strict=True):
                draw |= part
        if lacking:
            reasons = [
                reason if not made[0] else f"for {', '.join(group)}: {reason}" for group, reason in lacking.items()
            ]
            left_out[spec.name] = " ".join(dict.fromkeys(reasons))
        if made[0]:
            arms[spec.name] = Arm(spec, tuple(made))
    return arms, left_out


def empty_traits(
    method: ArmSpec,
    located: Mapping[str, Located],
    model: Model,
    *,
    seed: int,
    speaks: str,
    style: str = EXPLICIT,
    concepts: tuple[Concept, ...] = (),
) -> dict[str, EmptySelectionError]:
    """The traits of which the method selects no neuron, or none that it could edit in one direction, and why."""

    def unknown(trait: str, direction: str) -> Steering:
        raise ValueError(f"The method is not made from itself, but it asks for its own edit of {trait}.")

    empty: dict[str, EmptySelectionError] = {}
    for trait in located:
        try:
            for direction in Direction:
                context = ArmContext(trait, direction.value, located, model, unknown, seed, speaks, 0, style, concepts)
                method.builder()(context)
        except EmptySelectionError as error:
            empty[trait] = error
    return empty


def _named(does: Steering, name: str) -> Steering:
    return replace(does, name=name) if isinstance(does, Composite) else replace(does, method=name)


def _write_ratio(does: Steering) -> float:
    """What `Writing.matched` says of an edit; nan where nothing was matched or nothing is known."""
    try:
        return float(getattr(does, "provenance", {}).get("write_ratio", "nan"))
    except ValueError:
        return float("nan")


def digest_of(does: Steering | None) -> str:
    """A hash of what an edit does to activations, or an instruction tells the model, whatever its name."""
    if does is None or isinstance(does, Instruction):
        return key_of(text=does and does.text)
    parts = [
        [part.site, part.operation, part.gamma, part.mask, part.seed, part.layer.tolist(), part.unit.tolist()]
        for part in does.parts
    ]
    return key_of(parts=parts, values=[part.value.tolist() for part in does.parts])
