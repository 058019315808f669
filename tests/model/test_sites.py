"""Sites in blocks of every kind: the values that plain transformers computes there, or one line that says why not."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers import AutoModelForCausalLM

import workbench as wb
from workbench.capture import Activations, CaptureSettings, capture_sites
from workbench.edit.passes import final_logits
from workbench.export import bake
from workbench.model import top_tokens
from workbench.study.located import locate_trait
from workbench.vocabulary import HOOK_POST, RESID_MID, Pole

LAYERS, HIDDEN, WIDTH = 3, 32, 48
SHAPE: dict[str, Any] = {
    "hidden_size": HIDDEN,
    "intermediate_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "pad_token_id": 2,
}


def small(name: str, vocabulary: int, **own: Any) -> Any:
    """A small random network of a class of transformers."""
    kind = getattr(transformers, name)
    torch.manual_seed(0)
    network = kind(kind.config_class(**{"vocab_size": vocabulary} | SHAPE | own)).eval()
    for parameter in network.parameters():  # large enough that an edit shows
        torch.nn.init.normal_(parameter, std=0.15) if parameter.ndim > 1 else None
    return network


def saved(network: Any, tokenizer: Any, folder: Path) -> Path:
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@dataclass(frozen=True)
class Sequential:
    """A block whose MLP follows attention: what takes the stream between them, and whose output completes it."""

    name: str
    reads: str
    completes: str
    times: float = 1.0
    own: tuple[tuple[str, Any], ...] = ()


SEQUENTIAL = {
    "pre-norm": Sequential("LlamaForCausalLM", "post_attention_layernorm", "self_attn"),
    "pre-norm, multiplied": Sequential(
        "GraniteForCausalLM", "post_attention_layernorm", "self_attn", 0.4, (("residual_multiplier", 0.4),)
    ),
    "post-norm": Sequential("Olmo2ForCausalLM", "mlp", "post_attention_layernorm"),
    "post-norm, EXAONE": Sequential("Exaone4ForCausalLM", "mlp", "post_attention_layernorm"),
    "sandwich": Sequential(
        "Gemma2ForCausalLM", "pre_feedforward_layernorm", "post_attention_layernorm", own=(("head_dim", 8),)
    ),
}


@dataclass(frozen=True)
class Pair:
    kind: Sequential
    hooked: wb.Model
    plain: Any

    @contextmanager
    def at_mid(self, act: Callable[[int, torch.Tensor], torch.Tensor | None]) -> Iterator[None]:
        """Plain transformers with the stream between attention and MLP handed to `act`, which may replace it."""
        with ExitStack() as hooks:
            for layer, block in enumerate(self.plain.model.layers):
                start: dict[str, torch.Tensor] = {}

                def begin(_: Any, args: Any, kwargs: Any, start: dict = start) -> None:
                    start["in"] = args[0] if args else kwargs["hidden_states"]

                def end(_: Any, args: Any, output: Any, layer: int = layer, start: dict = start) -> Any:
                    given = output[0] if isinstance(output, tuple) else output
                    stream = start["in"] + self.kind.times * given
                    changed = act(layer, stream)
                    if changed is None:
                        return None
                    given = given + (changed - stream) / self.kind.times
                    return (given, *output[1:]) if isinstance(output, tuple) else given

                hooks.callback(block.register_forward_pre_hook(begin, with_kwargs=True).remove)
                hooks.callback(block.get_submodule(self.kind.completes).register_forward_hook(end).remove)
            yield

    def mids(self, ids: list[int]) -> torch.Tensor:
        """`(layer, pos, d_model)`: what the module that reads the stream takes."""
        seen: list[torch.Tensor] = []
        with ExitStack() as hooks, torch.no_grad():
            for block in self.plain.model.layers:
                module = block.get_submodule(self.kind.reads)
                hooks.callback(module.register_forward_pre_hook(lambda _, args: seen.append(args[0][0])).remove)
            self.plain(torch.tensor([ids]))
        return torch.stack(seen)


@pytest.fixture(scope="module", params=SEQUENTIAL)
def pair(request: pytest.FixtureRequest, model: wb.Model, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    kind = SEQUENTIAL[request.param]
    network = small(kind.name, len(model.tokenizer), **dict(kind.own))
    folder = saved(network, model.tokenizer, tmp_path_factory.mktemp("checkpoint"))
    plain = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    return Pair(kind, wb.load_model(folder), plain)


def test_resid_mid_is_read_where_attention_has_been_added(pair: Pair) -> None:
    contrast = wb.Contrast.testbed("Extraversion", n=4)
    repeated = contrast.rows([0, 1, 1, 2, 3, 0])
    for read, sites in ((repeated, [RESID_MID]), (contrast, [RESID_MID, HOOK_POST])):
        found = capture_sites(pair.hooked, read, sites=sites, settings=CaptureSettings(keep=True))["resid_mid"]
        assert isinstance(found, Activations)
        for pole, prompts in read.poles.items():
            for row, ids in enumerate(pair.hooked.tokens(prompts)):
                torch.testing.assert_close(found.activations[pole][row], pair.mids(ids)[:, -1], atol=1e-5, rtol=1e-5)


CHANGES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "add": lambda h, v: h + v,
    "scale": lambda h, v: h * v,
    "set": lambda h, v: v.expand_as(h),
    "cap": lambda h, v: torch.minimum(h, v),
}


@pytest.mark.parametrize("operation", CHANGES)
def test_an_edit_at_resid_mid_changes_the_stream_and_what_the_mlp_reads(pair: Pair, operation: str) -> None:
    generator = torch.Generator().manual_seed(1)
    values = {layer: torch.randn(HIDDEN, generator=generator) for layer in (0, 2)}
    units = wb.NeuronSet.of((layer, unit) for layer in values for unit in range(HIDDEN))
    edit = wb.Edit.on(
        units, torch.cat(list(values.values())), operation=operation, site="resid_mid", width=HIDDEN,
        trait="T", method="m", direction="increase",
    )  # fmt: skip
    prompts = pair.hooked.tokens(["Say it.", "How do you spend your time at the office party?"])

    def act(layer: int, stream: torch.Tensor) -> torch.Tensor | None:
        return CHANGES[operation](stream, values[layer]) if layer in values else None

    with wb.edited(pair.hooked, edit, scope="all") as run, torch.no_grad():
        ours = {int(row): logits[i] for rows, logits in final_logits(pair.hooked, prompts, max_tokens=4096)
                for i, row in enumerate(rows)}  # fmt: skip
    assert run.edited == 2 * sum(map(len, prompts))
    with torch.no_grad():
        bare = pair.plain(torch.tensor(prompts[:1])).logits[0, -1]
        for row, ids in enumerate(prompts):
            with pair.at_mid(act):
                expected = pair.plain(torch.tensor([ids])).logits[0, -1]
            torch.testing.assert_close(ours[row], expected, atol=1e-4, rtol=1e-4)
    assert (ours[0] - bare).abs().max() > 0.1
    torch.testing.assert_close(pair.hooked.hooked(torch.tensor(prompts[:1]))[0, -1], bare, atol=1e-4, rtol=1e-4)


def test_gradients_pass_through_an_edit_at_resid_mid(pair: Pair) -> None:
    edit = wb.Edit.of({1: torch.ones(HIDDEN)}, trait="T", method="m", direction="increase", site="resid_mid", gamma=1.0)
    ids = torch.tensor(pair.hooked.tokens(["Say it."]))
    weights = pair.hooked.runner.embedding
    weights.requires_grad_(True)
    with wb.edited(pair.hooked, edit, scope="all"):
        pair.hooked.hooked(ids)[0, -1].sum().backward()
    assert weights.grad is not None
    assert float(weights.grad.abs().sum()) > 0
    weights.grad = None


@pytest.mark.parametrize("name", ["GPTNeoXForCausalLM", "PhiForCausalLM"])
def test_a_block_in_parallel_has_no_resid_mid(name: str, model: wb.Model, tmp_path: Path) -> None:
    parallel = wb.load_model(saved(small(name, len(model.tokenizer)), model.tokenizer, tmp_path))
    with pytest.raises(ValueError, match=r"Layer 0 of .* has no resid_mid: its attention and its MLP .* side by side"):
        wb.capture(parallel, wb.Contrast.testbed("Extraversion", n=4), site="resid_mid")
    edit = wb.Edit.of({1: torch.ones(HIDDEN)}, trait="T", method="m", direction="increase", site="resid_mid")
    with pytest.raises(ValueError, match=r"Layer 1 of .* has no resid_mid"), wb.edited(parallel, edit):
        pass


@pytest.fixture(scope="module")
def mamba(model: wb.Model, tmp_path_factory: pytest.TempPathFactory) -> wb.Model:
    network = small("MambaForCausalLM", len(model.tokenizer), state_size=8)
    return wb.load_model(saved(network, model.tokenizer, tmp_path_factory.mktemp("mamba")))


NEURONS = wb.NeuronSet.of([(0, 1)])
ON_NEURONS = wb.Edit.of({0: torch.ones(WIDTH)}, trait="T", method="m", direction="increase", site="hook_post")
CONTRAST = wb.Contrast.testbed("Extraversion", n=4)
USES: dict[str, Callable[[wb.Model, Path], Any]] = {
    "d_mlp": lambda m, _: m.d_mlp,
    "w_out": lambda m, _: m.w_out(0),
    "write_norms": lambda m, _: m.write_norms(),
    "activation_function": lambda m, _: m.activation_function(0),
    "capture": lambda m, _: wb.capture(m, CONTRAST),
    "capture of hook_pre": lambda m, _: wb.capture(m, CONTRAST, site="hook_pre"),
    "locate": lambda m, _: locate_trait(m, CONTRAST),
    "edit": lambda m, _: wb.edited(m, ON_NEURONS).__enter__(),
    "patch": lambda m, _: wb.patch(m, CONTRAST, NEURONS),
    "top_tokens": lambda m, _: top_tokens(m, 0, 1),
    "bake": lambda m, folder: bake(m, ON_NEURONS, folder / "baked"),
}


@pytest.mark.parametrize("use", USES)
def test_neurons_of_a_block_without_an_mlp_are_refused_by_name(use: str, mamba: wb.Model, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Layer 0 of .* \(MambaMixer\) has no MLP .* no neurons") as refused:
        USES[use](mamba, tmp_path)
    assert "\n" not in str(refused.value)
    assert not mamba.is_gated(0)
    assert mamba.neuron_layers == ()
    assert f"{LAYERS} layers of no MLP" in repr(mamba)


def test_the_residual_stream_of_a_block_without_an_mlp_is_read_and_edited(mamba: wb.Model) -> None:
    found = wb.capture(mamba, CONTRAST, site="resid_post", keep=True)
    assert isinstance(found, Activations)
    plain: Any = AutoModelForCausalLM.from_pretrained(mamba.name).eval()
    ids = mamba.tokens(CONTRAST.poles[Pole.HIGH])[0]
    states: list[torch.Tensor] = []
    with ExitStack() as hooks, torch.no_grad():
        for block in plain.backbone.layers:
            hooks.callback(block.register_forward_hook(lambda _, args, output: states.append(output[0, -1])).remove)
        plain(torch.tensor([ids]))
    torch.testing.assert_close(found.activations[Pole.HIGH][0], torch.stack(states), atol=1e-5, rtol=1e-5)
    delta = torch.linspace(-1, 1, HIDDEN)
    edit = wb.Edit.of({0: delta}, trait="T", method="m", direction="increase", site="resid_post", gamma=1.0)
    with wb.edited(mamba, edit, scope="all"), torch.no_grad():
        ours = mamba.hooked(torch.tensor([ids]))[0, -1]
    plain.backbone.layers[0].register_forward_hook(lambda _, args, output: output + delta)
    with torch.no_grad():
        torch.testing.assert_close(ours, plain(torch.tensor([ids])).logits[0, -1], atol=1e-4, rtol=1e-4)


def test_a_hybrid_says_which_layers_have_neurons(model: wb.Model, tmp_path: Path) -> None:
    network = small(
        "JambaForCausalLM", len(model.tokenizer), num_experts=2, num_experts_per_tok=1, attn_layer_period=3,
        attn_layer_offset=1, mamba_d_state=8, mamba_dt_rank=4, use_mamba_kernels=False,
    )  # fmt: skip
    hybrid = wb.load_model(saved(network, model.tokenizer, tmp_path))
    assert (hybrid.neuron_layers, hybrid.d_mlp) == ((0, 2), WIDTH)
    with pytest.raises(ValueError, match=r"Layer 1 has no single down projection .*Layers that have: 0, 2; choose"):
        wb.capture(hybrid, CONTRAST)
    found = wb.capture(hybrid, CONTRAST, layers=hybrid.neuron_layers)
    assert (found.layers, found.width) == ((0, 2), WIDTH)
    with wb.edited(
        hybrid, wb.Edit.of({2: torch.ones(WIDTH)}, trait="T", method="m", direction="increase", site="hook_post")
    ):
        hybrid.generate(["Say it."], max_new_tokens=2)


def test_a_hook_that_transformer_lens_sets_up_in_its_first_pass_runs_in_every_pass(
    model: wb.Model, tmp_path: Path
) -> None:
    folder = saved(
        small("GraniteForCausalLM", len(model.tokenizer), residual_multiplier=0.4), model.tokenizer, tmp_path
    )
    granite = wb.load_model(folder)
    granite.generate(["Say it."], max_new_tokens=1)  # tries the loop before anything is hooked
    found = wb.capture(granite, CONTRAST, site="mlp_out", keep=True)
    assert isinstance(found, Activations)
    written: list[torch.Tensor] = []
    plain: Any = AutoModelForCausalLM.from_pretrained(folder).eval()
    with ExitStack() as hooks, torch.no_grad():
        for block in plain.model.layers:
            hooks.callback(
                block.mlp.register_forward_hook(lambda _, args, output: written.append(output[0, -1])).remove
            )
        plain(torch.tensor([granite.tokens(CONTRAST.poles[Pole.HIGH])[0]]))
    torch.testing.assert_close(found.activations[Pole.HIGH][0], 0.4 * torch.stack(written), atol=1e-5, rtol=1e-5)


def test_an_edit_has_the_width_of_its_own_layers(model: wb.Model, tmp_path: Path) -> None:
    network = small(
        "Gemma4ForCausalLM", len(model.tokenizer), head_dim=8, num_kv_shared_layers=1, use_double_wide_mlp=True,
        layer_types=["full_attention"] * LAYERS, hidden_size_per_layer_input=8, global_head_dim=8,
        num_global_key_value_heads=2,
    )  # fmt: skip
    folder = saved(network, model.tokenizer, tmp_path)
    uneven = wb.load_model(folder)
    assert [uneven.width(HOOK_POST, [layer]) for layer in range(LAYERS)] == [WIDTH, WIDTH, 2 * WIDTH]
    with pytest.raises(ValueError, match="the widths of hook_post by layer are"):
        wb.capture(uneven, CONTRAST)
    delta = torch.linspace(-2, 2, 2 * WIDTH)
    on: dict[str, Any] = {"trait": "T", "method": "m", "direction": "increase", "site": "hook_post"}
    with (
        pytest.raises(ValueError, match=f"width {2 * WIDTH}, but .* has {WIDTH}"),
        wb.edited(uneven, wb.Edit.of({1: delta}, **on)),
    ):
        pass
    ids = torch.tensor(uneven.tokens(["Say it."]))
    with wb.edited(uneven, wb.Edit.of({2: delta}, gamma=1.0, **on), scope="all"), torch.no_grad():
        ours = uneven.hooked(ids)[0, -1]
    plain = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    plain.model.layers[2].mlp.down_proj.register_forward_pre_hook(lambda _, args: (args[0] + delta,))
    with torch.no_grad():
        torch.testing.assert_close(ours, plain(ids).logits[0, -1], atol=1e-4, rtol=1e-4)


def test_act_is_refused_where_a_norm_follows_the_product(model: wb.Model, tmp_path: Path) -> None:
    normed = wb.load_model(saved(small("BitNetForCausalLM", len(model.tokenizer)), model.tokenizer, tmp_path))
    edit = wb.Edit.of({1: torch.ones(WIDTH)}, trait="T", method="m", direction="increase", site="act")
    with pytest.raises(ValueError, match="Layer 1 of .* act cannot be edited there"), wb.edited(normed, edit):
        normed.generate(["Say it."], max_new_tokens=2)


def test_a_gate_that_is_not_split_is_refused(model: wb.Model, tmp_path: Path) -> None:
    whole = wb.load_model(saved(small("ModernBertDecoderForCausalLM", len(model.tokenizer)), model.tokenizer, tmp_path))
    assert wb.capture(whole, CONTRAST).width == WIDTH
    with pytest.raises(ValueError, match=f"hook_pre is {2 * WIDTH} wide but the model's own width there is {WIDTH}"):
        wb.capture(whole, CONTRAST, site="hook_pre")
    for site in ("hook_pre", "act"):
        edit = wb.Edit.of({1: torch.ones(WIDTH)}, trait="T", method="m", direction="increase", site=site)
        with pytest.raises(ValueError, match=f"hook_pre is {2 * WIDTH} wide"), wb.edited(whole, edit, scope="all"):
            whole.generate(["Say it."], max_new_tokens=2)


@pytest.mark.filterwarnings("ignore:.*does not continue from keys and values")
def test_a_site_whose_hook_never_runs_is_refused(model: wb.Model, tmp_path: Path) -> None:
    first = wb.load_model(saved(
        small("OpenAIGPTLMHeadModel", len(model.tokenizer), n_positions=256, n_embd=HIDDEN, n_layer=LAYERS, n_head=4,
              num_key_value_heads=4),
        model.tokenizer, tmp_path,
    ))  # fmt: skip
    with pytest.raises(ValueError, match="blocks.0.hook_resid_post of .* did not run in a pass"):
        wb.capture(first, CONTRAST, site="resid_post")
    edit = wb.Edit.of({1: torch.ones(HIDDEN)}, trait="T", method="m", direction="increase", site="resid_post")
    with pytest.raises(ValueError, match="resid_post of layer 1 of .* did not run"), wb.edited(first, edit):
        first.generate(["Say it."], max_new_tokens=2)


REFUSED = {
    "an encoder-decoder": (
        lambda v: small("T5ForConditionalGeneration", v, d_model=HIDDEN, d_kv=8, d_ff=WIDTH, num_layers=2, num_heads=4),
        r"it is an encoder-decoder \(T5ForConditionalGeneration\)",
    ),
    "no head": (lambda v: small("BertForMaskedLM", v), "BertForMaskedLM has no head that continues a text"),
    "both ways": (lambda v: small("BertLMHeadModel", v), "BertLMHeadModel attends both ways"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_does_not_continue_a_text_is_refused(kind: str, model: wb.Model, tmp_path: Path) -> None:
    make, reason = REFUSED[kind]
    folder = saved(make(len(model.tokenizer)), model.tokenizer, tmp_path)
    with pytest.raises(ValueError, match=reason) as refused:
        wb.load_model(folder)
    assert "\n" not in str(refused.value)
