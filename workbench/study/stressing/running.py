"""The edit under test and a random control under every stress: what is asked, and what is left out with its reason."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import pandas as pd

from workbench.arm.building import Arm, Steering, build_arms
from workbench.arm.context import Located
from workbench.arm.registry import arm_named
from workbench.arm.spec import ONCE, UNEDITED
from workbench.edit.prompting import Instruction
from workbench.model.embedded import words_of
from workbench.model.model import Model
from workbench.outcome.outcome import Outcome
from workbench.study.asking import Job, ask_jobs
from workbench.study.cells import Cell, cell_of, unedited_cell
from workbench.study.frames import in_scope, stacked
from workbench.study.meter import Meter
from workbench.study.plan import Plan
from workbench.study.store import Store
from workbench.study.stressing.foretelling import foretold, signs_of
from workbench.study.stressing.remaking import OWN, RANDOM, Remade, remake_trait
from workbench.study.stressing.stressed import Stressed, UntouchedError
from workbench.study.stressing.stressor import StressError, Stressor, Wording
from workbench.study.stressing.tables import Beside, stress_table
from workbench.testbed.speaking import named_speaks

DRAWS = 3
"""The most draws of the random control under each stress."""

_LEFT_OUT = ["stress", "condition", "outcome", "trait", "reason"]


@dataclass
class _Found:
    """What the stresses gave so far.

    Attributes:
        beside: each outcome's rows under a condition, beside those without it.
        left_out: rows of the table of what could not be asked.
        untouched: outcomes that no wording changes, with the reason.
    """

    beside: list[Beside] = field(default_factory=list)
    left_out: list[dict[str, str]] = field(default_factory=list)
    untouched: dict[str, str] = field(default_factory=dict)

    def leave_out(self, stress: str, condition: str, why: object, *, outcome: str = "", trait: str = "") -> None:
        """Tell what is not asked."""
        row = dict(zip(_LEFT_OUT, (stress, condition, outcome, trait, str(why)), strict=True))
        if row not in self.left_out:
            self.left_out.append(row)


def stress_tables(
    plan: Plan,
    arms: Mapping[str, Arm],
    located: Mapping[str, Located],
    frames: Mapping[str, pd.DataFrame],
    made: Mapping[str, pd.DataFrame],
    *,
    gamma: float,
    model: Model,
    store: Store,
    meter: Meter,
) -> dict[str, pd.DataFrame]:
    """Every stress of the study: what is left of the edit, what it was made from, what foretold it, what is left out.

    Args:
        frames: every outcome's rows without stress, of all arms.
        made: the study's tables on each trait, from which signs are read that were known beforehand.

    Returns:
        The tables `stress`, `stress_edits`, `stress_signs`, `stress_foretold` and `stress_left_out`.
    """
    own = arms[plan.method.name]
    traits = list(dict.fromkeys(trait for trait, _ in own.steering))
    stressing = _Stressing(plan, own, _control(plan, own, arms, located, model), traits, gamma, model, store, meter)
    found = _Found()
    for trait in plan.config.traits:
        if trait not in traits:
            found.leave_out("all", "all", f"{own.name} selects no neuron of it.", trait=trait)
    plain = {each.name: stressing.plain(each, frames[each.name]) for each in plan.compared}
    for stressor, wording in stressing.wordings(found):
        for outcome in plan.compared:
            stressing.ask_worded(stressor, wording, outcome, plain[outcome.name], found)
    remade = stressing.remade(located, found)
    for outcome in plan.compared:
        stressing.ask_remade(remade, outcome, plain[outcome.name], found)
    config = plan.config
    table = stress_table(found.beside, own.name, resamples=config.resamples, seed=config.seed)
    signs = signs_of(table, made, {t: each.cosine for t, each in remade.items()}, own.name, plan.target.name)
    return {
        "stress": table,
        "stress_edits": stacked([each.table for each in remade.values()]),
        "stress_signs": signs,
        "stress_foretold": foretold(signs, table, own.name, plan.target.name, seed=config.seed),
        "stress_left_out": pd.DataFrame(found.left_out, columns=_LEFT_OUT),
    }


def stress_work(plan: Plan) -> float:
    """The rough cost of the stresses, in prompts captured."""
    wordings = remakings = 0
    for stressor in plan.stressors:
        remakings += len(stressor.remakings())
        with suppress(StressError):
            wordings += len(stressor.wordings("testbed" if named_speaks(plan.config.model) else "builtin"))
    ways, draws = 2 * len(plan.config.traits), min(DRAWS, plan.config.draws)
    total = 0.0
    for outcome in plan.compared:
        of_arms = ways * (1 + (draws if outcome is plan.targeted else 1)) * outcome.work("test")
        total += remakings * of_arms + wordings * (of_arms + ways / 2 * outcome.work("test"))
    captured = 1 + sum(remaking.seed != 0 for stressor in plan.stressors for remaking in stressor.remakings())
    return total + 2.0 * plan.config.pairs * len(plan.config.traits) * captured


def _control(plan: Plan, own: Arm, arms: Mapping[str, Arm], located: Mapping[str, Located], model: Model) -> Arm | None:
    """The first draws of the random control; None where none can be made of the arm under test."""
    count = min(DRAWS, plan.config.draws)
    if RANDOM in arms and own.name != RANDOM:
        return replace(arms[RANDOM], draws=arms[RANDOM].draws[:count])
    steering = {way: does for way, does in own.steering.items() if not isinstance(does, Instruction)}
    if not steering or own.name == RANDOM:
        return None
    words = {"seed": plan.config.seed, "speaks": words_of(model), "style": plan.config.style}
    here = {trait: located[trait] for trait in dict.fromkeys(trait for trait, _ in steering)}
    # It is made of the very edit under test, whichever arm that came from.
    method = replace(plan.method, build=lambda context: own.steering[context.trait, context.direction])
    return build_arms([arm_named(RANDOM)], here, model, method=method, draws=count, **words)[0].get(RANDOM)


def _conditions(stressors: tuple[Stressor, ...], remade: Mapping[str, Remade]) -> Iterator[tuple[str, str]]:
    """Every stress and condition of which some trait has an edit made again."""
    for stressor in stressors:
        for remaking in stressor.remakings():
            at = (stressor.name, remaking.name)
            if any(at == key[:2] for each in remade.values() for key in each.steering):
                yield at


@dataclass(frozen=True)
class _Stressing:
    """Asks outcomes under stress."""

    plan: Plan
    own: Arm
    control: Arm | None
    traits: list[str]
    gamma: float
    model: Model
    store: Store
    meter: Meter

    def plain(self, outcome: Outcome, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows without stress of the unedited model, the arm under test and its random control."""
        scope = self.plan.config.scope
        rows = in_scope(frame, scope)
        doses = {UNEDITED: 0.0, RANDOM: self.gamma, self.own.name: self.gamma if self.own.spec.has_dose else ONCE}
        rows = rows[(rows["gamma"] == rows["arm"].map(doses)) & rows["trait"].isin(self.traits)]
        if self.control is None:
            return rows[rows["arm"] != RANDOM]
        if not (rows["arm"] == RANDOM).any():
            rows = stacked([rows, self._asked([self._cell(outcome, self.control)], outcome)])
        return rows[(rows["arm"] != RANDOM) | (rows["draw"] < len(self.control.draws))].reset_index(drop=True)

    def wordings(self, found: _Found) -> Iterator[tuple[str, Wording]]:
        """Every other wording, by stress."""
        for stressor in self.plan.stressors:
            try:
                wordings = stressor.wordings(words_of(self.model))
            except StressError as error:
                found.leave_out(stressor.name, "all", error)
                continue
            for wording in wordings:
                yield stressor.name, wording

    def ask_worded(self, stress: str, wording: Wording, outcome: Outcome, plain: pd.DataFrame, found: _Found) -> None:
        """An outcome under another wording, or why it is left out."""
        if outcome.name in found.untouched:
            return
        stressed = Stressed(outcome, stress, wording)
        if outcome.needs:
            found.leave_out(stress, "all", f"It reads {outcome.needs[0]}.", outcome=outcome.name)
            return
        base = unedited_cell(self.traits, scope=self.plan.config.scope, split="test")
        cells = [base, *(self._cell(stressed, arm) for arm in (self.own, self.control) if arm is not None)]
        try:
            rows = self._asked(cells, stressed, under=wording.name)
        except UntouchedError as error:
            found.untouched[outcome.name] = str(error)
            found.leave_out("another wording", "all", error, outcome=outcome.name)
        except StressError as error:
            found.leave_out(stress, wording.name, error, outcome=outcome.name)
        else:
            found.beside.append(Beside(stress, wording.name, outcome, rows, plain))

    def remade(self, located: Mapping[str, Located], found: _Found) -> dict[str, Remade]:
        """Every trait's edits made again."""
        if any(isinstance(does, Instruction) for does in self.own.steering.values()):
            for stressor in self.plan.stressors:
                if stressor.of_data:
                    found.leave_out(stressor.name, "all", f"{self.own.name} is a prompt, which no pairs make.")
            return {}
        draws = len(self.control.draws) if self.control is not None else 1
        remade = {}
        for trait in self.traits:
            remade[trait] = remake_trait(
                self.plan, trait, self.own, located, self.model, self.store, self.plan.stressors, draws=draws
            )
            self.meter.add(f"{trait}: edits from other pairs", 0.0)
            for (stress, condition), why in remade[trait].left_out.items():
                found.leave_out(stress, condition, why, trait=trait)
        return remade

    def ask_remade(self, remade: Mapping[str, Remade], outcome: Outcome, plain: pd.DataFrame, found: _Found) -> None:
        """An outcome under every edit that was made from other data."""
        conditions = list(_conditions(self.plan.stressors, remade))
        if outcome.needs and conditions:
            found.leave_out("other data", "all", f"It reads {outcome.needs[0]}.", outcome=outcome.name)
        if outcome.needs or not conditions:
            return
        arms = {at: self._remade_arms(at, remade) for at in conditions}
        cells = [self._cell(outcome, arm) for of_condition in arms.values() for arm in of_condition.values()]
        rows = self._asked(cells, outcome)
        unedited = plain[plain["arm"] == UNEDITED]
        for (stress, condition), of_condition in arms.items():
            own = [rows[rows["arm"] == arm.name].assign(arm=name) for name, arm in of_condition.items()]
            found.beside.append(Beside(stress, condition, outcome, stacked([unedited, *own]), plain, of_data=True))

    def _remade_arms(self, at: tuple[str, str], remade: Mapping[str, Remade]) -> dict[str, Arm]:
        """The arm under test and its random control as a condition's data make them, by their own names."""
        arms = {}
        for which, arm in ((OWN, self.own), (RANDOM, self.control)):
            made: dict[int, dict[tuple[str, str], Steering]] = {}
            for trait, each in remade.items():
                for (stress, condition, of, draw, way), does in each.steering.items():
                    if (stress, condition, of) == (*at, which):
                        made.setdefault(draw, {})[trait, way] = does
            if arm is not None and made:
                named = replace(arm.spec, name=f"{arm.name} from {at[1]}")
                arms[arm.name] = Arm(named, tuple(made[draw] for draw in sorted(made)))
        return arms

    def _cell(self, outcome: Outcome, arm: Arm) -> Cell:
        """An arm at the chosen dose; of a random one the target's outcome asks in every draw."""
        targeted = self.plan.targeted.name
        of_target = outcome.name == targeted or (isinstance(outcome, Stressed) and outcome.outcome.name == targeted)
        gamma = self.gamma if arm.spec.has_dose else ONCE
        drawn_by = frozenset({outcome.name} if of_target else ())
        return cell_of(arm, gamma, scope=self.plan.config.scope, split="test", drawn_by=drawn_by)

    def _asked(self, cells: Sequence[Cell], outcome: Outcome, *, under: str = "") -> pd.DataFrame:
        """An outcome's rows in some cells."""
        meter = _Told(self.meter, f"under stress, {under}: " if under else "under stress: ")
        jobs = [Job(cell, (outcome,)) for cell in cells]
        rows, _ = ask_jobs(self.model, self.plan.config, self.store, jobs, meter)
        return rows[outcome.name]


class _Told(Meter):
    """A meter whose labels say that the study is at its stresses."""

    def __init__(self, meter: Meter, before: str) -> None:
        super().__init__(meter.total, meter.report)
        self.meter, self.before = meter, before

    def add(self, label: str, work: float) -> None:
        """Count it in the study's meter."""
        self.meter.add(f"{self.before}{label}", work)
