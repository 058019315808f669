"""The layer of the rival that shifts the residual stream in one, chosen on search questions."""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from workbench.arm.building import Arm
from workbench.arm.context import Located
from workbench.arm.registry import ONE_LAYER, arm_named
from workbench.arm.rivals import at_one_layer
from workbench.measure.summarising import ALL
from workbench.model.model import Model
from workbench.study.asking import Job, ask_jobs
from workbench.study.cells import cell_of, unedited_cell
from workbench.study.choosing import within
from workbench.study.comparing.changes import measured_by
from workbench.study.comparing.doses import tradeoff
from workbench.study.meter import Meter
from workbench.study.plan import Plan
from workbench.study.store import Store
from workbench.vocabulary import Direction

DOSE = 1.0
"""The dose at which layers are tried: as strong as the selected neurons' edit at gamma 1."""
MOST_LAYERS = 8
"""How many layers are tried, spread evenly over the model."""


def choose_layers(
    plan: Plan, located: Mapping[str, Located], model: Model, store: Store, meter: Meter
) -> tuple[dict[str, Located], pd.DataFrame]:
    """Each trait with the layer in which a shift of the residual stream moves it furthest on search questions.

    Layers within the bounds on costs come first, as doses do; see `dose_within`. Nothing is asked where the study lacks
    the arm.

    Returns:
        Where the traits were found, with `one_layer`; and the columns of `tradeoff` with `layer`, `allowed` and
        `chosen`, a row a trait and layer.
    """
    if all(spec.name != ONE_LAYER for spec in plan.arms):
        return dict(located), pd.DataFrame()
    config, asked = plan.config, plan.searched
    layers = {_arm_name(layer): layer for layer in _tried(model.n_layers)}
    cells = [unedited_cell(config.traits, scope=config.scope, split="search")]
    for name, layer in layers.items():
        steering = {
            (trait, direction.value): at_one_layer(found, direction.value, model, layer)
            for trait, found in located.items()
            for direction in Direction
        }
        arm = Arm(replace(arm_named(ONE_LAYER), name=name), (steering,))
        cells.append(cell_of(arm, DOSE, scope=config.scope, split="search"))
    frames, _ = ask_jobs(model, config, store, [Job(cell, asked) for cell in cells], meter)
    outcomes = [each for each in plan.compared if each in asked]
    table = tradeoff(measured_by(frames, outcomes), plan.target, resamples=config.resamples)
    table = table[table["trait"] != ALL].reset_index(drop=True)
    table = table.assign(layer=table["arm"].map(layers), allowed=within(table, plan.bounds)).drop(columns="arm")
    best = {str(trait): _best(rows) for trait, rows in table.groupby("trait", sort=False)}
    chosen = {trait: replace(found, one_layer=best[trait]) for trait, found in located.items()}
    return chosen, table.assign(chosen=table["layer"] == table["trait"].map(best))


def layer_work(plan: Plan, n_layers: int) -> float:
    """The rough cost of choosing layers, in prompts captured; 0 where the study lacks the arm."""
    if all(spec.name != ONE_LAYER for spec in plan.arms):
        return 0.0
    ways = 2 * len(plan.config.traits)
    return len(_tried(n_layers)) * ways * sum(each.work("search") for each in plan.searched)


def _tried(n_layers: int) -> list[int]:
    """At most `MOST_LAYERS` layers, the last among them."""
    count = min(MOST_LAYERS, n_layers)
    return [(number + 1) * n_layers // count - 1 for number in range(count)]


def _arm_name(layer: int) -> str:
    return f"residual at layer {layer}"


def _best(rows: pd.DataFrame) -> int:
    """The layer with the greatest shift, among those within the bounds where there are any."""
    kept = rows[rows["allowed"]] if rows["allowed"].any() else rows
    return int(kept.sort_values("shift", ascending=False, kind="stable")["layer"].iloc[0])
