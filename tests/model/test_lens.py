"""What a neuron's write does to the logits, against the weights of plain transformers and real forward passes."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GemmaConfig,
    GemmaForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    GraniteConfig,
    GraniteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
)

import workbench as wb
from workbench.model.lens import logit_lens, readable_token, top_tokens

THREE = Path(os.environ.get("TRANSFORMER_LENS_3", Path(__file__).parents[2] / ".venv" / "transformer-lens-3"))
SHAPE: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
KINDS: dict[str, Any] = {
    "llama": lambda v: LlamaForCausalLM(LlamaConfig(vocab_size=v, tie_word_embeddings=False, **SHAPE)),
    "llama tied": lambda v: LlamaForCausalLM(LlamaConfig(vocab_size=v, tie_word_embeddings=True, **SHAPE)),
    "odd width": lambda v: LlamaForCausalLM(
        LlamaConfig(
            vocab_size=v,
            hidden_size=33,
            num_hidden_layers=2,
            num_attention_heads=3,
            intermediate_size=48,
            head_dim=12,
            num_key_value_heads=3,
        )
    ),
    "gpt2": lambda v: GPT2LMHeadModel(GPT2Config(vocab_size=v, n_embd=32, n_layer=2, n_head=4, n_inner=48)),
    "pythia": lambda v: GPTNeoXForCausalLM(GPTNeoXConfig(vocab_size=v, **SHAPE)),
    "gemma": lambda v: GemmaForCausalLM(GemmaConfig(vocab_size=v, head_dim=8, num_key_value_heads=4, **SHAPE)),
    "granite": lambda v: GraniteForCausalLM(
        GraniteConfig(vocab_size=v, logits_scaling=4.0, residual_multiplier=0.5, **SHAPE)
    ),
}


def saved(make: Any, model: wb.Model, folder: Path) -> Path:
    """A random checkpoint whose norms' gains and biases are random too."""
    torch.manual_seed(3)
    network = make(len(model.tokenizer))
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "norm" in name or ".ln_" in name:
                parameter.copy_(torch.randn_like(parameter) * 0.3 + ("Gemma" not in type(network).__name__))
    network.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=list(KINDS))
def both(request: pytest.FixtureRequest, model: wb.Model, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """A checkpoint as we load it, and as plain transformers does."""
    folder = saved(KINDS[request.param], model, tmp_path_factory.mktemp("lens"))
    return wb.load_model(folder), AutoModelForCausalLM.from_pretrained(folder).eval()


def centred(logits: torch.Tensor) -> torch.Tensor:
    return logits - logits.mean()


def plain_lens(network: Any, direction: torch.Tensor) -> torch.Tensor:
    """The lens by matrix arithmetic on transformers' own weights."""
    base = network.base_model
    norm = next(getattr(base, name) for name in ("norm", "ln_f", "final_layer_norm") if hasattr(base, name))
    if isinstance(norm, torch.nn.LayerNorm):
        direction = direction - direction.mean()
    gain = norm.weight + 1 if "Gemma" in type(norm).__name__ else norm.weight
    logits = network.get_output_embeddings().weight @ (gain * direction)
    return centred(logits / getattr(network.config, "logits_scaling", 1.0)).detach()


def write_of(network: Any, layer: int, neuron: int) -> torch.Tensor:
    modules = dict(network.named_modules())
    name = next(
        n for n in modules if f".{layer}." in n and n.endswith(("down_proj", "c_proj", "4h_to_h")) and "mlp" in n
    )
    weight = modules[name].weight
    row = weight[neuron] if name.endswith("c_proj") else weight[:, neuron]
    return getattr(network.config, "residual_multiplier", 1.0) * row.detach()


def test_lens_is_the_arithmetic_of_the_weights(both: tuple[wb.Model, Any]) -> None:
    ours, network = both
    torch.manual_seed(0)
    direction = torch.randn(ours.d_model)
    torch.testing.assert_close(logit_lens(ours, direction), plain_lens(network, direction), atol=2e-5, rtol=2e-5)


def test_tokens_are_those_that_the_weights_move_most(both: tuple[wb.Model, Any]) -> None:
    ours, network = both
    want = plain_lens(network, write_of(network, 1, 7))
    found = top_tokens(ours, 1, 7, k=5)
    promoted, suppressed = found[found["side"] == "promoted"], found[found["side"] == "suppressed"]
    torch.testing.assert_close(torch.tensor(promoted["logit"].tolist()), want.topk(5).values, atol=2e-5, rtol=2e-5)
    torch.testing.assert_close(
        torch.tensor(suppressed["logit"].tolist()), want.topk(5, largest=False).values, atol=2e-5, rtol=2e-5
    )
    for row in found.itertuples():
        assert row.logit == pytest.approx(float(want[row.token_id]), abs=2e-5)  # type: ignore[index]


def test_lens_foretells_what_a_small_push_does_to_real_logits(both: tuple[wb.Model, Any]) -> None:
    """Pushed across the final residual stream, not along it, the norm's scale holds to first order."""
    _, network = both
    ours = both[0]
    held: dict[str, torch.Tensor] = {}
    base = network.base_model
    norm = next(getattr(base, name) for name in ("norm", "ln_f", "final_layer_norm") if hasattr(base, name))
    push = torch.zeros(ours.d_model, dtype=torch.float64)

    def before(module: Any, args: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        held["residual"] = args[0][0, -1].detach().clone()
        return (args[0] + push.to(args[0].dtype),)

    network.double()
    hook = norm.register_forward_pre_hook(before)
    try:
        tokens = torch.tensor([[7, 11, 13]])
        logits = [network(tokens).logits[0, -1].detach()]
        residual = held["residual"]
        if isinstance(norm, torch.nn.LayerNorm):
            residual = residual - residual.mean()
        torch.manual_seed(1)
        push = torch.randn(ours.d_model, dtype=torch.float64)
        push -= (push @ residual) / (residual @ residual) * residual
        push *= 1e-4 * residual.norm() / push.norm()
        direction = push.clone()
        logits.append(network(tokens).logits[0, -1].detach())
    finally:
        hook.remove()
        network.float()
    scale = residual.square().mean().sqrt()
    moved = centred((logits[1] - logits[0]) * scale / 1e-4).float()
    torch.testing.assert_close(logit_lens(ours, (direction / 1e-4).float()), moved, atol=2e-3, rtol=2e-3)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_folded_weights_give_the_same_lens(kind: str, model: wb.Model, tmp_path: Path) -> None:
    """Folding moves the final norm's gain into the unembedding and centres what is written."""
    folder = saved(KINDS[kind], model, tmp_path)
    plain, folded = wb.load_model(folder), wb.load_model(folder)
    folded.hooked.enable_compatibility_mode(disable_warnings=True)
    assert not torch.equal(folded.hooked.unembed.W_U, plain.hooked.unembed.W_U)
    a, b = top_tokens(plain, 1, 3), top_tokens(folded, 1, 3)
    assert b["token_id"].tolist() == a["token_id"].tolist()
    assert b["logit"].tolist() == pytest.approx(a["logit"].tolist(), abs=1e-4)


@pytest.mark.skipif(
    not THREE.is_dir(), reason="TransformerLens 3 is not beside the current one: make check puts it there"
)
def test_a_hooked_transformer_of_transformer_lens_3_gives_the_same_tokens(model: wb.Model) -> None:
    script = (
        "import generation_report\nfrom workbench.model.lens import top_tokens\n"
        "print(*top_tokens(generation_report.hooked_transformer(), 3, 5)['token_id'])"
    )
    path = os.pathsep.join([str(THREE), str(Path(__file__).parent)])
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == [str(token) for token in top_tokens(model, 3, 5)["token_id"]]


def test_an_mlp_whose_output_is_normalised_is_refused(model: wb.Model, tmp_path: Path) -> None:
    make = lambda v: Gemma2ForCausalLM(Gemma2Config(vocab_size=v, head_dim=8, **SHAPE))  # noqa: E731
    gemma = wb.load_model(saved(make, model, tmp_path))
    with pytest.raises(ValueError, match="normalises what its MLPs write"):
        top_tokens(gemma, 0, 0)


def test_mistakes_are_named(model: wb.Model) -> None:
    with pytest.raises(ValueError, match="Layers of testbed are 0 to 7, but"):
        top_tokens(model, 8, 0)
    with pytest.raises(ValueError, match="neurons 0 to 767, but 768 arrived"):
        top_tokens(model, 0, 768)
    with pytest.raises(ValueError, match="k lies from 1 to 704, half of the vocabulary, but 0 arrived"):
        top_tokens(model, 0, 0, k=0)


def test_tokens_are_readable(model: wb.Model) -> None:
    tokens = model.tokenizer.get_vocab()
    assert readable_token(model.tokenizer, tokens["Ġparty"]) == "␣party"
    assert readable_token(model.tokenizer, tokens["!"]) == "!"
    assert readable_token(model.tokenizer, tokens["Ċ"]) == "⏎"
    assert readable_token(model.tokenizer, tokens["ł"]) == "<0xA0>"  # a byte that is no character alone
    assert readable_token(model.tokenizer, tokens["<|end|>"]) == "<|end|>"


def test_one_trait_s_words_lead_where_a_neuron_writes_them(model: wb.Model) -> None:
    """A direction made of a token's own unembedding promotes that token first."""
    token = model.tokenizer.get_vocab()["Ġparty"]
    direction = model.hooked.unembed.W_U[:, token].detach()
    assert int(logit_lens(model, direction).argmax()) == token
