"""Adapters of peft: merged into the base, against plain peft, and refused where that is not what they compute."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM
from typer.main import get_command

import workbench as wb
from workbench.cli import app
from workbench.model import adapter as adapters
from workbench.model.loading import load_again, stock_network
from workbench.model.quiet import quiet
from workbench.study import running

MISSING = "peft is not installed: pip install 'dpn-workbench[adapter]'"
TOKENS = torch.tensor([[5, 9, 2, 30, 7, 7, 1, 12]])


def made(checkpoint: Path, folder: Path, config: Any, seed: int = 1) -> Path:
    """An adapter of a base with every weight random, so that it changes what the base computes."""
    peft = pytest.importorskip("peft", reason=MISSING)
    with quiet(), torch.no_grad():
        both = peft.get_peft_model(AutoModelForCausalLM.from_pretrained(checkpoint), config)
        torch.manual_seed(seed)
        for name, parameter in both.named_parameters():
            if parameter.requires_grad and "magnitude" not in name:
                parameter.add_(torch.randn_like(parameter) * 0.1)
        both.save_pretrained(folder)
    return folder


def lora(**settings: Any) -> Any:
    peft = pytest.importorskip("peft", reason=MISSING)
    given = {"task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "down_proj"]}
    return peft.LoraConfig(**given | settings)


@pytest.fixture(scope="module")
def folder(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(checkpoint, tmp_path_factory.mktemp("adapters") / "lora", lora())


@torch.no_grad()
def apart(checkpoint: Path, folder: Path) -> torch.Tensor:
    """The logits of base and adapter by plain peft."""
    import peft  # pyright: ignore[reportMissingImports]

    with quiet():
        both = peft.PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(checkpoint), str(folder))
    return both.eval()(input_ids=TOKENS).logits


@torch.no_grad()
def hooked(model: wb.Model) -> torch.Tensor:
    return model.network(input_ids=TOKENS).logits


def test_a_merged_lora_computes_what_peft_does(checkpoint: Path, folder: Path) -> None:
    loaded = wb.load_model(checkpoint, adapter=folder)
    torch.testing.assert_close(hooked(loaded), apart(checkpoint, folder), atol=1e-5, rtol=1e-5)
    base = wb.load_model(checkpoint)
    assert (hooked(base) - hooked(loaded)).abs().max() > 1e-2
    assert loaded.fingerprint != base.fingerprint
    record = loaded.source["adapter"]
    assert (record["name"], record["method"], record["trained_on"]) == (str(folder), "LORA", str(checkpoint))
    assert loaded.weights.startswith(f"as the checkpoint has them, with the LORA adapter {folder} (sha256 ")
    assert "lora" not in " ".join(loaded.network.state_dict())
    # The neurons that are read and edited are the merged ones.
    assert not torch.equal(loaded.w_out(1), base.w_out(1))
    again = load_again(loaded.recipe or {})
    assert again.fingerprint == loaded.fingerprint
    assert again.source == loaded.source


@pytest.mark.parametrize(
    "settings",
    [
        {"use_dora": True},
        {"use_rslora": True, "bias": "all"},
        {"modules_to_save": ["lm_head"]},
        {"target_modules": "all-linear", "rank_pattern": {"q_proj": 2}},
    ],
)
def test_variants_are_merged_right(checkpoint: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    own = made(checkpoint, tmp_path / "adapter", lora(**settings))
    loaded = wb.load_model(checkpoint, adapter=own)
    torch.testing.assert_close(hooked(loaded), apart(checkpoint, own), atol=1e-5, rtol=1e-5)


def test_a_capture_says_which_adapter_and_a_bake_holds_it(
    checkpoint: Path, folder: Path, tmp_path: Path, contrast: wb.Contrast
) -> None:
    loaded = wb.load_model(checkpoint, adapter=folder)
    tally = wb.capture(loaded, contrast)
    assert loaded.source["adapter"]["sha256"] in tally.provenance["weights"]
    effects = wb.effect_sizes(tally)
    edit = wb.dpn_edit(effects, wb.select_neurons(effects, quantile=0.9, min_d=0.1), gamma=1.0)
    baked = wb.export.bake(loaded, edit, tmp_path / "baked")
    record = json.loads((baked.folder / "bake.json").read_text(encoding="utf-8"))
    assert "LORA adapter" in record["base_weights"]
    stock: Any = AutoModelForCausalLM.from_pretrained(baked.folder).eval()
    with torch.no_grad(), wb.edited(loaded, edit, scope="all"):
        torch.testing.assert_close(stock(input_ids=TOKENS).logits, hooked(loaded), atol=1e-4, rtol=1e-4)
    plain = stock_network(loaded.recipe or {}, torch.float32).eval()
    with torch.no_grad():
        torch.testing.assert_close(plain(input_ids=TOKENS).logits, hooked(loaded), atol=1e-5, rtol=1e-5)


def test_a_folder_that_is_an_adapter_names_its_base(checkpoint: Path, folder: Path, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=f"{folder} is an adapter: it is merged into {checkpoint}, which its adapter_"):
        loaded = wb.load_model(folder)
    assert loaded.fingerprint == wb.load_model(checkpoint, adapter=folder).fingerprint
    assert loaded.name == str(checkpoint)
    nameless = made(checkpoint, tmp_path / "nameless", lora())
    config = json.loads((nameless / adapters.CONFIG).read_text(encoding="utf-8"))
    (nameless / adapters.CONFIG).write_text(json.dumps(config | {"base_model_name_or_path": None}), encoding="utf-8")
    with pytest.raises(ValueError, match="an adapter that names no base. Give the base, and this as adapter="):
        wb.load_model(nameless)


def test_an_adapter_that_does_not_fit_is_refused(
    checkpoint: Path, model: wb.Model, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=f"{folder} does not fit the llama .*size mismatch"):
        wb.load_model("testbed", adapter=folder)
    deep = made(checkpoint, tmp_path / "deep", lora())
    from safetensors.torch import load_file, save_file

    weights = load_file(deep / "adapter_model.safetensors")
    first = next(iter(weights))
    more = weights | {first.replace("layers.0", "layers.7").replace("layers.1", "layers.7"): weights[first].clone()}
    save_file(more, deep / "adapter_model.safetensors")
    with pytest.raises(ValueError, match="1 tensors are of parts that it lacks, .*layers.7"):
        wb.load_model(checkpoint, adapter=deep)
    weights.pop(first)
    save_file(weights, deep / "adapter_model.safetensors")
    with pytest.raises(ValueError, match="1 tensors are missing, .*It was trained on"):
        wb.load_model(checkpoint, adapter=deep)
    named = made(checkpoint, tmp_path / "named", lora())
    config = json.loads((named / adapters.CONFIG).read_text(encoding="utf-8"))
    (named / adapters.CONFIG).write_text(json.dumps(config | {"target_modules": ["c_attn"]}), encoding="utf-8")
    with pytest.raises(ValueError, match="does not fit the llama .*Target modules"):
        wb.load_model(checkpoint, adapter=named)


def test_kinds_without_weights_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft", reason=MISSING)
    prompts = peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)
    own = made(checkpoint, tmp_path / "prompts", prompts)
    with pytest.raises(ValueError, match="a PROMPT_TUNING adapter: it acts through tokens of its own"):
        wb.load_model(checkpoint, adapter=own)
    own = made(checkpoint, tmp_path / "activated", lora(alora_invocation_tokens=[5, 9]))
    with pytest.raises(ValueError, match="an? activated LoRA adapter"):
        wb.load_model(checkpoint, adapter=own)


def test_a_merge_that_computes_something_else_is_refused(
    checkpoint: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("peft", reason=MISSING)
    from peft.tuners.lora.layer import Linear  # pyright: ignore[reportMissingImports]

    whole = Linear.get_delta_weight
    monkeypatch.setattr(Linear, "get_delta_weight", lambda self, adapter: 1.2 * whole(self, adapter))
    with pytest.raises(ValueError, match=r"\(LORA\) cannot be merged: the merged network's logits differ by \d"):
        wb.load_model(checkpoint, adapter=folder)


def test_an_adapter_is_merged_into_weights_that_are_in_memory(checkpoint: Path, folder: Path) -> None:
    spread = wb.load_model(checkpoint, adapter=folder, device_map="cpu")
    torch.testing.assert_close(hooked(spread), apart(checkpoint, folder), atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match="weights that are in memory, but some of the base's are offloaded. Load it"):
        wb.load_model(checkpoint, adapter=folder, device_map={"": "disk"})


def test_a_checkpoint_beside_an_adapter_is_no_guess(
    checkpoint: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shutil import copy, copytree

    both = Path(copytree(checkpoint, tmp_path / "both"))
    copy(folder / adapters.CONFIG, both)
    with pytest.raises(ValueError, match="holds a checkpoint and an adapter.*Move adapter_config.json away"):
        wb.load_model(both)


def test_what_is_missing_is_told(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapters, "find_spec", lambda name: object())
    with pytest.raises(FileNotFoundError, match="no adapter 'no-such/adapter'"):
        wb.load_model(checkpoint, adapter="no-such/adapter")
    with pytest.raises(FileNotFoundError, match=r"holds no adapter: there is no adapter_config\.json"):
        wb.load_model(checkpoint, adapter=tmp_path)
    (tmp_path / adapters.CONFIG).write_text('{"peft_type": "LORA"}', encoding="utf-8")
    with pytest.raises(FileNotFoundError, match="holds no weights: there is neither adapter_model.safetensors"):
        wb.load_model(checkpoint, adapter=tmp_path)
    monkeypatch.setattr(adapters, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"merged with peft. Install it with: pip install 'dpn-workbench\[adapter\]'"):
        wb.load_model(checkpoint, adapter=tmp_path)


def test_the_command_line_and_a_study_take_an_adapter(
    folder: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    class Loaded(Exception):
        pass

    def load(name: str, **settings: Any) -> None:
        asked.append((name, settings["adapter"]))
        raise Loaded

    monkeypatch.setattr(wb, "load_model", load)
    monkeypatch.setattr(running, "load_model", load)
    edit = tmp_path / "edit.safetensors"
    edit.write_bytes(b"")
    given = ("--model", str(checkpoint), "--adapter", str(folder))
    for command in (
        ("locate", "--trait", "Openness"),
        ("capture", "--trait", "Openness", "--out", "x"),
        ("steer", str(edit), "Hello?"),
        ("evaluate", "--tasks", "gsm8k", "--out", "x"),
        ("export", str(edit), "--to", "hf", "--out", "x"),
    ):
        with pytest.raises(Loaded):
            get_command(app).main([*command, *given], standalone_mode=False)
        assert asked.pop() == (str(checkpoint), folder)
    path = tmp_path / "study.toml"
    path.write_text(wb.StudyConfig(model=str(checkpoint), adapter=str(folder)).toml(), encoding="utf-8")
    with pytest.raises(Loaded):
        wb.run_study(wb.StudyConfig.read(path), tmp_path / "study")
    assert asked.pop() == (str(checkpoint), str(folder))
