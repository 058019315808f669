"""NPTI's files."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

import workbench as wb
from workbench.edit.npti import npti_from_values, npti_values
from workbench.export.npti import read_npti_edit, read_npti_values, write_npti, write_npti_edit

NPTI = Path(__file__).parents[3] / "shared" / "data" / "npti_neurons"


def write(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_a_file_gives_its_neurons(tmp_path: Path) -> None:
    rows = {"3": [[3, 7, 0.5, 0.6, 0.1], [3, 2, 0.4, 0.5, 0.1]], "1": [[1, 9, 0.2, 0.3, 0.1]]}
    path = write(tmp_path / "Openness_reversed_dict.json", rows)
    assert list(wb.read_npti(path)) == [(1, 9), (3, 2), (3, 7)]
    write(tmp_path / "Openness_dict.json", {"0": [[0, 1, 0.2, 0.3, 0.1]]})
    assert set(wb.export.read_npti_folder(tmp_path)) == {("Openness", "low"), ("Openness", "high")}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"3": [[4, 7, 0.5, 0.6, 0.1]]}, "an entry of layer 4 stands under layer 3"),
        ({"3": [["a", 7]]}, r"an entry is \[layer, neuron, ...\], but \['a', 7\]"),
        ([1, 2], "holds a list, not neurons by layer"),
        ({"3": {"a": 1}}, "layer 3: a list of entries is needed"),
        ({"3": [[3, True, 0.1, 0.2, 0.3]]}, r"an entry is \[layer, neuron, ...\], but \[3, True"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, content: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        wb.read_npti(write(tmp_path / "Openness_dict.json", content))


def test_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no file"):
        wb.read_npti(tmp_path / "none.json")
    with pytest.raises(FileNotFoundError, match="holds no NPTI sets"):
        wb.export.read_npti_folder(tmp_path)
    (tmp_path / "x.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match="is no JSON"):
        wb.read_npti(tmp_path / "x.json")


def test_values_are_written_and_read(tmp_path: Path) -> None:
    values = pd.DataFrame(
        {
            "layer": [1, 3, 3],
            "neuron": [9, 2, 7],
            "delta": [0.2, 0.4, 1 / 3],
            "probability": [0.3, 0.5, 0.6],
            "q95": [0.1, -0.25, 0.7],
        }
    )
    path = write_npti(tmp_path / "new" / "Openness_dict.json", values)
    pd.testing.assert_frame_equal(read_npti_values(path), values)
    assert json.loads(path.read_text()) == {
        "1": [[1, 9, 0.2, 0.3, 0.1]],
        "3": [[3, 2, 0.4, 0.5, -0.25], [3, 7, 1 / 3, 0.6, 0.7]],
    }
    assert list(wb.read_npti(path)) == [(1, 9), (3, 2), (3, 7)]
    with pytest.raises(ValueError, match=r"but \['q95'\] are missing"):
        write_npti(path, values.drop(columns="q95"))
    with pytest.raises(ValueError, match="finite, but neuron 9 of layer 1"):
        write_npti(path, values.assign(delta=[float("nan"), 0.1, 0.2]))
    for entry in ([3, 7], [3, 7, 0.1, 0.2, None], [3, 7, 0.1, 0.2, float("nan")]):
        write(tmp_path / "x_dict.json", {"3": [entry]})
        with pytest.raises(ValueError, match=r"an entry is \[layer, neuron, delta, P, q95\]"):
            read_npti_values(tmp_path / "x_dict.json")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(ValueError, match="is nested too deeply"):
        wb.read_npti(tmp_path / "deep.json")


@pytest.fixture(scope="module")
def tally(model: wb.Model, contrast: wb.Contrast) -> wb.Tally:
    chosen = wb.CaptureSettings(positive=True, sample=1024)
    return wb.capture_sites(model, contrast, sites=["hook_pre"], settings=chosen)["hook_pre"]


@pytest.mark.parametrize("direction", ["increase", "decrease"])
def test_nptis_edit_comes_back_from_its_files(model: wb.Model, tally: wb.Tally, direction: str, tmp_path: Path) -> None:
    edit = wb.edit.npti_edit(tally, direction=direction, gamma=0.6, min_neurons=5)
    paths = write_npti_edit(model, edit, tmp_path, tally=tally)
    assert {pole: path.name for pole, path in paths.items()} == {
        "high": "Extraversion_dict.json",
        "low": "Extraversion_reversed_dict.json",
    }
    back = read_npti_edit(tmp_path, model=model, direction=direction, gamma=0.6)
    assert back == edit
    for pole, path in paths.items():  # delta is a pole's own share minus the other's
        values = read_npti_values(path)
        other = "low" if pole == "high" else "high"
        for layer, neuron, delta, share, _ in values.itertuples(index=False):
            assert share == tally.probability_positive(pole)[layer, neuron]
            assert delta == share - tally.probability_positive(other)[layer, neuron]


def test_the_neurons_of_any_edit_are_written_by_pole(
    model: wb.Model, tally: wb.Tally, effects: wb.Effects, selection: wb.Selection, tmp_path: Path
) -> None:
    edit = wb.dpn_edit(effects, selection, direction="decrease")
    paths = write_npti_edit(model, edit, tmp_path, tally=tally)
    assert wb.read_npti(paths["high"]) == selection.high
    assert wb.read_npti(paths["low"]) == selection.low
    shift = wb.Edit.of({1: torch.ones(128)}, trait="T", method="m", direction="increase", site="resid_post")
    with pytest.raises(ValueError, match="hold MLP neurons by pole"):
        write_npti_edit(model, shift, tmp_path, tally=tally)


def test_values_need_a_capture_that_has_them(tally: wb.Tally) -> None:
    some = wb.NeuronSet.of([(1, 2)])
    with pytest.raises(ValueError, match="at hook_pre, but this tally is of hook_post"):
        npti_values(replace(tally, site="hook_post"), some, pole="high")
    with pytest.raises(ValueError, match="No sample was kept"):
        npti_values(replace(tally, samples={}), some, pole="high")
    with pytest.raises(ValueError, match="was not counted"):
        npti_values(replace(tally, positive={}), some, pole="high")
    with pytest.raises(ValueError, match=r"covers layers \[0, 1\], but lacks \[5\]"):
        npti_values(tally.restrict([0, 1]), wb.NeuronSet.of([(5, 2)]), pole="high")


def test_files_for_another_model_or_with_a_neuron_twice_are_refused(model: wb.Model, tmp_path: Path) -> None:
    low = write(tmp_path / "Openness_reversed_dict.json", {"1": [[1, 5, 0.2, 0.3, 0.1]]})
    with pytest.raises(FileNotFoundError, match="There is no file .*Openness_dict.json"):
        read_npti_edit(tmp_path, model=model)
    write(tmp_path / "Openness_dict.json", {"2": [[2, 900, 0.2, 0.3, 0.1]]})
    with pytest.raises(ValueError, match="neuron 900, but testbed has neurons 0 to 767"):
        read_npti_edit(tmp_path, model=model)
    write(tmp_path / "Openness_dict.json", {"12": [[12, 5, 0.2, 0.3, 0.1]]})
    with pytest.raises(ValueError, match="reaches layer 12, but testbed has layers 0 to 7"):
        read_npti_edit(tmp_path, model=model)
    write(tmp_path / "Openness_dict.json", {"1": [[1, 5, 0.2, 0.3, 0.1]]})
    with pytest.raises(ValueError, match=r"of one pole, but \(1, 5\) is of both"):
        read_npti_edit(tmp_path, model=model)
    twice = pd.concat([read_npti_values(low)] * 2)
    with pytest.raises(ValueError, match=r"is listed once, but \(1, 5\) is listed 2 times"):
        npti_from_values(twice, twice, trait="T", width=768)
    write(tmp_path / "Neuroticism_reversed_dict.json", {})
    with pytest.raises(ValueError, match="holds 2 traits. Choose one with trait=: Neuroticism, Openness"):
        read_npti_edit(tmp_path, model=model)
    with pytest.raises(ValueError, match="is no path"):
        read_npti_edit(tmp_path, model=model, trait="../Openness")


@pytest.mark.skipif(not NPTI.is_dir(), reason="the published NPTI sets are not on this machine")
def test_the_published_sets() -> None:
    found = wb.read_npti(NPTI / "Extraversion_dict.json")
    assert len(found) > 2000
    assert int(found.layer.max()) < 32
    assert int(found.neuron.max()) < 14_336
    values = read_npti_values(NPTI / "Extraversion_dict.json")
    assert len(values) == len(found)
    assert values["delta"].min() >= 0.1
    low = read_npti_values(NPTI / "Extraversion_reversed_dict.json")
    edit = npti_from_values(values, low, trait="Extraversion", width=14_336)
    silenced, driven = edit.edits
    assert (len(driven), len(silenced)) == (len(values), len(low))
