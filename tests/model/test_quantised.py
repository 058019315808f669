"""Quantised checkpoints: refused by name before anything is loaded, with a way out that works."""

import json
import re
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, FineGrainedFP8Config

import workbench as wb
from workbench.model import loading

WEIGHTS = "model.safetensors"
NF4 = {"quant_method": "bitsandbytes", "load_in_4bit": True, "load_in_8bit": False, "bnb_4bit_quant_type": "nf4"}
KINDS = [
    ({"quantization_config": NF4}, "bitsandbytes in 4 bits", r"where bitsandbytes runs, .*\.dequantize\(\)"),
    ({"quantization_config": {"load_in_8bit": True}}, "bitsandbytes in 8 bits", r"\.dequantize\(\)"),
    ({"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 128}}, "GPTQ in 4 bits", "edit: give"),
    ({"quantization_config": {"quant_method": "awq", "bits": 4}}, "AWQ in 4 bits", "edit: give the unquantised"),
    ({"quantization_config": {"quant_method": "fp8"}}, "FP8", r"FineGrainedFP8Config\(dequantize=True\)"),
    ({"quantization_config": {"quant_method": "mxfp4"}}, "MXFP4", r"Mxfp4Config\(dequantize=True\)"),
    ({"quantization_config": {"quant_method": "hqq", "nbits": 4}}, "HQQ in 4 bits", r"\.dequantize\(\)"),
    ({"quantization_config": {"quant_method": "new-kind"}}, "new-kind", "a GGUF file"),
    ({"quantization_config": {"quant_method": "compressed-tensors"}}, "compressed-tensors", "CompressedTensorsConfig"),
    ({"compression_config": {"format": "pack-quantized"}}, "compressed-tensors", "CompressedTensorsConfig"),
    ({"quantization": {"group_size": 64, "bits": 4}}, "MLX in 4 bits", "a GGUF file"),
    ({"text_config": {"quantization_config": {"quant_method": "awq"}}}, "AWQ", "a GGUF file"),
]


def configured(folder: Path, entries: dict[str, Any]) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | entries), encoding="utf-8")
    return folder


@pytest.mark.parametrize(("entries", "kind", "way"), KINDS)
def test_a_quantised_checkpoint_is_refused_by_name(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entries: dict[str, Any], kind: str, way: str
) -> None:
    def never(*arguments: Any, **settings: Any) -> None:
        raise AssertionError("something was loaded")

    monkeypatch.setattr(loading, "_boot", never)
    folder = configured(Path(copytree(checkpoint, tmp_path / "model")), entries)
    with pytest.raises(
        ValueError, match=f"{re.escape(str(folder))} holds weights quantised by {kind}, .*{way}"
    ) as told:
        wb.load_model(folder)
    assert "\n" not in str(told.value)


def test_an_empty_entry_is_no_quantisation(checkpoint: Path, tmp_path: Path) -> None:
    folder = configured(Path(copytree(checkpoint, tmp_path / "model")), {"quantization_config": None})
    assert wb.load_model(folder).fingerprint == wb.load_model(checkpoint).fingerprint


@pytest.mark.parametrize(
    ("ending", "kind"), [(".qweight", "GPTQ"), (".weight_packed", "compressed-tensors"), (".weight_scale_inv", "FP8")]
)
def test_tensors_tell_what_a_configuration_does_not(checkpoint: Path, tmp_path: Path, ending: str, kind: str) -> None:
    folder = Path(copytree(checkpoint, tmp_path / "model"))
    tensors = load_file(folder / WEIGHTS)
    tensors[f"model.layers.0.mlp.up_proj{ending}"] = torch.zeros(2, 2)
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    with pytest.raises(ValueError, match=f"quantised by {kind}, .*a GGUF file"):
        wb.load_model(folder)


def test_the_way_out_of_fp8_gives_its_weights(checkpoint: Path, tmp_path: Path) -> None:
    """The call that is named makes a checkpoint that loads, each weight being its stored value times its scale."""
    folder = configured(
        Path(copytree(checkpoint, tmp_path / "fp8")),
        {"quantization_config": {"quant_method": "fp8", "weight_block_size": [16, 16], "activation_scheme": "dynamic"}},
    )
    tensors, wanted = load_file(folder / WEIGHTS), {}
    for name in [name for name in tensors if "proj" in name]:
        blocks = tensors[name].unflatten(0, (-1, 16)).unflatten(2, (-1, 16))
        scales = blocks.abs().amax(dim=(1, 3)) / 448
        stored = (blocks / scales[:, None, :, None]).to(torch.float8_e4m3fn)
        tensors[name] = stored.flatten(2).flatten(0, 1).contiguous()
        tensors[f"{name}_scale_inv"] = scales
        wanted[name] = (stored.float() * scales[:, None, :, None]).flatten(2).flatten(0, 1)
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    with pytest.raises(
        ValueError, match=r"\(dequantize=True\)\)\.save_pretrained\(FOLDER, save_original_format=False\)"
    ):
        wb.load_model(folder)
    whole = AutoModelForCausalLM.from_pretrained(
        folder, quantization_config=FineGrainedFP8Config(dequantize=True), dtype=torch.float32
    )
    whole.save_pretrained(tmp_path / "out", save_original_format=False)
    wb.load_model(checkpoint).tokenizer.save_pretrained(tmp_path / "out")
    loaded = wb.load_model(tmp_path / "out").network.state_dict()
    for name, weight in wanted.items():
        key = next(key for key in loaded if key.replace("_original_component.", "").endswith(name))
        torch.testing.assert_close(loaded[key], weight)
