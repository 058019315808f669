"""What a capture reads and keeps, and what that takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

from workbench.capture.plan import MIN_SAVING, Plan, plan_prompts
from workbench.capture.positions import Position, Positions
from workbench.contrast.contrast import Contrast
from workbench.model.model import Model
from workbench.vocabulary import HOOK_POST, Pole, Site, site_named

CLUSTERS = ("description", "question")
MAX_TOKENS = {"cpu": 1536, "cuda": 16_384}


@dataclass(frozen=True)
class CaptureSettings:
    """What a capture reads and keeps.

    Attributes:
        layers: which layers to read; all by default.
        position: which positions; see `Positions.of`.
        pooled: with a mask, whether its positions are averaged.
        keep: whether every row is kept, in files.
        keep_dtype: the type of kept rows, `float32` or `model` for the model's own.
        clusters: kinds of cluster, `description` or `question`, whose moments are kept apart.
        positive: whether rows above zero are counted.
        sample: rows of each pole kept in a uniform sample to read quantiles from; 0 for none.
        max_tokens: tokens computed in one batch, padding counted; by default by the kind of device.
        min_saving: tokens that sharing a beginning must save; None computes every prompt whole.
        engine: `local`, or `ray` for many machines.
        address: the Ray cluster's address; by default the one that is there, or a local one.
        workers: how many Ray workers; by default one for each GPU of the cluster, or each of its machines.
    """

    layers: Sequence[int] | None = None
    position: Position = "last"
    pooled: bool | None = None
    keep: bool = False
    keep_dtype: Literal["float32", "model"] | str = "float32"
    clusters: Sequence[str] = ()
    positive: bool = False
    sample: int = 0
    max_tokens: int | None = None
    min_saving: int | None = MIN_SAVING
    engine: Literal["local", "ray"] | str = "local"
    address: str | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("keep_dtype", self.keep_dtype, ("float32", "model")),
            ("engine", self.engine, ("local", "ray")),
            *(("A kind of cluster", kind, CLUSTERS) for kind in self.clusters),
        ):
            if value not in allowed:
                raise ValueError(f"{name} is one of {', '.join(allowed)}, but {value!r} arrived.")
        if self.engine == "local" and (self.address is not None or self.workers is not None):
            raise ValueError("address= and workers= go with engine='ray', but the engine is 'local'.")
        for name, number in (("max_tokens", self.max_tokens), ("workers", self.workers)):
            if number is not None and number < 1:
                raise ValueError(f"{name} is at least 1, but {number} arrived.")
        if self.sample < 0:
            raise ValueError(f"A sample holds at least 0 rows, but {self.sample} arrived.")
        Positions.of(self.position, pooled=self.pooled)

    def batch_tokens(self, device: torch.device) -> int:
        """Tokens computed in one batch on a device."""
        return self.max_tokens or MAX_TOKENS.get(device.type, MAX_TOKENS["cpu"])

    def row_dtype(self, model: Model) -> torch.dtype:
        """The type of kept rows."""
        return torch.float32 if self.keep_dtype == "float32" else model.dtype


@dataclass(frozen=True)
class CapturePlan:
    """What a capture will compute, and what it will hold.

    Attributes:
        plan: the prompts in the order in which they are computed.
        sites, layers, widths: what is read.
        memory: bytes held for the length of the run, by what they are for.
        disk: bytes of kept rows.
    """

    plan: Plan
    sites: tuple[Site, ...]
    layers: tuple[int, ...]
    widths: dict[str, int]
    memory: dict[str, int]
    disk: int

    def __str__(self) -> str:
        plan = self.plan
        held = ", ".join(f"{name} {_size(size)}" for name, size in self.memory.items())
        rows = f"; kept rows {_size(self.disk)} on disk" if self.disk else ""
        return (
            f"{plan.prompts:,} prompts, {plan.computed:,} of {plan.tokens:,} tokens computed; "
            f"{', '.join(site.name for site in self.sites)} of {len(self.layers)} layers, {plan.positions.name}; "
            f"memory: {held}{rows}"
        )


def plan_capture(
    model: Model,
    contrast: Contrast,
    *,
    sites: Sequence[str | Site] = (HOOK_POST,),
    settings: CaptureSettings | None = None,
) -> CapturePlan:
    """What `capture_sites` will do with these arguments, before it does it.

    Raises:
        ValueError: for whatever the capture would refuse: a site, layer or position that is not there, a block
            without one axis of neurons, clusters without their ids, answers that are missing.
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
    plan = plan_prompts(
        model, contrast, Positions.of(settings.position, pooled=settings.pooled), min_saving=settings.min_saving
    )
    values = len(layers) * sum(widths.values())
    memory = {"moments": 16 * values * len(contrast.poles)}
    for kind in settings.clusters:
        memory[f"clusters by {kind}"] = 16 * values * sum(len(set(cluster_ids(contrast, kind, p))) for p in plan.rows)
    if settings.positive:
        memory["counts above zero"] = 8 * values * len(contrast.poles)
    if settings.sample:
        memory["sample"] = 4 * values * sum(min(settings.sample, rows) for rows in plan.rows.values())
    disk = settings.row_dtype(model).itemsize * values * sum(plan.rows.values()) if settings.keep else 0
    return CapturePlan(plan, read, layers, widths, memory, disk)


def cluster_ids(contrast: Contrast, kind: str, pole: Pole) -> tuple[str, ...]:
    """Each prompt's cluster of a kind."""
    return contrast.questions if kind == "question" else contrast.descriptions[pole]


def describe(model: Model, contrast: Contrast, planned: CapturePlan, settings: CaptureSettings) -> dict[str, Any]:
    """All that a capture's result depends on, by name."""
    return {
        "model": model.fingerprint,
        "dtype": str(model.dtype),
        "template": str(model.tokenizer.chat_template),
        "contrast": contrast.digest,
        "tokens": planned.plan.digest,
        "position": planned.plan.positions.name,
        "sites": [site.name for site in planned.sites],
        "layers": list(planned.layers),
        "kept": str(settings.row_dtype(model)) if settings.keep else "",
        "clusters": sorted(settings.clusters),
        "positive": settings.positive,
        "sample": settings.sample,
    }


def _size(size: int) -> str:
    scaled, units = float(size), iter(("B", "kB", "MB", "GB", "TB"))
    unit = next(units)
    while scaled >= 1000 and unit != "TB":
        scaled, unit = scaled / 1000, next(units)
    return f"{scaled:.3g} {unit}"
