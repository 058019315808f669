"""How well probes of each layer predict the pole of rows that they have not seen, and from which layer on to edit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from workbench.measure.units import HasRows
from workbench.vocabulary import NeuronSet, Pole

PROBES = ("logistic", "lda")
GROUPS = ("both", "description", "question")


def separability(
    activations: HasRows,
    *,
    neurons: NeuronSet | None = None,
    probes: Sequence[str] = PROBES,
    groups: str = "both",
    folds: int = 5,
    components: int = 32,
    controls: int = 1,
    seed: int = 0,
) -> pd.DataFrame:
    """Cross-validated probes of the pole at every layer, with controls.

    A probe is fitted to standardised principal components of its training rows. Its test rows share neither a
    description nor a question with them (`groups="both"`), or no description, or, of rows whose descriptions are not
    known, no question.

    Args:
        neurons: read these neurons alone; adds the control `random neurons`, equally many others of each layer.
        components: the most principal components that a probe gets.
        controls: how often each control is drawn.

    Returns:
        a row for each layer, probe and control (`none`, `shuffled labels`, `random neurons`): `auc` on held-out rows,
        averaged over folds, with its standard error `auc_error` over folds, `accuracy`, `folds`, and `rows` tested.

    Raises:
        ValueError: for an unknown probe or grouping, too few clusters for the folds, rows without cluster ids, or
            groups by question alone where descriptions are known.

    Reference:
        scikit-learn's LogisticRegression, and LinearDiscriminantAnalysis with Ledoit and Wolf's shrinkage.
    """
    unknown = [probe for probe in probes if probe not in PROBES]
    if unknown or groups not in GROUPS:
        raise ValueError(
            f"Probes are {', '.join(PROBES)} and groups {', '.join(GROUPS)}, but {unknown or groups!r} arrived."
        )
    if groups == "question" and all(activations.labels("description", Pole(pole)) for pole in ("high", "low")):
        raise ValueError(
            "Folds by question alone test probes on descriptions that they were fitted to, which tell the poles apart "
            "although nothing differs between them. Group by both or by description."
        )
    labels = np.concatenate([np.full(len(activations.activations[Pole(p)]), p == "high") for p in ("high", "low")])
    split = list(_folds(activations, groups, folds, seed))
    generator = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for index, layer in enumerate(activations.layers):
        values = np.concatenate(
            [activations.activations[Pole(pole)][:, index].float().numpy() for pole in ("high", "low")]
        )
        columns = np.arange(values.shape[1]) if neurons is None else neurons.at(layer).numpy()
        if not len(columns):
            continue
        shuffled = [_shuffled(activations, labels, groups, generator) for _ in range(controls)]
        targets = [("none", labels), *(("shuffled labels", each) for each in shuffled)]
        tested = _tested(values[:, columns], targets, split, probes, components, seed)
        if neurons is not None:
            others = np.setdiff1d(np.arange(values.shape[1]), columns)
            for _ in range(controls):
                drawn = generator.choice(others, size=min(len(columns), len(others)), replace=False)
                read = values[:, drawn]
                tested += _tested(read, [("random neurons", labels)], split, probes, components, seed)
        rows += [{"layer": layer, **row} for row in tested]
    table = pd.DataFrame(rows)
    return table.groupby(["layer", "probe", "control"], sort=False, as_index=False).mean(numeric_only=True)


@dataclass(frozen=True)
class StartLayer:
    """The first layer worth editing, and why.

    Attributes:
        layer: its number, from 0; None if no layer tells the poles apart.
        reason: the numbers behind the choice, in words.
    """

    layer: int | None
    reason: str


def start_layer(table: pd.DataFrame, *, probe: str = "logistic") -> StartLayer:
    """The first layer at which the poles are told apart about as well as at the best one.

    This is the one-standard-error rule: the first layer whose held-out area under the curve is within one standard
    error of the best layer's, and more than two above that of its own shuffled labels. Activations of earlier layers do
    not hold the trait yet, so there is nothing to edit there.

    Args:
        table: from `separability`.

    Raises:
        ValueError: if the table lacks the probe.

    Reference:
        Breiman et al. (1984), section 3.4.3, for the rule.
    """
    of_probe = table[table["probe"] == probe]
    if of_probe.empty:
        raise ValueError(f"The table has no probe {probe!r}, but {', '.join(dict.fromkeys(table['probe']))}.")
    real = of_probe[of_probe["control"] == "none"].set_index("layer").sort_index()
    shuffled = of_probe[of_probe["control"] == "shuffled labels"].set_index("layer")["auc"]
    areas, errors = real["auc"].to_numpy(float), real["auc_error"].to_numpy(float)
    best = int(areas.argmax())
    above = real["auc"] - 2 * real["auc_error"] > shuffled.reindex(real.index).fillna(0.5)
    good = real[(areas >= areas[best] - errors[best]) & above.to_numpy()]
    if good.empty:
        return StartLayer(None, "No layer tells the poles apart better than shuffled labels do.")
    layer = int(good.index[0])
    row = real.index.tolist().index(layer)
    return StartLayer(
        layer,
        f"Layer {layer} is the first within one standard error of the best: held-out AUC {areas[row]:.3f} ± "
        f"{errors[row]:.3f} ({probe} probe), where layer {real.index[best]} has {areas[best]:.3f} and shuffled "
        f"labels {shuffled.get(layer, 0.5):.3f}.",
    )


def _folds(activations: HasRows, groups: str, folds: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each fold, its training rows and its test rows; further rows that share a cluster with those are left out."""
    generator = np.random.default_rng(seed)
    kinds = ("description", "question") if groups == "both" else (groups,)
    assigned = []
    for kind in kinds:
        names: list[str] = []
        for pole in ("high", "low"):
            labels = activations.labels(kind, Pole(pole))
            if not labels:
                raise ValueError(f"Folds by {kind} need {kind} ids, but these rows have none. Choose another grouping.")
            # Descriptions of the two poles are different clusters even if their ids are equal.
            names += [f"{pole} {name}" for name in labels] if kind == "description" else list(labels)
        unique, codes = np.unique(np.asarray(names, dtype=str), return_inverse=True)
        if len(unique) < 2 * folds:
            raise ValueError(f"{folds} folds need at least {2 * folds} {kind}s, but there are {len(unique)}.")
        assigned.append(_balanced(unique, folds, generator, kind)[codes])
    for fold in range(folds):
        test = np.logical_and.reduce([part == fold for part in assigned])
        train = np.logical_and.reduce([part != fold for part in assigned])
        yield np.flatnonzero(train), np.flatnonzero(test)


def _balanced(unique: np.ndarray, folds: int, generator: np.random.Generator, kind: str) -> np.ndarray:
    """A fold for each cluster; the descriptions of each pole are spread evenly over the folds."""
    fold = np.empty(len(unique), dtype=int)
    parts = [np.flatnonzero(np.char.startswith(unique, pole)) for pole in ("high ", "low ")]
    for members in parts if kind == "description" else [np.arange(len(unique))]:
        fold[generator.permutation(members)] = np.arange(len(members)) % folds
    return fold


def _shuffled(activations: HasRows, labels: np.ndarray, groups: str, generator: np.random.Generator) -> np.ndarray:
    """Labels shuffled among whole descriptions, or among rows if folds are grouped by question."""
    if groups == "question":
        return generator.permutation(labels)
    names = [f"{pole} {name}" for pole in ("high", "low") for name in activations.labels("description", Pole(pole))]
    unique, codes = np.unique(np.asarray(names, dtype=str), return_inverse=True)
    return generator.permutation(np.char.startswith(unique, "high "))[codes]


def _tested(
    x: np.ndarray,
    targets: Sequence[tuple[str, np.ndarray]],
    split: Sequence[tuple[np.ndarray, np.ndarray]],
    probes: Sequence[str],
    components: int,
    seed: int,
) -> list[dict[str, Any]]:
    """The scores of every probe for every labelling; all use the same components of a fold's training rows."""
    from sklearn.decomposition import PCA  # scikit-learn takes longer to import than the whole floor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    scores: dict[tuple[str, int], list[tuple[float, float, int]]] = {}
    # With small matrices, threads cost more than they gain.
    with threadpool_limits(1 if x.size < 5_000_000 else None):
        for train, test in split:
            if len(train) < 4 or not len(test):
                continue
            kept = min(components, x.shape[1], len(train) - 1)
            solver = "randomized" if kept < min(x.shape[1], len(train)) // 2 else "full"
            # Iterations of the randomised decomposition; scikit-learn's own choice takes three times as long.
            power: Any = 2
            pca = PCA(kept, svd_solver=solver, whiten=True, iterated_power=power, random_state=seed)
            reduce = make_pipeline(StandardScaler(), pca)
            seen, unseen = reduce.fit_transform(x[train]), reduce.transform(x[test])
            variance = pca.explained_variance_
            real = variance > 1e-9 * variance[0]  # whitening would turn components of mere rounding into signal
            seen, unseen = seen[:, real], unseen[:, real]
            for i, (_, y) in enumerate(targets):
                for probe in probes:
                    both = len(np.unique(y[train])) == 2 and len(np.unique(y[test])) == 2
                    score = _score(probe, seen, y[train], unseen, y[test]) if both else (float("nan"), float("nan"), 0)
                    scores.setdefault((probe, i), []).append(score)
    if not scores:
        raise ValueError(
            "Descriptions and questions cross so that no fold has rows left to train on and to test. Group by one kind "
            "alone."
        )
    return [{"probe": probe, "control": targets[i][0], **_summary(folds)} for (probe, i), folds in scores.items()]


def _score(
    probe: str, seen: np.ndarray, known: np.ndarray, unseen: np.ndarray, truth: np.ndarray
) -> tuple[float, float, int]:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    model = (
        LogisticRegression(max_iter=1000)
        if probe == "logistic"
        else LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    )
    scores = model.fit(seen, known).decision_function(unseen)
    return float(roc_auc_score(truth, scores)), float(((scores > 0) == truth).mean()), len(truth)


def _summary(folds: list[tuple[float, float, int]]) -> dict[str, float]:
    areas, hits, rows = (np.array(part, dtype=float) for part in zip(*folds, strict=True))
    scored = np.isfinite(areas)
    if not scored.any():
        raise ValueError("No fold holds rows of both poles to test. Use fewer folds, or group by one kind alone.")
    return {
        "auc": float(areas[scored].mean()),
        "auc_error": float(areas[scored].std(ddof=1) / scored.sum() ** 0.5) if scored.sum() > 1 else float("nan"),
        "accuracy": float(hits[scored].mean()),
        "folds": int(scored.sum()),
        "rows": int(rows.sum()),
    }
