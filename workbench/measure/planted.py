"""Activations whose truth is known: effects, clusters, correlated noise and confounds, planted by hand."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from workbench.measure.units import Rows
from workbench.vocabulary import NeuronSet, Pole


@dataclass(frozen=True, eq=False)
class Planted:
    """Simulated rows, and what was planted in them.

    Attributes:
        rows: what stands wherever kept activations do.
        true_d: `(layer, d_mlp)` the population's Cohen's d between high and low.
        high, low: neurons that the trait raises under high, and under low, against neutral.
        length: by pole `(n, 1)`, a covariate that differs between poles where a confound was planted.
    """

    rows: Rows
    true_d: Float[Tensor, "layer d_mlp"]
    high: NeuronSet
    low: NeuronSet
    length: dict[Pole, Float[Tensor, "n 1"]]


def planted(
    *,
    rows: int = 400,
    layers: int = 2,
    width: int = 200,
    neurons: int = 10,
    effect: float = 1.0,
    descriptions: int = 40,
    questions: int = 100,
    description_std: float = 0.4,
    question_std: float = 0.4,
    interaction_std: float = 0.0,
    correlation: float = 0.3,
    persona: str = "exclusive",
    confound: float = 0.0,
    seed: int = 0,
) -> Planted:
    """Simulate a capture.

    Each row is its pole's effect, its description's and its question's own, and noise of unit variance of which
    `correlation` is shared by all neurons of the row.

    Args:
        neurons: planted in each layer and pole.
        effect: what the trait adds to a planted neuron, in standard deviations of the rows' noise.
        description_std, question_std: spread of the clusters' own effects; both poles share a question's.
        interaction_std: spread of what a question does under one pole and not under the other.
        persona: `exclusive`, where each pole raises its own neurons and lowers the other's; `shared`, where both
            raise the same; `independent`, where each raises neurons drawn by themselves.
        confound: how much longer high rows are, in standard deviations of length; length raises all neurons that
            carry no trait by 0.5 a standard deviation.

    Raises:
        ValueError: for another `persona`.
    """
    if persona not in ("exclusive", "shared", "independent"):
        raise ValueError(f"A planted persona is exclusive, shared or independent, but {persona!r} arrived.")
    generator = np.random.default_rng(seed)
    first, second = (np.zeros((layers, width), dtype=bool) for _ in range(2))
    for layer in range(layers):
        drawn = generator.permutation(width)
        first[layer, drawn[:neurons]] = True
        if persona == "independent":
            second[layer, generator.permutation(width)[:neurons]] = True
        else:
            second[layer, drawn[:neurons] if persona == "shared" else drawn[neurons : 2 * neurons]] = True
    opposed = -1.0 if persona == "exclusive" else 0.0
    shifts = {
        Pole.HIGH: effect * (first + opposed * second),
        Pole.LOW: effect * (second + opposed * first),
        Pole.NEUTRAL: np.zeros((layers, width)),
    }
    asked = generator.integers(questions, size=rows)
    told = {pole: generator.integers(descriptions, size=rows) for pole in Pole}
    by_question = generator.normal(size=(questions, layers, width)) * question_std
    activations, lengths = {}, {}
    for pole in Pole:
        by_description = generator.normal(size=(descriptions, layers, width)) * description_std
        interaction = generator.normal(size=(questions, layers, width)) * interaction_std
        shared = generator.normal(size=(rows, layers, 1)) * correlation**0.5
        noise = shared + generator.normal(size=(rows, layers, width)) * (1 - correlation) ** 0.5
        length = generator.normal(size=rows) + (confound if pole is Pole.HIGH else 0.0)
        own = by_description[told[pole]] + by_question[asked] + interaction[asked]
        values = shifts[pole] + own + noise
        if confound:
            values = values + 0.5 * length[:, None, None] * ~(first | second)
        activations[pole] = torch.from_numpy(values).float()
        lengths[pole] = torch.from_numpy(length)[:, None]
    spread = (1 + description_std**2 + question_std**2 + interaction_std**2) ** 0.5
    true = torch.from_numpy((shifts[Pole.HIGH] - shifts[Pole.LOW]) / spread)
    ids = {
        "question": {pole: tuple(f"question {i}" for i in asked) for pole in Pole},
        "description": {pole: tuple(f"{pole} {i}" for i in told[pole]) for pole in Pole},
    }
    return Planted(
        Rows(activations, ids, tuple(range(layers)), trait="planted", site="simulated"),
        true,
        NeuronSet.from_mask(torch.from_numpy(first)),
        NeuronSet.from_mask(torch.from_numpy(second)),
        lengths,
    )
