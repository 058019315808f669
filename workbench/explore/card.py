"""One neuron's card: what it does on the poles, what it reads, what it writes."""

from dataclasses import dataclass, field

import pandas as pd

from workbench.capture.top_prompts import top_prompts
from workbench.explore.choosing import Chosen, rank_of
from workbench.explore.trait import TraitSource
from workbench.measure.effects import Effects
from workbench.vocabulary import NeuronSet

_PROMPTS, _TOKENS = 4, 10


@dataclass(frozen=True, eq=False)
class NeuronCard:
    """What is known of one neuron of one trait, without running anything edited.

    Attributes:
        trait, layer, neuron: which.
        effect: its row of the effects: mean_difference, cohens_d, d_low, d_high, n_high, n_low, measures.
        method: how the interval was found.
        pole: under which it is chosen; empty where it is not.
        reason: whether it is chosen, and by which criterion, in a sentence.
        rank_s, rank_d: the places of |s| and |d| in its layer, 1 the largest, of `width`.
        width: neurons in its layer.
        write_norm: the norm of what it writes to the residual stream per unit of activation.
        activations: columns pole, row, activation; empty where there are no rows.
        prompts: as `top_prompts`; empty where there are no prompts.
        tokens: as `top_tokens`; empty where the write has no meaning alone.
        missing: by name of an empty part, why it is.
    """

    trait: str
    layer: int
    neuron: int
    effect: dict[str, float]
    method: str
    pole: str
    reason: str
    rank_s: int
    rank_d: int
    width: int
    write_norm: float
    activations: pd.DataFrame
    prompts: pd.DataFrame
    tokens: pd.DataFrame
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def by_pole(self) -> pd.DataFrame:
        """Columns pole, mean, sd, n: its activations summed up."""
        if self.activations.empty:
            return pd.DataFrame(columns=["pole", "mean", "sd", "n"])
        grouped = self.activations.groupby("pole", sort=False)["activation"]
        return grouped.agg(mean="mean", sd="std", n="size").reset_index()


def read_card(source: TraitSource, chosen: Chosen, layer: int, neuron: int) -> NeuronCard:
    """A neuron's card. A part without data is empty, and `missing` tells why.

    Raises:
        ValueError: for a layer or neuron that the effects lack.
    """
    effects = source.effects
    check_neuron(effects, layer, neuron)
    s, d = effects.at(layer)
    row = effects.frame(NeuronSet.of([(layer, neuron)])).iloc[0]
    missing: dict[str, str] = {}
    parts = {
        "activations": lambda: _by_pole(source, layer, neuron),
        "prompts": lambda: top_prompts(source.activations, source.contrast, layer, neuron, k=_PROMPTS),
        "tokens": lambda: source.writes.top_tokens(layer, neuron, k=_TOKENS),
    }
    tables: dict[str, pd.DataFrame] = {}
    for name, make in parts.items():
        try:
            tables[name] = make()
        except ValueError as error:
            tables[name], missing[name] = pd.DataFrame(), str(error)
    return NeuronCard(
        source.trait,
        layer,
        neuron,
        {str(name): float(value) for name, value in row.items()},
        effects.method,
        chosen.pole(layer, neuron),
        chosen.reason(effects, layer, neuron),
        rank_of(s, neuron),
        rank_of(d, neuron),
        effects.width,
        source.writes.norm(layer, neuron),
        **tables,
        missing=missing,
    )


def check_neuron(effects: Effects, layer: int, neuron: int) -> None:
    """Refuse a neuron that the effects lack.

    Raises:
        ValueError: naming the layers, or the neurons, that there are.
    """
    effects.at(layer)
    if not 0 <= neuron < effects.width:
        raise ValueError(f"Layer {layer} has neurons 0 to {effects.width - 1}, but {neuron} arrived.")


def _by_pole(source: TraitSource, layer: int, neuron: int) -> pd.DataFrame:
    kept = source.activations
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "pole": str(pole),
                    "row": kept.prompts[pole].numpy(),
                    "activation": kept.at(layer, pole)[:, neuron].float().numpy(),
                }
            )
            for pole in kept.activations
        ],
        ignore_index=True,
    )
