"""An edit written into a stock checkpoint as biases, which is kept only if it computes what the edited model does."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, GenerationConfig

from workbench.edit.edit import AnyEdit
from workbench.export.biases import Writes, baker_of
from workbench.export.equality import Agreement, Expected, agreement, expected
from workbench.export.fitting import check_same_weights
from workbench.export.writing import residual_writes
from workbench.model.loading import stock_network
from workbench.model.model import Model
from workbench.model.quiet import quiet
from workbench.whole import whole_folder

RECORD = "bake.json"

_PROMPTS = (
    "Describe an ordinary Tuesday.",
    "What is 12 + 30?",
    "How do you feel about meeting new people?",
    "Name three things that you would take on a long journey, and say why you would take each of them.",
)


@dataclass(frozen=True)
class Baked(Agreement):
    """A baked checkpoint, and how it agreed with the edited model before it was kept.

    Attributes:
        folder: the checkpoint's folder, for plain transformers.
        architecture: the class that loads it.
        changed: the parameters that differ from the original checkpoint.
    """

    folder: Path
    architecture: str
    changed: tuple[str, ...]


def bake(
    model: Model,
    edit: AnyEdit,
    folder: str | Path,
    *,
    scope: str = "all",
    prompts: Sequence[str] = _PROMPTS,
    new_tokens: int = 24,
    any_weights: bool = False,
) -> Baked:
    """Write the edited model as a stock Hugging Face checkpoint: no hook, no cost at run time.

    What the edit adds to the residual stream becomes the bias of each edited block's down projection: Llama by
    `mlp_bias`; Qwen2 and Mistral (without a sliding window) as Llama with biases; GPT-2, GPT-NeoX, OPT, BLOOM, Phi and
    GPT-J in the bias they have. The folder is written under another name, loaded again by plain transformers and
    compared with the hooked model under `edited(model, edit, scope="all")`, on texts and on random tokens. It gets its
    name only if both agree, see `agreement`. The checkpoint is in the model's own number type, with its tokenizer, chat
    template and generation configuration.

    Memory holds the weights twice in float32, and three times in bfloat16 and float16, where rounding is measured
    against a float32 copy.

    Args:
        scope: where the edit is to act; a bias acts at every position, so only `all` is accepted.
        prompts: texts that both models must answer alike.
        any_weights: bake the edit even if it was made on other weights of this shape.

    Raises:
        FileExistsError: if the folder is there and not empty.
        ValueError: with the reason, if the edit cannot be baked exactly; nothing is left behind.
    """
    folder = Path(folder)
    with whole_folder(folder) as temporary:
        _check_asked(model, edit, scope)
        writes = residual_writes(model, edit)
        if not any_weights:
            _check_weights(model, edit)
        kind = str(getattr(getattr(model.network, "config", None), "model_type", type(model.hooked).__name__))
        baker_of(kind)
        changed = _write(model, kind, writes, temporary)
        wanted = expected(model, edit, prompts, new_tokens)
        architecture, agreed = _read_back(model, temporary, wanted)
        baked = Baked(**vars(agreed), folder=folder, architecture=architecture, changed=changed)
        record = asdict(baked) | {
            "folder": folder.name,
            "dtype": str(model.dtype).removeprefix("torch."),
            "edit": repr(edit),
            "base": model.name,
            "base_fingerprint": model.fingerprint,
            "base_weights": model.weights,
            "provenance": dict(edit.provenance),
        }
        (temporary / RECORD).write_text(json.dumps(record, indent=1, default=str) + "\n", encoding="utf-8")
    return baked


def _check_asked(model: Model, edit: AnyEdit, scope: str) -> None:
    if scope != "all":
        raise ValueError(
            f"A bias acts at every position, so only scope 'all' can be baked, but {scope!r} arrived. Use edited() for "
            "a scope that begins later."
        )
    if not edit.layers or edit.gamma == 0:
        raise ValueError(f"There is nothing to bake: {edit!r} adds nothing.")
    if model.recipe is None:
        raise ValueError("Baking starts from a checkpoint, but this model was wrapped. Use load_model.")


def _check_weights(model: Model, edit: AnyEdit) -> None:
    """Refuse an edit made on other weights; the same checkpoint in another number type counts as the same weights."""
    for part in edit.parts:
        made_on = part.provenance
        rounded = made_on.get("dtype") != str(model.dtype) and made_on.get("model") == model.name
        check_same_weights(model, "The edit", made_on.get("model_fingerprint"), any_weights=rounded)


def _write(model: Model, kind: str, writes: Writes, folder: Path) -> tuple[str, ...]:
    """Fill a folder with the baked checkpoint, and return the names of the parameters that changed."""
    recipe = dict(model.recipe or {})
    with quiet():
        stock = stock_network(recipe, model.dtype)
        if getattr(stock.config, "quantization_config", None) is not None:
            raise ValueError(f"{model.name} is quantised, so a bias cannot be added exactly. Bake the full weights.")
        generation = stock.generation_config
        baked, changed = baker_of(kind)(stock, writes)
        baked.generation_config = GenerationConfig()  # as published it may be one that transformers refuses to save
        baked.save_pretrained(folder)
        model.tokenizer.save_pretrained(folder)
    if generation is not None:
        generation.to_json_file(folder / "generation_config.json", use_diff=True)
    return changed


def _read_back(model: Model, folder: Path, wanted: Sequence[Expected]) -> tuple[str, Agreement]:
    """The class that loads a written checkpoint, and how its logits agree with those of the edited model."""
    device_map = (model.recipe or {}).get("device_map")
    with quiet():
        baked: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=model.dtype, **({} if device_map is None else {"device_map": device_map})
        )
        baked = baked.eval() if device_map is not None else baked.eval().to(model.device)

    @torch.no_grad()
    def logits(ids: torch.Tensor) -> torch.Tensor:
        return baked(ids.to(model.device)).logits

    return type(baked).__name__, agreement(logits, wanted, dtype=model.dtype)
