"""The prompts on which a neuron is most and least active, from kept rows."""

import pandas as pd
import torch

from workbench.capture.tally import Activations
from workbench.contrast.contrast import Contrast
from workbench.vocabulary import Pole


def top_prompts(
    activations: Activations,
    contrast: Contrast,
    layer: int,
    neuron: int,
    k: int = 5,
    pole: Pole | str | None = None,
) -> pd.DataFrame:
    """The `k` rows on which a neuron is most active, and the `k` on which it is least.

    Args:
        activations: from `capture(model, contrast, keep=True)`.
        contrast: the prompts that were captured; their texts are shown.
        pole: the pole to search; by default all poles together.

    Returns:
        A row for each of them, first those of `end` `most`, then `least`, each strongest first: end, rank (from 1),
        pole, row (of the contrast), position (the token at which the value was read; -1 for a mean), activation,
        question and description (texts; empty for a prompt without a system prompt), question_id, description_id.

    Raises:
        ValueError: if the contrast is not the captured one, the layer, neuron or pole was not captured, or k is
            below 1.
    """
    if activations.provenance.get("contrast") != contrast.digest:
        raise ValueError(
            f"These activations are of other prompts than {contrast!r} holds. Pass the contrast that was captured."
        )
    if not 0 <= neuron < activations.width:
        raise ValueError(f"{activations.site} has places 0 to {activations.width - 1}, but {neuron} arrived.")
    if k < 1:
        raise ValueError(f"k is a number of prompts from 1 up, but {k} arrived.")
    if pole is not None and str(pole) not in map(str, activations.activations):
        raise ValueError(f"The poles captured are {', '.join(activations.activations)}, but {str(pole)!r} arrived.")
    poles = list(activations.activations) if pole is None else [Pole(pole)]
    values = {each: activations.at(layer, each)[:, neuron].float() for each in poles}
    together = torch.cat([values[each] for each in poles])
    origins = [(each, index) for each in poles for index in range(len(values[each]))]
    order = together.argsort(descending=True, stable=True).tolist()
    rows = []
    for end, numbers in (("most", order[:k]), ("least", order[::-1][:k])):
        for rank, number in enumerate(numbers, start=1):
            of_pole, index = origins[number]
            row = int(activations.prompts[of_pole][index])
            prompt = contrast.poles[of_pole][row]
            rows.append(
                {
                    "end": end,
                    "rank": rank,
                    "pole": str(of_pole),
                    "row": row,
                    "position": int(activations.positions[of_pole][index]),
                    "activation": float(together[number]),
                    "question": prompt.user,
                    "description": prompt.system or "",
                    "question_id": contrast.questions[row],
                    "description_id": contrast.descriptions[of_pole][row] if of_pole in contrast.descriptions else "",
                }
            )
    return pd.DataFrame(rows)
