"""A study's file resolved into values: the arms, the outcomes, and the quantities on which arms are compared."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from workbench.arm.registry import LARGEST_MIN_D, arm_named
from workbench.arm.spec import ArmSpec
from workbench.outcome.outcome import AnyOutcome, Outcome, TraitOutcome, by_name
from workbench.outcome.quantity import Quantity
from workbench.outcome.registry import Entry, outcome_of
from workbench.study.config import StudyConfig
from workbench.study.pairs import pairs_of
from workbench.study.stressing.registry import stressor_of
from workbench.study.stressing.stressor import Stressor


@dataclass(frozen=True)
class Plan:
    """What a study does.

    Attributes:
        config: what was asked.
        arms: every arm, in the order of tables.
        method: the arm under test, one of them.
        outcomes: what arms are measured by, in the order in which they are asked.
        traced: what is measured once for each trait.
        target: the quantity that chooses the dose, and at which arms are compared.
        bounds: by cost, the greatest mean loss and the least mean at which a dose may be chosen.
        stressors: what the edit under test is put to besides; see `stressing/`.
    """

    config: StudyConfig
    arms: tuple[ArmSpec, ...]
    method: ArmSpec
    outcomes: tuple[Outcome, ...]
    traced: tuple[TraitOutcome, ...]
    target: Quantity
    bounds: dict[str, tuple[float | None, float | None]]
    stressors: tuple[Stressor, ...] = ()

    @property
    def targeted(self) -> Outcome:
        """The outcome that holds the target."""
        return self.holder(self.target.name)

    def holder(self, quantity: str) -> Outcome:
        """The outcome that a quantity is read from."""
        return next(each for each in self.outcomes for one in each.quantities if one.name == quantity)

    @property
    def searched(self) -> tuple[Outcome, ...]:
        """The outcomes that choose the dose, and those that they read."""
        named = {self.targeted.name} | {self.holder(name).name for name in self.bounds}
        needed = {name for each in self.outcomes if each.name in named for name in each.needs}
        return tuple(each for each in self.outcomes if each.name in named | needed)

    @property
    def drawn(self) -> frozenset[str]:
        """Names of the outcomes that ask in every draw of a random arm: the target's, and those that it reads."""
        return frozenset({self.targeted.name, *self.targeted.needs})

    @property
    def compared(self) -> tuple[Outcome, ...]:
        """The outcomes in the tables that compare all arms at every dose; the target's comes first."""
        others = [
            each for each in self.outcomes if each is not self.targeted and each.compared and self.at_every_dose(each)
        ]
        return (self.targeted, *others)

    def at_every_dose(self, outcome: Outcome) -> bool:
        """Whether an outcome is asked at every dose, which the target and whatever bounds the dose always are."""
        return outcome.when == "every dose" or outcome in self.searched

    @property
    def costs(self) -> tuple[Quantity, ...]:
        """The costs that are compared at equal shift and at equal loss."""
        return tuple(q for each in self.compared for q in each.quantities if q.role == "cost" and q.losses)

    @classmethod
    def of(
        cls,
        config: StudyConfig,
        outcomes: Sequence[str | Entry | AnyOutcome] | None = None,
        arms: Sequence[str | ArmSpec] | None = None,
    ) -> "Plan":
        """The plan of a configuration; values that are passed stand for what the configuration names.

        Raises:
            ValueError: if two arms or outcomes share a name, an outcome lacks what it reads, the arm under test is
                not among the arms, or no quantity measures the trait.
        """
        specs = tuple(each if isinstance(each, ArmSpec) else arm_named(each) for each in arms or config.arms)
        names = [spec.name for spec in specs]
        if len(set(names)) < len(names):
            raise ValueError(f"Arms need names of their own, but these arrived: {', '.join(names)}.")
        if config.method not in names:
            raise ValueError(f"The arm under test, {config.method!r}, is not among the arms: {', '.join(names)}.")
        specs = tuple(_in_its_role(spec, config.method) for spec in specs)
        wanted = config.outcomes if outcomes is None else outcomes
        every = [outcome_of(each, config.settings) if isinstance(each, str | dict) else each for each in wanted]
        every = list(by_name([each for each in every if each.applies(config.traits)]).values())
        asked = tuple(each for each in every if isinstance(each, Outcome))
        target = _target(asked, config.target)
        return cls(
            config,
            specs,
            next(spec for spec in specs if spec.name == config.method),
            asked,
            tuple(each for each in every if isinstance(each, TraitOutcome)),
            target,
            _bounds(asked, config),
            tuple(stressor_of(each, config.settings) for each in config.stress),
        )

    def standing_in(self, empty: Collection[str]) -> "Plan":
        """The plan where the method selects nothing of some traits, and `LARGEST_MIN_D` stands for it there.

        Where these are all of the study's traits, it is what is compared with the others.
        """
        if not empty:
            return self
        wholly = set(empty) >= set(self.config.traits)
        other = self.stand_in if wholly else replace(self.stand_in, role="rival")
        at = self.arms.index(self.method) + 1
        arms = (*self.arms[:at], other, *self.arms[at:])
        if not wholly:
            return replace(self, arms=arms)
        arms = tuple(replace(arm, role="rival") if arm.role == "method" and arm is not other else arm for arm in arms)
        return replace(self, arms=arms, method=other)

    @property
    def stand_in(self) -> ArmSpec:
        """What stands for the method where it selects nothing."""
        doses = self.method.doses if self.method.has_dose else LARGEST_MIN_D.doses
        return replace(LARGEST_MIN_D, role="method", doses=doses, across=self.method.across)

    def check(self) -> None:
        """Refuse what is known to fail, before anything runs.

        Raises:
            ValueError, OSError: as the outcomes' own checks, or if a trait's pairs are lacking.
        """
        for outcome in (*self.outcomes, *self.traced):
            outcome.check()
        for trait in self.config.traits:
            pairs_of(self.config, trait)


def _in_its_role(spec: ArmSpec, method: str) -> ArmSpec:
    """The arm under test is the method; one that could have been is its rival."""
    if spec.name == method:
        return replace(spec, role="method")
    return replace(spec, role="rival") if spec.role == "method" else spec


def _target(outcomes: Sequence[Outcome], name: str | None) -> Quantity:
    traits = [quantity for each in outcomes for quantity in each.quantities if quantity.role == "trait"]
    if not traits:
        listed = ", ".join(each.name for each in outcomes) or "none"
        raise ValueError(f"A study needs an outcome that measures the trait, but its outcomes are {listed}. Add one.")
    for quantity in traits:
        if name in (None, quantity.name):
            return quantity
    raise ValueError(f"The target is one of {', '.join(each.name for each in traits)}, but {name!r} arrived.")


def _bounds(outcomes: Sequence[Outcome], config: StudyConfig) -> dict[str, tuple[float | None, float | None]]:
    costs = {q.name: q for each in outcomes for q in each.quantities if q.role == "cost"}
    unknown = sorted({*config.max_loss, *config.min_level} - set(costs))
    if unknown:
        raise ValueError(f"max_loss and min_level bound costs, {', '.join(costs)}, but {unknown[0]!r} arrived.")
    bounds = {
        name: (config.max_loss.get(name, cost.max_loss), config.min_level.get(name, cost.min_level))
        for name, cost in costs.items()
    }
    return {name: both for name, both in bounds.items() if both != (None, None)}
