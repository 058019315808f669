"""The rows of a group, reduced to tallies on the device where they were computed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from workbench.capture.computing import Read
from workbench.capture.plan import Group
from workbench.capture.planning import cluster_ids
from workbench.capture.run import CaptureRun
from workbench.capture.sample import RowSample
from workbench.capture.tally import Tally
from workbench.contrast.contrast import Contrast
from workbench.measure.moments import Moments
from workbench.vocabulary import Pole, Site

Rows = dict[tuple[str, Pole], Float[Tensor, "n layer width"]]
"""Kept rows by site and pole."""
Part = tuple[dict[str, Tally], Rows]
"""What a group gives: its tallies by site, and its kept rows."""


def part_of(read: Read, group: Group, run: CaptureRun) -> Part:
    """One group's tallies by site, and its rows where they are kept.

    Raises:
        FloatingPointError: for a value that is not finite, naming its layer, neuron and prompt.
    """
    contrast, settings, layers = run.contrast, run.settings, run.planned.layers
    pooled = run.planned.plan.positions.pooled
    # For each row that was read: its prompt in the group, and its token, -1 where positions were averaged.
    origins = [
        (member, -1 if pooled else int(token))
        for member, prompt in enumerate(group.prompts)
        for token in ([0] if pooled else prompt.reads)
    ]
    seed = int(contrast.digest[:15], 16)
    tallies: dict[str, Tally] = {}
    rows: Rows = {}
    for site in run.planned.sites:
        values = read[site.name]
        _check_finite(values, site, layers, group, [member for member, _ in origins], contrast)
        tally = Tally(contrast.trait, site.name, layers, {})
        for pole in dict.fromkeys(prompt.pole for prompt in group.prompts):
            of_pole = [row for row, (member, _) in enumerate(origins) if group.prompts[member].pole == pole]
            chosen = values if len(of_pole) == len(values) else values[torch.tensor(of_pole, device=values.device)]
            prompts = [group.prompts[origins[row][0]].index for row in of_pole]
            tally.moments[pole] = _moments(chosen)
            for kind in settings.clusters or ():
                ids = cluster_ids(contrast, kind, pole)
                tally.clusters.setdefault(kind, {})[pole] = _by_cluster(chosen, [ids[prompt] for prompt in prompts])
            if settings.positive:
                tally.positive[pole] = (chosen > 0).sum(0)
            if settings.sample:
                # A prompt's number and a token's fit side by side in 64 bits, however many there are in practice.
                numbers = [prompt * 2**32 + origins[row][1] + 1 for prompt, row in zip(prompts, of_pole, strict=True)]
                tally.samples[pole] = RowSample.of(chosen, numbers, size=settings.sample, seed=seed)
            if settings.keep:
                rows[site.name, pole] = chosen.to("cpu", run.row_dtype)
        tallies[site.name] = tally
    return tallies, rows


def _moments(rows: Float[Tensor, "n layer width"]) -> Moments:
    """Layer by layer, so that the float64 copies stay small."""
    layers = [Moments.of(layer) for layer in rows.unbind(1)]
    return Moments(len(rows), torch.stack([m.mean for m in layers]), torch.stack([m.m2 for m in layers]))


def _by_cluster(rows: Float[Tensor, "n layer width"], ids: Sequence[str]) -> dict[str, Moments]:
    members: dict[str, list[int]] = {}
    for row, name in enumerate(ids):
        members.setdefault(name, []).append(row)
    return {
        name: _on_host(_moments(rows[torch.tensor(of_cluster, device=rows.device)]))
        for name, of_cluster in members.items()
    }


def _on_host(moments: Moments) -> Moments:
    """The same moments on the CPU."""
    return Moments(moments.count, moments.mean.cpu(), moments.m2.cpu())


def on_cpu(tally: Tally) -> Tally:
    """The same tally on the CPU."""
    return replace(
        tally,
        moments={pole: _on_host(moments) for pole, moments in tally.moments.items()},
        positive={pole: count.cpu() for pole, count in tally.positive.items()},
    )


def _check_finite(
    values: Float[Tensor, "row layer width"],
    site: Site,
    layers: Sequence[int],
    group: Group,
    members: Sequence[int],
    contrast: Contrast,
) -> None:
    if bool(torch.isfinite(values).all()):
        return
    row, layer, unit = (~torch.isfinite(values)).nonzero()[0].tolist()
    prompt = group.prompts[members[row]]
    prompts: Mapping[Pole, Any] = contrast.poles
    raise FloatingPointError(
        f"Activations must be finite, but {site.name} of layer {layers[layer]}, neuron {unit} is "
        f"{values[row, layer, unit].item()} on the {prompt.pole} prompt {prompts[prompt.pole][prompt.index].user!r}. "
        "Load the model in float32 or bfloat16, or leave the prompt out."
    )
