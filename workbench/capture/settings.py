"""What a capture reads and keeps, as a value that is checked when it is made; it needs no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from workbench.capture.positions import Position, Positions

Engine = Literal["local", "ray"]
"""Where a capture runs: `local`, in this process, or `ray`, on the workers of a Ray cluster."""
ENGINES: tuple[Engine, ...] = get_args(Engine)

CLUSTERS = ("description", "question")
"""Kinds of cluster whose moments can be kept apart."""
KEEP_DTYPES = ("float32", "model")
"""Types of kept rows; `model` is the model's own."""
MAX_TOKENS = {"cpu": 1536, "cuda": 16_384}
"""Tokens computed in one batch by default, by kind of device."""
MIN_SAVING = 64
"""A beginning is shared if that saves at least this many tokens; below it the extra pass costs more."""


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
        min_saving: the least number of tokens that sharing a beginning must save; None computes every prompt whole.
        template: variables that the chat template is given besides the model's own, e.g. `{"enable_thinking": False}`.
        engine: `local`, or `ray` for many machines.
        address: the Ray cluster's address; by default a running cluster, or else a local one.
        workers: how many Ray workers; by default one for each GPU of the cluster, or each of its machines.

    Raises:
        ValueError: for a value that is out of range, or Ray's settings with another engine.
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
    template: Mapping[str, Any] = field(default_factory=dict, hash=False)
    engine: Engine | str = "local"
    address: str | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("keep_dtype", self.keep_dtype, KEEP_DTYPES),
            ("engine", self.engine, ENGINES),
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

    def batch_tokens(self, device: str) -> int:
        """Tokens computed in one batch on a kind of device, `cpu` or `cuda`."""
        return self.max_tokens or MAX_TOKENS.get(device, MAX_TOKENS["cpu"])
