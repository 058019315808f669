"""Whether neurons cause what they correlate with: a set is compared with its controls on the same pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from workbench.edit.patching import JOINT, Patching
from workbench.measure.bootstrap import Interval

SMALLEST = 0.05
"""The least share of the donor's effect that matters: a set whose effect is surely smaller causes nothing."""


@dataclass(frozen=True)
class CausalVerdict:
    """What interchange shows about a set of neurons.

    Attributes:
        verdict: `causes`, `does not cause`, or `undecided` at this n.
        selected: the set's name.
        effect: its joint effect, or the share lost by its ablation; nan where the poles' own runs do not surely differ.
        controls: each control's effect, or the share lost by its ablation.
        differences: the set minus each control, over the same pairs.
        smallest: a set with a smaller effect than this counts as causing nothing.
        p_causes: two-sided p-value behind `causes`, of the least sure of its parts.
        p_against: two-sided p-value behind `does not cause`, of the surest of its parts, times their number
            (Bonferroni).
        text: the verdict in words, with its numbers.
    """

    verdict: Literal["causes", "does not cause", "undecided"]
    selected: str
    effect: Interval
    controls: dict[str, Interval]
    differences: dict[str, Interval]
    smallest: float
    p_causes: float
    p_against: float
    text: str

    def __str__(self) -> str:
        return self.text


def compare_sets(
    patching: Patching, a: str, b: str, *, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """One set's effect minus another's, over the same pairs, as a ratio of means.

    Returns:
        a row per mode and layer that both sets have: columns mode, layer, a, b, difference (a - b), low, high, n,
        clusters.

    Raises:
        ValueError: if a set was not run, or they share no condition.
    """
    table = patching.table
    for name in (a, b):
        if name not in set(table["set"]):
            raise ValueError(f"There is no set {name!r}; these were run: {', '.join(dict.fromkeys(table['set']))}.")
    ran = [
        list(dict.fromkeys(zip(rows["mode"], rows["layer"], strict=True)))
        for rows in (table[table["set"] == a], table[table["set"] == b])
    ]
    differences = []
    for mode, layer in ran[0]:
        if (mode, layer) in ran[1]:
            interval = _difference(patching, a, b, mode, int(layer), level=level, resamples=resamples, seed=seed)
            differences.append(
                {
                    "mode": mode,
                    "layer": int(layer),
                    "a": a,
                    "b": b,
                    "difference": interval.estimate,
                    "low": interval.low,
                    "high": interval.high,
                    "n": interval.n,
                    "clusters": interval.clusters,
                }
            )
    if not differences:
        raise ValueError(f"{a!r} and {b!r} share no mode and layer. Patch both with mode='joint'.")
    return pd.DataFrame(differences)


def causal_verdict(
    patching: Patching,
    *,
    control: str | Sequence[str],
    selected: str = "selected",
    smallest: float = SMALLEST,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> CausalVerdict:
    """Whether a set has a joint effect, and one that its controls do not have.

    The verdict is `causes` where the effect is surely above 0 and surely above that of every control. It is `does not
    cause` only where the opposite is shown: the effect is surely under `smallest`, or surely under that of some
    control. It is `undecided` in any other case, also where the set causes as much as a control. Where the poles' own
    runs do not surely differ, the effect is undefined and the verdict undecided.

    Surely is at `1 - level`, two-sided. The tests are of means over pairs, e.g. of what the set moved minus what the
    control moved, which needs no ratio, with cluster-robust errors and t quantiles (`surely_above`); so they keep their
    level with few pairs, where the percentile intervals beside them are somewhat too narrow.

    Args:
        patching: from `patch` (what the neurons can bring about) or `ablate` (what is lost without them), with
            `mode="joint"` among its modes.
        control: one or more of the sets in it, e.g. of `matched_neurons`.
        smallest: choose it before looking at any result.

    Raises:
        ValueError: if a set was not run jointly, none is a control, or `smallest` is not positive.
    """
    names = [control] if isinstance(control, str) else list(control)
    if not names or selected in names:
        raise ValueError(f"A verdict on {selected!r} needs a control that is another set, but {names} arrived.")
    if not smallest > 0:
        raise ValueError(f"smallest is the least effect that matters, above 0, but {smallest} arrived.")
    settings: dict[str, Any] = {"level": level, "resamples": resamples, "seed": seed}
    effect = patching.interval(patching.values(selected), **settings)
    controls = {name: patching.interval(patching.values(name), **settings) for name in names}
    differences = {name: _difference(patching, selected, name, "joint", JOINT, **settings) for name in names}
    p_causes, p_against, against = _tests(patching, selected, names, smallest)
    over = max(names, key=lambda name: controls[name].estimate)
    verdict: Literal["causes", "does not cause", "undecided"] = "undecided"
    if np.isnan(effect.estimate):
        p_causes = p_against = float("nan")
        why = "the poles' own runs do not surely differ by this readout, and there is no effect to take a share of"
    elif p_against < 1 - level:
        verdict, over = "does not cause", against or over
        why = f"it causes less than {against}" if against else f"its effect is under {smallest:g}"
        why += f" (p = {p_against:.2g})"
    elif p_causes < 1 - level:
        verdict, why = "causes", f"it is above 0 and above every control (p = {p_causes:.2g})"
    else:
        why = f"neither is sure: that it causes more than 0 and than every control (p = {p_causes:.2g}), and that it "
        why += f"causes less than {smallest:g} or than a control (p = {p_against:.2g})"
    what = {"effect": "Patched in, it brings", "lost": "Ablated, it costs"}[patching.quantity]
    text = (
        f"{selected}: {verdict}{' at this n' if verdict == 'undecided' else ''}. {what} {_text(effect)} of the donor's "
        f"effect on the readout, and {over} {_text(controls[over])}: a difference of {_text(differences[over])} over "
        f"{effect.n} pairs in {effect.clusters} clusters. So {why}."
    )
    return CausalVerdict(verdict, selected, effect, controls, differences, float(smallest), p_causes, p_against, text)


def _tests(
    patching: Patching, selected: str, controls: Sequence[str], smallest: float
) -> tuple[float, float, str | None]:
    """The p-values of `causes` and of `does not cause`, and the control that the latter is against, if it is a control.

    With `moved` and `whole` the sums behind a share, share > 0 means moved > 0, and share < smallest means
    smallest * whole - moved > 0, where whole is above 0; with it all signs turn.
    """
    rows = patching.values(selected).set_index("pair")
    sign = np.sign(rows["whole"].mean())
    mine, others = rows["moved"], {name: patching.values(name).set_index("pair")["moved"] for name in controls}

    def p(values: pd.Series) -> float:
        frame = rows.assign(tested=sign * values).reset_index()
        return patching.surely_above(frame, "tested")

    above = [p(mine), *(p(mine - other) for other in others.values())]
    below = {None: p(smallest * rows["whole"] - mine)} | {name: p(other - mine) for name, other in others.items()}
    surest = min(below, key=lambda name: below[name])
    return min(2 * float(np.max(above)), 1.0), min(2 * len(below) * below[surest], 1.0), surest


def _difference(
    patching: Patching, a: str, b: str, mode: str, layer: int, *, level: float, resamples: int, seed: int
) -> Interval:
    first, second = (patching.values(name, mode=mode, layer=layer).set_index("pair") for name in (a, b))
    paired = first.assign(moved=first["moved"] - second["moved"]).reset_index()
    return patching.interval(paired, level=level, resamples=resamples, seed=seed)


def _text(interval: Interval) -> str:
    return f"{interval.estimate:.2f} [{interval.low:.2f}, {interval.high:.2f}]"
