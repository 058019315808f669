"""The model that everything downstream takes: TransformerLens' hooks plus what a run needs to know."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformer_lens.hook_points import HookPoint
from transformer_lens.model_bridge import TransformerBridge
from transformers import PreTrainedTokenizerBase

from workbench.contrast.prompt import Prompt
from workbench.model.passing import Pass
from workbench.model.rendering import as_prompts, render
from workbench.vocabulary import Site


class Model:
    """A hooked language model and its tokenizer.

    Attributes:
        hooked: the TransformerLens model itself, for everything that is not wrapped here.
        tokenizer: the tokenizer, with a padding token.
        name: how it was asked for.
        current: the forward pass under way; None between passes, and in passes that somebody else runs.
    """

    def __init__(self, hooked: TransformerBridge, tokenizer: PreTrainedTokenizerBase, *, name: str) -> None:
        self.hooked = hooked
        self.tokenizer = tokenizer
        self.name = name
        self.current: Pass | None = None

    @property
    def network(self) -> Any:
        """The transformers model with the hooks inside."""
        return self.hooked.original_model

    @cached_property
    def decoder(self) -> nn.Module:
        """The network without its unembedding; its forward fires the same hooks."""
        return self.network.get_decoder()

    @property
    def device(self) -> torch.device:
        """Where token ids go."""
        return self.network.get_input_embeddings().weight.device

    @property
    def dtype(self) -> torch.dtype:
        """The weights' type."""
        return self.network.get_input_embeddings().weight.dtype

    @property
    def n_layers(self) -> int:
        """Number of blocks."""
        return int(self.hooked.cfg.n_layers)

    @property
    def d_model(self) -> int:
        """Width of the residual stream."""
        return int(self.hooked.cfg.d_model)

    @cached_property
    def d_mlp(self) -> int:
        """Number of MLP neurons per layer, read from the down projection itself."""
        return int(self.w_out(0).shape[0])

    def w_out(self, layer: int) -> Float[Tensor, "d_mlp d_model"]:
        """What each neuron of a layer writes to the residual stream per unit of activation.

        Raises:
            ValueError: if the block has no single down projection (a mixture of experts, say).
        """
        mlp = self.hooked.blocks[layer].mlp
        if not hasattr(mlp, "out"):
            raise ValueError(
                f"Layer {layer} has no single down projection ({type(mlp).__name__}): neurons of a "
                "mixture of experts are not one axis, so hook_post cannot be read there."
            )
        return mlp.W_out.detach()

    def width(self, site: Site) -> int:
        """How many values a site has at each position."""
        return self.d_mlp if site.on_neurons else self.d_model

    def hook_point(self, site: Site, layer: int) -> HookPoint:
        """TransformerLens' hook point of a site.

        Raises:
            ValueError: if the model lacks the layer or the hook.
        """
        if not 0 <= layer < self.n_layers:
            raise ValueError(f"Layers of {self.name} are 0 to {self.n_layers - 1}, but {layer} arrived.")
        name = site.hook(layer)
        if name not in self.hooked.hook_dict:
            raise ValueError(f"{self.name} has no hook {name}; TransformerLens does not expose this site there.")
        return self.hooked.hook_dict[name]

    def layers(self, wanted: Sequence[int] | None = None) -> tuple[int, ...]:
        """`wanted` ascending without repeats, or every layer.

        Raises:
            ValueError: naming the layers that the model lacks, or if none is wanted.
        """
        if wanted is None:
            return tuple(range(self.n_layers))
        lacking = sorted({layer for layer in wanted if not 0 <= layer < self.n_layers})
        if lacking:
            raise ValueError(f"Layers of {self.name} are 0 to {self.n_layers - 1}, but {lacking} arrived.")
        if not wanted:
            raise ValueError("At least one layer is needed, but none arrived.")
        return tuple(sorted(set(wanted)))

    def tokens(self, prompts: str | Prompt | Sequence[str | Prompt], *, chat: bool = True) -> list[list[int]]:
        """Token ids of each prompt, up to where the answer begins."""
        return render(self.tokenizer, as_prompts(prompts, chat=chat))

    @cached_property
    def pad_token(self) -> int:
        """A token id to pad with; what it is does not matter, padding is masked."""
        for token in (self.tokenizer.pad_token_id, self.tokenizer.eos_token_id):
            if isinstance(token, int):
                return token
        return 0

    @cached_property
    def stop_tokens(self) -> frozenset[int]:
        """Token ids that end an answer: the tokenizer's and the generation configuration's."""
        configured = getattr(self.network.generation_config, "eos_token_id", None)
        several = configured if isinstance(configured, list) else [configured]
        return frozenset(token for token in (self.tokenizer.eos_token_id, *several) if isinstance(token, int))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over every parameter's name, shape, type and a sample of its values: equal for equal weights.

        Samples up to 4,096 values of each parameter, evenly spaced, so that it is quick for any size.
        """
        digest = hashlib.sha256()
        for name, parameter in sorted(self.network.state_dict().items()):
            values = parameter.detach().flatten()
            step = max(1, values.numel() // 4096)
            sample = values[::step][:4096].to("cpu", torch.float32).contiguous()
            digest.update(f"{name} {tuple(parameter.shape)}".encode())
            digest.update(sample.numpy().tobytes())
        return digest.hexdigest()

    @contextmanager
    def passing(self, step: Pass) -> Iterator[None]:
        """Announce a forward pass to the hooks for as long as it lasts."""
        before, self.current = self.current, step
        try:
            yield
        finally:
            self.current = before

    @contextmanager
    def hooked_at(self, site: Site, layer: int, function: Callable[[Tensor], Tensor | None]) -> Iterator[None]:
        """Run `function` on a site's activations; what it returns, unless None, takes their place.

        The hook is gone on leaving, whatever happens, and nobody else's hook is touched.
        """
        point = self.hook_point(site, layer)

        def run(tensor: Tensor, *, hook: HookPoint) -> Tensor | None:
            return function(tensor)

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
        max_tokens: int = 16_384,
        max_rows: int = 256,
    ) -> list[list[int]]:
        """New token ids of each prompt, without the token that ended the answer.

        Args:
            temperature: 0 takes the likeliest token; above it, tokens are sampled.
            seed: seeds the sampling.
            streams: which stream of random draws each prompt uses; by default its place. A prompt's draws
                depend on the seed and its stream alone, so batching changes nothing, and prompts of one stream
                are compared under the same draws.
            max_tokens, max_rows: bounds of one batch, padding counted.
        """
        from workbench.model.generation import Sampling, generate

        tokens = self.tokens(prompts, chat=chat)
        if streams is not None and len(streams) != len(tokens):
            raise ValueError(f"Each of {len(tokens)} prompts needs a stream, but {len(streams)} arrived.")
        sampling = Sampling(max_new_tokens=max_new_tokens, temperature=temperature, seed=seed)
        return generate(self, tokens, sampling, streams=streams, max_tokens=max_tokens, max_rows=max_rows)

    def generate(
        self,
        prompts: str | Prompt | Sequence[str | Prompt],
        *,
        max_new_tokens: int = 64,
        temperature: float = 0.0,
        chat: bool = True,
        seed: int = 0,
        streams: Sequence[int] | None = None,
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
            max_tokens=max_tokens,
            max_rows=max_rows,
        )
        return self.tokenizer.batch_decode(new, skip_special_tokens=True)

    def __repr__(self) -> str:
        return f"Model({self.name!r}, {self.n_layers} layers of {self.d_mlp} neurons, {self.dtype}, {self.device})"
