import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.measure.moments import Moments

few = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 2**31 - 1)
sizes = st.lists(st.integers(0, 7), min_size=1, max_size=6)


def rows(n: int, seed: int, *, shape: tuple[int, ...] = (2, 3)) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 5 + 3 * torch.randn(n, *shape, generator=generator, dtype=torch.float64)


def close(a: Moments, b: Moments) -> bool:
    return a.count == b.count and torch.allclose(a.mean, b.mean) and torch.allclose(a.m2, b.m2)


@few
@given(sizes, seeds)
def test_any_batching_gives_the_same_moments(batches: list[int], seed: int) -> None:
    whole = rows(sum(batches), seed)
    merged = Moments.empty((2, 3))
    for batch in whole.split(batches):
        merged = merged.merge(Moments.of(batch))
    assert close(merged, Moments.of(whole))


@few
@given(st.tuples(*[st.integers(0, 6)] * 3), seeds)
def test_merge_is_associative_to_rounding_and_commutative_to_the_bit(n: tuple[int, int, int], seed: int) -> None:
    a, b, c = (Moments.of(part) for part in rows(sum(n), seed).split(list(n)))
    assert close(a.merge(b).merge(c), a.merge(b.merge(c)))
    assert a.merge(b).equal(b.merge(a))


@pytest.mark.parametrize("n", [2, 3, 50])
def test_numpy_agrees(n: int) -> None:
    values = rows(n, seed=1)
    moments = Moments.of(values)
    np.testing.assert_allclose(moments.mean, values.numpy().mean(0))
    np.testing.assert_allclose(moments.variance, values.numpy().var(0, ddof=1))
    np.testing.assert_allclose(moments.std, values.numpy().std(0, ddof=1))


def test_an_empty_side_changes_nothing() -> None:
    some, none = Moments.of(rows(4, seed=0)), Moments.of(rows(0, seed=0))
    assert none.count == 0
    assert none.equal(Moments.empty((2, 3)))
    assert some.merge(none).equal(some)
    assert none.merge(some).equal(some)
    assert none.merge(none).equal(none)


def test_a_large_mean_does_not_swallow_a_small_spread() -> None:
    values = 1e9 + rows(40, seed=2)
    parts = Moments.of(values[:7]).merge(Moments.of(values[7:]))
    np.testing.assert_allclose(parts.variance, values.numpy().var(0, ddof=1), rtol=1e-6)


@few
@given(st.floats(-1e6, 1e6), st.integers(1, 9), st.integers(1, 9))
def test_constant_columns_stay_exactly_constant(value: float, n: int, m: int) -> None:
    moments = Moments.of(torch.full((n, 1), value, dtype=torch.float64)).merge(
        Moments.of(torch.full((m, 1), value, dtype=torch.float64))
    )
    assert moments.mean.item() == value
    assert moments.m2.item() == 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_narrow_activations_lose_nothing_more(dtype: torch.dtype) -> None:
    narrow = rows(9, seed=3).to(dtype)
    assert Moments.of(narrow).equal(Moments.of(narrow.float().double()))
    assert Moments.of(narrow).mean.dtype == torch.float64


def test_state_survives_and_equal_sees_one_bit() -> None:
    moments = Moments.of(rows(5, seed=4))
    state = moments.state()
    assert {key: value.dtype for key, value in state.items()} == {
        "count": torch.int64,
        "mean": torch.float64,
        "m2": torch.float64,
    }
    assert Moments.from_state(state).equal(moments)
    nudged = moments.mean.clone()
    nudged[0, 0] = torch.nextafter(nudged[0, 0], torch.tensor(torch.inf, dtype=torch.float64))
    assert not Moments(moments.count, nudged, moments.m2).equal(moments)
    assert not Moments(6, moments.mean, moments.m2).equal(moments)


def test_a_nan_row_is_kept_and_seen() -> None:
    values = rows(3, seed=5)
    values[1, 0, 2] = torch.nan
    moments = Moments.of(values)
    assert moments.mean.isnan().nonzero().tolist() == [[0, 2]]
    assert moments.equal(Moments.of(values))


def test_mistakes_are_named() -> None:
    one = Moments.of(rows(1, seed=0))
    with pytest.raises(ValueError, match="needs at least 2 rows, but these moments hold 1"):
        _ = one.variance
    with pytest.raises(ValueError, match=r"these are \(2, 3\) and \(4,\)"):
        one.merge(Moments.empty((4,)))
    state = one.state()
    del state["m2"]
    with pytest.raises(ValueError, match=r"missing \['m2'\] from \['count', 'mean'\]"):
        Moments.from_state(state)
    with pytest.raises(ValueError, match=r"they are \(2, 3\) and \(5,\)"):
        Moments.from_state({**state, "m2": torch.zeros(5)})
    assert repr(one) == "Moments(count=1, shape=(2, 3))"
