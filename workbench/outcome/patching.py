"""What a trait's selected neurons and their controls cause when held-out prompts are patched and ablated."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from workbench.contrast.contrast import Contrast
from workbench.edit.ablating import ablate
from workbench.edit.patching import patch
from workbench.edit.verdict import CausalVerdict, causal_verdict
from workbench.model.model import Model
from workbench.outcome.claims.patching import carries_persona, tell_persona
from workbench.outcome.finding import Claim
from workbench.outcome.outcome import MATCHED, SELECTED, Split, TraitOutcome
from workbench.vocabulary import NeuronSet

_DONORS = {"increase": "high", "decrease": "low"}
_PAIR = 80.0  # rough cost of a pair's patching, in prompts captured


@dataclass(frozen=True)
class Patching(TraitOutcome):
    """Activations of the selected neurons moved between the prompts of a pair, and replaced by their mean.

    Attributes:
        patching_pairs: how many held-out pairs of each trait.
    """

    patching_pairs: int

    name = "patching"

    def work(self, split: Split) -> float:
        """A pair is run many times."""
        return _PAIR * self.patching_pairs

    def trace(
        self, model: Model, pairs: Contrast, sets: Mapping[str, NeuronSet], *, resamples: int, seed: int
    ) -> dict[str, pd.DataFrame]:
        """Patching by layer, cumulative and joint, both ways, with its verdict and its pairs; and mean ablation."""
        curves, verdicts, pairwise, ablated = [], [], [], []
        for direction, donor in _DONORS.items():
            patched = patch(model, pairs, sets, direction=direction, mode=("joint", "by_layer", "cumulative"))
            curves.append(patched.frame(resamples=resamples, seed=seed))
            cause = causal_verdict(patched, selected=SELECTED, control=MATCHED, resamples=resamples, seed=seed)
            verdicts.append({"direction": direction, **verdict_row(cause)})
            pairwise.append(patched.rows().query("mode == 'joint'"))
            lost = ablate(model, pairs, sets, pole=donor, kind="mean", seed=seed)
            ablated.append(lost.frame(resamples=resamples, seed=seed))
        tables = {
            "patching": pd.concat(curves, ignore_index=True),
            "patching_verdict": pd.DataFrame(verdicts),
            "patching_pairs": pd.concat(pairwise, ignore_index=True),
            "ablation": pd.concat(ablated, ignore_index=True),
        }
        return {name: table.assign(trait=pairs.trait) for name, table in tables.items()}

    def claims(self) -> tuple[Claim, ...]:
        """Whether the selected neurons carry the persona's effect."""
        return (
            Claim(
                "carries-persona",
                "The selected neurons carry the persona's effect on the next token",
                carries_persona,
                tell_persona,
                ("patching-by-layer", "patching_verdict"),
            ),
        )


def verdict_row(cause: CausalVerdict) -> dict[str, str | float]:
    """A verdict as a table holds it: verdict, effect and difference (from the control) with their 95 % intervals, the
    p-values `p_causes` and `p_against`, and the text.
    """
    [difference] = cause.differences.values()
    row: dict[str, str | float] = {"verdict": cause.verdict}
    for name, interval in (("effect", cause.effect), ("difference", difference)):
        row |= {name: interval.estimate, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return row | {"p_causes": cause.p_causes, "p_against": cause.p_against, "text": cause.text}
