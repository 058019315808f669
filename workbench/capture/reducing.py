"""Rows of a group reduced to tallies, on the device where they were computed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from workbench.capture.computing import Read
from workbench.capture.plan import Group
from workbench.capture.sample import RowSample
from workbench.capture.settings import CapturePlan, CaptureSettings, cluster_ids
from workbench.capture.tally import Tally
from workbench.contrast.contrast import Contrast
from workbench.measure.moments import Moments
from workbench.vocabulary import Pole, Site

Rows = dict[tuple[str, Pole], Float[Tensor, "n layer width"]]


def part_of(
    read: Read, group: Group, contrast: Contrast, planned: CapturePlan, settings: CaptureSettings, dtype: torch.dtype
) -> tuple[dict[str, Tally], Rows]:
    """One group's tallies by site, and its rows where they are kept; `dtype` is the model's own.

    Raises:
        FloatingPointError: for a value that is not finite, naming its layer, neuron and prompt.
    """
    pooled = planned.plan.positions.pooled
    members = [
        (i, -1 if pooled else int(p)) for i, row in enumerate(group.rows) for p in ([0] if pooled else row.reads)
    ]
    seed = int(contrast.digest[:15], 16)
    tallies: dict[str, Tally] = {}
    rows: Rows = {}
    for site in planned.sites:
        values = read[site.name]
        _check_finite(values, site, planned.layers, group, [member for member, _ in members], contrast)
        tally = Tally(contrast.trait, site.name, planned.layers, {})
        for pole in dict.fromkeys(row.pole for row in group.rows):
            mine = [place for place, (member, _) in enumerate(members) if group.rows[member].pole == pole]
            chosen = values if len(mine) == len(values) else values[torch.tensor(mine, device=values.device)]
            prompts = [group.rows[members[place][0]].index for place in mine]
            tally.moments[pole] = _moments(chosen)
            for kind in settings.clusters:
                ids = cluster_ids(contrast, kind, pole)
                tally.clusters.setdefault(kind, {})[pole] = _by_cluster(chosen, [ids[prompt] for prompt in prompts])
            if settings.positive:
                tally.positive[pole] = (chosen > 0).sum(0)
            if settings.sample:
                # A prompt's number and a token's fit side by side in 64 bits, whatever their size in practice.
                numbers = [prompt * 2**32 + members[place][1] + 1 for prompt, place in zip(prompts, mine, strict=True)]
                tally.samples[pole] = RowSample.of(chosen, numbers, size=settings.sample, seed=seed)
            if settings.keep:
                rows[site.name, pole] = chosen.to("cpu", torch.float32 if settings.keep_dtype == "float32" else dtype)
        tallies[site.name] = tally
    return tallies, rows


def _moments(rows: Float[Tensor, "n layer width"]) -> Moments:
    """Layer by layer, so that the float64 copies stay small."""
    layers = [Moments.of(layer) for layer in rows.unbind(1)]
    return Moments(len(rows), torch.stack([m.mean for m in layers]), torch.stack([m.m2 for m in layers]))


def _by_cluster(rows: Float[Tensor, "n layer width"], ids: Sequence[str]) -> dict[str, Moments]:
    places: dict[str, list[int]] = {}
    for place, name in enumerate(ids):
        places.setdefault(name, []).append(place)
    return {name: _on_host(_moments(rows[torch.tensor(mine, device=rows.device)])) for name, mine in places.items()}


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
    place, layer, unit = (~torch.isfinite(values)).nonzero()[0].tolist()
    row = group.rows[members[place]]
    prompts: Mapping[Pole, Any] = contrast.poles
    raise FloatingPointError(
        f"Activations must be finite, but {site.name} of layer {layers[layer]}, neuron {unit} is "
        f"{values[place, layer, unit].item()} on the {row.pole} prompt {prompts[row.pole][row.index].user!r}. "
        "Load the model in float32 or bfloat16, or leave the prompt out."
    )
