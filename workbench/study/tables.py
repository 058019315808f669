"""Every table of a study from what it has measured."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from workbench.arm.building import Arm
from workbench.arm.context import Located
from workbench.measure.summarising import ALL
from workbench.outcome.results import Results
from workbench.study.comparing.changes import Measured, measured_by
from workbench.study.comparing.doses import cost_by_breadth, dose, equal_dose, scopes, tradeoff
from workbench.study.comparing.equal import equal_losses, equal_shift_by_trait
from workbench.study.comparing.kept import kept
from workbench.study.comparing.shifts import against_controls, draws, shifts
from workbench.study.frames import in_scope
from workbench.study.plan import Plan
from workbench.study.sweeping import quantile_sweep

COMPARED_WITH = ("control", "prompt", "reference")
"""The roles of the arms beyond which the method's shift is measured."""


@dataclass(frozen=True)
class Answered:
    """What the outcomes gave.

    Attributes:
        frames: every outcome's rows by its name, in every scope and every draw.
        swept: the same of arms at other quantiles; empty where there are none.
        sizes: how many units each arm edits, of both.
    """

    frames: Mapping[str, pd.DataFrame]
    swept: Mapping[str, pd.DataFrame]
    sizes: pd.DataFrame


def compared_tables(plan: Plan, results: Results, answered: Answered) -> dict[str, pd.DataFrame]:
    """The tables that compare arms, and each outcome's own."""
    config = plan.config
    reported = {name: in_scope(frame, config.scope) for name, frame in answered.frames.items()}
    measured = measured_by(reported, plan.compared)
    target = measured[0]
    traded = tradeoff(measured, plan.target, resamples=config.resamples)
    by_shift = equal_shift_by_trait(measured, results)
    together = by_shift[by_shift["trait"] == ALL].drop(columns="trait").reset_index(drop=True)
    at_gamma = together[together["method_gamma"] == results.gamma].drop(columns="method_gamma").reset_index(drop=True)
    sizes = answered.sizes
    tables = {
        "neurons_edited": sizes[sizes["arm"].isin(results.arms)].reset_index(drop=True),
        "dose": dose(measured, resamples=config.resamples),
        "tradeoff": traded,
        "equal_dose": equal_dose(traded, gamma=results.gamma, doseless=results.doseless),
        "equal_shift": at_gamma,
        "equal_shift_by_dose": together,
        "equal_shift_by_trait": by_shift[by_shift["trait"] != ALL].reset_index(drop=True),
        "equal_loss": equal_losses(measured, results),
        "kept": kept(measured, results),
        "shifts": shifts(target, plan.target, results),
        "against_controls": against_controls(target, plan.target, results, results.named(*COMPARED_WITH)),
        "draws": draws(target, plan.target, results, results.named("control")),
        "cost_by_breadth": cost_by_breadth(at_gamma, sizes, results.costs),
    }
    for outcome in plan.outcomes:
        if outcome.name in results.frames:
            tables |= outcome.tables(replace(results, tables=tables))
            tables |= _other_shifts(outcome.name, plan, results)
    if answered.swept:
        tables["quantile_sweep"] = quantile_sweep(
            plan,
            measured,
            measured_by(answered.swept, plan.compared),
            sizes,
            gamma=results.gamma,
            neurons=int(results.tables["selection"].groupby("trait", sort=False)["neurons"].sum().iloc[0]),
        )
    if len(config.scopes) > 1:
        every = measured_by(answered.frames, plan.compared)
        of_scopes = scopes(every, plan.target, method=results.method, gamma=results.gamma, resamples=config.resamples)
        tables["scopes"] = of_scopes
    return tables


def _other_shifts(name: str, plan: Plan, results: Results) -> dict[str, pd.DataFrame]:
    """The shifts of an outcome's quantities that measure the trait, besides the target, at the chosen dose."""
    outcome = next(each for each in plan.outcomes if each.name == name)
    others = [q for q in outcome.quantities if q.role == "trait" and q.name != plan.target.name]
    if outcome.across or not others:
        return {}
    measured = Measured.of(outcome, results.frames[name])
    return {f"shifts_{quantity.name}": shifts(measured, quantity, results) for quantity in others}


def selection_tables(located: Mapping[str, Located]) -> dict[str, pd.DataFrame]:
    """Every neuron's effects with the pole under which it was chosen, and what each criterion kept and removed."""
    return {
        "effects": pd.concat([_marked(found) for found in located.values()], ignore_index=True),
        "selection": pd.concat(
            [found.selection.layers.assign(trait=trait) for trait, found in located.items()], ignore_index=True
        ),
        "counts": pd.concat([found.selection.counts() for found in located.values()], ignore_index=True),
    }


def _marked(found: Located) -> pd.DataFrame:
    poles = found.selection.frame().set_index(["layer", "neuron"])["pole"].rename("selected")
    frame = found.neurons.frame().join(poles, on=["layer", "neuron"])
    return frame.assign(trait=found.neurons.trait, selected=frame["selected"].fillna(""))


def arm_table(arms: Mapping[str, Arm]) -> pd.DataFrame:
    """The arms that ran, in the tables' order: arm, role, has_dose, and how claims name them."""
    return pd.DataFrame(
        [
            {"arm": name, "role": arm.spec.role, "has_dose": arm.spec.has_dose, "claimed_as": arm.spec.claimed_as}
            for name, arm in arms.items()
        ]
    )
