"""One forward pass per batch of prompts, read at the last prompt token."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib.metadata import version

import torch
import transformers
from jaxtyping import Float
from torch import Tensor

from workbench.capture.tally import Activations, Tally, gathered
from workbench.contrast.contrast import Contrast
from workbench.measure.moments import Moments
from workbench.model.model import Model
from workbench.model.passing import Pass
from workbench.model.rendering import batches_by_length, pad_left
from workbench.vocabulary import HOOK_POST, Pole, Site, site_named

Progress = Callable[[int, int], None]


def capture(
    model: Model,
    contrast: Contrast,
    *,
    site: str | Site = HOOK_POST,
    layers: Sequence[int] | None = None,
    keep: bool = False,
    max_tokens: int = 8192,
    max_rows: int = 256,
    progress: Progress | None = None,
) -> Tally:
    """Moments of a site's activations at the last prompt token, by pole.

    The decoder alone runs, without the unembedding, in batches of prompts of like length. Values are read
    through TransformerLens hooks, upcast to float32, and reduced to float64 moments as they come, so that
    memory does not grow with the number of prompts unless they are kept.

    Args:
        site: `hook_post` (MLP neurons) or `resid_post`.
        layers: which layers to read; all by default.
        keep: also keep every row, in float32; the result is then an `Activations`.
        max_tokens, max_rows: bounds of one batch, padding counted.
        progress: called with (prompts done, prompts in all).

    Raises:
        ValueError: for an unknown site or layer, or a site that is not as wide as the model's own.
        FloatingPointError: for a value that is not finite, naming its layer, neuron and prompt.
    """
    return capture_sites(
        model,
        contrast,
        sites=[site],
        layers=layers,
        keep=keep,
        max_tokens=max_tokens,
        max_rows=max_rows,
        progress=progress,
    )[site_named(site).name]


def capture_sites(
    model: Model,
    contrast: Contrast,
    *,
    sites: Sequence[str | Site],
    layers: Sequence[int] | None = None,
    keep: bool = False,
    max_tokens: int = 8192,
    max_rows: int = 256,
    progress: Progress | None = None,
) -> dict[str, Tally]:
    """Like `capture`, for several sites in one pass; by site name."""
    read = [site_named(site) for site in sites]
    chosen = model.layers(layers)
    moments: dict[str, dict[Pole, Moments]] = {site.name: {} for site in read}
    kept: dict[str, dict[Pole, Tensor]] = {site.name: {} for site in read}
    total, done = sum(map(len, contrast.poles.values())), 0
    for pole, prompts in contrast.poles.items():
        tokens = model.tokens(prompts)
        order: list[int] = []
        rows: dict[str, list[Tensor]] = {site.name: [] for site in read}
        batches = batches_by_length([len(ids) for ids in tokens], max_tokens=max_tokens, max_rows=max_rows)
        for batch in batches:
            values = _last_token(model, [tokens[row] for row in batch], batch, read, chosen)
            for site in read:
                found = values[site.name]
                _check_finite(found, site, chosen, pole, [prompts[row].user for row in batch])
                before = moments[site.name].get(pole)
                part = Moments.of(found)
                moments[site.name][pole] = part if before is None else before.merge(part)
                if keep:
                    rows[site.name].append(found)
            order += batch
            done += len(batch)
            if progress is not None:
                progress(done, total)
        if keep:
            for site in read:
                kept[site.name][pole] = gathered(rows[site.name], order)
    made = provenance(model, contrast)
    if keep:
        return {s.name: Activations(contrast.trait, s.name, chosen, moments[s.name], made, kept[s.name]) for s in read}
    return {s.name: Tally(contrast.trait, s.name, chosen, moments[s.name], made) for s in read}


def provenance(model: Model, contrast: Contrast) -> dict[str, str]:
    """What a capture depends on, by name."""
    return {
        "model": model.name,
        "model_fingerprint": model.fingerprint,
        "contrast": contrast.digest,
        "source": contrast.source,
        "position": "last prompt token",
        "dtype": str(model.dtype),
        "transformer_lens": version("transformer-lens"),
        "transformers": transformers.__version__,
        "torch": torch.__version__,
    }


@torch.inference_mode()
def _last_token(
    model: Model, tokens: Sequence[Sequence[int]], rows: list[int], sites: Sequence[Site], layers: Sequence[int]
) -> dict[str, Float[Tensor, "batch layer width"]]:
    """Each site's values at the last position of left-padded `tokens`."""
    found: dict[tuple[str, int], Tensor] = {}

    def reader(site: Site, layer: int) -> Callable[[Tensor], None]:
        def read(activation: Tensor) -> None:
            if activation.shape[-1] != model.width(site):
                raise ValueError(
                    f"{site.hook(layer)} is {activation.shape[-1]} wide but the model's own width there is "
                    f"{model.width(site)}. This looks like a mixture-of-experts block; choose another site."
                )
            found[site.name, layer] = activation[:, -1].float()

        return read

    ids, real = pad_left(tokens, model.pad_token)
    ids, real = ids.to(model.device), real.to(model.device)
    with ExitStack() as hooks:
        for site in sites:
            for layer in layers:
                hooks.enter_context(model.hooked_at(site, layer, reader(site, layer)))
        hooks.enter_context(model.passing(Pass("prompt", real, torch.tensor(rows))))
        model.decoder(
            input_ids=ids,
            attention_mask=real.long(),
            position_ids=(real.long().cumsum(1) - 1).clamp(min=0),
            use_cache=False,
        )
    return {site.name: torch.stack([found[site.name, layer].cpu() for layer in layers], 1) for site in sites}


def _check_finite(
    values: Float[Tensor, "batch layer width"], site: Site, layers: Sequence[int], pole: Pole, prompts: list[str]
) -> None:
    if bool(torch.isfinite(values).all()):
        return
    row, layer, unit = (~torch.isfinite(values)).nonzero()[0].tolist()
    raise FloatingPointError(
        f"Activations must be finite, but {site.name} of layer {layers[layer]}, neuron {unit} is "
        f"{values[row, layer, unit].item()} on the {pole} prompt {prompts[row]!r}. "
        "Load the model in float32 or bfloat16, or leave the prompt out."
    )
