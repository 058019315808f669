"""DPN-LE's files: the same edit from them as from our own selection, and nothing from what is not theirs."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import workbench as wb
from workbench.export.dpn_le import read_dpn_le, write_dpn_le, write_dpn_le_edit
from workbench.export.dpn_le_layer import KEYS


def layer_data(**changed: Any) -> dict[str, Any]:
    """A layer of 8 neurons as DPN-LE's code writes it."""
    return {
        "layer": 3,
        "steering_vector": torch.tensor([0.5, -0.25, 0.0, 0.0, 0.125, 0.0, 0.0, 0.0]),
        "cohens_d_values": torch.tensor([2.0, -1.5, 0.0, 0.0, 0.25, 0.0, 0.0, 0.0]),
        "high_exclusive_indices": torch.tensor([0]),
        "low_exclusive_indices": torch.tensor([1]),
        "quantile": 0.7,
        "cohens_d_threshold": 0.8,
        "num_high_exclusive": 1,
        "num_low_exclusive": 1,
        "num_total_exclusive": 2,
        **changed,
    }


def saved(folder: Path, name: str = "layer3_Openness_steering_data.pt", **changed: Any) -> Path:
    folder.mkdir(exist_ok=True)
    torch.save(layer_data(**changed), folder / name)
    return folder


@pytest.mark.parametrize("direction", ["increase", "decrease"])
@pytest.mark.parametrize("neurons", ["both", "directional"])
def test_the_edit_from_the_files_is_the_edit_from_the_selection(
    effects: wb.Effects, selection: wb.Selection, model: wb.Model, direction: str, neurons: Any, tmp_path: Path
) -> None:
    paths = write_dpn_le(tmp_path, effects=effects, selection=selection)
    assert [path.name for path in paths] == [f"layer{layer}_Extraversion_steering_data.pt" for layer in range(8)]
    data = read_dpn_le(tmp_path, model=model)
    assert (data.high, data.low) == (selection.high, selection.low)
    assert (data.quantile, data.min_d) == (0.99, 0.8)
    torch.testing.assert_close(data.cohens_d, effects.cohens_d.float())
    ours = wb.dpn_edit(effects, selection, gamma=0.8, direction=direction, neurons=neurons)
    assert data.edit(gamma=0.8, direction=direction, neurons=neurons) == ours
    weighted = wb.dpn_edit(effects, selection, gamma=0.8, direction=direction, neurons=neurons, weighted=True)
    theirs = data.edit(gamma=0.8, direction=direction, neurons=neurons, weighted=True)
    assert theirs.neurons == weighted.neurons
    torch.testing.assert_close(theirs.value, weighted.value, rtol=1e-6, atol=0.0)


def test_the_json_beside_a_file_sums_it_up(effects: wb.Effects, selection: wb.Selection, tmp_path: Path) -> None:
    path = write_dpn_le(tmp_path, effects=effects, selection=selection)[5]
    told = json.loads(path.with_suffix(".json").read_text())
    s, d = effects.at(5)
    assert told["high_exclusive_indices"] == selection.high.at(5).tolist()
    assert told["num_total_exclusive"] == len(selection.both.at(5))
    assert told["steering_vector_norm"] == pytest.approx(float(s.float().norm()))
    assert told["cohens_d_abs_max"] == pytest.approx(float(d.abs().max()))
    for file in tmp_path.glob("*.pt"):  # a summary takes no file's place
        file.unlink()
    with pytest.raises(ValueError, match=r"steering_data\.json holds no steering vector: it sums up a \.pt file"):
        read_dpn_le(tmp_path)


def test_a_layer_may_be_json(tmp_path: Path) -> None:
    """DPN-LE's code falls back on vectors in JSON."""
    tensors = read_dpn_le(saved(tmp_path / "pt"))
    plain = {key: value.tolist() if isinstance(value, torch.Tensor) else value for key, value in layer_data().items()}
    (tmp_path / "json").mkdir()
    path = tmp_path / "json" / "layer3_Openness_steering_data.json"
    path.write_text(json.dumps(plain))
    assert read_dpn_le(path.parent).edit(weighted=True) == tensors.edit(weighted=True)
    for wrong in ("[0.5, true]", '"much"', "[0.5, null]", "[[1]]"):
        path.write_text(json.dumps(plain | {"steering_vector": json.loads(wrong)}))
        with pytest.raises(ValueError, match="steering_vector should be a list of numbers"):
            read_dpn_le(path.parent)


def test_a_file_holds_what_the_format_asks_for(effects: wb.Effects, selection: wb.Selection, tmp_path: Path) -> None:
    path = write_dpn_le(tmp_path, effects=effects, selection=selection)[5]
    data = torch.load(path, weights_only=True)
    assert set(data) == {*KEYS, "workbench"}
    assert data["layer"] == 5
    for name in ("steering_vector", "cohens_d_values"):
        assert (data[name].dtype, data[name].shape) == (torch.float32, (effects.width,))
    high, low = data["high_exclusive_indices"], data["low_exclusive_indices"]
    assert (high.dtype, low.dtype) == (torch.int64, torch.int64)
    assert high.tolist() == selection.high.at(5).tolist()
    counts = [data[f"num_{which}_exclusive"] for which in ("high", "low", "total")]
    assert counts == [len(high), len(low), len(high) + len(low)]
    # what their code does with it: the neurons follow from the vector, d and the thresholds
    above = data["steering_vector"].abs() > torch.quantile(data["steering_vector"].abs(), data["quantile"])
    assert torch.equal(torch.where(above & (data["cohens_d_values"] > data["cohens_d_threshold"]))[0], high)


@pytest.mark.parametrize("direction", ["increase", "decrease"])
def test_an_edit_alone_comes_back_whole(
    model: wb.Model, effects: wb.Effects, selection: wb.Selection, direction: str, tmp_path: Path
) -> None:
    edit = wb.dpn_edit(effects, selection, gamma=0.7, direction=direction, weighted=True)
    assert len(write_dpn_le_edit(model, edit, tmp_path)) == model.n_layers
    data = read_dpn_le(tmp_path, model=model)
    assert data.edit() == edit
    with pytest.raises(ValueError, match="ranks neurons by d, but these files were made of an edit"):
        data.edit(weighted=True)
    # their thresholds choose the edit's neurons, as long as these are fewer than the quantile leaves
    layer = torch.load(tmp_path / "layer5_Extraversion_steering_data.pt", weights_only=True)
    s, d = layer["steering_vector"], layer["cohens_d_values"]
    assert torch.where((s.abs() > 0) & (d > 0.8))[0].tolist() == layer["high_exclusive_indices"].tolist()
    assert torch.isnan(d[s == 0]).all()


def test_what_is_no_such_edit_is_refused(model: wb.Model, edit: wb.Edit, residual: wb.Edit, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="hold constants added at hook_post, but Edit.*resid_post"):
        write_dpn_le_edit(model, residual, tmp_path)
    with pytest.raises(ValueError, match="hold constants added at hook_post, but Composite"):
        write_dpn_le_edit(model, wb.edit.Composite((edit,)), tmp_path)
    assert not list(tmp_path.iterdir())


def test_files_of_their_code_are_read(tmp_path: Path) -> None:
    data = read_dpn_le(saved(tmp_path / "x"))
    assert (data.trait, data.layers, list(data.high), list(data.low)) == ("Openness", (3,), [(3, 0)], [(3, 1)])
    edit = data.edit(gamma=2.0, direction="decrease")
    assert edit.delta(3).tolist() == [-1.0, 0.5, 0, 0, 0, 0, 0, 0]
    assert (edit.method, data.edit().gamma) == ("DPN-LE", 1.0)
    saved(tmp_path / "x", "layer3_Neuroticism_steering_data.pt")
    assert read_dpn_le(tmp_path / "x", trait="Neuroticism").trait == "Neuroticism"
    with pytest.raises(ValueError, match=r"2 traits. Choose one with trait=: Neuroticism, Openness"):
        read_dpn_le(tmp_path / "x")
    with pytest.raises(ValueError, match="no trait 'Extraversion', but"):
        read_dpn_le(tmp_path / "x", trait="Extraversion")
    with pytest.raises(FileNotFoundError, match="holds no files layer"):
        read_dpn_le(tmp_path)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"layer": 4}, "is named for layer 3, but holds layer 4"),
        ({"cohens_d_values": torch.ones(7)}, "has 8 mean differences, but 7 values of d"),
        ({"steering_vector": torch.full((8,), torch.inf)}, "must be finite, but 8 of its values are not"),
        ({"steering_vector": torch.ones(2, 8)}, r"has one axis, but its shape is \(2, 8\)"),
        ({"high_exclusive_indices": torch.tensor([8])}, "neurons are 0 to 7, but 8 arrived"),
        ({"low_exclusive_indices": torch.tensor([0.5])}, "holds indices, but torch.float32"),
        ({"low_exclusive_indices": torch.tensor([0])}, "is High or Low, but 0 is both"),
        ({"num_high_exclusive": 5}, "says 5 high neurons, but lists 1"),
        ({"workbench": {"layers": [3, 4]}}, r"was written with layers \[3, 4\], but holds \[3\]"),
    ],
)
def test_what_is_not_as_the_format_says_is_refused(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_dpn_le(saved(tmp_path / "x", **changed))


def test_files_of_two_writes_are_not_mixed(
    model: wb.Model, effects: wb.Effects, selection: wb.Selection, tmp_path: Path
) -> None:
    write_dpn_le(tmp_path, effects=effects, selection=selection)
    with pytest.raises(FileExistsError, match="holds files of Extraversion already"):
        write_dpn_le(tmp_path, effects=effects, selection=selection)
    with pytest.raises(FileExistsError, match="holds files of Extraversion already"):
        write_dpn_le_edit(model, wb.dpn_edit(effects, selection), tmp_path)
    write_dpn_le(tmp_path, effects=replace(effects, trait="Not_Extraversion"), selection=selection)
    assert read_dpn_le(tmp_path, trait="Extraversion").layers == tuple(range(8))
    for path in tmp_path.glob("layer*_Not_*"):
        path.unlink()
    path = tmp_path / "layer5_Extraversion_steering_data.pt"
    data = torch.load(path, weights_only=True)
    torch.save({**data, "workbench": {**data["workbench"], "model_fingerprint": "f" * 64}}, path)
    with pytest.raises(ValueError, match="mixes files of Extraversion that were written at different times"):
        read_dpn_le(tmp_path)
    path.unlink()
    with pytest.raises(ValueError, match=r"was written with layers \[0, 1, .*, but holds \[0, 1, 2, 3, 4, 6, 7\]"):
        read_dpn_le(tmp_path)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    data = layer_data()
    del data["cohens_d_values"]
    torch.save(data, tmp_path / "layer3_Openness_steering_data.pt")
    with pytest.raises(ValueError, match=r"it lacks \['cohens_d_values'\]"):
        read_dpn_le(tmp_path)


def test_what_their_code_does_not_read_may_be_missing(tmp_path: Path) -> None:
    whole = read_dpn_le(saved(tmp_path / "whole")).edit()
    data = {key: value for key, value in layer_data().items() if not key.startswith("num_")}
    del data["quantile"], data["cohens_d_threshold"]
    (tmp_path / "bare").mkdir()
    torch.save(data, tmp_path / "bare" / "layer3_Openness_steering_data.pt")
    assert torch.equal(read_dpn_le(tmp_path / "bare").edit().delta(3), whole.delta(3))


def test_files_for_another_model_are_refused(
    model: wb.Model, effects: wb.Effects, selection: wb.Selection, checkpoint: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"hook_post of width 8, but testbed has 768"):
        read_dpn_le(saved(tmp_path / "narrow"), model=model)
    long = torch.zeros(768)
    saved(tmp_path / "deep", "layer9_Openness_steering_data.pt", layer=9, steering_vector=long, cohens_d_values=long)
    with pytest.raises(ValueError, match="reaches layer 9, but testbed has layers 0 to 7"):
        read_dpn_le(tmp_path / "deep", model=model)
    said = {"model_fingerprint": "f" * 64}
    saved(tmp_path / "other", steering_vector=long, cohens_d_values=long, workbench=said)
    with pytest.raises(ValueError, match="made on weights ffffffffffff, but testbed has"):
        read_dpn_le(tmp_path / "other", model=model)
    assert read_dpn_le(tmp_path / "other", model=model, any_weights=True).layers == (3,)
    write_dpn_le(tmp_path / "ours", effects=effects, selection=selection)
    with pytest.raises(ValueError, match="hook_post of width 768, but .* has 48"):
        read_dpn_le(tmp_path / "ours", model=wb.load_model(checkpoint))
