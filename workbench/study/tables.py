"""Every table of a study from what it has measured."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import pandas as pd

from workbench.arm.building import Arm
from workbench.arm.context import Located
from workbench.arm.spec import UNEDITED
from workbench.measure.summarising import ALL
from workbench.outcome.outcome import Outcome
from workbench.outcome.results import Results
from workbench.study.comparing.changes import Measured, measured_by
from workbench.study.comparing.doses import cost_by_breadth, dose, equal_dose, scopes, tradeoff
from workbench.study.comparing.equal import equal_losses, equal_shift_by_trait
from workbench.study.comparing.kept import kept
from workbench.study.comparing.shifts import against_controls, draws, shifts
from workbench.study.frames import in_scope, of_traits, stacked
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
        elsewhere: the unedited model's rows on traits that are compared apart, by the outcome's name.
    """

    frames: Mapping[str, pd.DataFrame]
    swept: Mapping[str, pd.DataFrame]
    sizes: pd.DataFrame
    elsewhere: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    def of(self, traits: Collection[str]) -> "Answered":
        """What was given of some traits; nothing of other quantiles, unless it is all traits' or these were swept."""
        frames = {name: of_traits(frame, traits) for name, frame in self.frames.items()}
        elsewhere = {
            name: frame[(frame["arm"] == UNEDITED) & ~frame["trait"].isin(traits)]
            for name, frame in self.frames.items()
        }
        swept = {name: of_traits(frame, traits) for name, frame in self.swept.items()}
        swept = swept if all(len(frame) for frame in swept.values()) else {}
        return Answered(frames, swept, of_traits(self.sizes, traits), elsewhere)


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
            tables |= outcome.tables(replace(_told(outcome, results, answered), tables=tables))
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
    first = answered.frames[plan.targeted.name]
    if len(set(first.loc[first["arm"] == results.method, "scope"])) > 1:
        every = measured_by(answered.frames, plan.compared)
        of_scopes = scopes(every, plan.target, method=results.method, gamma=results.gamma, resamples=config.resamples)
        tables["scopes"] = of_scopes
    return tables


def with_apart(
    tables: Mapping[str, pd.DataFrame], apart: Mapping[str, pd.DataFrame], traits: Collection[str]
) -> dict[str, pd.DataFrame]:
    """Tables, with the rows on traits that were compared apart below those of the others.

    What was compared apart enters no row on all traits together, and no table that is of all traits alone.
    """
    merged = dict(tables)
    for name, table in apart.items():
        column = next((each for each in ("edited", "trait") if each in table), None)
        if name not in merged or column is None:
            continue
        rows = table[table[column].isin(traits)]
        merged[name] = stacked([merged[name], rows])
    return merged


def _told(outcome: Outcome, results: Results, answered: Answered) -> Results:
    """What an outcome reads: one that measures every trait needs the unedited model's rows on those compared apart."""
    if not outcome.across or not answered.elsewhere:
        return results
    beside = {
        name: stacked([frame, answered.elsewhere[name].drop(columns="draw", errors="ignore")])
        if name in answered.elsewhere
        else frame
        for name, frame in results.frames.items()
    }
    return replace(results, frames=beside)


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
            [found.selected.layers.assign(trait=trait) for trait, found in located.items()], ignore_index=True
        ),
        "counts": pd.concat([found.selected.counts() for found in located.values()], ignore_index=True),
    }


def above_table(located: Mapping[str, Located]) -> pd.DataFrame:
    """How |d| is distributed among the neurons above tau_q, and what smaller min_d select; see `Above.frame`."""
    return pd.concat([found.above.frame() for found in located.values()], ignore_index=True)


def _marked(found: Located) -> pd.DataFrame:
    poles = found.selected.frame().set_index(["layer", "neuron"])["pole"].rename("selected")
    frame = found.neurons.frame().join(poles, on=["layer", "neuron"])
    return frame.assign(trait=found.neurons.trait, selected=frame["selected"].fillna(""))


def arm_table(arms: Mapping[str, Arm], left_out: Mapping[str, str]) -> pd.DataFrame:
    """The arms that ran, in the tables' order: arm, role, has_dose, how claims name them, and where they did not run.

    The column left_out says of which traits, and why; it is empty for an arm that ran for all.
    """
    return pd.DataFrame(
        [
            {"arm": name, "role": arm.spec.role, "has_dose": arm.spec.has_dose, "claimed_as": arm.spec.claimed_as}
            | {"left_out": left_out.get(name, "")}
            for name, arm in arms.items()
        ]
    )
