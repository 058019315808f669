"""lm-evaluation-harness's steering files: its own code runs them, and they are read back."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Gemma2Config, Gemma2ForCausalLM, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

import workbench as wb
from workbench.export.lm_eval import read_lm_eval, write_lm_eval

WEIGHTS = Path(wb.__file__).parent / "testbed" / "weights"


def test_the_file_is_as_the_format_says(model: wb.Model, edit: wb.Edit, tmp_path: Path) -> None:
    content = torch.load(write_lm_eval(model, edit, tmp_path / "steer.pt"), weights_only=True)
    assert list(content) == [f"layers.{layer}.mlp.down_proj" for layer in (2, 5, 7)]
    entry = content["layers.5.mlp.down_proj"]
    assert (entry["steering_coefficient"], entry["action"]) == (1.5, "add")
    assert (entry["bias"], entry["head_index"]) == (None, None)
    expected = edit.with_gamma(1.0).delta(5) @ model.w_out(5)
    torch.testing.assert_close(entry["steering_vector"], expected, atol=1e-5, rtol=1e-5)
    assert [file.name for file in tmp_path.iterdir()] == ["steer.pt"]


@pytest.mark.filterwarnings("ignore")
def test_lm_eval_runs_it_as_the_edited_model(
    model: wb.Model, edit: wb.Edit, residual: wb.Edit, prompt: torch.Tensor, tmp_path: Path
) -> None:
    steered = pytest.importorskip("lm_eval.models.hf_steered", reason="lm-eval is not installed").SteeredModel
    for one in (edit, residual):
        path = write_lm_eval(model, one, tmp_path / "steer.pt")
        theirs = steered(pretrained=str(WEIGHTS), steer_path=str(path), device="cpu", dtype="float32")
        with torch.no_grad():
            logits = theirs.forward(prompt).logits
            plain = theirs.model(prompt).logits
            with wb.edited(model, one, scope="all"):
                ours = model.hooked(prompt)
            torch.testing.assert_close(plain, model.hooked(prompt), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(logits, ours, atol=1e-4, rtol=1e-4)
        assert (logits - plain).abs().max() > 0.1  # it does something


MAKE: dict[str, Any] = {
    "gemma2": lambda v: Gemma2ForCausalLM(
        Gemma2Config(
            vocab_size=v, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, head_dim=8,
            intermediate_size=48, num_key_value_heads=2,
        )
    ),
    "gpt2": lambda v: GPT2LMHeadModel(GPT2Config(vocab_size=v, n_positions=128, n_embd=32, n_layer=2, n_head=4)),
}  # fmt: skip


@pytest.mark.parametrize("kind", MAKE)
@pytest.mark.filterwarnings("ignore")
def test_hookpoints_of_other_architectures(kind: str, model: wb.Model, prompt: torch.Tensor, tmp_path: Path) -> None:
    """Gemma 2 normalises the MLP's output, but after the down projection, where lm-eval adds."""
    steer = pytest.importorskip("lm_eval.models.hf_steered", reason="lm-eval is not installed")
    torch.manual_seed(0)
    network = MAKE[kind](len(model.tokenizer)).eval()
    network.save_pretrained(tmp_path)
    model.tokenizer.save_pretrained(tmp_path)
    hooked = wb.load_model(tmp_path)
    generator = torch.Generator().manual_seed(0)
    edit = wb.Edit.of(
        {layer: torch.randn(hooked.d_mlp, generator=generator) for layer in (0, 1)},
        trait="T", method="m", direction="increase", site="hook_post",
    )  # fmt: skip
    path = write_lm_eval(hooked, edit, tmp_path / "steer.pt")
    content = torch.load(path, weights_only=True)
    hooks = {place: lambda h, e=entry: h + e["steering_vector"] for place, entry in content.items()}
    with torch.no_grad():
        with steer.steer(network, hooks):
            theirs = network(prompt).logits
        with wb.edited(hooked, edit, scope="all"):
            torch.testing.assert_close(theirs, hooked.hooked(prompt), atol=1e-4, rtol=1e-4)
        assert (theirs - network(prompt).logits).abs().max() > 1e-2
    if kind == "gemma2":
        with pytest.raises(ValueError, match="normalises the MLP's output after it"):
            read_lm_eval(path, model=hooked)
    else:
        read_lm_eval(path, model=hooked)


def test_what_is_read_back_does_the_same(
    model: wb.Model, edit: wb.Edit, residual: wb.Edit, prompt: torch.Tensor, tmp_path: Path
) -> None:
    for one, site in ((edit, "mlp_out"), (residual, "resid_post")):
        back = read_lm_eval(write_lm_eval(model, one, tmp_path / "steer.pt"), model=model)
        assert read_lm_eval(tmp_path / "steer.pt", model=model, gamma=2.0) == back.with_gamma(2.0)
        assert (back.site, back.gamma, back.layers, back.trait) == (site, one.gamma, one.layers, "Openness")
        with torch.no_grad():
            with wb.edited(model, one, scope="all"):
                expected = model.hooked(prompt)
            with wb.edited(model, back, scope="all"):
                torch.testing.assert_close(model.hooked(prompt), expected, atol=1e-4, rtol=1e-4)


def test_hookpoints_of_both_kinds_and_several_coefficients(model: wb.Model, tmp_path: Path) -> None:
    ones = torch.ones(model.d_model)
    entries = {
        "layers.1": {"steering_vector": ones, "steering_coefficient": 2.0, "action": "add"},
        "layers.2": {"steering_vector": ones, "steering_coefficient": 3.0, "action": "add"},
        "layers.2.mlp.down_proj": {"steering_vector": ones, "action": "add"},
    }
    torch.save(entries, tmp_path / "steer.pt")
    back = read_lm_eval(tmp_path / "steer.pt", model=model)
    assert isinstance(back, wb.edit.Composite)
    after, written = sorted(back.parts, key=lambda part: part.site, reverse=True)
    assert (after.site, after.delta(1)[0], after.delta(2)[0]) == ("resid_post", 2.0, 3.0)
    assert (written.site, written.delta(2)[0]) == ("mlp_out", 1.0)
    twice = read_lm_eval(tmp_path / "steer.pt", model=model, gamma=2.0)
    assert sorted(float(part.delta(2)[0]) for part in twice.parts) == [2.0, 6.0]


def test_what_cannot_be_such_a_file_is_refused(model: wb.Model, edit: wb.Edit, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="by the ending .pt or .pth, but steer.bin"):
        write_lm_eval(model, edit, tmp_path / "steer.bin")
    with pytest.raises(ValueError, match="only scope 'all' can be exported, but 'generated'"):
        write_lm_eval(model, edit, tmp_path / "steer.pt", scope="generated")
    with pytest.raises(ValueError, match="nothing to export"):
        write_lm_eval(model, edit.with_gamma(0.0), tmp_path / "steer.pt")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("hookpoint", "entry", "said"),
    [
        ("layers.9.mlp.down_proj", {}, "reaches layer 9, but testbed has layers 0 to 7"),
        ("layers.1.mlp.down_proj", {"steering_vector": torch.ones(5)}, "width 5, but testbed has 128"),
        ("layers.1.self_attn", {}, r"hookpoint 'layers.1.self_attn', but in testbed they are layers.\{layer\}.mlp"),
        ("layers.1", {"action": "clamp"}, "only action 'add' without bias and head_index"),
        ("layers.1", {"head_index": 3}, "head_index 3 arrived"),
        ("layers.1", {"bias": torch.ones(128)}, "only action 'add' without bias"),
        ("layers.1", {"steering_coefficient": "much"}, "steering_coefficient is a number, but 'much'"),
        ("layers.1", {"steering_vector": torch.full((128,), torch.nan)}, "must be finite, but 128 of its values"),
        ("layers.1", {"steering_vector": [1.0]}, "is a dense tensor, but a list"),
        ("layers.1", {"workbench": {"n_layers": 6}}, "for a model of 6 blocks, but testbed has 8"),
        ("layers.1", {"workbench": {"model_fingerprint": "f" * 64}}, "made on weights ffffffffffff, but testbed has"),
    ],
)
def test_what_is_no_such_file_is_refused(
    model: wb.Model, tmp_path: Path, hookpoint: str, entry: dict[str, Any], said: str
) -> None:
    whole = {"steering_vector": torch.ones(128), "steering_coefficient": 1.0, "action": "add", **entry}
    torch.save({hookpoint: whole}, tmp_path / "steer.pt")
    with pytest.raises(ValueError, match=said):
        read_lm_eval(tmp_path / "steer.pt", model=model)


def test_an_unknown_architecture_is_said(model: wb.Model, edit: wb.Edit, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(model.tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=48,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    model.tokenizer.save_pretrained(tmp_path)
    strange = wb.load_model(tmp_path)
    strange.network.config.model_type = "strange"
    one = wb.Edit.of({1: torch.ones(48)}, trait="T", method="m", direction="increase", site="hook_post")
    with pytest.raises(ValueError, match="is a strange: where its down projection stands is known for llama"):
        write_lm_eval(strange, one, tmp_path / "steer.pt")
