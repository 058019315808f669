from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench.capture import Activations
from workbench.capture.sample import RowSample
from workbench.measure.moments import Moments


@pytest.fixture(scope="module")
def small(checkpoint: Path) -> wb.Model:
    return wb.load_model(checkpoint)


@pytest.fixture(scope="module")
def everything(small: wb.Model, contrast: wb.Contrast) -> Activations:
    chosen = wb.CaptureSettings(keep=True, clusters=("description", "question"), positive=True, sample=1024)
    found = wb.capture_sites(small, contrast, sites=["hook_post"], settings=chosen)["hook_post"]
    assert isinstance(found, Activations)
    return found


def test_clusters_hold_the_moments_of_their_rows(everything: Activations, contrast: wb.Contrast) -> None:
    for pole, rows in everything.activations.items():
        for kind, ids in (("description", contrast.descriptions[pole]), ("question", contrast.questions)):
            found = everything.clusters[kind][pole]
            assert set(found) == set(ids)
            for name, moments in found.items():
                of_cluster = torch.tensor([i for i, other in enumerate(ids) if other == name])
                expected = Moments.of(rows[of_cluster])
                assert moments.count == expected.count
                torch.testing.assert_close(moments.mean, expected.mean, atol=1e-12, rtol=1e-9)
                torch.testing.assert_close(moments.m2, expected.m2, atol=1e-12, rtol=1e-6)


def test_counts_and_quantiles_are_those_of_the_rows(everything: Activations) -> None:
    for pole, rows in everything.activations.items():
        np.testing.assert_allclose(everything.probability_positive(pole), (rows > 0).double().mean(0))
        for q in (0.0, 0.5, 0.95):
            expected = np.quantile(rows.numpy(), q, axis=0)
            np.testing.assert_allclose(everything.quantile(pole, q), expected, atol=1e-6)


def test_what_was_not_kept_is_told(small: wb.Model, contrast: wb.Contrast) -> None:
    plain = wb.capture(small, contrast)
    with pytest.raises(ValueError, match="Capture with positive=True"):
        plain.probability_positive("high")
    with pytest.raises(ValueError, match="Capture with sample="):
        plain.quantile("high", 0.5)
    bare = wb.Contrast.from_texts("any", high=["calm", "rain"], low=["loud", "book"])
    with pytest.raises(ValueError, match="Clusters by description need description ids of every pole"):
        wb.capture(small, bare, clusters=["description"])
    wrong: dict[str, Any]
    for wrong, message in (
        ({"clusters": ["trait"]}, "one of description, question, but 'trait'"),
        ({"keep_dtype": "int8"}, "keep_dtype is one of float32, model"),
        ({"engine": "slurm"}, "engine is one of local, ray"),
        ({"workers": 2}, "go with engine='ray'"),
        ({"max_tokens": 0}, "max_tokens is at least 1"),
        ({"sample": -1}, "at least 0 rows"),
        ({"pooled": True}, "pooled= goes with a mask"),
    ):
        with pytest.raises(ValueError, match=message):
            wb.capture(small, contrast, **wrong)


def test_everything_merges_saves_and_loads(small: wb.Model, contrast: wb.Contrast, tmp_path: Path) -> None:
    def of(part: wb.Contrast) -> wb.Tally:
        return wb.capture(small, part, clusters=["question"], positive=True, sample=8)

    whole, merged = of(contrast), of(contrast.rows(range(15))).merge(of(contrast.rows(range(15, 40))))
    read = wb.Tally.load(merged.save(tmp_path / "tally.safetensors"))
    for pole, moments in whole.moments.items():
        assert torch.equal(read.positive[pole], whole.positive[pole])
        assert read.samples[pole].seen == 40
        assert len(read.samples[pole].rows) == 8
        assert read.clusters["question"][pole].keys() == whole.clusters["question"][pole].keys()
        torch.testing.assert_close(read.moments[pole].mean, moments.mean, atol=1e-7, rtol=1e-6)
    with pytest.raises(ValueError, match="clusters agree"):
        merged.merge(wb.capture(small, contrast))


few = settings(max_examples=40, deadline=None)


@few
@given(st.lists(st.integers(0, 12), min_size=1, max_size=6), st.integers(1, 20), st.integers(0, 2**40))
def test_samples_merge_exactly_in_any_order(sizes: list[int], size: int, seed: int) -> None:
    rows = torch.randn(sum(sizes), 2, 3, generator=torch.Generator().manual_seed(seed))
    whole = RowSample.of(rows, range(len(rows)), size=size, seed=seed)
    parts, start = [], 0
    for n in sizes:
        parts.append(RowSample.of(rows[start : start + n], range(start, start + n), size=size, seed=seed))
        start += n
    for order in (parts, parts[::-1]):
        merged = order[0]
        for part in order[1:]:
            merged = merged.merge(part)
        assert merged.seen == len(rows)
        assert torch.equal(merged.priority, whole.priority)
        assert torch.equal(merged.rows, whole.rows)


def test_a_sampled_quantile_is_within_its_error() -> None:
    values = torch.randn(40_000, 1, 1, generator=torch.Generator().manual_seed(0))
    sample = RowSample.of(values, range(40_000), size=1024, seed=7)
    rank = float((values <= sample.quantile(0.95)).double().mean())
    assert abs(rank - 0.95) < 4 * (0.95 * 0.05 / 1024) ** 0.5
    with pytest.raises(ValueError, match="a share from 0 to 1"):
        sample.quantile(1.5)
    with pytest.raises(ValueError, match="only at one size"):
        sample.merge(RowSample.of(values[:2], [0, 1], size=4, seed=7))


def test_the_plan_says_what_it_takes(small: wb.Model, contrast: wb.Contrast) -> None:
    chosen = wb.CaptureSettings(keep=True, clusters=("question",), positive=True, sample=10, min_saving=8)
    planned = wb.plan_capture(small, contrast, sites=["hook_post", "z"], settings=chosen)
    values = 2 * (48 + 32)
    assert planned.memory == {
        "moments": 16 * values * 3,
        "clusters by question": 16 * values * 3 * len(set(contrast.questions)),
        "counts above zero": 8 * values * 3,
        "sample": 4 * values * 3 * 10,
    }
    assert planned.disk == 4 * values * 120
    assert planned.plan.computed < planned.plan.tokens
    assert "120 prompts" in str(planned)
    assert "kept rows 76.8 kB on disk" in str(planned)
