"""Which outcomes ask under which conditions: the unedited model, every arm at its doses, other scopes and quantiles."""

from collections.abc import Mapping, Sequence

import pandas as pd

from workbench.arm.building import Arm
from workbench.arm.spec import UNEDITED, ArmSpec
from workbench.outcome.outcome import Outcome
from workbench.study.asking import Job
from workbench.study.cells import cell_of, unedited_cell
from workbench.study.config import StudyConfig
from workbench.study.frames import stacked
from workbench.study.plan import Plan
from workbench.study.traits import locating_work


def unedited_job(plan: Plan) -> Job:
    """The model as it is, asked by every outcome that compares with it."""
    cell = unedited_cell(plan.config.traits, scope=plan.config.scope, split="test")
    return Job(cell, tuple(each for each in plan.outcomes if not each.across))


def search_jobs(plan: Plan, method: Arm) -> list[Job]:
    """The unedited model and the method at each of its doses, on search questions."""
    config = plan.config
    base = unedited_cell(config.traits, scope=config.scope, split="search")
    doses = config.doses(plan.method)
    cells = [base, *(cell_of(method, gamma, scope=config.scope, split="search") for gamma in doses)]
    return [Job(cell, plan.searched) for cell in cells]


def arm_jobs(plan: Plan, arms: Mapping[str, Arm], gamma: float) -> tuple[list[Job], dict[str, str]]:
    """Every arm at its doses, the method in the other scopes too, and arms that turned out to be another.

    At the chosen dose the target's outcome asks in every draw of a random arm.

    The same edits give the same answers: an arm that does exactly what an earlier one does at the same doses is not
    asked again.

    Returns:
        The jobs; and by arm the earlier one that it equals.
    """
    config = plan.config
    jobs: list[Job] = []
    twins: dict[str, str] = {}
    first: dict[tuple[str, tuple[float, ...]], str] = {}
    for name, arm in arms.items():
        doses = config.doses(arm.spec, gamma)
        twin = first.setdefault((arm.digest, doses), name)
        if twin != name:
            twins[name] = twin
            continue
        for dose in doses:
            chosen = dose == gamma or not arm.spec.has_dose
            cell = cell_of(arm, dose, scope=config.scope, split="test", drawn_by=plan.drawn if chosen else frozenset())
            jobs.append(Job(cell, _asked(plan, arm.spec, chosen=chosen)))
    method = arms[plan.method.name]
    asked = _with_needs(plan, plan.compared)
    scopes = config.scopes[1:] if plan.method.has_dose else ()
    jobs += [Job(cell_of(method, gamma, scope=scope, split="test"), asked) for scope in scopes]
    return jobs, twins


def swept_jobs(plan: Plan, arms: Mapping[str, Arm], gamma: float) -> list[Job]:
    """Arms at other quantiles, at the chosen dose."""
    asked = _with_needs(plan, plan.compared)
    return [Job(cell_of(arm, gamma, scope=plan.config.scope, split="test"), asked) for arm in arms.values()]


def _asked(plan: Plan, arm: ArmSpec, *, chosen: bool) -> tuple[Outcome, ...]:
    """The outcomes that ask under an arm, at the chosen dose or at another."""
    return tuple(each for each in plan.outcomes if each.asked_of(arm) and (chosen or plan.at_every_dose(each)))


def _with_needs(plan: Plan, outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
    """Outcomes in the order in which they are asked, with those that they read."""
    names = {each.name for each in outcomes} | {name for each in outcomes for name in each.needs}
    return tuple(each for each in plan.outcomes if each.name in names)


def total_work(plan: Plan) -> float:
    """The whole study's rough cost, in prompts captured, if no two arms turn out to be the same."""
    config = plan.config
    ways = 2 * len(config.traits)
    search = sum(each.work("search") for each in plan.searched) * ways * (1 + len(config.doses(plan.method)))
    test = 0.0
    for arm in plan.arms:
        for number, _ in enumerate(config.doses(arm, config.gammas[0])):
            test += ways * sum(each.work("test") for each in _asked(plan, arm, chosen=number == 0))
        if arm.drawn:
            test += ways * plan.targeted.work("test") * (config.draws - 1)
    test += ways * sum(each.work("test") for each in unedited_job(plan).outcomes)
    traced = sum(each.work("test") for each in plan.traced) * len(config.traits)
    return locating_work(config) * len(config.traits) + search + test + traced


def with_twins(
    frame: pd.DataFrame, twins: Mapping[str, str], arms: Mapping[str, Arm], config: StudyConfig
) -> pd.DataFrame:
    """Rows in the arms' order, those of a twin under its own name too."""
    order = [UNEDITED, *arms]
    frames = [frame]
    for arm, twin in twins.items():
        frames.append(frame[(frame["arm"] == twin) & (frame["scope"] == config.scope)].assign(arm=arm))
    together = stacked(frames)
    position = together["arm"].map(order.index)
    return together.iloc[position.argsort(kind="stable")].reset_index(drop=True)
