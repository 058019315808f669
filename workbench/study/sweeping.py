"""Other quantiles: the edit under test and its random control with more neurons and with fewer, at one dose."""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from workbench.edit.controls import random_control
from workbench.edit.edit import Edit
from workbench.edit.making import dpn_edit
from workbench.select.rules import select_neurons
from workbench.study.arms import Arm, Located
from workbench.study.cells import DIRECTIONS
from workbench.study.comparison import tradeoff
from workbench.study.config import StudyConfig
from workbench.study.steps import joined

SWEPT = ("DPN-LE", "random")
"""Arms that are run at other quantiles, where a study has them."""


def swept_name(arm: str, quantile: float) -> str:
    """What an arm is called at another quantile.

    Example:
        >>> swept_name("random", 0.97)
        'random q=0.97'
    """
    return f"{arm} q={quantile:g}"


def swept_arms(config: StudyConfig, located: Mapping[str, Located]) -> tuple[dict[str, Arm], dict[str, str]]:
    """The arms of `SWEPT` at each of the study's other quantiles, by name, and why some cannot be built."""
    arms: dict[str, Arm] = {}
    left_out: dict[str, str] = {}
    for quantile in config.other_quantiles:
        try:
            edits = {
                (trait, way): _edit(found, way, quantile, config)
                for trait, found in located.items()
                for way in DIRECTIONS
            }
        except ValueError as error:
            left_out |= {swept_name(arm, quantile): str(error) for arm in SWEPT if arm in config.arms}
            continue
        for arm in SWEPT:
            if arm not in config.arms:
                continue
            name = swept_name(arm, quantile)
            made = {
                (trait, way): edit if arm == "DPN-LE" else random_control(edit, seed=located[trait].seed)
                for (trait, way), edit in edits.items()
            }
            arms[name] = {way: replace(edit, method=name) for way, edit in made.items()}
    return arms, left_out


def _edit(found: Located, direction: str, quantile: float, config: StudyConfig) -> Edit:
    chosen = select_neurons(
        found.neurons, rule=config.rule, quantile=quantile, min_d=config.min_d, layers=config.layers
    )
    return dpn_edit(found.neurons, chosen, direction=direction)


def quantile_sweep(
    main: Mapping[str, pd.DataFrame],
    swept: Mapping[str, pd.DataFrame],
    sizes: pd.DataFrame,
    *,
    gamma: float,
    neurons: int,
    config: StudyConfig,
) -> pd.DataFrame:
    """Shift and costs of each swept arm at every quantile, the study's own among them.

    Args:
        main: the study's outcomes, the unedited model's among them.
        swept: those of `swept_arms`.
        sizes: columns arm and units, of both.
        neurons: how many the target layers have, for the share that is edited.

    Returns:
        Columns arm, quantile, units (edited neurons, mean over traits and directions), share (of the target layers'
        neurons), and those of `tradeoff`.
    """
    units = sizes.groupby("arm")["units"].mean()
    found = []
    for quantile in sorted({*config.other_quantiles, config.quantile}):
        source = main if quantile == config.quantile else swept
        for arm in SWEPT:
            name = arm if quantile == config.quantile else swept_name(arm, quantile)
            both = []
            for kind in ("answers", "capability"):
                base = main[kind][main[kind]["arm"] == "none"]
                own = source[kind]
                both.append(joined([base, own[(own["arm"] == name) & (own["gamma"] == gamma)].assign(arm=arm)]))
            if not (both[0]["arm"] == arm).any():
                continue
            table = tradeoff(both[0], both[1], resamples=config.resamples)
            own_units = float(units[name])
            found.append(table.assign(quantile=quantile, units=own_units, share=own_units / neurons))
    table = pd.concat(found, ignore_index=True).sort_values(["arm", "quantile"], kind="stable", ignore_index=True)
    front = ["arm", "quantile", "units", "share"]
    return table[[*front, *table.columns.drop(front)]]
