"""The numbers that NPTI keeps of each neuron, and the edit that is made of them."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import torch
from torch import Tensor

from workbench.capture.tally import Tally
from workbench.edit.edit import Composite, Edit
from workbench.vocabulary import ACT, HOOK_PRE, NeuronSet, Pole, sign_of

COLUMNS = ("layer", "neuron", "delta", "probability", "q95")


def npti_values(
    tally: Tally,
    neurons: NeuronSet,
    *,
    pole: Pole | str,
    activation: Callable[[Tensor], Tensor] = torch.nn.functional.silu,
) -> pd.DataFrame:
    """The numbers that NPTI keeps of these neurons, as neurons of `pole`.

    Args:
        tally: a capture at `hook_pre` with `positive=True` and `sample=`.
        activation: the model's activation function, as `model.activation_function(layer)` gives it.

    Returns:
        a row for each neuron, by layer and neuron: `delta` (share of positive a on the pole, minus that on the other),
        `probability` (the share on the pole), `q95` (95th percentile of a on the pole, from the sample).

    Raises:
        ValueError: for a tally of another site, without counts above zero or a sample, or without a neuron's layer.
    """
    if tally.site != HOOK_PRE.name:
        raise ValueError(f"NPTI's neurons are at hook_pre, but this tally is of {tally.site}. Capture site='hook_pre'.")
    pole = Pole(pole)
    opposite = Pole.LOW if pole is Pole.HIGH else Pole.HIGH
    shares = {side: tally.probability_positive(side) for side in (pole, opposite)}
    if not tally.samples:
        raise ValueError("No sample was kept to read q95 from. Capture with sample=, e.g. sample=1024.")
    missing = sorted(set(neurons.layer.tolist()) - set(tally.layers))
    if missing:
        raise ValueError(f"This capture covers layers {list(tally.layers)}, but lacks {missing}.")
    q95 = torch.stack([activation(rows).quantile(0.95, dim=0) for rows in tally.samples[pole].rows.unbind(1)])
    rows = torch.tensor([tally.layers.index(layer) for layer in neurons.layer.tolist()], dtype=torch.int64)
    at = (rows, neurons.neuron)
    return neurons.frame().assign(
        delta=(shares[pole] - shares[opposite])[at].numpy(), probability=shares[pole][at].numpy(), q95=q95[at].numpy()
    )


def npti_from_values(
    driven: pd.DataFrame,
    silenced: pd.DataFrame,
    *,
    trait: str,
    width: int,
    direction: str = "increase",
    gamma: float = 1.4,
    mask: float = 0.0,
    seed: int = 0,
    provenance: dict[str, str] | None = None,
) -> Composite:
    """NPTI's edit from the values of its neurons, `npti_values`' or a file's.

    Args:
        driven: the neurons to drive, those of the pole that is moved to: columns `layer, neuron, delta, q95`.
        silenced: the neurons to silence, those of the other pole: columns `layer, neuron`.
        width: neurons in a layer of the model.
        direction: the edit's direction, `increase` where the driven neurons are the high pole's. It changes no number.
        mask: share of the driven neurons that each step leaves out.

    Raises:
        ValueError: if a neuron stands twice, in one pole or in both, or is not below the width.
    """
    sign_of(direction)
    drive, silence = (_neurons(frame) for frame in (driven, silenced))
    if len(drive & silence):
        raise ValueError(f"A neuron is of one pole, but {next(iter(drive & silence))} is of both.")
    ordered = driven.sort_values(["layer", "neuron"])
    delta, q95 = (torch.tensor(ordered[name].to_numpy(dtype="float64")) for name in ("delta", "q95"))
    strength = q95 * torch.sigmoid(10 * (delta - 0.15))
    named = {"trait": trait, "method": "NPTI", "direction": direction, "site": ACT.name, "width": width}
    cap = Edit.on(silence, 0.0, operation="cap", **named)
    add = replace(Edit.on(drive, strength, operation="add", **named), mask=mask, seed=seed)
    return Composite((cap, add), gamma, "NPTI", provenance or {})


def _neurons(frame: pd.DataFrame) -> NeuronSet:
    pairs = list(zip(frame["layer"].tolist(), frame["neuron"].tolist(), strict=True))
    neurons = NeuronSet.of(pairs)
    if len(neurons) < len(pairs):
        repeated, times = Counter(pairs).most_common(1)[0]
        raise ValueError(f"Each neuron is listed once, but {repeated} is listed {times} times.")
    return neurons
