"""Simulated activations with known effects, clusters, correlated noise and confounds."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from workbench.measure.units import Rows
from workbench.vocabulary import NeuronSet, Pole


@dataclass(frozen=True, eq=False)
class Planted:
    """Simulated rows, and the effects that were planted in them.

    Attributes:
        rows: they can be used wherever kept activations can.
        true_d: `(layer, d_mlp)` Cohen's d between high and low in the population.
        high, low: neurons that the high pole, and the low pole, raises above neutral.
        length: by pole `(n, 1)`, a covariate; it differs between poles if a confound was planted.
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

    Each row is the sum of its pole's effect, its description's effect, its question's effect, and noise of unit
    variance; a share `correlation` of the noise's variance is common to all neurons of the row.

    Args:
        neurons: how many are planted in each layer for each pole.
        effect: what the trait adds to a planted neuron, in standard deviations of the noise.
        description_std, question_std: spread of the clusters' effects. Both poles share the effect of a question.
        interaction_std: spread of the effects that a question has under one pole alone.
        persona: `exclusive`: each pole raises its own neurons and lowers the other pole's; `shared`: both poles raise
            the same neurons; `independent`: each pole raises neurons that are drawn independently.
        confound: how much longer high rows are, in standard deviations of length. One standard deviation of length
            raises all neurons that carry no trait by 0.5.

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
    question_of = generator.integers(questions, size=rows)
    description_of = {pole: generator.integers(descriptions, size=rows) for pole in Pole}
    by_question = generator.normal(size=(questions, layers, width)) * question_std
    activations, lengths = {}, {}
    for pole in Pole:
        by_description = generator.normal(size=(descriptions, layers, width)) * description_std
        interaction = generator.normal(size=(questions, layers, width)) * interaction_std
        shared = generator.normal(size=(rows, layers, 1)) * correlation**0.5
        noise = shared + generator.normal(size=(rows, layers, width)) * (1 - correlation) ** 0.5
        length = generator.normal(size=rows) + (confound if pole is Pole.HIGH else 0.0)
        clusters = by_description[description_of[pole]] + by_question[question_of] + interaction[question_of]
        values = shifts[pole] + clusters + noise
        if confound:
            values = values + 0.5 * length[:, None, None] * ~(first | second)
        activations[pole] = torch.from_numpy(values).float()
        lengths[pole] = torch.from_numpy(length)[:, None]
    spread = (1 + description_std**2 + question_std**2 + interaction_std**2) ** 0.5
    true = torch.from_numpy((shifts[Pole.HIGH] - shifts[Pole.LOW]) / spread)
    ids = {
        "question": {pole: tuple(f"question {i}" for i in question_of) for pole in Pole},
        "description": {pole: tuple(f"{pole} {i}" for i in description_of[pole]) for pole in Pole},
    }
    return Planted(
        Rows(activations, ids, tuple(range(layers)), trait="planted", site="simulated"),
        true,
        NeuronSet.from_mask(torch.from_numpy(first)),
        NeuronSet.from_mask(torch.from_numpy(second)),
        lengths,
    )
