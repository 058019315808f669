"""GGUF control vectors: the format's rules, the way back, and what it cannot express."""

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from transformers import Gemma2Config, Gemma2ForCausalLM, Qwen2Config, Qwen2ForCausalLM

import workbench as wb
from workbench.export import control_vector
from workbench.export.architectures import same_architecture
from workbench.export.control_vector import export_control_vector, read_control_vector


def written(path: Path, directions: dict[int, list[float]], **keys: Any) -> Path:
    """A control vector as other tools write it."""
    writer = gguf.GGUFWriter(path, keys.pop("architecture", "controlvector"))
    for key, value in {"model_hint": "llama", **keys}.items():
        if isinstance(value, str):
            writer.add_string(f"controlvector.{key}", value)
        else:
            writer.add_int32(f"controlvector.{key}", value)
    for layer, values in directions.items():
        writer.add_tensor(f"direction.{layer}", np.array(values, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_the_file_is_as_the_format_says(model: wb.Model, edit: wb.Edit, tmp_path: Path) -> None:
    path = export_control_vector(model, edit, tmp_path / "new" / "edit.gguf")
    reader = gguf.GGUFReader(path)
    keys = {name: field.contents() for name, field in reader.fields.items()}
    assert keys["general.architecture"] == "controlvector"
    assert keys["controlvector.model_hint"] == "llama"
    assert keys["controlvector.layer_count"] == 7
    assert reader.fields["controlvector.layer_count"].types == [gguf.GGUFValueType.UINT32]
    assert [tensor.name for tensor in reader.tensors] == [f"direction.{layer}" for layer in range(1, 8)]
    for layer, tensor in enumerate(reader.tensors, start=1):
        assert tensor.tensor_type == gguf.GGMLQuantizationType.F32
        assert list(tensor.shape) == [model.d_model]
        expected = edit.delta(layer).double() @ model.w_out(layer).double()  # zeros where nothing is added
        np.testing.assert_allclose(tensor.data, expected.numpy(), rtol=1e-6, atol=1e-7)
    assert [file.name for file in path.parent.iterdir()] == ["edit.gguf"]


def test_what_is_read_back_does_the_same(
    model: wb.Model, edit: wb.Edit, residual: wb.Edit, prompt: torch.Tensor, tmp_path: Path
) -> None:
    for one in (edit, residual):
        path = export_control_vector(model, one, tmp_path / "edit.gguf")
        back = read_control_vector(path, model=model)
        assert (back.trait, back.method, back.direction, back.gamma) == ("Openness", "test", "increase", 1.0)
        assert back.layers == one.layers
        with torch.no_grad():
            with wb.edited(model, one, scope="all"):
                expected = model.hooked(prompt)
            with wb.edited(model, back, scope="all"):
                torch.testing.assert_close(model.hooked(prompt), expected, atol=1e-4, rtol=1e-4)
            assert (expected - model.hooked(prompt)).abs().max() > 0.1


def test_what_it_cannot_express_is_refused(model: wb.Model, edit: wb.Edit, tmp_path: Path) -> None:
    path = tmp_path / "edit.gguf"
    first = wb.Edit.of({0: torch.ones(model.d_mlp)}, trait="T", method="m", direction="increase", site="hook_post")
    with pytest.raises(ValueError, match="cannot express an edit of block 0"):
        export_control_vector(model, first + edit, path)
    with pytest.raises(ValueError, match="only scope 'all' can be exported, but 'decode'"):
        export_control_vector(model, edit, path, scope="decode")
    with pytest.raises(ValueError, match="nothing to export"):
        export_control_vector(model, edit.with_gamma(0.0), path)
    scaled = wb.Edit.on(
        wb.NeuronSet.of([(3, 4)]), 2.0, operation="scale", width=model.d_mlp, trait="T", method="m",
        direction="increase", site="hook_post",
    )  # fmt: skip
    with pytest.raises(ValueError, match="constant delta, but .* has scale"):
        export_control_vector(model, scaled, path)
    before = wb.Edit.of({3: torch.ones(model.d_mlp)}, trait="T", method="m", direction="increase", site="hook_pre")
    with pytest.raises(ValueError, match="this one is at hook_pre"):
        export_control_vector(model, before, path)
    assert not list(tmp_path.iterdir())


def test_a_model_that_normalises_the_mlp_output_is_refused(model: wb.Model, tmp_path: Path) -> None:
    torch.manual_seed(0)
    shape: Any = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "head_dim": 8}
    config = Gemma2Config(vocab_size=len(model.tokenizer), intermediate_size=48, num_key_value_heads=2, **shape)
    Gemma2ForCausalLM(config).save_pretrained(tmp_path / "gemma")
    model.tokenizer.save_pretrained(tmp_path / "gemma")
    gemma = wb.load_model(tmp_path / "gemma")
    edit = wb.Edit.of({1: torch.ones(48)}, trait="T", method="m", direction="increase", site="hook_post")
    with pytest.raises(ValueError, match="normalises the MLP's output"):
        export_control_vector(gemma, edit, tmp_path / "edit.gguf")
    after = wb.Edit.of({1: torch.ones(32)}, trait="T", method="m", direction="increase", site="resid_post")
    export_control_vector(gemma, after, tmp_path / "edit.gguf")
    assert torch.equal(read_control_vector(tmp_path / "edit.gguf", model=gemma).delta(1), torch.ones(32))


def test_a_file_for_another_model_is_refused(model: wb.Model, edit: wb.Edit, checkpoint: Path, tmp_path: Path) -> None:
    ours = export_control_vector(model, edit, tmp_path / "edit.gguf")
    small = wb.load_model(checkpoint)  # 2 blocks of width 32
    with pytest.raises(ValueError, match="resid_post of width 128, but .* has 32"):
        read_control_vector(ours, model=small)
    deep = written(tmp_path / "deep.gguf", {layer: [0.1] * 32 for layer in (1, 2, 3)}, layer_count=3)
    with pytest.raises(ValueError, match="reaches layer 3, but .* has layers 0 to 1"):
        read_control_vector(deep, model=small)
    other = written(tmp_path / "other.gguf", {1: [0.1] * 32}, model_hint="qwen2")
    with pytest.warns(UserWarning, match="is for the architecture 'qwen2', but .* is a 'llama'. Its shapes fit"):
        read_control_vector(other, model=small)
    assert read_control_vector(other, model=small, any_weights=True).delta(1)[0] == pytest.approx(0.1)
    fits = written(tmp_path / "fits.gguf", {1: [0.1] * 32})
    assert read_control_vector(fits, model=small, trait="Openness", gamma=2.0).delta(1)[0] == pytest.approx(0.2)


def test_a_file_for_other_weights_is_refused(model: wb.Model, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(model.tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=48, num_key_value_heads=2,
    )  # fmt: skip
    models = []
    for number in range(2):
        Qwen2ForCausalLM(config).save_pretrained(tmp_path / str(number))
        model.tokenizer.save_pretrained(tmp_path / str(number))
        models.append(wb.load_model(tmp_path / str(number)))
    one, two = models
    edit = wb.Edit.of({1: torch.ones(48)}, trait="T", method="m", direction="increase", site="hook_post")
    path = export_control_vector(one, edit, tmp_path / "edit.gguf")
    read_control_vector(path, model=one)
    said = f"made on weights {one.fingerprint[:12]}, but .* has {two.fingerprint[:12]}"
    with pytest.raises(ValueError, match=said):
        read_control_vector(path, model=two)
    read_control_vector(path, model=two, any_weights=True)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        *((name, name) for name in ("llama", "qwen2", "gpt2", "bloom", "phi3", "olmoe")),
        *(("gemma3", "gemma3_text"), ("gemma3_text", "gemma3"), ("gemma3n", "gemma3n_text"), ("Llama", "llama")),
        *(("llama", "mistral"), ("llama", "mixtral"), ("phi2", "phi"), ("gptneox", "gpt_neox"), ("gpt-j", "gptj")),
        *(
            ("qwen2moe", "qwen2_moe"),
            ("qwen3next", "qwen3_next"),
            ("qwen35", "qwen3_5_text"),
            ("qwen2vl", "qwen2_5_vl"),
        ),
        *(("command-r", "cohere"), ("starcoder", "gpt_bigcode"), ("deepseek2", "deepseek_v3"), ("chatglm", "glm")),
        *(("gpt-oss", "gpt_oss"), ("falcon-h1", "falcon_h1"), ("granitehybrid", "granitemoehybrid"), ("", "llama")),
        *(("hunyuan-dense", "hunyuan_v1_dense"), ("minimax-m2", "minimax_m2"), ("ernie4_5-moe", "ernie4_5_moe")),
    ],
)
def test_spellings_of_one_architecture_are_known(theirs: str, ours: str) -> None:
    assert same_architecture(theirs, ours)


def test_names_of_other_architectures_differ() -> None:
    pairs = [("gemma2", "gemma3_text"), ("qwen2", "qwen3"), ("llama", "llama4"), ("phi2", "phi3"), ("olmo", "olmo2")]
    assert not any(same_architecture(one, other) for one, other in pairs)


def test_what_llama_cpp_does_not_read_refuses_nothing(checkpoint: Path, tmp_path: Path) -> None:
    small = wb.load_model(checkpoint)
    counted = written(tmp_path / "counted.gguf", {1: [0.1] * 32}, layer_count=5)
    with pytest.warns(UserWarning, match="says that it has 5 directions, but holds 1, which are taken"):
        assert read_control_vector(counted, model=small).delta(1)[0] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("directions", "keys", "said"),
    [
        ({0: [1.0]}, {}, "direction.1, direction.2, ..., but 'direction.0' arrived"),
        ({}, {}, "holds no direction"),
        ({1: [1.0], 2: [1.0, 2.0]}, {}, "directions are equally wide"),
        ({1: [1.0]}, {"architecture": "llama"}, "is no control vector but a 'llama'"),
        ({1: [float("nan")]}, {}, "must be finite"),
    ],
)
def test_what_is_no_control_vector_is_refused(
    tmp_path: Path, directions: dict[int, list[float]], keys: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        read_control_vector(written(tmp_path / "x.gguf", directions, **keys))
    with pytest.raises(FileNotFoundError, match="There is no file"):
        read_control_vector(tmp_path / "none.gguf")


def test_a_stopped_write_leaves_nothing(
    model: wb.Model, edit: wb.Edit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*arguments: object, **settings: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(gguf.GGUFWriter, "write_tensors_to_file", stopped)
    with pytest.raises(KeyboardInterrupt):
        export_control_vector(model, edit, tmp_path / "edit.gguf")
    assert not list(tmp_path.iterdir())


def test_without_the_package_it_says_what_to_install(
    model: wb.Model, edit: wb.Edit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_vector, "gguf", None)
    with pytest.raises(ImportError, match=r"pip install 'dpn-workbench\[gguf\]'"):
        export_control_vector(model, edit, tmp_path / "edit.gguf")
