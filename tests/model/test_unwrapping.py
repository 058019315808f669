"""Models in memory: plain ones get hooks, compiled and data-parallel ones are unwrapped, others are refused by name."""

import warnings
from collections.abc import Callable
from inspect import unwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoModel, AutoModelForCausalLM

import workbench as wb
from workbench.model.unwrapping import bare
from workbench.vocabulary import HOOK_POST

TOKENS = torch.tensor([[5, 9, 2, 30, 7, 7, 1, 12]])


def plain(checkpoint: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(checkpoint).eval()


@torch.no_grad()
def logits(model: wb.Model) -> torch.Tensor:
    return model.network(input_ids=TOKENS).logits


def compiled(network: nn.Module) -> Any:
    return torch.compile(network, backend="eager")


def in_place(network: nn.Module) -> nn.Module:
    network.compile(backend="eager")
    return network


def in_parts(network: Any) -> nn.Module:
    network.model.layers[1] = compiled(network.model.layers[1])
    return network


def distributed(network: nn.Module) -> nn.Module:
    """As `DistributedDataParallel` holds it, without a group of processes."""
    made = nn.parallel.DistributedDataParallel.__new__(nn.parallel.DistributedDataParallel)
    nn.Module.__init__(made)
    made.module = network
    return made


WRAPPED: list[tuple[Callable[[Any], nn.Module], str]] = [
    (compiled, "OptimizedModule"),
    (in_place, "a compiled LlamaForCausalLM"),
    (in_parts, "a compiled LlamaDecoderLayer"),
    (nn.DataParallel, "DataParallel"),
    (lambda network: nn.DataParallel(compiled(network)), "DataParallel of OptimizedModule"),
    (distributed, "DistributedDataParallel"),
]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("wrap", "said"), WRAPPED)
def test_a_wrapped_model_is_unwrapped_and_its_hooks_fire(
    checkpoint: Path, wrap: Callable[[Any], nn.Module], said: str
) -> None:
    loaded = wb.load_model(checkpoint)
    given = wrap(plain(checkpoint))
    with torch.no_grad():
        given_logits = bare_or_itself(given)(input_ids=TOKENS).logits
    with pytest.warns(UserWarning, match=f"The model came as {said}; the module inside is used"):
        model = wb.wrap_model(given, loaded.tokenizer)
    torch.testing.assert_close(logits(model), given_logits)
    assert model.fingerprint == loaded.fingerprint
    silenced = model.hooked_at(HOOK_POST, 1, torch.zeros_like)
    with silenced, loaded.hooked_at(HOOK_POST, 1, torch.zeros_like):
        torch.testing.assert_close(logits(model), logits(loaded))
        assert (logits(model) - given_logits).abs().max() > 1e-3


def bare_or_itself(given: nn.Module) -> nn.Module:
    """What can run here; a group of processes cannot."""
    return given.module if isinstance(given, nn.parallel.DistributedDataParallel) else given


def test_a_plain_model_gets_hooks_and_computes_the_same(checkpoint: Path, contrast: wb.Contrast) -> None:
    loaded = wb.load_model(checkpoint)
    network = plain(checkpoint)
    with torch.no_grad():
        before = network(input_ids=TOKENS).logits
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = wb.wrap_model(network, loaded.tokenizer)
    torch.testing.assert_close(logits(model), before)
    assert (model.name, model.recipe, model.dtype) == (str(checkpoint), None, torch.float32)
    few = contrast.rows(range(6))
    ours, theirs = (wb.effect_sizes(wb.capture(one, few)) for one in (model, loaded))
    torch.testing.assert_close(ours.mean_difference, theirs.mean_difference)
    half = wb.wrap_model(plain(checkpoint).to(torch.bfloat16), loaded.tokenizer, name="mine")
    assert (half.name, half.dtype) == ("mine", torch.bfloat16)
    with pytest.raises(ValueError, match="A LlamaForCausalLM has no tokenizer. Give one as the second argument"):
        wb.wrap_model(plain(checkpoint))


def test_a_plain_model_on_disk_gets_hooks(checkpoint: Path) -> None:
    loaded = wb.load_model(checkpoint)
    names = ("model.embed_tokens", "model.layers.0", "model.layers.1", "model.norm", "model.rotary_emb", "lm_head")
    places = {name: "disk" if name == "model.layers.1" else "cpu" for name in names}
    network = AutoModelForCausalLM.from_pretrained(checkpoint, device_map=places).eval()
    model = wb.wrap_model(network, loaded.tokenizer)
    torch.testing.assert_close(logits(model), logits(loaded))
    assert model.fingerprint == loaded.fingerprint


def test_what_cannot_be_read_is_refused_by_name(checkpoint: Path) -> None:
    tokenizer = wb.load_model(checkpoint).tokenizer

    def of_class(name: str) -> nn.Module:
        return type(name, (nn.Module,), {})()

    for name in ("FullyShardedDataParallel", "DeepSpeedEngine"):
        with pytest.raises(TypeError, match=f"A {name} holds a share of the weights in each process.*load_model"):
            wb.wrap_model(of_class(name), tokenizer)
    sharded = type("FSDPLlama", (type("FSDPModule", (nn.Module,), {}),), {})()
    with pytest.raises(TypeError, match="A FSDPLlama holds a share"):
        bare(sharded)
    adapted = type("PeftModelForCausalLM", (type("PeftModel", (nn.Module,), {}),), {})()
    with pytest.raises(TypeError, match=r"wrap_model\(model.merge_and_unload\(\), tokenizer\), or load both"):
        wb.wrap_model(adapted, tokenizer)
    quantised = plain(checkpoint)
    quantised.hf_quantizer = SimpleNamespace()
    with pytest.raises(TypeError, match="This LlamaForCausalLM is quantised"):
        wb.wrap_model(quantised, tokenizer)
    with pytest.raises(TypeError, match="or a causal model of transformers, but a Linear arrived"):
        wb.wrap_model(nn.Linear(2, 2), tokenizer)
    with pytest.raises(TypeError, match="load_model takes a name or a folder, but a LlamaForCausalLM arrived"):
        unwrap(wb.load_model)(plain(checkpoint))  # as it is without the test run's own check of types
    with pytest.raises(TypeError, match="TransformerLens cannot hook this LlamaModel|causal"):
        wb.wrap_model(AutoModel.from_pretrained(checkpoint), tokenizer)
