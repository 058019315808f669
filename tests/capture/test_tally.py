from pathlib import Path

import pytest
import torch

import workbench as wb


@pytest.fixture(scope="module")
def tally(model: wb.Model, contrast: wb.Contrast) -> wb.Tally:
    return wb.capture(model, contrast)


def test_merging_halves_gives_the_whole(model: wb.Model, contrast: wb.Contrast, tally: wb.Tally) -> None:
    halves = [wb.capture(model, contrast.rows(range(*part))) for part in ((0, 15), (15, 40))]
    merged = halves[0].merge(halves[1])
    for pole, moments in tally.moments.items():
        torch.testing.assert_close(merged.moments[pole].mean, moments.mean, atol=1e-6, rtol=1e-6)
        torch.testing.assert_close(merged.moments[pole].variance, moments.variance, atol=1e-5, rtol=1e-5)


def test_a_tally_is_read_back_as_it_was(tally: wb.Tally, tmp_path: Path) -> None:
    read = wb.Tally.load(tally.save(tmp_path / "tally.safetensors"))
    assert (read.trait, read.site, read.layers, read.provenance) == (
        tally.trait,
        tally.site,
        tally.layers,
        tally.provenance,
    )
    assert all(read.moments[pole].equal(moments) for pole, moments in tally.moments.items())


def test_what_does_not_belong_together_does_not_merge(model: wb.Model, contrast: wb.Contrast, tally: wb.Tally) -> None:
    other = wb.capture(model, wb.Contrast.testbed("Openness", n=4))
    with pytest.raises(ValueError, match="trait agrees, but 'Extraversion' met 'Openness'"):
        tally.merge(other)
    with pytest.raises(ValueError, match="layers agrees"):
        tally.merge(wb.capture(model, contrast, layers=[0]))


def test_a_damaged_file_is_refused(tally: wb.Tally, tmp_path: Path) -> None:
    path = tally.save(tmp_path / "tally.safetensors")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"tally.safetensors is damaged or no safetensors file"):
        wb.Tally.load(path)
    with pytest.raises(FileNotFoundError, match="There is no file"):
        wb.Tally.load(tmp_path / "none.safetensors")
