"""A subject ranked among random draws: the counting, its size under a null, and intervals that know of the draws."""

import numpy as np
import pytest

from workbench.measure.draws import against_draws


def test_rank_and_difference_by_hand() -> None:
    subject = np.array([1.0, 3.0])
    drawn = np.array([[0.0, 0.0], [2.0, 2.0], [3.0, 3.0]])
    found = against_draws(subject, drawn, clusters=["a", "b"], resamples=50)
    assert found.difference == pytest.approx(2.0 - 5 / 3)
    assert found.means.tolist() == [0.0, 2.0, 3.0]
    assert found.p_above == 3 / 4  # two draws are as far, a tie among them
    assert found.p_below == 3 / 4
    with pytest.raises(ValueError, match="at least 1 draw"):
        against_draws(subject, drawn[:0], clusters=["a", "b"])


def test_one_more_draw_is_rarely_the_first() -> None:
    """Draws differ among themselves far more than questions do: a test over questions alone is often sure."""
    generator = np.random.default_rng(0)
    first, inside = [], []
    for seed in range(300):
        moved = generator.normal(0, 0.2, size=(21, 1)) + generator.normal(0, 0.1, size=(21, 15))
        found = against_draws(moved[0], moved[1:], clusters=np.arange(15), resamples=100, seed=seed)
        first.append(found.p_above < 0.05)
        inside.append(found.low < 0.0 < found.high)
    assert np.mean(first) < 0.08
    assert np.mean(inside) < 0.6  # the interval is of the difference from these draws' mean, not a test


def test_the_interval_covers_the_difference_from_all_draws() -> None:
    generator = np.random.default_rng(1)
    covered = []
    for seed in range(200):
        questions = generator.normal(0, 0.5, size=30)
        drawn = generator.normal(0, 0.2, size=(20, 1)) + questions + generator.normal(0, 0.3, size=(20, 30))
        subject = 0.4 + questions + generator.normal(0, 0.3, size=30)
        found = against_draws(subject, drawn, clusters=np.arange(30), resamples=200, seed=seed)
        covered.append(found.low < 0.4 < found.high)
    assert 0.88 < np.mean(covered) < 0.99
