"""Whether neurons cause what they correlate with: a set is compared with its controls on the same pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from workbench.edit.patching import JOINT, Patching
from workbench.measure.bootstrap import Interval


@dataclass(frozen=True)
class CausalVerdict:
    """What interchange shows about a set of neurons.

    Attributes:
        verdict: `causes`, `does not cause`, or `undecided` at this n.
        selected: the set's name.
        effect: its joint effect, or the share lost by its ablation.
        controls: each control's effect, or the share lost by its ablation.
        differences: the set minus each control, over the same pairs.
        smallest: a set with a smaller effect than this counts as causing nothing.
        text: the verdict in words, with its numbers.
    """

    verdict: Literal["causes", "does not cause", "undecided"]
    selected: str
    effect: Interval
    controls: dict[str, Interval]
    differences: dict[str, Interval]
    smallest: float
    text: str

    def __str__(self) -> str:
        return self.text


def compare_sets(
    patching: Patching, a: str, b: str, *, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """One set's effect minus another's, over the same pairs.

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
    smallest: float = 0.05,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> CausalVerdict:
    """Whether a set has a joint effect, and one that its controls do not have.

    The verdict is `does not cause` where the whole interval of the effect, or of its difference from some control, lies
    under `smallest`. Otherwise it is `causes` where the whole interval of the effect and of its difference from every
    control lies above 0, and `undecided` in any other case.

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
    over = max(names, key=lambda name: controls[name].estimate)
    verdict: Literal["causes", "does not cause", "undecided"]
    if effect.high < smallest:
        verdict, why = "does not cause", f"the effect's whole interval lies under {smallest:g}"
    elif beaten := [name for name in names if differences[name].high < smallest]:
        over = beaten[0]
        verdict, why = "does not cause", f"it has less than {smallest:g} more than {over}"
    elif effect.low > 0 and all(interval.low > 0 for interval in differences.values()):
        verdict, why = "causes", "it is above 0 and above every control"
    elif not effect.low > 0:
        verdict, why = "undecided", "the effect's interval does not exclude 0"
    else:
        over = min(names, key=lambda name: differences[name].low)
        verdict, why = "undecided", f"the difference from {over} has an interval that does not exclude 0"
    what = {"effect": "Patched in, it brings", "lost": "Ablated, it costs"}[patching.quantity]
    text = (
        f"{selected}: {verdict}{' at this n' if verdict == 'undecided' else ''}. {what} {_text(effect)} of the donor's "
        f"effect on the readout, and {over} {_text(controls[over])}: a difference of {_text(differences[over])} over "
        f"{effect.n} pairs in {effect.clusters} clusters. So {why}."
    )
    return CausalVerdict(verdict, selected, effect, controls, differences, float(smallest), text)


def _difference(
    patching: Patching, a: str, b: str, mode: str, layer: int, *, level: float, resamples: int, seed: int
) -> Interval:
    quantity = patching.quantity
    first, second = (patching.values(name, mode=mode, layer=layer).set_index("pair") for name in (a, b))
    paired = (first[quantity] - second[quantity]).rename(quantity).reset_index()
    return patching.interval(paired, level=level, resamples=resamples, seed=seed)


def _text(interval: Interval) -> str:
    return f"{interval.estimate:.2f} [{interval.low:.2f}, {interval.high:.2f}]"
