"""Models that the usual loop gets wrong without a word; plain transformers, one prompt at a time, is the oracle."""

import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    Mamba2Config,
    Mamba2ForCausalLM,
    OpenAIGPTConfig,
    OpenAIGPTLMHeadModel,
    Phi3Config,
    Phi3ForCausalLM,
)

import workbench as wb
from tests.model.test_architectures import GATED, HIDDEN, LAYERS, saved
from workbench.capture import Activations
from workbench.contrast.prompt import Prompt
from workbench.model.generation import Sampling, generate
from workbench.model.likelihood import log_likelihoods
from workbench.model.quiet import quiet
from workbench.vocabulary import HOOK_POST, HOOK_PRE, MLP_OUT, RESID_MID, RESID_POST, Z

LIMIT = 48
LENGTHS = (77, 32, 50, 48, 40, 45)
NEW = 8
LONG = {
    "rope_type": "longrope",
    "rope_theta": 10000.0,
    "short_factor": [1.0] * 4,
    "long_factor": [9.0, 5.0, 3.0, 2.0],
    "original_max_position_embeddings": LIMIT,
}
SHORT: dict[str, Any] = GATED | {"max_position_embeddings": LIMIT}
DYNAMIC = {"rope_type": "dynamic", "factor": 4.0, "rope_theta": 10000.0}
MAKERS: dict[str, Callable[[int], Any]] = {
    "gpt-1": lambda v: OpenAIGPTLMHeadModel(
        OpenAIGPTConfig(vocab_size=v, n_positions=128, n_embd=HIDDEN, n_layer=LAYERS, n_head=4)
    ),
    "mamba-2": lambda v: Mamba2ForCausalLM(
        Mamba2Config(
            vocab_size=v,
            hidden_size=HIDDEN,
            num_hidden_layers=LAYERS,
            head_dim=8,
            num_heads=8,
            state_size=8,
            n_groups=1,
        )
    ),
    "longrope": lambda v: Phi3ForCausalLM(
        Phi3Config(vocab_size=v, pad_token_id=0, rope_parameters=LONG, original_max_position_embeddings=LIMIT, **GATED)
    ),
    "dynamic": lambda v: LlamaForCausalLM(LlamaConfig(vocab_size=v, rope_parameters=DYNAMIC, **SHORT)),
}


def given(args: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
    return args[0]


def made(args: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
    return output


READ = {
    "gpt-1": ("hook_post", "transformer.h.{}.mlp.c_proj", given),
    "mamba-2": ("resid_post", "backbone.layers.{}", made),
}
WHOLE = ("gpt-1", "mamba-2")  # those whose kept keys or states are of no use here


def loaded(name: str, tokenizer: Any, folder: Path) -> tuple[wb.Model, Callable[[], Any]]:
    """The model here, and plain transformers' as if it had never run."""
    path = saved(MAKERS[name], tokenizer, folder)

    def plain() -> Any:
        with quiet():
            return AutoModelForCausalLM.from_pretrained(path).eval()

    return wb.load_model(path), plain


def prompts_of(model: wb.Model) -> list[list[int]]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(5, len(model.tokenizer), (n,), generator=generator).tolist() for n in LENGTHS]


def greedy(plain: Any, tokens: list[int], new: int) -> list[int]:
    """What transformers itself generates from one prompt."""
    with torch.no_grad():
        made = plain.generate(torch.tensor([tokens]), max_new_tokens=new, do_sample=False, eos_token_id=None)
    return made[0, len(tokens) :].tolist()


@pytest.fixture(autouse=True)
def no_warning_of_transformers() -> Any:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*(kernels|fast path|pad_token_id|attention mask).*")
        yield


@pytest.mark.parametrize("name", MAKERS)
def test_batching_changes_nothing(name: str, model: wb.Model, tmp_path: Path) -> None:
    ours, plain = loaded(name, model.tokenizer, tmp_path)
    prompts = prompts_of(ours)
    if name in WHOLE:
        with pytest.warns(UserWarning, match="each new token is computed with all that comes before it"):
            decoder = ours.decoder
        assert not ours.loop.caches
    else:
        decoder = ours.decoder
    endless = replace(decoder, stop_tokens=frozenset())
    generated = generate(endless, prompts, Sampling(NEW, 0.0, 0), max_tokens=2000, max_rows=8)
    answers = [[ids[:3], ids[3:5]] for ids in prompts]
    logs = log_likelihoods(ours, prompts, answers)
    for ids, new, alternatives, found in zip(prompts, generated, answers, logs, strict=True):
        assert new == greedy(plain(), ids, NEW)
        for answer, log in zip(alternatives, found, strict=True):
            with torch.no_grad():
                whole = plain()(input_ids=torch.tensor([ids + answer[:-1]])).logits[0, len(ids) - 1 :]
            expected = whole.log_softmax(-1)[torch.arange(len(answer)), torch.tensor(answer)]
            torch.testing.assert_close(log, expected, atol=2e-4, rtol=2e-4)


@pytest.mark.parametrize("name", MAKERS)
def test_captures_are_the_prompts_own(name: str, model: wb.Model, tmp_path: Path) -> None:
    ours, plain = loaded(name, model.tokenizer, tmp_path)
    words = [*"abcdefghijklmnop"]
    texts = ["They met again, and " + " ".join((words * 9)[:n]) for n in (3, 30, 22, 60, 15, 26)]
    lengths = [len(ids) for ids in ours.tokens([Prompt(text, chat=False) for text in texts])]
    assert min(lengths) < LIMIT < max(lengths) < 128
    contrast = wb.Contrast.from_texts("x", high=texts[:3], low=texts[3:])
    site, modules, take = READ.get(name, ("hook_post", "model.layers.{}.mlp.down_proj", given))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*(cannot share|does not continue|made for texts).*")
        found = wb.capture(ours, contrast, site=site, keep=True)
    assert isinstance(found, Activations)
    for pole, prompts in contrast.poles.items():
        for row, ids in enumerate(ours.tokens(prompts)):
            network, seen = plain(), []
            for layer in range(LAYERS):
                network.get_submodule(modules.format(layer)).register_forward_hook(
                    lambda module, args, output, seen=seen: seen.append(take(args, output)[0, -1])
                )
            with torch.no_grad():
                network(input_ids=torch.tensor([ids]))
            torch.testing.assert_close(found.activations[pole][row], torch.stack(seen), atol=1e-4, rtol=1e-4)


def test_a_prompt_and_its_answer_fit_into_the_positions(model: wb.Model, tmp_path: Path) -> None:
    def make(v: int) -> Any:
        return GPT2LMHeadModel(GPT2Config(vocab_size=v, n_positions=64, n_embd=HIDDEN, n_layer=LAYERS, n_head=4))

    folder = saved(make, model.tokenizer, tmp_path)
    small = wb.load_model(folder)
    assert small.lengths.most == 64
    long, short = Prompt("word " * 80, chat=False), Prompt("word " * 20, chat=False)
    n = len(small.tokens([long])[0])
    assert n > 64
    with pytest.raises(ValueError, match=f"has positions for 64 tokens, but prompt 3 has {n} tokens. Shorten it"):
        wb.capture(small, wb.Contrast.from_texts("x", high=[short.user, short.user], low=[short.user, long.user]))
    with pytest.raises(ValueError, match="positions for 64 tokens, but prompt 0 has .* and 40 may follow"):
        small.generate_tokens([short], max_new_tokens=40)
    asked = [small.tokens([short])[0][:8], small.tokens([short])[0]]
    with pytest.raises(ValueError, match=f"but prompt 1 has {len(asked[1])} tokens and 40 may follow"):
        log_likelihoods(small, asked, [[[5]], [list(range(40))]])
    contrast = wb.Contrast.from_texts("x", high=[long.user] * 2, low=[short.user] * 2)
    passes: list[int] = []
    small.network.register_forward_hook(lambda *_: passes.append(1))
    with pytest.raises(ValueError, match="positions for 64 tokens"):
        wb.patch(small, contrast, wb.NeuronSet.of([(0, 1)]), direction="increase")
    assert passes == []
    n = len(small.tokens([short])[0])
    assert len(small.generate_tokens([short], max_new_tokens=65 - n)[0]) <= 65 - n


def test_beyond_what_it_was_made_for_a_model_warns(model: wb.Model, tmp_path: Path) -> None:
    folder = saved(
        lambda v: LlamaForCausalLM(LlamaConfig(vocab_size=v, **SHORT)),
        model.tokenizer,
        tmp_path,
    )
    ours = wb.load_model(folder)
    with pytest.warns(UserWarning, match="was made for texts of 48 tokens, but prompt 0 has"):
        ours.generate_tokens([Prompt("word " * 60, chat=False)], max_new_tokens=2)
    ours.generate_tokens([Prompt("word " * 61, chat=False)], max_new_tokens=2)  # said once


def test_a_network_that_looks_ahead_is_refused(
    model: wb.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = saved(lambda v: LlamaForCausalLM(LlamaConfig(vocab_size=v, **GATED)), model.tokenizer, tmp_path)
    ours = wb.load_model(folder)
    real = ours.runner.bare_logits
    monkeypatch.setattr(ours.runner, "bare_logits", lambda tokens: real(tokens).flip(1))
    with pytest.raises(ValueError, match="is no causal language model: what follows 5 tokens changes"):
        ours.generate_tokens(["Hello"], max_new_tokens=2)


def test_hooks_see_nothing_of_the_trial(model: wb.Model, tmp_path: Path) -> None:
    folder = saved(lambda v: LlamaForCausalLM(LlamaConfig(vocab_size=v, **GATED)), model.tokenizer, tmp_path)
    ours = wb.load_model(folder)
    seen: list[Any] = []
    ours.network.register_forward_hook(lambda *_: seen.append("the network"))
    with ours.hooked_at(HOOK_POST, 0, lambda h: seen.append(h.shape)):
        assert ours.loop.caches
        assert ours.loop.pads
    assert seen == []


def test_wrappers_are_left_out_but_for_those_that_a_hook_needs(model: wb.Model, tmp_path: Path) -> None:
    folder = saved(lambda v: LlamaForCausalLM(LlamaConfig(vocab_size=v, **GATED)), model.tokenizer, tmp_path)
    ours, plain = wb.load_model(folder), AutoModelForCausalLM.from_pretrained(folder).eval()
    ids = torch.tensor(ours.tokens(["Hello"]))
    real = torch.ones_like(ids, dtype=torch.bool)
    assert ours.loop.caches
    assert ours.runner.direct
    blocks = ours.network.model.layers
    seen: list[tuple[str, str, str]] = []

    def look(*_: Any) -> None:
        mlp = blocks[1].mlp
        kinds = (type(blocks[1]).__name__, type(mlp).__name__, type(mlp.down_proj).__name__)
        seen.append(kinds)

    plain.model.layers[1].mlp.down_proj.register_forward_pre_hook(lambda module, args: (args[0] + 1.0,))
    with torch.no_grad(), ours.hooked_at(HOOK_POST, 1, lambda h: look() or h + 1.0):
        logits = ours.runner.run(ids, real, logits=True)
        torch.testing.assert_close(logits, plain(input_ids=ids).logits[:, -1], atol=1e-5, rtol=1e-5)
    assert seen == [("LlamaDecoderLayer", "LlamaMLP", "Linear")]  # the layer itself, its input's hooks before it
    assert type(blocks[1]).__name__ == "BlockBridge"  # and put back
    assert ours.network.config._attn_implementation == "eager"


def test_each_hook_runs_once_whatever_else_is_hooked(model: wb.Model, tmp_path: Path) -> None:
    folder = saved(lambda v: LlamaForCausalLM(LlamaConfig(vocab_size=v, **GATED)), model.tokenizer, tmp_path)
    ours = wb.load_model(folder)
    assert ours.loop.caches
    assert ours.runner.direct
    ran: list[str] = []
    for others in ((), (MLP_OUT,), (RESID_POST,), (Z,), (HOOK_PRE, Z, RESID_MID)):
        ran.clear()
        with ExitStack() as hooks:
            for site in (HOOK_POST, *others):
                hooks.enter_context(ours.hooked_at(site, 1, lambda _, name=site.name: ran.append(name)))
            ours.generate_tokens(["Hello"], max_new_tokens=1)
        assert sorted(ran) == sorted(site.name for site in (HOOK_POST, *others))
    assert not ours.network.model.layers[1].mlp.down_proj.original_component._forward_pre_hooks
