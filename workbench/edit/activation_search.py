"""Personality activation search: the attention heads whose activations tell the poles apart best, shifted."""

import pkgutil
import warnings
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from workbench.capture.tally import Activations
from workbench.edit.edit import Edit
from workbench.vocabulary import Pole, Z, sign_of

# The authors' code shifts 24 heads; LLaMA-3-8B has 32 layers with 32 heads each.
PUBLISHED_HEADS, PUBLISHED_AMONG = 24, 32 * 32
ALPHAS = (1.0, 2.0, 4.0, 6.0, 8.0)
"""The strengths that the authors' code tries, besides 0, and of which it keeps the best."""
_TRAINED = 0.6  # share of the rows on which a probe is trained


def activation_search(
    rows: Activations,
    *,
    heads: int,
    k: int | None = None,
    direction: str = "increase",
    gamma: float = 1.0,
    seed: int = 0,
) -> Edit:
    """PAS: the mean difference between the poles, in the heads on which a linear probe tells them apart best.

    For each head a logistic regression is trained on 60 % of the rows, drawn once at random, and scored by the mean of
    its accuracy on these and on the others. In each of the k best, the direction of the poles' mean difference is
    added, gamma times as long as the standard deviation of all rows along it.

    Args:
        rows: a capture at `z` with `keep=True`.
        heads: attention heads in a layer, e.g. `model.hooked.cfg.n_heads`.
        k: heads to shift; by default the authors' 24 of 1,024, the same share in a model with another number.
        gamma: the strength, alpha in the paper; `ALPHAS` are those that were tried.
        seed: of the rows that probes are trained on.

    Raises:
        ValueError: for rows of another site, an unknown direction, fewer than 4 rows in a pole, or no k heads.

    Reference:
        Zhu et al. (2025), Personality Alignment of Large Language Models, and its code; Li et al. (2023),
        Inference-Time Intervention.
    """
    sign = sign_of(direction)
    if rows.site != Z.name:
        raise ValueError(f"Heads are shifted at z, but these rows are of {rows.site}. Capture site='z', keep=True.")
    sides = [rows.activations[pole].double().unflatten(2, (heads, -1)) for pole in (Pole.HIGH, Pole.LOW)]
    if min(len(side) for side in sides) < 4:
        raise ValueError(f"A probe needs at least 4 rows in each pole, but {[len(side) for side in sides]} arrived.")
    total = len(rows.layers) * heads
    wanted = max(1, round(total * PUBLISHED_HEADS / PUBLISHED_AMONG)) if k is None else k
    if not 1 <= wanted <= total:
        raise ValueError(f"k is from 1 to the {total} heads to choose from, but it is {wanted}.")
    score = probe_accuracy(sides[0], sides[1], seed=seed)
    best = torch.zeros(total, dtype=torch.bool).scatter_(0, score.flatten().topk(wanted).indices, True)
    way = sides[0].mean(0) - sides[1].mean(0)
    way = way / way.norm(dim=-1, keepdim=True).clamp_min(torch.finfo(way.dtype).tiny)
    along = torch.einsum("n l h d, l h d -> n l h", torch.cat(sides), way)
    shift = sign * way * along.std(0, correction=0)[..., None] * best.view(len(rows.layers), heads, 1)
    return Edit.of(
        {layer: delta.flatten().float() for layer, delta in zip(rows.layers, shift, strict=True) if delta.any()},
        trait=rows.trait,
        method="PAS",
        direction=direction,
        site=Z.name,
        gamma=gamma,
        provenance={**rows.provenance, "heads": str(wanted), "probe_accuracy": f"{score.flatten()[best].mean():.3f}"},
    )


def probe_accuracy(
    high: Float[Tensor, "n layer head d_head"], low: Float[Tensor, "m layer head d_head"], *, seed: int = 0
) -> Float[Tensor, "layer head"]:
    """How well a linear probe on each head tells the poles apart: the mean of its accuracy on both parts of the rows.

    Returns:
        `(layer, head)` shares from 0 to 1; 0.5 is chance where both poles have as many rows.
    """
    # By name, as scikit-learn takes longer to import than the whole floor.
    probe_kind: Any = pkgutil.resolve_name("sklearn.linear_model:LogisticRegression")
    unfinished: Any = pkgutil.resolve_name("sklearn.exceptions:ConvergenceWarning")
    both = torch.cat([high, low])
    rows = both.numpy()
    pole = np.repeat([1, 0], [len(high), len(low)])
    order = np.random.default_rng(seed).permutation(len(rows))
    cut = max(2, int(_TRAINED * len(rows)))
    trained, others = order[:cut], order[cut:]
    if len(set(pole[trained])) < 2:  # as few rows may all be of one pole
        trained, others = np.arange(len(rows))[::2], np.arange(len(rows))[1::2]
    scores = torch.zeros(both.shape[1:3], dtype=torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", unfinished)  # a probe that is nearly trained ranks heads too
        for layer in range(both.shape[1]):
            for head in range(both.shape[2]):
                here = rows[:, layer, head]
                probe = probe_kind(max_iter=1000).fit(here[trained], pole[trained])
                parts = [probe.score(here[part], pole[part]) for part in (trained, others)]
                scores[layer, head] = float(np.mean(parts))
    return scores
