"""The published definitions, coded again on their own, against the workbench on the same weights and prompts.

Nothing here but the prompts' texts goes through the workbench: activations come from plain transformers hooks on
`down_proj`, statistics from loops over NumPy, steering from a hook that a plain greedy loop calls.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from typing import Any

import numpy as np
import pytest
import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

import workbench as wb
from workbench.capture import Activations
from workbench.vocabulary import Pole

LAYERS = range(2, 8)
QUANTILE, MIN_D = 0.99, 0.8


@pytest.fixture(scope="module")
def reference() -> tuple[Any, Any]:
    with as_file(files("workbench.testbed") / "weights") as folder:
        network = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        return network, PreTrainedTokenizerFast.from_pretrained(folder)


def prompt_ids(tokenizer: Any, prompt: wb.Prompt) -> torch.Tensor:
    messages = [{"role": "system", "content": prompt.system}] if prompt.system else []
    messages.append({"role": "user", "content": prompt.user})
    text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    return tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]


@contextmanager
def down_proj_inputs(network: Any, act: Callable[[int, torch.Tensor], torch.Tensor | None]):
    def hook(layer: int):
        def run(module: Any, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor] | None:
            changed = act(layer, args[0])
            return None if changed is None else (changed,)

        return run

    handles = [
        block.mlp.down_proj.register_forward_pre_hook(hook(layer)) for layer, block in enumerate(network.model.layers)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def published_activations(reference: tuple[Any, Any], prompts: tuple[wb.Prompt, ...]) -> np.ndarray:
    """`(n, layer, d_mlp)`: the input of each `down_proj` at the last prompt token, one prompt at a time."""
    network, tokenizer = reference
    rows = []
    for prompt in prompts:
        seen: dict[int, torch.Tensor] = {}

        def keep(layer: int, h: torch.Tensor, seen: dict[int, torch.Tensor] = seen) -> None:
            seen[layer] = h[0, -1].double()

        with down_proj_inputs(network, keep):
            network(prompt_ids(tokenizer, prompt))
        rows.append(torch.stack([seen[layer] for layer in sorted(seen)]).numpy())
    return np.stack(rows)


@pytest.fixture(scope="module")
def published(reference: tuple[Any, Any], contrast: wb.Contrast) -> dict[str, np.ndarray]:
    high = published_activations(reference, contrast.high)
    low = published_activations(reference, contrast.low)
    s = high.mean(0) - low.mean(0)
    n_high, n_low = len(high), len(low)
    pooled = ((n_high - 1) * high.var(0, ddof=1) + (n_low - 1) * low.var(0, ddof=1)) / (n_high + n_low - 2)
    return {"high": high, "low": low, "s": s, "d": s / np.sqrt(pooled)}


def published_selection(published: dict[str, np.ndarray]) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    high, low = set(), set()
    for layer in LAYERS:
        tau_q = np.quantile(np.abs(published["s"][layer]), QUANTILE)
        for neuron in range(published["s"].shape[1]):
            s, d = published["s"][layer, neuron], published["d"][layer, neuron]
            if abs(s) > tau_q and d > MIN_D:
                high.add((layer, neuron))
            if abs(s) > tau_q and d < -MIN_D:
                low.add((layer, neuron))
    return high, low


def published_deltas(
    published: dict[str, np.ndarray], *, gamma: float, direction: str, weighted: bool, directional: bool
) -> dict[int, np.ndarray]:
    high, low = published_selection(published)
    sign = 1.0 if direction == "increase" else -1.0
    deltas = {}
    for layer in LAYERS:
        pole = high if direction == "increase" else low
        chosen = sorted(neuron for at, neuron in (pole if directional else high | low) if at == layer)
        by_strength = sorted(chosen, key=lambda neuron: abs(published["d"][layer, neuron]))
        delta = np.zeros(published["s"].shape[1])
        for neuron in chosen:
            rank, k = by_strength.index(neuron), len(chosen)
            weight = (0.75 + 0.25 * rank / (k - 1) if k > 1 else 1.0) if weighted else 1.0
            delta[neuron] = sign * gamma * weight * published["s"][layer, neuron]
        deltas[layer] = delta
    return deltas


@dataclass(frozen=True)
class Steered:
    """An answer of the plain loop: its tokens, the logits `(step, d_vocab)` each was taken from, and what was added."""

    tokens: list[int]
    logits: torch.Tensor
    added: Counter[str]


@torch.no_grad()
def published_greedy(
    reference: tuple[Any, Any], prompt: wb.Prompt, deltas: dict[int, np.ndarray], *, scope: str, steps: int
) -> Steered:
    """Greedy decoding in a plain loop with the cache on; the delta goes in where `scope` says.

    `decode` is the published one: decode steps alone, so that the prompt, from which the first new token is taken, is
    left as it is.
    """
    network, tokenizer = reference
    values = {layer: torch.tensor(delta, dtype=torch.float32) for layer, delta in deltas.items()}
    phase, added = "prompt", Counter()

    def add(layer: int, h: torch.Tensor) -> torch.Tensor | None:
        if layer not in values or (scope == "decode" and phase == "prompt"):
            return None
        changed = h.clone()
        first = h.shape[1] - 1 if scope == "generated" else 0
        changed[:, first:] += values[layer]
        added[phase] += h.shape[1] - first
        return changed

    ids, past, new, logits = prompt_ids(tokenizer, prompt), None, [], []
    with down_proj_inputs(network, add):
        for _ in range(steps):
            output = network(ids, past_key_values=past, use_cache=True)
            past, token = output.past_key_values, int(output.logits[0, -1].argmax())
            logits.append(output.logits[0, -1])
            if token == tokenizer.eos_token_id:
                break
            new.append(token)
            ids, phase = torch.tensor([[token]]), "decode"
    return Steered(new, torch.stack(logits), added)


@contextmanager
def logits_seen(model: wb.Model) -> Iterator[list[torch.Tensor]]:
    """The logits that the workbench takes each token of one prompt's answer from."""
    seen: list[torch.Tensor] = []
    handle = model.network.register_forward_hook(lambda module, args, output: seen.append(output.logits[0, -1]))
    try:
        yield seen
    finally:
        handle.remove()


def test_activations_equal_plain_hooks_on_down_proj(
    model: wb.Model, contrast: wb.Contrast, published: dict[str, np.ndarray]
) -> None:
    kept = wb.capture(model, contrast, keep=True)
    assert isinstance(kept, Activations)
    for pole in ("high", "low"):
        ours = kept.activations[Pole(pole)].numpy()
        np.testing.assert_allclose(ours, published[pole], rtol=2e-6, atol=1e-5)


def test_effects_equal_the_published_formulas(effects: wb.Effects, published: dict[str, np.ndarray]) -> None:
    np.testing.assert_allclose(effects.mean_difference.numpy(), published["s"], atol=1e-5)
    np.testing.assert_allclose(effects.cohens_d.numpy(), published["d"], rtol=1e-3, atol=1e-3)


def test_selection_equals_the_published_rule(effects: wb.Effects, published: dict[str, np.ndarray]) -> None:
    ours = wb.select_neurons(effects, quantile=QUANTILE, min_d=MIN_D, layers=LAYERS)
    high, low = published_selection(published)
    assert (set(ours.high), set(ours.low)) == (high, low)
    assert high
    assert low


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("neurons", ["both", "directional"])
@pytest.mark.parametrize("direction", ["increase", "decrease"])
def test_deltas_equal_the_published_edit(
    effects: wb.Effects, published: dict[str, np.ndarray], direction: str, neurons: Any, weighted: bool
) -> None:
    chosen = wb.select_neurons(effects, quantile=QUANTILE, min_d=MIN_D, layers=LAYERS)
    edit = wb.dpn_edit(effects, chosen, gamma=0.7, direction=direction, weighted=weighted, neurons=neurons)
    deltas = published_deltas(
        published, gamma=0.7, direction=direction, weighted=weighted, directional=neurons == "directional"
    )
    for layer in range(8):
        expected = deltas.get(layer, np.zeros(effects.width))
        np.testing.assert_allclose(edit.delta(layer).numpy(), expected, atol=1e-5)


QUESTIONS = [wb.Prompt("How do you spend your time at the office party?"), wb.Prompt("What is 21 + 13?")]
SAME, OTHER = 1e-3, 0.1
"""How far logits of one scope may lie from the plain loop's, and how far those of another scope must."""


@pytest.fixture(scope="module")
def by_scope(reference: tuple[Any, Any], published: dict[str, np.ndarray]) -> Callable[..., Steered]:
    """The plain loop's answers, each computed once."""

    @cache
    def answer(direction: str, scope: str, question: int) -> Steered:
        gamma = 0.0 if scope == "none" else 1.5
        deltas = published_deltas(published, gamma=gamma, direction=direction, weighted=False, directional=False)
        return published_greedy(
            reference, QUESTIONS[question], {} if scope == "none" else deltas, scope=scope, steps=20
        )

    return answer


@pytest.mark.parametrize("scope", ["decode", "generated", "all"])
@pytest.mark.parametrize("direction", ["increase", "decrease"])
def test_steered_greedy_answers_equal_a_plain_loop(
    model: wb.Model, effects: wb.Effects, by_scope: Callable[..., Steered], direction: str, scope: Any
) -> None:
    chosen = wb.select_neurons(effects, quantile=QUANTILE, min_d=MIN_D, layers=LAYERS)
    edit = wb.dpn_edit(effects, chosen, gamma=1.5, direction=direction)
    theirs = [by_scope(direction, scope, question) for question in range(len(QUESTIONS))]
    with wb.edited(model, edit, scope=scope):
        together = model.generate_tokens(QUESTIONS, max_new_tokens=20)
    assert together == [one.tokens for one in theirs]
    for question, one in zip(QUESTIONS, theirs, strict=True):
        with wb.edited(model, edit, scope=scope) as run, logits_seen(model) as seen:
            assert model.generate_tokens(question, max_new_tokens=20) == [one.tokens]
        torch.testing.assert_close(torch.stack(seen), one.logits, atol=SAME, rtol=0.0)
        assert run.pairs == one.added
    plain = [by_scope(direction, "none", question).tokens for question in range(len(QUESTIONS))]
    assert model.generate_tokens(QUESTIONS, max_new_tokens=20) == plain


@pytest.mark.parametrize("question", range(len(QUESTIONS)))
@pytest.mark.parametrize("direction", ["increase", "decrease"])
def test_the_published_scope_is_none_of_the_others(
    by_scope: Callable[..., Steered], direction: str, question: int
) -> None:
    decode, generated, everywhere, plain = (
        by_scope(direction, scope, question) for scope in ("decode", "generated", "all", "none")
    )
    # As published, the first new token is taken from the model as it is; from the second on it is steered.
    assert torch.equal(decode.logits[0], plain.logits[0])
    assert (decode.logits[1] - plain.logits[1]).abs().max() > OTHER
    for one, other in ((generated, plain), (everywhere, plain), (everywhere, generated)):
        assert (one.logits[0] - other.logits[0]).abs().max() > OTHER
    assert decode.added["prompt"] == 0
    assert 0 < generated.added["prompt"] < everywhere.added["prompt"]
