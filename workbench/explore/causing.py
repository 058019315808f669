"""What a single neuron causes: its activation put from one pole's prompts into the other's."""

from collections.abc import Mapping

import pandas as pd

from workbench.edit.attribution import Attribution, attribution
from workbench.edit.patching import patch
from workbench.explore.choosing import rank_of
from workbench.explore.trait import TraitSource
from workbench.vocabulary import SIGN, NeuronSet

_RESAMPLES = 1000
_CHEAP = 1_500_000_000  # parameters up to which a backward pass over the pairs is quick enough to wait for


def patching_effect(source: TraitSource, layer: int, neuron: int) -> pd.DataFrame:
    """The neuron patched alone, in both directions.

    Returns:
        a row per direction: direction, base, donor, `effect` (share of the donor's effect on the logits, mean over
        pairs) with `low` and `high` (95 %), `n` (pairs), clusters, dropped, and `pairs` (`held out` or `its own`).

    Raises:
        ValueError: as `patch`.
    """
    chosen = NeuronSet.of([(layer, neuron)])
    with source.lock:
        tables = [patch(source.model, source.pairs, chosen, direction=way).frame(resamples=_RESAMPLES) for way in SIGN]
    columns = ["direction", "base", "donor", "effect", "low", "high", "n", "clusters", "dropped"]
    frame = pd.concat(tables, ignore_index=True)[columns]
    return frame.assign(pairs="held out" if source.held_out else "its own")


def attributed(source: TraitSource, direction: str) -> Attribution | None:
    """The first-order effect of every neuron; None for a model too large to wait for."""
    if sum(parameter.numel() for parameter in source.model.network.parameters()) > _CHEAP:
        return None
    with source.lock:
        return attribution(source.model, source.pairs, direction=direction, layers=source.effects.layers)


def with_attributions(
    frame: pd.DataFrame, attributions: Mapping[str, Attribution | None], layer: int, neuron: int
) -> pd.DataFrame:
    """A neuron's patching effect beside its first-order estimate, direction by direction.

    Returns:
        the frame with three columns more, missing where there was no such pass: `attribution`, the first-order estimate
        of the effect, and `attribution_rank`, the rank of its magnitude among all `neurons`, 1 the largest.
    """
    ranked = [_ranked(attributions[str(way)], layer, neuron) for way in frame["direction"]]
    names = ("attribution", "attribution_rank", "neurons")
    return frame.assign(**{name: [row[column] for row in ranked] for column, name in enumerate(names)})


def _ranked(attribution: Attribution | None, layer: int, neuron: int) -> tuple[float, float, float]:
    """A neuron's attribution, the rank of its magnitude among all, and how many there are."""
    if attribution is None:
        return float("nan"), float("nan"), float("nan")
    index = attribution.layers.index(layer) * attribution.scores.shape[1] + neuron
    scores = attribution.scores.flatten()
    return float(scores[index]), float(rank_of(scores, index)), float(scores.numel())
