"""The door in and the door out: every kind is recognised, checked against the model, and comes back."""

from pathlib import Path
from typing import Any

import pytest
import torch

import workbench as wb
from workbench.export.dpn_le import write_dpn_le
from workbench.export.exporting import WRITERS, export_edit
from workbench.export.steering import READERS, read_steering


@pytest.mark.parametrize(("to", "name"), [("gguf", "x.gguf"), ("lm-eval", "x.pt"), ("dpn-le", "folder")])
def test_what_goes_out_comes_in(
    model: wb.Model, effects: wb.Effects, prompt: torch.Tensor, to: str, name: str, tmp_path: Path
) -> None:
    chosen = wb.select_neurons(effects.restrict(range(1, 8)), quantile=0.99)
    edit = wb.dpn_edit(effects, chosen, gamma=0.8, direction="decrease")
    path = export_edit(model, edit, tmp_path / name, to=to)
    assert path == tmp_path / name
    back = read_steering(path, model=model)
    assert back == read_steering(path, model=model, format=to)
    assert (back.trait, back.direction, back.method) == ("Extraversion", "decrease", "DPN-LE")
    if to == "dpn-le":
        assert back == edit
    with torch.no_grad():
        with wb.edited(model, edit, scope="all"):
            expected = model.hooked(prompt)
        with wb.edited(model, back, scope="all"):
            torch.testing.assert_close(model.hooked(prompt), expected, atol=1e-4, rtol=1e-4)


def test_our_own_edits(model: wb.Model, edit: wb.Edit, residual: wb.Edit, checkpoint: Path, tmp_path: Path) -> None:
    edit.save(tmp_path / "edit.safetensors")
    assert read_steering(tmp_path / "edit.safetensors", model=model) == edit
    assert read_steering(tmp_path / "edit.safetensors", model=model, gamma=0.25) == edit.with_gamma(0.25)
    both = wb.edit.Composite((edit, residual))
    both.save(tmp_path / "both.safetensors")
    assert read_steering(tmp_path / "both.safetensors", model=model) == both
    with pytest.raises(ValueError, match=r"edit.safetensors: The edit is for a hook_post of width 768, but .* has 48"):
        read_steering(tmp_path / "edit.safetensors", model=wb.load_model(checkpoint))
    other = wb.Edit.of(
        {9: torch.ones(128)}, trait="T", method="m", direction="increase", site="resid_post",
        provenance={"model_fingerprint": "f" * 64},
    )  # fmt: skip
    other.save(tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="reaches layer 9, but testbed has layers 0 to 7"):
        read_steering(tmp_path / "other.safetensors", model=model)
    here = wb.Edit.of(
        {1: torch.ones(128)}, trait="T", method="m", direction="increase", site="resid_post",
        provenance={"model_fingerprint": "f" * 64},
    )  # fmt: skip
    for one in (here, wb.edit.Composite((here, edit))):
        one.save(tmp_path / "here.safetensors")
        with pytest.raises(ValueError, match=f"on weights ffffffffffff, but testbed has {model.fingerprint[:12]}"):
            read_steering(tmp_path / "here.safetensors", model=model)
        assert read_steering(tmp_path / "here.safetensors", model=model, any_weights=True) == one


def test_foreign_files_are_recognised(
    model: wb.Model, effects: wb.Effects, selection: wb.Selection, tmp_path: Path
) -> None:
    torch.save(torch.ones(9, 128), tmp_path / "evil_response_avg_diff.pt")
    persona = read_steering(tmp_path / "evil_response_avg_diff.pt", model=model, layers=[4], gamma=3.0)
    assert (persona.trait, persona.layers, persona.gamma) == ("evil", (4,), 3.0)
    torch.save(torch.ones(128), tmp_path / "vec_layer_6_x.pt")
    assert read_steering(tmp_path / "vec_layer_6_x.pt", model=model, any_weights=True).layers == (6,)
    assert read_steering(tmp_path, model=model).method == "CAA"
    folder = tmp_path / "dpn"
    write_dpn_le(folder, effects=effects, selection=selection)
    weighted = read_steering(folder, model=model, direction="decrease", weighted=True, gamma=0.5)
    ours = wb.dpn_edit(effects, selection, direction="decrease", weighted=True, gamma=0.5)
    torch.testing.assert_close(weighted.delta(3), ours.delta(3), rtol=1e-6, atol=0.0)


def test_nptis_files_go_out_and_come_in(model: wb.Model, contrast: wb.Contrast, tmp_path: Path) -> None:
    settings = wb.CaptureSettings(positive=True, sample=256)
    tally = wb.capture_sites(model, contrast, sites=["hook_pre"], settings=settings)["hook_pre"]
    edit = wb.edit.npti_edit(tally, gamma=0.6)
    export_edit(model, edit, tmp_path / "npti", to="npti", tally=tally)
    assert read_steering(tmp_path / "npti", model=model, gamma=0.6) == edit
    with pytest.raises(ValueError, match="delta, P and q95, which an edit does not keep"):
        export_edit(model, edit, tmp_path / "none", to="npti")
    assert not (tmp_path / "none").exists()


def test_a_checkpoint_goes_out_as_one(model: wb.Model, residual: wb.Edit, tmp_path: Path) -> None:
    export_edit(model, residual, tmp_path / "baked", to="hf", prompts=["What is 12 + 30?"], new_tokens=4)
    assert (tmp_path / "baked" / "bake.json").is_file()
    with pytest.raises(ValueError, match="is a whole checkpoint.* Load it with load_model"):
        read_steering(tmp_path / "baked", model=model)


def test_other_choices_are_listed(model: wb.Model, edit: wb.Edit, tmp_path: Path) -> None:
    assert tuple(WRITERS) == ("hf", "gguf", "lm-eval", "dpn-le", "npti")
    with pytest.raises(ValueError, match="no export to 'onnx'. Choose one of hf, gguf, lm-eval, dpn-le, npti"):
        export_edit(model, edit, tmp_path / "x", to="onnx")
    (tmp_path / "x.txt").write_text("words")
    with pytest.raises(ValueError, match=f"no steering format 'onnx'. Choose one of {', '.join(READERS)}"):
        read_steering(tmp_path / "x.txt", model=model, format="onnx")


def test_what_is_nothing_known_is_said(model: wb.Model, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no file or folder"):
        read_steering(tmp_path / "none", model=model)
    with pytest.raises(ValueError, match="is a folder without steering files"):
        read_steering(tmp_path, model=model)
    (tmp_path / "x.txt").write_text("words")
    with pytest.raises(ValueError, match="ends in neither .safetensors, .gguf nor .pt"):
        read_steering(tmp_path / "x.txt", model=model)
    contents: list[tuple[Any, str]] = [
        ([1, 2], "holds a list that is no steering file. Known are edit, gguf, lm-eval"),
        ({}, "holds a dict that is no steering file"),
        ({"steering_vector": torch.ones(3), "layer": 1}, "is one layer of DPN-LE's. Give the folder"),
        (torch.ones(1, 2, 3), "holds a Tensor that is no steering file"),
    ]
    for content, said in contents:
        torch.save(content, tmp_path / "x.pt")
        with pytest.raises(ValueError, match=said):
            read_steering(tmp_path / "x.pt", model=model)
