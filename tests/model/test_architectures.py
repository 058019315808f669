"""Every architecture that people steer: what is read of it, and that captures and edits are plain transformers' own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2MoeConfig,
    Qwen2MoeForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

import workbench as wb
from workbench.capture import Activations
from workbench.model.norms import normalises_mlp_output

LAYERS, WIDTH, HIDDEN = 3, 48, 32
STEPS = 6
SHAPE: dict[str, Any] = {
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
}
GATED: dict[str, Any] = SHAPE | {"intermediate_size": WIDTH, "num_key_value_heads": 2}


def silu(x: torch.Tensor) -> torch.Tensor:
    return functional.silu(x)


def gelu(x: torch.Tensor) -> torch.Tensor:
    return functional.gelu(x)


def gelu_tanh(x: torch.Tensor) -> torch.Tensor:
    return functional.gelu(x, approximate="tanh")


@dataclass(frozen=True)
class Architecture:
    """A small random network, where its down projections are, and what should be read of it."""

    make: Callable[[int], Any]
    down: str
    gated: bool = True
    activation: Callable[[torch.Tensor], torch.Tensor] = silu
    normed: bool = False


ARCHITECTURES = {
    "llama": Architecture(
        lambda v: LlamaForCausalLM(LlamaConfig(vocab_size=v, **GATED)), "model.layers.{}.mlp.down_proj"
    ),
    "qwen2": Architecture(
        lambda v: Qwen2ForCausalLM(Qwen2Config(vocab_size=v, **GATED)), "model.layers.{}.mlp.down_proj"
    ),
    "qwen3": Architecture(
        lambda v: Qwen3ForCausalLM(Qwen3Config(vocab_size=v, head_dim=8, **GATED)), "model.layers.{}.mlp.down_proj"
    ),
    "mistral": Architecture(
        lambda v: MistralForCausalLM(MistralConfig(vocab_size=v, sliding_window=16, **GATED)),
        "model.layers.{}.mlp.down_proj",
    ),
    "gemma2": Architecture(
        lambda v: Gemma2ForCausalLM(Gemma2Config(vocab_size=v, head_dim=8, sliding_window=16, **GATED)),
        "model.layers.{}.mlp.down_proj",
        activation=gelu_tanh,
        normed=True,
    ),
    "phi3": Architecture(
        lambda v: Phi3ForCausalLM(Phi3Config(vocab_size=v, pad_token_id=0, **GATED)), "model.layers.{}.mlp.down_proj"
    ),
    "gpt2": Architecture(
        lambda v: GPT2LMHeadModel(
            GPT2Config(vocab_size=v, n_positions=256, n_embd=HIDDEN, n_layer=LAYERS, n_head=4, n_inner=WIDTH)
        ),
        "transformer.h.{}.mlp.c_proj",
        gated=False,
        activation=gelu_tanh,
    ),
    "pythia": Architecture(
        lambda v: GPTNeoXForCausalLM(GPTNeoXConfig(vocab_size=v, intermediate_size=WIDTH, **SHAPE)),
        "gpt_neox.layers.{}.mlp.dense_4h_to_h",
        gated=False,
        activation=gelu,
    ),
}


def saved(make: Callable[[int], Any], tokenizer: Any, folder: Path) -> Path:
    torch.manual_seed(0)
    network = make(len(tokenizer)).eval()
    for parameter in network.parameters():  # large enough that an edit shows
        torch.nn.init.normal_(parameter, std=0.15) if parameter.ndim > 1 else None
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@dataclass(frozen=True)
class Pair:
    """One checkpoint, hooked and plain."""

    kind: Architecture
    hooked: wb.Model
    plain: Any

    @contextmanager
    def at_down(self, act: Callable[[int, torch.Tensor], torch.Tensor | None]) -> Iterator[None]:
        """Plain transformers with `act` on each down projection's input."""
        modules = [self.plain.get_submodule(self.kind.down.format(layer)) for layer in range(LAYERS)]

        def hook(layer: int) -> Callable[..., Any]:
            def run(module: Any, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor] | None:
                changed = act(layer, args[0])
                return None if changed is None else (changed,)

            return run

        handles = [module.register_forward_pre_hook(hook(layer)) for layer, module in enumerate(modules)]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


@pytest.fixture(scope="module", params=ARCHITECTURES)
def pair(request: pytest.FixtureRequest, model: wb.Model, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    kind = ARCHITECTURES[request.param]
    folder = saved(kind.make, model.tokenizer, tmp_path_factory.mktemp("checkpoint") / request.param)
    plain = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    return Pair(kind, wb.load_model(folder), plain)


def test_what_it_is_is_read_from_it(pair: Pair) -> None:
    hooked = pair.hooked
    assert (hooked.n_layers, hooked.d_mlp, hooked.d_model) == (LAYERS, WIDTH, HIDDEN)
    assert [hooked.is_gated(layer) for layer in range(LAYERS)] == [pair.kind.gated] * LAYERS
    assert normalises_mlp_output(hooked) is pair.kind.normed
    x = torch.linspace(-4, 4, 41)
    torch.testing.assert_close(hooked.activation_function(1)(x), pair.kind.activation(x))
    down = pair.plain.get_submodule(pair.kind.down.format(1)).weight.detach()
    torch.testing.assert_close(hooked.w_out(1), down if down.shape[0] == WIDTH else down.T)


def test_capture_reads_the_down_projections_input(pair: Pair) -> None:
    contrast = wb.Contrast.testbed("Extraversion", n=6)
    found = wb.capture(pair.hooked, contrast, keep=True)
    assert isinstance(found, Activations)
    for pole, prompts in contrast.poles.items():
        for row, ids in enumerate(pair.hooked.tokens(prompts)):
            seen: dict[int, torch.Tensor] = {}

            def keep(layer: int, h: torch.Tensor, seen: dict[int, torch.Tensor] = seen) -> None:
                seen[layer] = h[0, -1]

            with pair.at_down(keep), torch.no_grad():
                pair.plain(torch.tensor([ids]))
            expected = torch.stack([seen[layer] for layer in range(LAYERS)])
            torch.testing.assert_close(found.activations[pole][row], expected, atol=1e-5, rtol=1e-5)


def edit_of(hooked: wb.Model) -> wb.Edit:
    generator = torch.Generator().manual_seed(1)
    deltas = {layer: 2 * torch.randn(WIDTH, generator=generator) for layer in range(1, LAYERS)}
    return wb.Edit.of(deltas, trait="T", method="test", direction="increase", site="hook_post", gamma=1.5)


@torch.no_grad()
def plain_greedy(pair: Pair, ids: list[int], edit: wb.Edit | None, scope: str) -> tuple[list[int], torch.Tensor]:
    """New tokens and the logits behind each, by a plain loop with the cache on."""
    deltas = {} if edit is None else {layer: edit.delta(layer) for layer in edit.layers}
    prompt = True

    def add(layer: int, h: torch.Tensor) -> torch.Tensor | None:
        if layer not in deltas or (scope == "decode" and prompt):
            return None
        first = h.shape[1] - 1 if scope == "generated" and prompt else 0
        return torch.cat([h[:, :first], h[:, first:] + deltas[layer]], 1)

    fed, cache, new, logits = torch.tensor([ids]), None, [], []
    with pair.at_down(add):
        for _ in range(STEPS):
            output = pair.plain(fed, past_key_values=cache, use_cache=True)
            cache, row = output.past_key_values, output.logits[0, -1]
            token = int(row.argmax())
            logits.append(row)
            if token in pair.hooked.stop_tokens:
                break
            new.append(token)
            fed, prompt = torch.tensor([[token]]), False
    return new, torch.stack(logits)


ASKED = ["How do you spend your time at the office party?", "What is 21 + 13?", "Say it."]


@pytest.mark.parametrize("scope", ["all", "generated", "decode"])
def test_an_edit_is_the_delta_at_the_down_projection(pair: Pair, scope: Any) -> None:
    edit = edit_of(pair.hooked)
    with wb.edited(pair.hooked, edit, scope=scope):
        ours = pair.hooked.generate_tokens(ASKED, max_new_tokens=STEPS)
    prompts = pair.hooked.tokens(ASKED)
    assert ours == [plain_greedy(pair, ids, edit, scope)[0] for ids in prompts]
    bare = [plain_greedy(pair, ids, None, scope)[0] for ids in prompts]
    assert pair.hooked.generate_tokens(ASKED, max_new_tokens=STEPS) == bare
    assert ours != bare
    if scope == "all":
        ids = torch.tensor(prompts[:1])
        with wb.edited(pair.hooked, edit, scope="all"), torch.no_grad():
            logits = pair.hooked.hooked(ids)[0, -1]
        torch.testing.assert_close(logits, plain_greedy(pair, prompts[0], edit, scope)[1][0], atol=1e-4, rtol=1e-4)


def test_a_mixture_of_experts_is_refused_with_the_reason(model: wb.Model, tmp_path: Path) -> None:
    def make(v: int) -> Any:
        small = {"num_experts": 2, "num_experts_per_tok": 1, "moe_intermediate_size": 16}
        return Qwen2MoeForCausalLM(Qwen2MoeConfig(vocab_size=v, shared_expert_intermediate_size=16, **small, **GATED))

    mixture = wb.load_model(saved(make, model.tokenizer, tmp_path))
    with pytest.raises(ValueError, match="Layer 0 has no single down projection .* mixture of experts"):
        _ = mixture.d_mlp
    with pytest.raises(ValueError, match="neurons of a mixture of experts are not one axis"):
        wb.capture(mixture, wb.Contrast.testbed("Extraversion", n=4))
    with (
        pytest.raises(ValueError, match="mixture of experts are not one axis"),
        wb.edited(mixture, edit_of(mixture)),
    ):
        pass
    assert f"{LAYERS} layers of a mixture of experts" in repr(mixture)
