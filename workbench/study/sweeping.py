"""Other quantiles: the arm under test and its random control with more neurons and with fewer, at one dose."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from workbench.arm.building import Arm, build_arms, empty_traits
from workbench.arm.context import Located
from workbench.arm.spec import UNEDITED, ArmSpec
from workbench.model.embedded import words_of
from workbench.model.model import Model
from workbench.study.comparing.changes import Measured
from workbench.study.comparing.doses import tradeoff
from workbench.study.plan import Plan


def swept_name(arm: str, quantile: float) -> str:
    """What an arm is called at another quantile.

    Example:
        >>> swept_name("random", 0.97)
        'random q=0.97'
    """
    return f"{arm} q={quantile:g}"


def swept_specs(plan: Plan) -> tuple[ArmSpec, ...]:
    """The arms that run at other quantiles; none where the method does not depend on one.

    They stay the same where another arm stands for the method at the study's own quantile.
    """
    method = next(spec for spec in plan.arms if spec.name == plan.config.method)
    return tuple(spec for spec in plan.arms if spec.swept) if method.swept else ()


def swept_arms(
    plan: Plan, located: Mapping[str, Located], model: Model, traits: Sequence[str]
) -> tuple[dict[str, Arm], dict[str, str]]:
    """Those arms at each of the study's other quantiles, by name, and why some cannot be built.

    Args:
        traits: those of which the method selects neurons at the study's own quantile; where there is none, all.
            At a quantile at which it selects none of one of them no arm is built.
    """
    config = plan.config
    located = {trait: located[trait] for trait in traits or located}
    arms: dict[str, Arm] = {}
    left_out: dict[str, str] = {}
    words = {"seed": config.seed, "speaks": words_of(model), "style": config.style, "concepts": config.concepts}
    for quantile in config.other_quantiles if swept_specs(plan) else ():
        specs = [replace(spec, name=swept_name(spec.name, quantile)) for spec in swept_specs(plan)]
        there = {trait: found.at_quantile(quantile) for trait, found in located.items()}
        empty = empty_traits(plan.method, there, model, **words)
        if empty:
            why = "; ".join(f"for {trait}: {error.why}" for trait, error in empty.items())
            left_out |= {spec.name: why for spec in specs}
            continue
        built, lacking = build_arms(specs, there, model, method=plan.method, **words)
        arms |= built
        left_out |= lacking
    return arms, left_out


def quantile_sweep(
    plan: Plan,
    main: Sequence[Measured],
    swept: Sequence[Measured],
    sizes: pd.DataFrame,
    *,
    gamma: float,
    neurons: int,
) -> pd.DataFrame:
    """Shift and costs of each swept arm at every quantile, the study's own among them.

    Args:
        main: the study's outcomes, the unedited model's among them.
        swept: those of `swept_arms`, in the same order.
        sizes: columns arm and units, of both.
        neurons: how many the target layers have, for the share that is edited.

    Returns:
        Columns arm, quantile, units (edited neurons, mean over traits and directions), share (of the target layers'
        neurons), and those of `tradeoff`.
    """
    config = plan.config
    units = sizes.groupby("arm")["units"].mean()
    tables = []
    for quantile in sorted({*config.other_quantiles, config.quantile}):
        for spec in swept_specs(plan):
            name = spec.name if quantile == config.quantile else swept_name(spec.name, quantile)
            source = main if quantile == config.quantile else swept
            both = [
                _beside_unedited(base, each, name, spec.name, gamma) for base, each in zip(main, source, strict=True)
            ]
            if not (both[0].rows["arm"] == spec.name).any():
                continue
            table = tradeoff(both, plan.target, resamples=config.resamples)
            edited = float(units[name])
            tables.append(table.assign(quantile=quantile, units=edited, share=edited / neurons))
    table = pd.concat(tables, ignore_index=True).sort_values(["arm", "quantile"], kind="stable", ignore_index=True)
    front = ["arm", "quantile", "units", "share"]
    return table[[*front, *table.columns.drop(front)]]


def _beside_unedited(base: Measured, each: Measured, name: str, arm: str, gamma: float) -> Measured:
    """The unedited rows, and those of the arm called `name` at one dose, under the name `arm`."""
    unedited = base.rows[base.rows["arm"] == UNEDITED]
    edited = each.rows[(each.rows["arm"] == name) & (each.rows["gamma"] == gamma)].assign(arm=arm)
    filled = [frame for frame in (unedited, edited) if len(frame)]
    return Measured(each.outcome, pd.concat(filled, ignore_index=True))
