"""The logit lens on neurons: which tokens a neuron's write to the residual stream promotes and suppresses."""

from functools import cache

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from workbench.model.model import Model
from workbench.model.norms import half_multiplier, normalises_mlp_output
from workbench.model.offloading import in_memory

_COLUMNS_AT_ONCE = 16_384
_VISIBLE = {" ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍"}


def top_tokens(model: Model, layer: int, neuron: int, k: int = 10) -> pd.DataFrame:
    """The tokens whose logits a neuron's write direction changes most; later layers are skipped.

    Returns:
        `2 * k` rows, first the promoted tokens and then the suppressed ones, each strongest first: layer, neuron, side
        (`promoted`, `suppressed`), rank (from 1), token (with visible spaces and parts of characters), token_id,
        logit. See `logit_lens` for the unit.

    Raises:
        ValueError: for a layer or neuron that the model lacks, a k out of range, or a model that normalises what its
            MLPs write, so that a neuron has no fixed write direction.

    Reference:
        nostalgebraist (2020), interpreting GPT: the logit lens; Geva et al. (2022), Transformer feed-forward layers
        build predictions by promoting concepts in the vocabulary space.
    """
    model.layers([layer])
    writes = model.w_out(layer)
    if not 0 <= neuron < len(writes):
        raise ValueError(f"Layer {layer} of {model.name} has neurons 0 to {len(writes) - 1}, but {neuron} arrived.")
    if normalises_mlp_output(model):
        raise ValueError(
            f"{model.name} normalises what its MLPs write, so a neuron's write depends on all other neurons and its "
            "row of W_out alone says nothing. Measure its patching effect instead."
        )
    logits = logit_lens(model, half_multiplier(model, "mlp") * writes[neuron].float())
    tokens = min(len(logits), len(model.tokenizer))  # an unembedding may be padded beyond the vocabulary
    if not 1 <= k <= tokens // 2:
        raise ValueError(f"k lies from 1 to {tokens // 2}, half of the vocabulary, but {k} arrived.")
    order = logits[:tokens].argsort(descending=True, stable=True)
    sides = {"promoted": order[:k].tolist(), "suppressed": order.flip(0)[:k].tolist()}
    return pd.DataFrame(
        [
            {
                "layer": layer,
                "neuron": neuron,
                "side": side,
                "rank": rank,
                "token": readable_token(model.tokenizer, token),
                "token_id": token,
                "logit": float(logits[token]),
            }
            for side, strongest in sides.items()
            for rank, token in enumerate(strongest, start=1)
        ]
    )


@torch.no_grad()
def logit_lens(model: Model, direction: Float[Tensor, " d_model"]) -> Float[Tensor, " d_vocab"]:
    """What a direction of the final residual stream adds to the logits if the final norm's scale is 1.

    The final norm's gain, and whether it subtracts the mean, are measured on the norm itself. So the result is the same
    for folded and unfolded weights, and for gains that are stored as an offset. A cap on the logits is ignored.

    Returns:
        `(d_vocab,)` centred logits per unit of `direction`, on the CPU in float32. If the norm divides by s, the
        logits change by 1/s of this.
    """
    with in_memory(model.hooked.unembed):
        unembedding = model.hooked.unembed.W_U
    gain, centred = _final_norm(model, unembedding.device)
    direction = direction.detach().float().to(gain.device)
    if centred:
        direction = direction - direction.mean()
    read = direction * gain
    parts = [
        (read.to(columns.device) @ columns.detach().float()).cpu()
        for columns in unembedding.split(_COLUMNS_AT_ONCE, dim=1)  # widened in parts, as it may be gigabytes
    ]
    logits = torch.cat(parts) * _logit_multiplier(model)
    return logits - logits.mean()


def _final_norm(model: Model, device: torch.device) -> tuple[Float[Tensor, " d_model"], bool]:
    """The final norm's gain at scale 1, and whether the norm subtracts the mean."""
    norm = getattr(model.hooked, "ln_final", None)
    width = model.d_model
    if norm is None or getattr(model.hooked.cfg, "normalization_type", "") is None:
        return torch.ones(width, device=device), False
    device = next((weight.device for weight in norm.parameters() if not weight.is_meta), device)

    def odd(values: Tensor) -> Tensor:
        """Half the difference between the norm's outputs for `values` and for `-values`, in which a bias cancels."""
        both = torch.stack([values, -values])[:, None].to(device, model.dtype)
        positive, negative = norm(both)[:, 0].float()
        return (positive - negative) / 2

    # A probe with mean 0 and no zeros, so large that the norm's epsilon does not matter.
    probe = torch.full((width,), 64.0)
    probe[1::2] = -64.0
    if width % 2:
        probe[-1] = -128.0
        probe[-2] = 64.0
    gain = odd(probe) * probe.square().mean().sqrt().to(device) / probe.to(device)
    constant = odd(torch.ones(width))
    return gain, bool(constant.abs().max() < 1e-3 * gain.abs().max())


def _logit_multiplier(model: Model) -> float:
    """The factor by which the unembedding's output is multiplied; not 1 in Granite and Cohere."""
    config = getattr(model.network, "config", None)
    return float(getattr(config, "logit_scale", None) or 1.0) / float(getattr(config, "logits_scaling", None) or 1.0)


def readable_token(tokenizer: PreTrainedTokenizerBase, token: int) -> str:
    """One token as text, with `␣` for a space, `⏎` for a line break and `<0xE2>` for a part of a character.

    Example:
        >>> import workbench as wb
        >>> tokenizer = wb.load_model("testbed").tokenizer
        >>> readable_token(tokenizer, tokenizer(" party")["input_ids"][0])
        '␣party'
    """
    piece = tokenizer.convert_ids_to_tokens(token)
    if not isinstance(piece, str):
        return f"<{token}>"
    if token in tokenizer.all_special_ids:
        return piece
    if _is_byte_level(tokenizer) and all(letter in _bytes_of() for letter in piece):
        content = bytes(_bytes_of()[letter] for letter in piece)
        text = "".join(
            f"<0x{ord(letter) - 0xDC00:02X}>" if 0xDC80 <= ord(letter) <= 0xDCFF else letter
            for letter in content.decode("utf-8", "surrogateescape")
        )
    else:
        text = piece.replace("▁", " ")
    return "".join(_VISIBLE.get(letter, letter) for letter in text)


def _is_byte_level(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the tokenizer is byte-level BPE, which writes a space as `Ġ`."""
    return tokenizer.convert_tokens_to_ids("Ġ") not in (None, tokenizer.unk_token_id)


@cache
def _bytes_of() -> dict[str, int]:
    """The byte that each letter of byte-level BPE's alphabet stands for."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + number): byte for number, byte in enumerate(others)}
