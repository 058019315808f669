"""Thresholds: planted and shuffled labels, held-out rates, and the division."""

from typing import Any

import numpy as np
import pytest

from workbench.measure.detection import detection_area
from workbench.monitoring import Monitoring, Reference, choose_threshold

REFERENCE = Reference("model", "probe", 2, np.zeros(2), np.array([-1.0, 0.0, 1.0]))


def watched(scores: Any) -> Monitoring:
    """Texts of two tokens, of which the second counts."""
    values = np.repeat(np.asarray(scores, dtype=float), 2)
    n = len(values) // 2
    return Monitoring(
        "E", "an edit", np.repeat(np.arange(n), 2), np.tile([0, 1], n), ("a",) * 2 * n, ("text",) * 2 * n,
        values, {}, np.zeros((2 * n, 1)), REFERENCE,
    )  # fmt: skip


def test_rates_are_of_texts_that_did_not_choose() -> None:
    generator = np.random.default_rng(0)
    high, low = generator.normal(1.5, 1, 400), generator.normal(0, 1, 400)
    found = choose_threshold(watched(high), watched(low))
    assert found.chosen_on == (200, 200)
    assert found.false_positive.n == 200
    assert abs(found.value - 0.75) < 0.4
    # The truth at that threshold lies in the intervals.
    from scipy.stats import norm

    assert found.false_positive.low < norm.sf(found.value) < found.false_positive.high
    assert found.false_negative.low < norm.cdf(found.value - 1.5) < found.false_negative.high
    assert found.area.low < norm.cdf(1.5 / 2**0.5) < found.area.high


def test_labels_that_mean_nothing_are_not_told_apart() -> None:
    covered = 0
    for seed in range(40):
        values = np.random.default_rng(seed).normal(size=(2, 12))
        found = choose_threshold(watched(values[0]), watched(values[1]), seed=seed)
        covered += found.area.low <= 0.5 <= found.area.high
        # A threshold judged on the texts that chose it would look better than chance every time.
    assert covered >= 34
    wrong = [
        (t.false_positive.estimate + t.false_negative.estimate) / 2
        for t in (
            choose_threshold(watched(v[0]), watched(v[1]))
            for v in (np.random.default_rng(seed).normal(size=(2, 12)) for seed in range(60))
        )
    ]
    assert abs(np.mean(wrong) - 0.5) < 0.05


def test_groups_stay_together_and_count_once() -> None:
    high, low = np.arange(12.0) + 20, np.arange(12.0)
    groups = [f"question {i // 3}" for i in range(12)]
    found = choose_threshold(watched(high), watched(low), groups=(groups, groups))
    assert found.chosen_on == (6, 6)
    assert found.false_positive.n == 2
    assert found.false_positive.estimate == 0.0
    assert found.false_positive.high > 0.6
    with pytest.raises(ValueError, match="4 high texts of different groups"):
        choose_threshold(watched(high[:3]), watched(low[:3]))
    with pytest.raises(ValueError, match="group"):
        choose_threshold(watched(high), watched(low), groups=(groups, groups[:3]))


def test_separate_groups_and_other_references() -> None:
    found = choose_threshold(watched(np.arange(9.0) + 20), watched(np.arange(5.0)))
    assert found.area.estimate == 1.0
    assert 0.3 < found.area.low < 0.9
    assert list(found.frame()["quantity"]) == ["false positives", "false negatives", "area under the curve"]
    other = Reference("model", "else", 2, np.zeros(2), np.array([0.0]))
    from dataclasses import replace

    with pytest.raises(ValueError, match="one reference"):
        choose_threshold(watched([1.0] * 8), replace(watched([0.0] * 8), reference=other))
    with pytest.raises(ValueError, match="another edit"):
        found.flags(replace(watched([0.0] * 8), reference=other))


def test_the_areas_interval_covers_and_its_estimate_is_scikit_learns() -> None:
    from sklearn.metrics import roc_auc_score

    generator = np.random.default_rng(3)
    truth, covered = 0.7602, 0  # of normals one standard deviation apart
    for _ in range(200):
        high, low = generator.normal(1, 1, 15), generator.normal(0, 1, 15)
        area = detection_area(high, low)
        covered += area.low <= truth <= area.high
        assert area.estimate == pytest.approx(roc_auc_score([1] * 15 + [0] * 15, np.concatenate([high, low])))
    assert covered / 200 > 0.92
    mirrored = detection_area(low, high)
    assert mirrored.low == pytest.approx(1 - area.high)
