from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    Lfm2Config,
    Lfm2ForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    OPTConfig,
    OPTForCausalLM,
)

import workbench as wb
from workbench.capture import Activations
from workbench.capture.computing import Budget
from workbench.model.model import Model
from workbench.vocabulary import HOOK_POST, SITES, Pole, Site, site_named

WORDS = ("calm", "loud", "party", "rain", "book", "quiet")
texts = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=7).map(" ".join), min_size=2, max_size=9)


@pytest.fixture(scope="module")
def small(checkpoint: Path) -> wb.Model:
    return wb.load_model(checkpoint)


def alone(model: wb.Model, tokens: list[int], site: Site) -> torch.Tensor:
    """A site's values at every position of one prompt, by a plain forward pass: `(pos, layer, width)`."""
    seen: list[torch.Tensor] = []
    with ExitStack() as hooks, torch.inference_mode():
        for layer in range(model.n_layers):
            hooks.enter_context(model.hooked_at(site, layer, lambda values: seen.append(values[0].clone())))
        model.network(torch.tensor([tokens]))
    return torch.stack(seen, 1)


def kept(model: wb.Model, contrast: wb.Contrast, **chosen: Any) -> Activations:
    found = wb.capture(model, contrast, keep=True, **chosen)
    assert isinstance(found, Activations)
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts, st.sampled_from(["last", "mean", "all", -1, 0]), st.sampled_from([1, 8, None]), st.sampled_from([1, 40, 900])
)
def test_any_plan_gives_what_each_prompt_gives_alone(
    small: wb.Model, prompts: list[str], position: str | int, min_saving: int | None, max_tokens: int
) -> None:
    contrast = wb.Contrast.from_texts("any", high=prompts, low=prompts[::-1])
    found = kept(small, contrast, position=position, min_saving=min_saving, max_tokens=max_tokens)
    for pole, asked in contrast.poles.items():
        expected = []
        for tokens in small.tokens(asked):
            values = alone(small, tokens, HOOK_POST)
            expected.append(
                {"last": values[-1:], "mean": values.mean(0, keepdim=True), "all": values}.get(
                    str(position), values[-1:] if position == -1 else values[:1]
                )
            )
        torch.testing.assert_close(found.activations[pole], torch.cat(expected), atol=1e-5, rtol=1e-5)


def test_every_site_is_read_in_one_pass(small: wb.Model) -> None:
    contrast = wb.Contrast.testbed("Openness", n=12)
    chosen = wb.CaptureSettings(keep=True, min_saving=1)
    found = wb.capture_sites(small, contrast, sites=list(SITES), settings=chosen)
    for name, tally in found.items():
        assert isinstance(tally, Activations)
        for row in (0, 5):
            expected = alone(small, small.tokens(contrast.low[row])[0], site_named(name))[-1]
            torch.testing.assert_close(tally.activations[Pole.LOW][row], expected, atol=1e-5, rtol=1e-5)


def test_the_same_prompt_gives_the_same_row_in_any_batch(model: wb.Model) -> None:
    one = wb.Prompt("How do you spend the evening?", "You are calm.")
    others = wb.Contrast.testbed("Extraversion", n=6).high
    both = wb.Contrast("any", (one, *others), (one, *others[::-1]))
    found = kept(model, both)
    expected = alone(model, model.tokens(one)[0], HOOK_POST)[-1]
    for pole in both.poles:
        torch.testing.assert_close(found.activations[pole][0], expected, atol=1e-5, rtol=1e-5)


def test_responses_are_read_along(small: wb.Model) -> None:
    answers = ["I read a book.", "Rain.", "I go to the party."]
    contrast = wb.Contrast.from_texts("any", high=["calm", "calm rain", "calm"], low=["loud", "loud", "book"])
    with pytest.raises(ValueError, match="needs responses, but the contrast has none"):
        wb.capture(small, contrast, position="response")
    answered = contrast.with_responses(high=answers, low=answers[::-1])
    assert answered.digest != contrast.digest
    each, mean = (
        kept(small, answered, position="response", min_saving=1),
        kept(small, answered, position="response_mean"),
    )
    expected = []
    for prompt, answer in zip(answered.high, answers, strict=True):
        ids = small.tokens(prompt)[0]
        answer_ids = small.tokenizer(answer, add_special_tokens=False)["input_ids"]
        expected.append(alone(small, [*ids, *answer_ids], HOOK_POST)[len(ids) :])
    torch.testing.assert_close(each.activations[Pole.HIGH], torch.cat(expected), atol=1e-5, rtol=1e-5)
    assert each.prompts[Pole.HIGH].tolist() == [i for i, rows in enumerate(expected) for _ in rows]
    means = torch.stack([rows.mean(0) for rows in expected])
    torch.testing.assert_close(mean.activations[Pole.HIGH], means, atol=1e-5, rtol=1e-5)
    last = kept(small, answered)  # reading the prompt alone leaves the answers out
    torch.testing.assert_close(last.activations[Pole.HIGH], kept(small, contrast).activations[Pole.HIGH])


def test_masks_choose_positions(small: wb.Model) -> None:
    contrast = wb.Contrast.from_texts("any", high=["calm rain", "loud book"], low=["calm", "book rain"])

    def second(tokens: Any) -> list[bool]:
        return [place == 1 for place in range(len(tokens))]

    by_function = kept(small, contrast, position=second)
    by_index = kept(small, contrast, position=1)
    lists = {pole: [second(tokens) for tokens in small.tokens(asked)] for pole, asked in contrast.poles.items()}
    by_lists = kept(small, contrast, position=lists, pooled=True)
    for pole in contrast.poles:
        torch.testing.assert_close(by_function.activations[pole], by_index.activations[pole])
        torch.testing.assert_close(by_lists.activations[pole], by_index.activations[pole])
    with pytest.raises(ValueError, match="chooses nothing"):
        wb.capture(small, contrast, position=lambda tokens: [False] * len(tokens))
    with pytest.raises(ValueError, match="Position 50 lies outside the high prompt 0"):
        wb.capture(small, contrast, position=50)
    with pytest.raises(ValueError, match="an index or a mask, but 'first' arrived"):
        wb.capture(small, contrast, position="first")


def test_a_batch_that_does_not_fit_is_halved(
    small: wb.Model, contrast: wb.Contrast, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = wb.capture(small, contrast, position="mean")
    run, sizes = small.runner.run, []

    def tight(tokens: torch.Tensor, *rest: Any, **more: Any) -> Any:
        if tokens.numel() > 150:
            run(tokens, *rest, **more) if len(sizes) % 2 else None
            raise torch.OutOfMemoryError("out of memory")
        sizes.append(tokens.numel())
        return run(tokens, *rest, **more)

    monkeypatch.setattr(small.runner, "run", tight)
    found = wb.capture(small, contrast, position="mean")
    assert sizes
    for pole, moments in expected.moments.items():
        assert found.moments[pole].count == moments.count
        torch.testing.assert_close(found.moments[pole].mean, moments.mean, atol=1e-6, rtol=1e-5)
    monkeypatch.setattr(small.runner, "run", lambda *a, **k: (_ for _ in ()).throw(torch.OutOfMemoryError("x")))
    with pytest.raises(MemoryError, match="One prompt of .* tokens does not fit on the device"):
        wb.capture(small, contrast)
    with pytest.raises(MemoryError):
        Budget(10).halve(1, 12)


SHAPE: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
}
GATED: dict[str, Any] = SHAPE | {"intermediate_size": 48, "num_key_value_heads": 2}
NETWORKS: dict[str, Callable[[int], Any]] = {
    "a short sliding window": lambda v: MistralForCausalLM(MistralConfig(vocab_size=v, sliding_window=8, **GATED)),
    "alternating windows": lambda v: Gemma2ForCausalLM(
        Gemma2Config(vocab_size=v, sliding_window=8, head_dim=8, **GATED)
    ),
    "parallel blocks": lambda v: GPTNeoXForCausalLM(GPTNeoXConfig(vocab_size=v, intermediate_size=48, **SHAPE)),
    "learned positions": lambda v: OPTForCausalLM(OPTConfig(vocab_size=v, ffn_dim=48, word_embed_proj_dim=32, **SHAPE)),
}


def saved(network: Any, tokenizer: Any, folder: Path) -> Model:
    network.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return wb.load_model(folder)


@pytest.mark.parametrize("kind", NETWORKS)
def test_other_architectures_share_beginnings_too(kind: str, model: wb.Model, tmp_path: Path) -> None:
    torch.manual_seed(0)
    other = saved(NETWORKS[kind](len(model.tokenizer)), model.tokenizer, tmp_path)
    contrast = wb.Contrast.testbed("Extraversion", n=8)
    found = kept(other, contrast, min_saving=1)
    assert other.shares_beginnings
    for row, tokens in enumerate(other.tokens(contrast.high)):
        expected = alone(other, tokens, HOOK_POST)[-1]
        torch.testing.assert_close(found.activations[Pole.HIGH][row], expected, atol=1e-5, rtol=1e-5)


def test_a_model_that_cannot_share_says_so_and_is_right(model: wb.Model, tmp_path: Path) -> None:
    torch.manual_seed(0)
    layers = ["conv", "full_attention", "conv"]
    config = Lfm2Config(vocab_size=len(model.tokenizer), layer_types=layers, block_auto_adjust_ff_dim=False, **GATED)
    recurrent = saved(Lfm2ForCausalLM(config), model.tokenizer, tmp_path)
    contrast = wb.Contrast.testbed("Extraversion", n=8)
    with pytest.warns(UserWarning, match="cannot share the beginnings of prompts"):
        found = kept(recurrent, contrast, min_saving=1)
    for row, tokens in enumerate(recurrent.tokens(contrast.high)):
        expected = alone(recurrent, tokens, HOOK_POST)[-1]
        torch.testing.assert_close(found.activations[Pole.HIGH][row], expected, atol=1e-5, rtol=1e-5)


def test_a_shared_beginning_that_comes_out_wrong_is_noticed(
    checkpoint: Path, contrast: wb.Contrast, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = wb.load_model(checkpoint)
    right = wb.capture(broken, contrast, min_saving=None)
    new_cache = broken.runner.new_cache

    def forgetful(past: Any = None, **rest: Any) -> Any:
        if past is not None:
            past = type(past)(tuple((keys * 0, values) for keys, values in past.layers))
        return new_cache(past, **rest)

    monkeypatch.setattr(broken.runner, "new_cache", forgetful)
    with pytest.warns(UserWarning, match="on a shared beginning differs by .* of its size from one computed alone"):
        found = wb.capture(broken, contrast, min_saving=8)
    for pole, moments in right.moments.items():
        torch.testing.assert_close(found.moments[pole].mean, moments.mean, atol=1e-6, rtol=1e-5)


def test_a_mixture_of_experts_is_refused(model: wb.Model, tmp_path: Path) -> None:
    config = MixtralConfig(vocab_size=len(model.tokenizer), num_local_experts=2, **GATED)
    mixture = saved(MixtralForCausalLM(config), model.tokenizer, tmp_path)
    contrast = wb.Contrast.testbed("Extraversion", n=4)
    with pytest.raises(ValueError, match="mixture of experts are not one axis"):
        wb.capture(mixture, contrast)
    assert wb.capture(mixture, contrast, site="resid_post").width == 32


def test_nothing_runs_above_the_last_layer_read(small: wb.Model, contrast: wb.Contrast) -> None:
    fired: list[str] = []
    wb.capture(small, contrast, layers=[0])  # the first capture tries out whether prompts can share a beginning
    with ExitStack() as hooks:
        for name in ("blocks.0.mlp.hook_post", "blocks.0.hook_resid_post", "blocks.1.hook_resid_pre"):
            point = small.hooked.hook_dict[name]
            point.add_hook(lambda values, hook, name=name: fired.append(name))
            hooks.callback(point.remove_hooks)
        wb.capture(small, contrast, layers=[0])
    assert set(fired) == {"blocks.0.mlp.hook_post"}


def test_an_edit_acts_during_a_capture_as_in_a_plain_pass(small: wb.Model) -> None:
    contrast = wb.Contrast.testbed("Extraversion", n=8)
    effects = wb.effect_sizes(wb.capture(small, contrast, layers=[0]))
    edit = wb.dpn_edit(effects, wb.select_neurons(effects, quantile=0.9, min_d=0.0), gamma=30.0)
    for scope in ("all", "generated"):
        with wb.edited(small, edit, scope=scope) as run:
            shared, whole = (kept(small, contrast, min_saving=saving) for saving in (1, None))
        assert run.edited
        base = kept(small, contrast)
        for pole in contrast.poles:
            torch.testing.assert_close(shared.activations[pole], whole.activations[pole], atol=1e-4, rtol=1e-4)
            assert not torch.allclose(shared.activations[pole], base.activations[pole], atol=1e-2)
    edits = [edit, edit.with_gamma(0.0)]
    with wb.edited(small, edits, scope="all", rows=[i % 2 for i in range(3 * 8)]):
        apart = kept(small, contrast, min_saving=1).activations[Pole.HIGH]
    assert torch.allclose(apart[1], base.activations[Pole.HIGH][1], atol=1e-4)
    assert not torch.allclose(apart[0], base.activations[Pole.HIGH][0], atol=1e-2)
