"""The model that all higher floors take: a TransformerLens model, its tokenizer, and what hooks need to know."""

import hashlib
import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from transformer_lens.hook_points import HookPoint
from transformers import PreTrainedTokenizerBase

from workbench.contrast.prompt import Prompt
from workbench.model.beginnings import begun
from workbench.model.generation import Decoder, Sampling, generate
from workbench.model.kept import BUDGET, Kept
from workbench.model.lengths import Lengths
from workbench.model.loop import Loop, tried
from workbench.model.offloading import device_of, in_memory, state_of
from workbench.model.passing import Pass
from workbench.model.rendering import Rendering, as_prompts, remarks, render, render_conversation, rendering_of
from workbench.model.runner import BridgeRunner, HookedRunner, Runner, bridge_class
from workbench.model.sites import Blocks, written_in_place
from workbench.model.template import checked_variables, template_text
from workbench.model.text import added_before, answer_tokens
from workbench.vocabulary import HOOK_POST, HOOK_PRE_LINEAR, RESID_MID, SITES, Axis, Site


class Model:
    """A hooked language model and its tokenizer.

    Attributes:
        hooked: the TransformerLens model itself, for everything that is not wrapped here.
        tokenizer: the tokenizer.
        name: the name or path that it was loaded by.
        source: for weights that a GGUF file held quantised: kind, file, sha256, quantization and tensors; for a merged
            adapter: adapter, with its name, method, sha256 and the model that it was trained on; otherwise empty, as
            the weights are the checkpoint's own.
        blocks: its blocks, and which sites each has.
        runner: its forward pass, for either generation of TransformerLens.
        per_row: how many open contexts have hooks that treat the prompts of a run differently.
        kept: beginnings of prompts that are kept from one call to the next; None outside `sharing`.
        branches: whether several continuations of one prompt can be computed in one row; None before this was tested.
        shares_beginnings: whether prompts can be computed on top of a shared beginning; None before this was tested.
        current: the forward pass that is running; None between passes, and during passes that are not announced.
        begun: how many passes have been announced.
    """

    def __init__(
        self,
        hooked: Any,
        tokenizer: PreTrainedTokenizerBase,
        *,
        name: str,
        recipe: Mapping[str, Any] | None = None,
        source: Mapping[str, Any] | None = None,
        template: Mapping[str, Any] | None = None,
    ) -> None:
        self.hooked = hooked
        self.tokenizer = tokenizer
        self.name = name
        self._recipe = None if recipe is None else dict(recipe)
        self._template = checked_variables(tokenizer, template)
        self._put: Callable[[Prompt], Prompt] | None = None
        self.source = dict(source or {})
        self.runner: Runner = BridgeRunner(hooked) if isinstance(hooked, bridge_class()) else HookedRunner(hooked)
        self.blocks = Blocks(hooked, name)
        self.per_row = 0
        self.kept: Kept | None = None
        self._sparing: list[frozenset[int]] = []
        self.branches: bool | None = None
        self.shares_beginnings: bool | None = None
        self._loop: Loop | None = None
        self.current: Pass | None = None
        self.begun = 0

    @property
    def recipe(self) -> dict[str, Any] | None:
        """What `load_again` needs to load the same model elsewhere; None if the model was wrapped, not loaded."""
        return None if self._recipe is None else {**self._recipe, "template": self.template}

    @property
    def template(self) -> dict[str, Any]:
        """The variables that the chat template is given with every prompt, by name; see `templated`.

        Example:
            >>> import workbench as wb
            >>> wb.load_model("testbed").template
            {}
        """
        return dict(self._template)

    @contextmanager
    def templated(self, template: Mapping[str, Any] | None = None) -> Iterator["Model"]:
        """Give the chat template further variables while the context is open, e.g. `{"enable_thinking": False}`.

        Raises:
            ValueError: for a variable that the template does not read, or a model without a template.
        """
        before, self._template = self._template, {**self._template, **checked_variables(self.tokenizer, template)}
        try:
            yield self
        finally:
            self._template = before

    @contextmanager
    def prompted(self, put: Callable[[Prompt], Prompt]) -> Iterator["Model"]:
        """Put every chat prompt otherwise while the context is open, e.g. under another system prompt.

        What asks the model need not know of it: a prompt is put so just before it becomes tokens. Raw texts stay as
        they are. Within another such context the outer one comes first.

        Example:
            >>> import workbench as wb
            >>> from dataclasses import replace
            >>> model = wb.load_model("testbed")
            >>> with model.prompted(lambda prompt: replace(prompt, system="You are a teacher.")):
            ...     asked = model.tokens(wb.Prompt("Who are you?"))
            >>> asked == model.tokens(wb.Prompt("Who are you?", system="You are a teacher."))
            True
        """
        before = self._put

        def putting(prompt: Prompt) -> Prompt:
            prompt = prompt if before is None else before(prompt)
            return put(prompt) if prompt.chat else prompt

        self._put = putting
        try:
            yield self
        finally:
            self._put = before

    @property
    def network(self) -> Any:
        """The module that holds the weights: transformers' own inside a bridge, or the `HookedTransformer`."""
        return self.runner.network

    @property
    def weights(self) -> str:
        """Where the weights come from, in words: a checkpoint's own numbers, or a GGUF file's, and a merged adapter."""
        said = "as the checkpoint has them"
        if "file" in self.source:
            kind, file, digest = (self.source[name] for name in ("quantization", "file", "sha256"))
            said = f"dequantised from {kind} in {file} (sha256 {digest})"
        adapter = self.source.get("adapter")
        if adapter is None:
            return said
        return f"{said}, with the {adapter['method']} adapter {adapter['name']} (sha256 {adapter['sha256']}) merged"

    @property
    def device(self) -> torch.device:
        """Where token ids go."""
        return device_of(self.runner.embedding, self.runner.embedding_module)

    @property
    def dtype(self) -> torch.dtype:
        """The weights' type."""
        return self.runner.embedding.dtype

    @property
    def n_layers(self) -> int:
        """Number of blocks."""
        return int(self.hooked.cfg.n_layers)

    @property
    def d_model(self) -> int:
        """Width of the residual stream."""
        return int(self.hooked.cfg.d_model)

    @property
    def neuron_layers(self) -> tuple[int, ...]:
        """The layers whose MLP neurons are one axis: all but blocks without an MLP and mixtures of experts."""
        return self.blocks.with_neurons

    @cached_property
    def d_mlp(self) -> int:
        """Number of MLP neurons of the first layer that has any, read from its down projection.

        Raises:
            ValueError: if no layer has neurons that are one axis.
        """
        return self._neurons((self.neuron_layers or (0,))[0])

    def _neurons(self, layer: int) -> int:
        """How many neurons a layer has, even if its weights are offloaded or have no values yet."""
        try:
            return int(self.blocks.w_out(layer).shape[0])
        except NotImplementedError:  # TransformerLens cannot read a weight that has no values
            down = self.hooked.blocks[layer].mlp.out.original_component
            return int(getattr(down, "in_features", down.weight.shape[0]))

    def w_out(self, layer: int) -> Float[Tensor, "d_mlp d_model"]:
        """What each neuron of a layer writes to the residual stream per unit of activation.

        Raises:
            ValueError: if the block has no single down projection: no MLP, or a mixture of experts.
        """
        with in_memory(getattr(self.hooked.blocks[layer], "mlp", None)):
            return self.blocks.w_out(layer)

    def w_o(self, layer: int) -> Float[Tensor, "heads_by_d_head d_model"]:
        """What each value of the site `z` of a layer, its attention heads side by side, writes to the residual stream.

        Raises:
            ValueError: if the block has no attention with an output projection.
        """
        attention = getattr(self.hooked.blocks[layer], "attn", None)
        with in_memory(attention):
            weights = getattr(attention, "W_O", None)
        if weights is None:
            raise ValueError(f"Layer {layer} of {self.name} has no attention heads with an output projection.")
        return weights.detach().reshape(-1, weights.shape[-1])

    def is_gated(self, layer: int) -> bool:
        """Whether a layer's MLP multiplies the activation function's output by a second projection."""
        return layer in self.neuron_layers and HOOK_PRE_LINEAR.hook(layer) in self.blocks.points

    def activation_function(self, layer: int) -> Callable[[Tensor], Tensor]:
        """The activation function that a layer applies to `hook_pre`.

        Raises:
            ValueError: if the block does not name it, or has no neurons.
        """
        self.blocks.point(HOOK_POST, layer)
        mlp = self.hooked.blocks[layer].mlp
        if getattr(mlp, "_use_processed_weights", False):  # a bridge that computes the MLP itself
            from transformer_lens.model_bridge.generalized_components.gated_mlp import resolve_activation_fn

            return resolve_activation_fn(mlp.config)
        for holder in (mlp, getattr(mlp, "original_component", None)):
            for name in ("act_fn", "activation_fn", "act", "activation"):
                function: Callable[[Tensor], Tensor] | None = getattr(holder, name, None)
                if callable(function):
                    return function
        raise ValueError(f"Layer {layer} of {self.name} ({type(mlp).__name__}) does not name its activation function.")

    def write_norms(self, layers: Sequence[int] | None = None) -> Float[Tensor, "layer d_mlp"]:
        """The norm of what each neuron writes to the residual stream per unit of activation, on the CPU.

        Raises:
            ValueError: for layers that the model lacks, or that differ in width.
        """
        chosen = self.layers(layers)
        self.width(HOOK_POST, chosen)
        return torch.stack([self.w_out(layer).float().norm(dim=1).cpu() for layer in chosen])

    def width(self, site: Site, layers: Sequence[int] = ()) -> int:
        """How many values a site has at each position, which must be the same in all of `layers`.

        Args:
            layers: by default the first layer that can have the site.

        Raises:
            ValueError: if the layers differ, or the neurons of one of them are not one axis.
        """
        if site.axis is Axis.RESIDUAL:
            return self.d_model
        layers = layers or (self.neuron_layers[:1] if site.axis is Axis.NEURONS else ()) or (0,)
        width_at = self._heads if site.axis is Axis.HEADS else self._neurons
        widths = {layer: width_at(layer) for layer in layers}
        if len(set(widths.values())) > 1:
            raise ValueError(
                f"Layers are read together only if they are equally wide, but the widths of {site.name} by layer are "
                f"{widths}. Read layers of one width at a time with layers=."
            )
        return widths[layers[0]]

    def _heads(self, layer: int) -> int:
        """How wide the heads of a layer are side by side, which some models vary from layer to layer."""
        output = getattr(getattr(self.hooked.blocks[layer], "attn", None), "o", None)
        wide = getattr(getattr(output, "original_component", None), "in_features", None)
        return int(self.hooked.cfg.n_heads) * int(self.hooked.cfg.d_head) if wide is None else int(wide)

    def hook_point(self, site: Site, layer: int) -> HookPoint:
        """TransformerLens' hook point of a site.

        Raises:
            ValueError: if the model lacks the layer or the hook.
        """
        if not 0 <= layer < self.n_layers:
            raise ValueError(f"Layers of {self.name} are 0 to {self.n_layers - 1}, but {layer} arrived.")
        return self.blocks.point(site, layer)

    def layers(self, wanted: Sequence[int] | None = None) -> tuple[int, ...]:
        """`wanted`, ascending and without repeats; every layer if it is None.

        Raises:
            ValueError: naming layers that the model lacks, or if `wanted` is empty.
        """
        if wanted is None:
            return tuple(range(self.n_layers))
        lacking = sorted({layer for layer in wanted if not 0 <= layer < self.n_layers})
        if lacking:
            raise ValueError(f"Layers of {self.name} are 0 to {self.n_layers - 1}, but {lacking} arrived.")
        if not wanted:
            raise ValueError("At least one layer is needed, but none arrived.")
        return tuple(sorted(set(wanted)))

    def tokens(
        self,
        prompts: str | Prompt | Sequence[str | Prompt],
        *,
        chat: bool = True,
        template: Mapping[str, Any] | None = None,
    ) -> list[list[int]]:
        """Token ids of each prompt, up to where the answer begins.

        A chat prompt is written by the chat template, its special tokens included; a raw text gets those that the
        checkpoint's tokenizer adds by itself. BOS begins a prompt once, even if its text brings one. A template that
        asks for the day is told 26 July 2024.

        Args:
            template: variables of the chat template besides the model's own, e.g. `{"enable_thinking": False}`; those
                of a `Prompt` come before both. `strftime_now` sets the day, where the template asks for one.

        Raises:
            ValueError: for a prompt without tokens or one that the template refuses, or for a variable that
                the template does not read.
        """
        asked = as_prompts(prompts, chat=chat)
        if self._put is not None:
            asked = list(map(self._put, asked))
        return render(self.tokenizer, asked, self._with(template))

    def answer_tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of texts that follow a prompt: no special token is added, and a BOS that begins one is left out.

        Raises:
            TypeError: for a single string.
        """
        if isinstance(texts, str):
            raise TypeError(f"answer_tokens takes a list of texts, but the single text {texts!r} arrived.")
        return answer_tokens(self.tokenizer, texts)

    def conversation(self, messages: Sequence[Mapping[str, str]], *, open_turn: bool = True) -> str:
        """The text that the chat template makes of turns with `role` and `content`; see `render_conversation`."""
        return render_conversation(self.tokenizer, messages, self._template, open_turn=open_turn)

    def _with(self, template: Mapping[str, Any] | None) -> dict[str, Any]:
        return {**self._template, **checked_variables(self.tokenizer, template)}

    @property
    def rendering_remarks(self) -> list[str]:
        """What to know of how chat prompts are rendered, a line each: fallbacks, template variables, the day."""
        return remarks(self.tokenizer, self._template)

    @property
    def rendering_digest(self) -> str:
        """SHA-256 over what turns prompts into text: the chat template, its variables, and what raw text begins with.

        Models with equal weights, tokenizers and digests read equal prompts as equal tokens.
        """
        depends = [template_text(self.tokenizer), self._template, added_before(self.tokenizer)]
        return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()

    @property
    def rendering(self) -> Rendering:
        """How chat prompts become tokens with this tokenizer; its text says so.

        Example:
            >>> import workbench as wb
            >>> str(wb.load_model("testbed").rendering)
            'the chat template, system prompts included'
        """
        return rendering_of(self.tokenizer, self._template)

    @cached_property
    def pad_token(self) -> int:
        """A token id to pad with. Any would do, as padding is masked."""
        for token in (self.tokenizer.pad_token_id, self.tokenizer.eos_token_id):
            if isinstance(token, int):
                return token
        return 0

    @cached_property
    def stop_tokens(self) -> frozenset[int]:
        """Token ids that end an answer, from the tokenizer and from the generation configuration."""
        configured = getattr(getattr(self.network, "generation_config", None), "eos_token_id", None)
        tokens = configured if isinstance(configured, list) else [configured]
        return frozenset(token for token in (self.tokenizer.eos_token_id, *tokens) if isinstance(token, int))

    @property
    def lengths(self) -> Lengths:
        """How long texts may be, and from where on their length changes how they are computed."""
        if isinstance(self.runner, BridgeRunner):
            return Lengths.of(self.network)
        return Lengths.of_hooked(self.hooked.cfg)

    @property
    def loop(self) -> Loop:
        """What the forward pass can be trusted with: padding, keys and values that are kept; tried once.

        Raises:
            ValueError: in one line, for a model that cannot be run, such as one that is not causal.
        """
        if self._loop is None:
            self._loop = tried(
                self.runner,
                self.tokenizer,
                name=self.name,
                pad_token=self.pad_token,
                lengths=self.lengths,
                modules=list({id(one): one for top in (self.hooked, self.network) for one in top.modules()}.values()),
                points=self._points_of_each_site(),
                device=self.device,
                dtype=self.dtype,
            )
        return self._loop

    def _points_of_each_site(self) -> list[HookPoint]:
        """A hook point of each site that the model has, each in another layer where there are so many."""
        points = []
        for number, site in enumerate(SITES.values()):
            layer = number % self.n_layers
            with suppress(ValueError):
                points.append(self.hook_point(site, layer))
        return points

    @property
    def decoder(self) -> Decoder:
        """What generation needs of this model.

        A model that does not continue from what it kept is run whole for every new token, and a warning says so.
        """
        if not self.loop.caches:
            warnings.warn(
                f"{self.name} does not continue from keys and values that were kept: each new token is computed with "
                "all that comes before it, which is slow.",
                stacklevel=3,
            )
        shared = partial(begun, self)
        return Decoder(self.runner, self.device, self.pad_token, self.stop_tokens, self.passing, self.loop, shared)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the name, the shape and a sample of the values of every parameter; equal for equal weights.

        At most 4,096 evenly spaced values of each parameter are hashed, so that it is quick for a model of any size.
        """
        digest = hashlib.sha256()
        for name, parameter in state_of(self.network):
            values = parameter.detach().flatten()
            step = max(1, values.numel() // 4096)
            sample = values[::step][:4096].to("cpu", torch.float32).contiguous()
            digest.update(f"{name} {tuple(parameter.shape)}".encode())
            digest.update(sample.numpy().tobytes())
        return digest.hexdigest()

    @contextmanager
    def passing(self, step: Pass) -> Iterator[None]:
        """Announce a forward pass to the hooks while it lasts."""
        before, self.current = self.current, step
        self.begun += 1
        try:
            yield
        finally:
            self.current = before

    @contextmanager
    def rows_apart(self) -> Iterator[None]:
        """Announce that hooks treat the prompts of a run differently, so that equal prompts are computed one by one."""
        self.per_row += 1
        try:
            yield
        finally:
            self.per_row -= 1

    @contextmanager
    def sharing(self, budget: int = BUDGET) -> Iterator[Kept]:
        """Compute each prompt's beginning, all but its last token, once for all calls inside.

        What is generated and how likely answers are stays the same up to rounding, edited or not: a beginning is used
        again only where every hook on the model leaves it as it is, as edits do with scope `generated` or `decode`.
        The weights must stay as they are inside.

        Args:
            budget: the most bytes of keys and values that are kept; those that were used least recently go first.

        Yields:
            what is kept, and how much it is.

        Raises:
            ValueError: for a budget below 0.

        Example:
            >>> import workbench as wb
            >>> model = wb.load_model("testbed")
            >>> with model.sharing() as kept:
            ...     first = model.generate(["What do you do at parties?"], max_new_tokens=4)
            ...     again = model.generate(["What do you do at parties?"], max_new_tokens=4)
            >>> (first == again, kept.computed, kept.used)
            (True, 1, 1)
        """
        before, self.kept = self.kept, Kept(budget)
        try:
            yield self.kept
        finally:
            self.kept = before

    @contextmanager
    def unshared(self) -> Iterator[None]:
        """Keep nothing of what is computed inside, for prompts that none asks again, also inside `sharing`."""
        before, self.kept = self.kept, None
        try:
            yield
        finally:
            self.kept = before

    def hooks(self) -> frozenset[int]:
        """The ids of all hooks on the model, but for those by which libraries keep what nobody has asked for."""
        idle = self.runner.idle_hooks()
        found = (item for table in self._hook_tables for item in table.items())
        return frozenset([key for key, hook in found if key not in idle and not _is_of_transformers(hook)])

    @cached_property
    def _hook_tables(self) -> list[Mapping[int, Any]]:
        modules = {id(one): one for top in (self.hooked, self.network) for one in top.modules()}.values()
        return [table for one in modules for table in (one._forward_hooks, one._forward_pre_hooks)]

    @contextmanager
    def sparing_beginnings(self, hooks: frozenset[int]) -> Iterator[None]:
        """Announce that hooks change nothing before a prompt's last position, so that prompts may share what is there.

        Args:
            hooks: their ids, as `hooks` returns them.
        """
        self._sparing.append(hooks)
        try:
            yield
        finally:
            self._sparing.remove(hooks)

    @property
    def spares_beginnings(self) -> bool:
        """Whether no hook on the model changes or sees anything before a prompt's last position."""
        return self.hooks() <= frozenset().union(*self._sparing)

    @contextmanager
    def hooked_at(self, site: Site, layer: int, function: Callable[[Tensor], Tensor | None]) -> Iterator[None]:
        """Call `function` on a site's activations; if it returns a tensor, that replaces them.

        It gets them as `(batch, pos, width)`, with the heads of an attention site side by side. The hook is removed on
        leaving, whatever happens, and no other hook is touched.

        Raises:
            ValueError: if the model lacks the layer or the site; in a pass, if what TransformerLens hooks there is not
                as wide as the site.
        """
        point = self.hook_point(site, layer)
        in_place = site == RESID_MID and self.runner.copies_stream
        width = self.width(site, (layer,))

        def run(tensor: Tensor, *, hook: HookPoint) -> Tensor | None:
            wide = tensor.shape[-1] if tensor.ndim < 4 else tensor.shape[2:].numel()
            if wide != width:
                raise ValueError(
                    f"{site.hook(layer)} is {wide} wide but the model's own width there is {width}. TransformerLens "
                    f"does not show {site.name} of {self.name} alone there; choose another site."
                )
            if in_place:
                changed = function(tensor.clone() if tensor.requires_grad else tensor)
                return None if changed is None else written_in_place(tensor, changed)
            if tensor.ndim == 3:  # the usual case; this runs in every decode step
                return function(tensor)
            changed = function(tensor.flatten(2))
            return None if changed is None else changed.reshape(tensor.shape)

        point.add_hook(run)
        handle = point.fwd_hooks[-1]
        try:
            yield
        finally:
            handle.hook.remove()
            point.fwd_hooks.remove(handle)

    def generate_tokens(
        self,
        prompts: str | Prompt | Sequence[str | Prompt],
        *,
        max_new_tokens: int = 64,
        temperature: float = 0.0,
        chat: bool = True,
        seed: int = 0,
        streams: Sequence[int] | None = None,
        template: Mapping[str, Any] | None = None,
        max_tokens: int = 16_384,
        max_rows: int = 256,
    ) -> list[list[int]]:
        """New token ids of each prompt, without the token that ended the answer.

        Args:
            temperature: 0 takes the likeliest token; above it, tokens are sampled.
            seed: seeds the sampling.
            streams: the number of the stream of random draws that each prompt uses; by default its index. The draws
                depend on the seed and the stream alone, so batching changes nothing, and prompts with the same stream
                get the same draws.
            template: variables of the chat template besides the model's own; see `tokens`.
            max_tokens, max_rows: bounds of one batch, padding counted.
        """
        tokens = self.tokens(prompts, chat=chat, template=template)
        if streams is not None and len(streams) != len(tokens):
            raise ValueError(f"Each of {len(tokens)} prompts needs a stream, but {len(streams)} arrived.")
        sampling = Sampling(max_new_tokens=max_new_tokens, temperature=temperature, seed=seed)
        return generate(self.decoder, tokens, sampling, streams=streams, max_tokens=max_tokens, max_rows=max_rows)

    def generate(
        self,
        prompts: str | Prompt | Sequence[str | Prompt],
        *,
        max_new_tokens: int = 64,
        temperature: float = 0.0,
        chat: bool = True,
        seed: int = 0,
        streams: Sequence[int] | None = None,
        template: Mapping[str, Any] | None = None,
        max_tokens: int = 16_384,
        max_rows: int = 256,
    ) -> list[str]:
        """The answer to each prompt; arguments as in `generate_tokens`."""
        new = self.generate_tokens(
            prompts,
            max_new_tokens=max_new_tokens,
            temperature=temperature,
            chat=chat,
            seed=seed,
            streams=streams,
            template=template,
            max_tokens=max_tokens,
            max_rows=max_rows,
        )
        return self.tokenizer.batch_decode(new, skip_special_tokens=True)

    def __repr__(self) -> str:
        if self.neuron_layers:
            some = len(self.neuron_layers)
            where = "" if some == self.n_layers else f" in {some} of them"
            inside = f"{self.d_mlp} neurons{where}"
        elif any(self.blocks.mlp(layer) is not None for layer in range(self.n_layers)):
            inside = "a mixture of experts"
        else:
            inside = "no MLP"
        return f"Model({self.name!r}, {self.n_layers} layers of {inside}, {self.dtype}, {self.device})"


def _is_of_transformers(hook: Any) -> bool:
    """Whether transformers itself has set a hook, which looks at outputs and changes none."""
    return str(getattr(hook, "__module__", "")).startswith("transformers.")
