"""persona_vectors' and CAA's files: each vector after the block it belongs to."""

from pathlib import Path
from typing import Any

import pytest
import torch

import workbench as wb
from workbench.export.caa import read_caa
from workbench.export.persona_vectors import read_persona_vectors


@pytest.fixture
def rows(model: wb.Model) -> torch.Tensor:
    return torch.randn(model.n_layers + 1, model.d_model, generator=torch.Generator().manual_seed(0))


def test_row_l_plus_1_is_added_after_block_l(
    model: wb.Model, rows: torch.Tensor, prompt: torch.Tensor, tmp_path: Path
) -> None:
    path = tmp_path / "self_control_response_avg_diff.pt"
    torch.save(rows, path)
    edit = read_persona_vectors(path, model=model, layers=[3], gamma=2.0)
    assert (edit.trait, edit.method, edit.site) == ("self_control", "persona vector (response_avg)", "resid_post")
    network: Any = model.network
    states = {}

    def kept(module: Any, inputs: Any, output: Any) -> None:
        states["after"] = output[0] if isinstance(output, tuple) else output

    with torch.no_grad():
        hidden = network(prompt, output_hidden_states=True).hidden_states  # hidden[0] is the embeddings'
        handle = network.model.layers[3].register_forward_hook(kept)
        with wb.edited(model, edit, scope="all"):
            model.hooked(prompt)
        handle.remove()
    torch.testing.assert_close(states["after"], hidden[4] + 2.0 * rows[4], atol=1e-4, rtol=1e-4)
    every = read_persona_vectors(path)
    assert every.layers == tuple(range(model.n_layers))
    for layer in every.layers:
        assert torch.equal(every.delta(layer), rows[layer + 1])
    assert torch.equal(read_persona_vectors(path, direction="decrease").delta(0), -rows[1])


def test_half_precision_and_other_names(rows: torch.Tensor, tmp_path: Path) -> None:
    torch.save(rows.bfloat16(), tmp_path / "warmth.pt")
    edit = read_persona_vectors(tmp_path / "warmth.pt", trait="Agreeableness")
    assert (edit.trait, edit.method) == ("Agreeableness", "persona vector")
    assert torch.equal(edit.delta(2), rows.bfloat16()[3].float())


def test_a_persona_vector_for_another_model_is_refused(model: wb.Model, rows: torch.Tensor, tmp_path: Path) -> None:
    path = tmp_path / "x_prompt_last_diff.pt"
    for content, said in [
        (rows[:-1], "for a model of 7 blocks, but testbed has 8"),
        (rows[:, :64], "resid_post of width 64, but testbed has 128"),
        (rows[0], r"has 2 axes, but its shape is \(128,\)"),
        (rows[:1], "has 1 rows, but a row for the embeddings"),
        (rows.long(), "holds real numbers, but torch.int64"),
        ({"a": rows}, "is a dense tensor, but a dict"),
        (rows.to_sparse(), "is a dense tensor, but a Tensor"),
    ]:
        torch.save(content, path)
        with pytest.raises(ValueError, match=said):
            read_persona_vectors(path, model=model)
    torch.save(rows, path)
    with pytest.raises(ValueError, match=r"holds vectors of layers \[0, .*, but \[8\] was asked for"):
        read_persona_vectors(path, model=model, layers=[1, 8])


def test_caas_folder_and_file(model: wb.Model, tmp_path: Path) -> None:
    folder = tmp_path / "sycophancy"
    folder.mkdir()
    for layer in (2, 5):
        torch.save(torch.full((128,), float(layer)), folder / f"vec_layer_{layer}_testbed.pt")
    edit = read_caa(folder, model=model, gamma=0.5)
    assert (edit.trait, edit.method, edit.site, edit.layers) == ("sycophancy", "CAA", "resid_post", (2, 5))
    assert (edit.delta(2)[0], edit.delta(5)[0]) == (1.0, 2.5)
    one = read_caa(folder / "vec_layer_5_testbed.pt", model=model, direction="decrease")
    assert (one.trait, one.layers, one.delta(5)[0]) == ("sycophancy", (5,), -5.0)
    with pytest.raises(ValueError, match=r"layers \[2, 5\], but \[3\] was asked for"):
        read_caa(folder, layers=[3])


def test_caa_files_that_do_not_fit_are_refused(model: wb.Model, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no files vec_layer_"):
        read_caa(tmp_path)
    torch.save(torch.ones(64), tmp_path / "vec_layer_2_a.pt")
    with pytest.raises(ValueError, match="width 64, but testbed has 128"):
        read_caa(tmp_path, model=model)
    torch.save(torch.ones(64), tmp_path / "vec_layer_2_b.pt")
    with pytest.raises(ValueError, match="two vectors of layer 2"):
        read_caa(tmp_path)
    torch.save(torch.ones(128), tmp_path / "vec_layer_11.pt")
    with pytest.raises(ValueError, match="reaches layer 11, but testbed has layers 0 to 7"):
        read_caa(tmp_path / "vec_layer_11.pt", model=model)
    torch.save(torch.ones(128), tmp_path / "vector.pt")
    with pytest.raises(ValueError, match="named vec_layer_12_MODEL.pt, but vector.pt"):
        read_caa(tmp_path / "vector.pt")
