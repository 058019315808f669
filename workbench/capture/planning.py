"""What a capture will compute, how much memory and disk it will take, and whether it can run at all."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from workbench.capture.plan import PromptPlan, plan_prompts
from workbench.capture.positions import Positions
from workbench.capture.settings import CaptureSettings
from workbench.contrast.contrast import Contrast
from workbench.model.model import Model
from workbench.vocabulary import HOOK_POST, Pole, Site, site_named


@dataclass(frozen=True)
class CapturePlan:
    """What a capture will compute, and how much it will hold.

    Attributes:
        plan: the prompts in the order in which they are computed.
        sites, layers, widths: what is read.
        memory: bytes held during the whole run, by what they are for.
        disk: bytes of kept rows.
    """

    plan: PromptPlan
    sites: tuple[Site, ...]
    layers: tuple[int, ...]
    widths: dict[str, int]
    memory: dict[str, int]
    disk: int

    def __str__(self) -> str:
        plan = self.plan
        memory = ", ".join(f"{name} {_size(size)}" for name, size in self.memory.items())
        rows = f"; kept rows {_size(self.disk)} on disk" if self.disk else ""
        return (
            f"{plan.prompts:,} prompts, {plan.computed:,} of {plan.tokens:,} tokens computed; "
            f"{', '.join(site.name for site in self.sites)} of {len(self.layers)} layers, {plan.positions.name}; "
            f"memory: {memory}{rows}"
        )


def plan_capture(
    model: Model,
    contrast: Contrast,
    *,
    sites: Sequence[str | Site] = (HOOK_POST,),
    settings: CaptureSettings | None = None,
) -> CapturePlan:
    """What `capture_sites` will do with these arguments; nothing is computed yet.

    Raises:
        ValueError: for everything that the capture would refuse: an unknown site, layer or position, a block whose
            neurons are not one axis, clusters without ids, missing responses.
    """
    settings = settings or CaptureSettings()
    read = tuple(dict.fromkeys(site_named(site) for site in sites))
    if not read:
        raise ValueError("At least one site is needed, but none arrived.")
    layers = model.layers(settings.layers)
    for site in read:
        for layer in layers:
            model.hook_point(site, layer)
    widths = {site.name: model.width(site, layers) for site in read}
    if "description" in settings.clusters and set(contrast.descriptions) != set(contrast.poles):
        raise ValueError(
            f"Clusters by description need description ids of every pole, but {contrast!r} has them for "
            f"{', '.join(contrast.descriptions) or 'none'}."
        )
    with model.templated(settings.template):
        plan = plan_prompts(
            model, contrast, Positions.of(settings.position, pooled=settings.pooled), min_saving=settings.min_saving
        )
    values = len(layers) * sum(widths.values())
    memory = {"moments": 16 * values * len(contrast.poles)}
    for kind in settings.clusters:
        clusters = sum(len(set(cluster_ids(contrast, kind, pole))) for pole in plan.rows)
        memory[f"clusters by {kind}"] = 16 * values * clusters
    if settings.positive:
        memory["counts above zero"] = 8 * values * len(contrast.poles)
    if settings.sample:
        memory["sample"] = 4 * values * sum(min(settings.sample, rows) for rows in plan.rows.values())
    disk = row_dtype(model, settings).itemsize * values * sum(plan.rows.values()) if settings.keep else 0
    return CapturePlan(plan, read, layers, widths, memory, disk)


def row_dtype(model: Model, settings: CaptureSettings) -> torch.dtype:
    """The type of kept rows."""
    return torch.float32 if settings.keep_dtype == "float32" else model.dtype


def cluster_ids(contrast: Contrast, kind: str, pole: Pole) -> tuple[str, ...]:
    """Each prompt's cluster of a kind."""
    return contrast.questions if kind == "question" else contrast.descriptions[pole]


def _size(size: int) -> str:
    scaled, units = float(size), iter(("B", "kB", "MB", "GB", "TB"))
    unit = next(units)
    while scaled >= 1000 and unit != "TB":
        scaled, unit = scaled / 1000, next(units)
    return f"{scaled:.3g} {unit}"
