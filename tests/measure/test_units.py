"""Weightings of units against the same statistics of rows that were repeated, left out or swapped by hand."""

from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.measure.effect_size import cohens_d, mean_difference
from workbench.measure.labelled import Labelled
from workbench.measure.moments import Moments
from workbench.measure.planted import planted
from workbench.measure.units import Rows, Stack, grouped, reweighted, row_stack, stacks
from workbench.vocabulary import Pole

few = settings(max_examples=20, deadline=None)


def both(high: torch.Tensor, low: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    first, second = Moments.of(high), Moments.of(low)
    return mean_difference(first, second), cohens_d(first, second)


def effects_under(
    labels: torch.Tensor, high: Stack, low: Stack, layer: int, *, paired: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    labelled = Labelled(high, low, labels, paired=paired)
    return labelled.effects(next(islice(labelled.layers(), layer, None)), torch.arange(len(labels)))


@pytest.fixture(scope="module")
def rows() -> Rows:
    return planted(rows=60, layers=2, width=12, descriptions=8, questions=10, seed=1).rows


@given(seed=st.integers(0, 10_000))
@few
def test_a_weighting_counts_rows_as_often_as_it_says(rows: Rows, seed: int) -> None:
    high, low = row_stack(rows, "high"), row_stack(rows, "low")
    generator = np.random.default_rng(seed)
    weights = [torch.from_numpy(generator.integers(0, 3, size=(2, len(stack)))).double() for stack in (high, low)]
    s, d = reweighted(high, low, weights[0], weights[1], 1)
    for b in range(2):
        repeated = [
            stack.mean[:, 1].repeat_interleave(w[b].long(), dim=0)
            for stack, w in zip((high, low), weights, strict=True)
        ]
        expected = both(*repeated)
        torch.testing.assert_close(s[b], expected[0], atol=1e-9, rtol=1e-7)
        torch.testing.assert_close(d[b], expected[1], atol=1e-9, rtol=1e-7)


@pytest.mark.parametrize("kind", ["description", "question"])
def test_clusters_hold_what_their_rows_hold(rows: Rows, kind: str) -> None:
    high, low = stacks(rows, kind=kind)
    assert int(high.count.sum()) == 60
    ones = [torch.ones(1, len(stack)).double() for stack in (high, low)]
    s, d = reweighted(high, low, ones[0], ones[1], 0)
    expected = both(rows.activations[Pole.HIGH][:, 0], rows.activations[Pole.LOW][:, 0])
    torch.testing.assert_close(s[0], expected[0], atol=1e-9, rtol=1e-7)
    torch.testing.assert_close(d[0], expected[1], atol=1e-9, rtol=1e-7)


@given(seed=st.integers(0, 10_000))
@few
def test_flipped_pairs_are_pairs_with_their_poles_swapped(rows: Rows, seed: int) -> None:
    high, low = row_stack(rows, "high"), row_stack(rows, "low")
    signs = torch.from_numpy(np.random.default_rng(seed).choice([-1.0, 1.0], size=(1, 60)))
    s, d = effects_under(signs, high, low, 0, paired=True)
    swap = (signs[0] < 0)[:, None]
    a, b = high.mean[:, 0], low.mean[:, 0]
    expected = both(torch.where(swap, b, a), torch.where(swap, a, b))
    torch.testing.assert_close(s[0], expected[0], atol=1e-9, rtol=1e-7)
    torch.testing.assert_close(d[0], expected[1], atol=1e-9, rtol=1e-7)


@given(seed=st.integers(0, 10_000))
@few
def test_relabelled_descriptions_take_their_rows_along(rows: Rows, seed: int) -> None:
    high, low = stacks(rows, kind="description")
    units = len(high) + len(low)
    to_high = torch.zeros(units)
    to_high[np.random.default_rng(seed).permutation(units)[: len(high)]] = 1
    s, d = effects_under(to_high[None], high, low, 1, paired=False)
    names = [*high.labels["description"], *low.labels["description"]]
    goes_high = {name for name, is_high in zip(names, to_high.tolist(), strict=True) if is_high}
    values = torch.cat([rows.activations[Pole.HIGH][:, 1], rows.activations[Pole.LOW][:, 1]])
    of_rows = [*rows.labels("description", "high"), *rows.labels("description", "low")]
    mask = torch.tensor([name in goes_high for name in of_rows])
    expected = both(values[mask], values[~mask])
    torch.testing.assert_close(s[0], expected[0], atol=1e-9, rtol=1e-7)
    torch.testing.assert_close(d[0], expected[1], atol=1e-9, rtol=1e-7)


def test_what_is_missing_is_named(rows: Rows) -> None:
    bare = Rows(rows.activations, {})
    with pytest.raises(ValueError, match="have no question ids"):
        stacks(bare, kind="question")
    with pytest.raises(ValueError, match="one of row, description, question, but 'topic'"):
        stacks(rows, kind="topic")
    with pytest.raises(ValueError, match="Capture with keep=True"):
        stacks(object(), kind="row")
    with pytest.raises(ValueError, match=r"clusters=\['question'\]"):
        stacks(object(), kind="question")
    with pytest.raises(ValueError, match="have no topic ids"):
        grouped(Stack(torch.ones(2).double(), torch.zeros(2, 1, 3)), "topic")
