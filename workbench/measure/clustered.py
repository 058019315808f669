"""Standard errors of effects when rows share a description or a question, and so are not independent."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from workbench.measure.units import HasClusters, HasRows, Stack, row_stack, stacks

CLUSTERS = ("description", "question")


@dataclass(frozen=True, eq=False)
class Errors:
    """Standard errors of each neuron's effect.

    Attributes:
        mean_difference: `(layer, d_mlp)` in activation units.
        cohens_d: `(layer, d_mlp)` in pooled standard deviations; nan where the neuron is constant.
        df: degrees of freedom of the t statistics: clusters minus parameters estimated from them.
        clusters: number of clusters of each kind.
        method: how the errors were found.
    """

    mean_difference: Float64[Tensor, "layer d_mlp"]
    cohens_d: Float64[Tensor, "layer d_mlp"]
    df: int
    clusters: dict[str, int]
    method: str


def clustered_errors(
    source: object, *, poles: tuple[str, str] = ("high", "low"), kinds: Sequence[str] | None = None
) -> Errors | None:
    """Cluster-robust standard errors of the mean difference and of Cohen's d, by description and by question.

    Each row's influence on the effect is summed within clusters. Descriptions of the two poles are different clusters;
    a question is one cluster over both poles, as a pair shares it. With two kinds of cluster their variances are added
    and the variance of single rows, which both contain, is subtracted. Kept rows give that variance directly; from
    moments alone it is the large-sample normal one.

    Args:
        source: kept rows, or a tally that kept clusters apart.
        kinds: which kinds of cluster; by default all whose labels the source has.

    Returns:
        the errors; None if the source has labels of none of these kinds.

    Raises:
        ValueError: for a kind whose labels the source lacks.

    Reference:
        Cameron, Gelbach and Miller (2011), Robust inference with multiway clustering; the small-sample factor
        G / (G - 1) as there.
    """
    wanted = [kind for kind in CLUSTERS if _has_labels(source, kind, poles)] if kinds is None else list(kinds)
    if not wanted:
        return None
    by_kind = {kind: stacks(source, kind=kind, poles=poles) for kind in wanted}
    rows = tuple(row_stack(source, pole) for pole in poles) if isinstance(source, HasRows) else None
    errors: tuple[list[Tensor], list[Tensor]] = ([], [])
    counts = {
        kind: len({*a.labels[kind], *b.labels[kind]}) if kind == "question" else min(len(a), len(b))
        for kind, (a, b) in by_kind.items()
    }
    layers = next(iter(by_kind.values()))[0].mean.shape[1]
    for layer in range(layers):
        both = [_variance(*pair, layer, shared=kind == "question", kind=kind) for kind, pair in by_kind.items()]
        if len(both) == 1:
            total = both[0]
        else:
            single = _row_variance(*next(iter(by_kind.values())), layer, rows)
            crossed = [a + b - row for a, b, row in zip(*both, single, strict=True)]
            # By chance the combined variance can come out too small or negative, so it is at least half of the larger
            # of the two.
            total = [torch.maximum(c, torch.maximum(a, b) / 2) for c, a, b in zip(crossed, *both, strict=True)]
        for by_layer, variance in zip(errors, total, strict=True):
            by_layer.append(variance.sqrt())
    sizes = {
        kind: len(a) + len(b) - 2 if kind == "description" else counts[kind] - 1 for kind, (a, b) in by_kind.items()
    }
    return Errors(
        torch.stack(errors[0]),
        torch.stack(errors[1]),
        max(1, min(sizes.values())),
        counts,
        f"cluster-robust over {' and '.join(wanted)}s",
    )


def _has_labels(source: object, kind: str, poles: tuple[str, str]) -> bool:
    if isinstance(source, HasClusters) and kind in source.clusters:
        return all(pole in map(str, source.clusters[kind]) for pole in poles)
    return isinstance(source, HasRows) and all(kind in row_stack(source, pole).labels for pole in poles)


def _influences(
    high: Stack, low: Stack, layer: int
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Each unit's influence on the mean difference and on d, pole by pole; and the pooled spread and d."""
    units = [(stack, *stack.at(layer)) for stack in (high, low)]
    counts = [stack.count.sum() for stack, _, _ in units]
    centres = [(stack.count[:, None] * mean).sum(0) / n for (stack, mean, _), n in zip(units, counts, strict=True)]
    spreads = [
        (m2 + stack.count[:, None] * (mean - centre).square()).sum(0)
        for (stack, mean, m2), centre in zip(units, centres, strict=True)
    ]
    degrees = counts[0] + counts[1] - 2
    pooled = ((spreads[0] + spreads[1]) / degrees).sqrt()
    d = (centres[0] - centres[1]) / pooled
    influences = []
    for (stack, mean, m2), n, centre, spread, sign in zip(units, counts, centres, spreads, (1.0, -1.0), strict=True):
        size = stack.count[:, None]
        on_mean = sign * size * (mean - centre) / n
        on_spread = (m2 + size * (mean - centre).square() - size * spread / n) / degrees
        influences.append((on_mean, on_mean / pooled - d / (2 * pooled.square()) * on_spread))
    return influences[0], influences[1], (pooled, d)


def _variance(high: Stack, low: Stack, layer: int, *, shared: bool, kind: str) -> list[Tensor]:
    first, second, _ = _influences(high, low, layer)
    if not shared:
        return [
            a.square().sum(0) * _inflation(len(a)) + b.square().sum(0) * _inflation(len(b))
            for a, b in zip(first, second, strict=True)
        ]
    code_of = {name: i for i, name in enumerate(dict.fromkeys([*high.labels[kind], *low.labels[kind]]))}
    codes = [torch.tensor([code_of[name] for name in stack.labels[kind]]) for stack in (high, low)]
    variances = []
    for a, b in zip(first, second, strict=True):
        summed = torch.zeros(len(code_of), a.shape[1], dtype=torch.float64)
        summed.index_add_(0, codes[0], a).index_add_(0, codes[1], b)
        variances.append(summed.square().sum(0) * _inflation(len(code_of)))
    return variances


def _row_variance(high: Stack, low: Stack, layer: int, rows: tuple[Stack, ...] | None) -> list[Tensor]:
    if rows is not None:
        return _variance(rows[0], rows[1], layer, shared=False, kind="row")
    _, _, (pooled, d) = _influences(high, low, layer)
    n, m = high.count.sum(), low.count.sum()
    on_d = (n + m) / (n * m) + d.square() / (2 * (n + m))
    return [(n + m) / (n * m) * pooled.square(), on_d]


def _inflation(clusters: int) -> float:
    return clusters / (clusters - 1) if clusters > 1 else float("nan")
