"""How long a model's forward passes take on this machine: a run's, timed by their sizes, the largest share first."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import nnls

from workbench.model.counted import CountingRunner, Shape
from workbench.model.model import Model
from workbench.model.passing import Pass
from workbench.model.runner import KeyValues

_STEP = math.log(1.25)  # sizes within a quarter of each other are timed as one
_LEAST = 4  # sizes that are timed whatever it takes, as the others are judged by them

Clock = Callable[[], float]


@dataclass(frozen=True)
class Pace:
    """Seconds of passes: those that were timed, and a sum of four terms fitted to them for all others.

    Attributes:
        timed: seconds of a pass, by the class of its size; see `kind_of`.
        terms: seconds a pass, a position, a pair of a position and one that it attends to, and a row of logits.
        share: of all positions to be computed, those in passes whose size was timed.
    """

    timed: Mapping[tuple[int, ...], float]
    terms: tuple[float, ...]
    share: float

    def seconds(self, shape: Shape) -> float:
        """Of one pass."""
        fitted = float(np.dot(self.terms, features_of(shape)))
        known = self.timed.get(kind_of(shape))
        return fitted if known is None else known

    def total(self, shapes: Iterable[Shape]) -> float:
        """Of all these passes."""
        return sum(count * self.seconds(shape) for shape, count in Counter(shapes).items())


def features_of(shape: Shape) -> tuple[float, ...]:
    """What the seconds of a pass are a sum over, times `Pace.terms`."""
    new = shape.rows * shape.new
    return 1.0, float(new), float(new * (shape.past + shape.new)), float(shape.rows * shape.last)


def kind_of(shape: Shape) -> tuple[int, ...]:
    """The class of a pass's size: passes of one class are timed as one."""
    sizes = shape.rows, shape.new, shape.past + shape.new, max(1, shape.last)
    return tuple(round(math.log(size) / _STEP) for size in sizes)


def pace_of(
    model: Model,
    counted: CountingRunner,
    shapes: Iterable[Shape],
    *,
    seconds: float,
    clock: Clock = time.perf_counter,
) -> Pace:
    """Time passes of these sizes by the model itself, those that weigh most first, for about so many seconds."""
    sizes = Counter(shapes)
    weight: Counter[tuple[int, ...]] = Counter()
    members: dict[tuple[int, ...], Counter[Shape]] = {}
    for shape, count in sizes.items():
        kind = kind_of(shape)
        weight[kind] += count * (shape.rows * shape.new + 8)  # a small pass costs what 8 positions do, or more
        members.setdefault(kind, Counter())[shape] += count
    timed: dict[tuple[int, ...], float] = {}
    rows: list[tuple[tuple[float, ...], float]] = []
    began = clock()
    for kind, _ in weight.most_common():
        if len(timed) >= _LEAST and clock() - began > seconds:
            break
        shape = members[kind].most_common(1)[0][0]
        timed[kind] = _timed(model, counted, shape, clock, again=clock() - began < seconds / 2)
        rows.append((features_of(shape), timed[kind]))
    share = sum(weight[kind] for kind in timed) / max(1, sum(weight.values()))
    return Pace(timed, _fitted(rows), share)


def _fitted(rows: list[tuple[tuple[float, ...], float]]) -> tuple[float, ...]:
    """Non-negative terms with the least squared relative error."""
    if not rows:
        return (0.0,) * 4
    left = np.array([np.divide(features, max(seconds, 1e-9)) for features, seconds in rows])
    scale = np.abs(left).max(0).clip(1e-30)
    found, _ = nnls(left / scale, np.ones(len(rows)))
    return tuple((found / scale).tolist())


@torch.inference_mode()
def _timed(model: Model, counted: CountingRunner, shape: Shape, clock: Clock, *, again: bool) -> float:
    """Seconds of one real pass; the least of two where there is time, as the first may have to wait for memory."""
    runner, device = counted.real, model.device
    tokens = torch.randint(0, int(runner.embedding.shape[0]), (shape.rows, shape.new), device=device)
    attended = torch.ones(shape.rows, shape.past + shape.new, dtype=torch.bool, device=device)
    real = attended[:, -shape.new :]
    phase = "decode" if shape.phase == "decode" else "prompt"
    under_way = Pass(phase, real, torch.arange(shape.rows))

    def once() -> float:
        cache = None
        if model.loop.caches and (shape.past or shape.phase == "decode"):
            cache = runner.new_cache(_zeros(counted, shape) if shape.past else None, batch=shape.rows)
        _wait(device)
        started = clock()
        with model.passing(under_way), runner.holding():
            if shape.last > 1:
                runner.last_logits(tokens, attended, cache, last=min(shape.last, shape.new))
            else:
                runner.run(tokens, attended, cache, logits=bool(shape.last))
        _wait(device)
        return clock() - started

    first = once()
    return min(first, once()) if again else first


def _zeros(counted: CountingRunner, shape: Shape) -> KeyValues:
    dtype, device = counted.embedding.dtype, counted.embedding.device

    def made(heads: int, width: int) -> torch.Tensor:
        return torch.zeros(shape.rows, heads, shape.past, width, dtype=dtype, device=device)

    return KeyValues(tuple((made(*keys), made(*values)) for keys, values in counted.heads))


def _wait(device: torch.device) -> None:
    """Until the device has done what it was asked."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
