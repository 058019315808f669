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
        activations: what `capture(model, contrast, keep=True)` gave.
        contrast: the prompts that were captured, whose texts are shown.
        pole: whose rows are looked at; all poles' together by default.

    Returns:
        Rows of `end` (`most`, then `least`), each strongest first: end, rank (from 1), pole, row (of the contrast),
        position (the token it was read at; -1 for a mean), activation, question and description (texts; a prompt
        without a system prompt has an empty description), question_id, description_id.

    Raises:
        ValueError: for another contrast than the captured one, a layer, neuron or pole that was not captured, or a k
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
    owners = [(each, place) for each in poles for place in range(len(values[each]))]
    order = together.argsort(descending=True, stable=True).tolist()
    rows = []
    for end, places in (("most", order[:k]), ("least", order[::-1][:k])):
        for rank, place in enumerate(places, start=1):
            own, at = owners[place]
            row = int(activations.prompts[own][at])
            prompt = contrast.poles[own][row]
            rows.append(
                {
                    "end": end,
                    "rank": rank,
                    "pole": str(own),
                    "row": row,
                    "position": int(activations.positions[own][at]),
                    "activation": float(together[place]),
                    "question": prompt.user,
                    "description": prompt.system or "",
                    "question_id": contrast.questions[row],
                    "description_id": contrast.descriptions[own][row] if own in contrast.descriptions else "",
                }
            )
    return pd.DataFrame(rows)
