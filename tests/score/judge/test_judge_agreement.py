from collections.abc import Sequence
from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from workbench.score.judge.agreement import judge_agreement, krippendorff_alpha


def frame(first: Sequence[float], second: Sequence[float], questions: Sequence[str] | None = None) -> pd.DataFrame:
    n = len(first)
    return pd.DataFrame(
        {
            "trait": "Openness",
            "question": questions or [f"q{i}" for i in range(n)],
            "answer": [f"a{i}" for i in range(n)],
        }
        | {"a_score": first, "b_score": second, "a_fluency": first, "b_fluency": second}
    )


def quadratic_kappa(a: np.ndarray, b: np.ndarray) -> float:
    """One minus observed over expected squared distance, pair by pair."""
    observed = np.mean([(x - y) ** 2 for x, y in zip(a, b, strict=True)])
    return float(1 - observed / np.mean([(x - y) ** 2 for x in a for y in b]))


def slow_alpha(table: np.ndarray) -> float:
    """Krippendorff's alpha from its coincidences, value by value."""
    units = [[v for v in row if not np.isnan(v)] for row in table]
    units = [values for values in units if len(values) > 1]
    pairable = [v for values in units for v in values]
    n = len(pairable)
    observed = sum((x - y) ** 2 / (len(values) - 1) for values in units for x, y in permutations(values, 2)) / n
    expected = sum((x - y) ** 2 for x, y in permutations(pairable, 2)) / (n * (n - 1))
    return 1 - observed / expected


def test_agreement_equals_its_oracles() -> None:
    generator = np.random.default_rng(0)
    a = generator.integers(1, 6, 60).astype(float)
    b = np.clip(a + generator.integers(-1, 2, 60), 1, 5)
    found = judge_agreement(frame(a.tolist(), b.tolist()), "a", "b", resamples=200)
    own = found[found["quantity"] == "score"].set_index("measure")
    ranks = [pd.Series(each).rank().to_numpy() for each in (a, b)]
    assert own.loc["weighted_kappa", "estimate"] == pytest.approx(quadratic_kappa(a, b))
    assert own.loc["krippendorff_alpha", "estimate"] == pytest.approx(slow_alpha(np.column_stack([a, b])))
    assert own.loc["spearman", "estimate"] == pytest.approx(np.corrcoef(ranks[0], ranks[1])[0][1])
    assert own.loc["difference", "estimate"] == pytest.approx((b - a).mean())
    assert (own["low"] < own["estimate"]).all()
    assert (own["high"] > own["estimate"]).all()
    assert (own[["n", "questions", "answers"]] == 60).all(axis=None)


def test_alpha_of_the_published_example() -> None:
    """Krippendorff (2011), section D: four observers, twelve units, with gaps; interval alpha is 0.849."""
    x = np.nan
    observers = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, x, x, x],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, x, 3],
        [x, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, x],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, x],
    ]
    table = np.array(observers, dtype=float).T
    assert krippendorff_alpha(table) == pytest.approx(0.849, abs=5e-4)
    assert krippendorff_alpha(table) == pytest.approx(slow_alpha(table))


def test_alpha_counts_weighted_answers_as_repeated_ones() -> None:
    generator = np.random.default_rng(1)
    table, times = generator.integers(1, 6, (20, 3)).astype(float), generator.integers(0, 4, 20)
    assert krippendorff_alpha(table, times) == pytest.approx(slow_alpha(np.repeat(table, times, axis=0)))
    assert np.isnan(krippendorff_alpha([[3, 3], [3, 3]]))
    assert np.isnan(krippendorff_alpha([[3, np.nan]]))
    with pytest.raises(ValueError, match=r"got shape \(2,\)"):
        krippendorff_alpha([1, 2])


def test_the_interval_is_that_of_whole_questions() -> None:
    """Ten questions whose five answers each agree or disagree together: rows alone would look far surer."""
    generator = np.random.default_rng(2)
    a = np.repeat(generator.integers(1, 6, 10), 5).astype(float)
    b = np.repeat(generator.integers(1, 6, 10), 5).astype(float)
    names = [f"q{i // 5}" for i in range(50)]
    widths = []
    for questions in (names, None):
        found = judge_agreement(frame(a.tolist(), b.tolist(), questions), "a", "b", resamples=400)
        row = found[(found["quantity"] == "score") & (found["measure"] == "krippendorff_alpha")].iloc[0]
        widths.append(row["high"] - row["low"])
        assert row["questions"] == (10 if questions else 50)
    assert widths[0] > 1.5 * widths[1]


def test_an_answer_that_rows_share_counts_once_and_missing_ratings_are_told() -> None:
    first, second = [1, 2, 3, 4, 5, np.nan, 2], [1, 2, 3, 4, 4, 3, np.nan]
    once = frame(first, second)
    repeated = pd.concat([once, once.head(3), once.head(3)], ignore_index=True)
    a, b = (judge_agreement(each, "a", "b", resamples=100) for each in (once, repeated))
    pd.testing.assert_frame_equal(a, b)
    assert a[["n", "answers", "first_missing", "second_missing"]].drop_duplicates().to_numpy().tolist() == [
        [5, 7, 1, 1]
    ]


def test_what_is_not_defined_is_missing() -> None:
    constant = judge_agreement(frame([3.0] * 6, [3.0] * 6), "a", "b", resamples=100).set_index("measure")
    assert constant.drop(index="difference")["estimate"].isna().all()
    assert constant.loc[["difference"], "estimate"].eq(0).all()
    nothing = judge_agreement(frame([np.nan] * 3, [1.0, 2.0, 3.0]), "a", "b", resamples=100)
    assert nothing[["estimate", "low", "high"]].isna().all(axis=None)
    assert (nothing["n"] == 0).all()
    single = judge_agreement(frame([1.0, 5.0, 3.0], [1.0, 4.0, 3.0], ["q"] * 3), "a", "b", resamples=100)
    assert single["estimate"].notna().all()
    assert single[["low", "high"]].isna().all(axis=None)
    with pytest.raises(ValueError, match=r"missing \['c_fluency', 'c_score'\]"):
        judge_agreement(frame([1.0], [1.0]), "a", "c")
