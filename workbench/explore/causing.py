"""What a single neuron causes: its activation put from one pole's prompts into the other's."""

import pandas as pd

from workbench.edit.attribution import Attribution, attribution
from workbench.edit.patching import patch
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
        found = [patch(source.model, source.pairs, chosen, direction=way).frame(resamples=_RESAMPLES) for way in SIGN]
    columns = ["direction", "base", "donor", "effect", "low", "high", "n", "clusters", "dropped"]
    frame = pd.concat(found, ignore_index=True)[columns]
    return frame.assign(pairs="held out" if source.held_out else "its own")


def attributed(source: TraitSource, direction: str) -> Attribution | None:
    """The first-order effect of every neuron; None for a model too large to wait for."""
    if sum(parameter.numel() for parameter in source.model.network.parameters()) > _CHEAP:
        return None
    with source.lock:
        return attribution(source.model, source.pairs, direction=direction, layers=source.effects.layers)
