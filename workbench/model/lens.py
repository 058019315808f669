"""The logit lens on neurons: which tokens a neuron's write to the residual stream promotes and suppresses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    return Writes.of(model, [layer]).top_tokens(layer, neuron, k)


@dataclass(frozen=True, eq=False)
class Writes:
    """What neurons write, and the lens on it: weights alone, which can be read while the model runs in another thread.

    Attributes:
        name: the model's, for messages.
        tokenizer: tells the tokens.
        rows: by layer, `(d_mlp, d_model)`, what each neuron writes per unit of activation.
        multiplier: of what is written, on its way to the residual stream.
        lens: from the residual stream to logits; None for a model that normalises what its MLPs write.
    """

    name: str
    tokenizer: PreTrainedTokenizerBase
    rows: Mapping[int, Float[Tensor, "d_mlp d_model"]]
    multiplier: float
    lens: "Lens | None"

    @classmethod
    def of(cls, model: Model, layers: Sequence[int]) -> "Writes":
        """Those of some layers; nothing is copied."""
        rows = {layer: model.w_out(layer) for layer in layers}
        lens = None if normalises_mlp_output(model) else Lens.of(model)
        return cls(model.name, model.tokenizer, rows, half_multiplier(model, "mlp"), lens)

    def norm(self, layer: int, neuron: int) -> float:
        """The size of what a neuron writes per unit of activation."""
        return float(self.rows[layer][neuron].float().norm())

    def top_tokens(self, layer: int, neuron: int, k: int = 10) -> pd.DataFrame:
        """See the function `top_tokens`."""
        writes = self.rows[layer]
        if not 0 <= neuron < len(writes):
            raise ValueError(f"Layer {layer} of {self.name} has neurons 0 to {len(writes) - 1}, but {neuron} arrived.")
        if self.lens is None:
            raise ValueError(
                f"{self.name} normalises what its MLPs write, so a neuron's write depends on all other neurons and its "
                "row of W_out alone says nothing. Measure its patching effect instead."
            )
        logits = self.lens.logits(self.multiplier * writes[neuron].float())
        tokens = min(len(logits), len(self.tokenizer))  # an unembedding may be padded beyond the vocabulary
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
                    "token": readable_token(self.tokenizer, token),
                    "token_id": token,
                    "logit": float(logits[token]),
                }
                for side, strongest in sides.items()
                for rank, token in enumerate(strongest, start=1)
            ]
        )


def logit_lens(model: Model, direction: Float[Tensor, " d_model"]) -> Float[Tensor, " d_vocab"]:
    """What a direction of the final residual stream adds to the logits if the final norm's scale is 1.

    The final norm's gain, and whether it subtracts the mean, are measured on the norm itself. So the result is the same
    for folded and unfolded weights, and for gains that are stored as an offset. A cap on the logits is ignored.

    Returns:
        `(d_vocab,)` centred logits per unit of `direction`, on the CPU in float32. If the norm divides by s, the
        logits change by 1/s of this.
    """
    return Lens.of(model).logits(direction)


@dataclass(frozen=True, eq=False)
class Lens:
    """The way from the final residual stream to the logits, where the final norm's scale is 1.

    Attributes:
        unembedding: `(d_model, d_vocab)`.
        gain: the final norm's.
        centred: whether the norm subtracts the mean.
        multiplier: of the logits.
    """

    unembedding: Float[Tensor, "d_model d_vocab"]
    gain: Float[Tensor, " d_model"]
    centred: bool
    multiplier: float

    @classmethod
    @torch.no_grad()
    def of(cls, model: Model) -> "Lens":
        """The model's, with the norm's gain measured on the norm itself."""
        with in_memory(model.hooked.unembed):
            unembedding = model.hooked.unembed.W_U.detach()
        gain, centred = _final_norm(model, unembedding.device)
        return cls(unembedding, gain, centred, _logit_multiplier(model))

    @torch.no_grad()
    def logits(self, direction: Float[Tensor, " d_model"]) -> Float[Tensor, " d_vocab"]:
        """See `logit_lens`."""
        direction = direction.detach().float().to(self.gain.device)
        if self.centred:
            direction = direction - direction.mean()
        read = direction * self.gain
        parts = [
            (read.to(columns.device) @ columns.float()).cpu()
            for columns in self.unembedding.split(_COLUMNS_AT_ONCE, dim=1)  # widened in parts: it may be gigabytes
        ]
        logits = torch.cat(parts) * self.multiplier
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
