"""An edit written into a stock checkpoint as biases, kept only once it is shown to be the edited model."""

import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedModel

from workbench.edit.applying import edited
from workbench.edit.composite import AnyEdit
from workbench.export.writing import residual_writes
from workbench.model.model import Model

RECORD = "bake.json"
TOLERANCE: dict[torch.dtype, float] = {torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 1.5e-1}
"""Largest difference of logits that rounding may make, by the weights' type, as a share of their spread."""

_PROMPTS = (
    "Describe an ordinary Tuesday.",
    "What is 12 + 30?",
    "How do you feel about meeting new people?",
    "Name three things that you would take on a long journey, and say why you would take each of them.",
)


@dataclass(frozen=True)
class Baked:
    """What was shown of a baked checkpoint before it was kept.

    Attributes:
        folder: the checkpoint's folder, for plain transformers.
        architecture: the class that loads it.
        max_logit_difference: largest difference from the hooked model's logits, over every position of all prompts.
        logit_spread: standard deviation of those logits.
        greedy_tokens: new tokens compared; all were equal.
        prompts: how many prompts of text and of random tokens were compared.
        changed: the parameters that differ from the original checkpoint.
    """

    folder: Path
    architecture: str
    max_logit_difference: float
    logit_spread: float
    greedy_tokens: int
    prompts: int
    changed: tuple[str, ...]


def bake(
    model: Model,
    edit: AnyEdit,
    folder: str | Path,
    *,
    scope: str = "all",
    prompts: Sequence[str] = _PROMPTS,
    new_tokens: int = 24,
) -> Baked:
    """Write the edited model as a stock Hugging Face checkpoint: no hook, no cost at run time.

    What the edit adds to the residual stream becomes the bias of each edited block's down projection: Llama by
    `mlp_bias`; Qwen2 and Mistral (without a sliding window) as Llama with biases; GPT-2, GPT-NeoX, OPT, BLOOM, Phi and
    GPT-J in the bias they have. The folder is written under another name, loaded again by plain transformers and
    compared with the hooked model under `edited(model, edit, scope="all")`, on texts and on random tokens; it appears
    under its name only if greedy tokens are equal and logits agree to rounding.

    Args:
        scope: what the edit stands for; only `all`, every position, can be a bias.
        prompts: texts that both must answer alike.

    Raises:
        FileExistsError: if the folder is there and not empty.
        ValueError: if the edit cannot be baked exactly, with the reason; nothing is left behind.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} is there already. Choose another folder for the baked checkpoint.")
    if scope != "all":
        raise ValueError(
            f"A bias acts at every position, so only scope 'all' can be baked, but {scope!r} arrived: to act in "
            "decoding alone, or from the last prompt position on, is no property of a checkpoint."
        )
    if not edit.layers or edit.gamma == 0:
        raise ValueError(f"There is nothing to bake: {edit!r} adds nothing.")
    writes = residual_writes(model, edit)
    stock = _stock(model)
    kind = str(stock.config.model_type)
    if kind not in _BAKED:
        raise ValueError(
            f"{model.name} is a {kind}: no bias is known there that an edit could be written into. Baked are "
            f"{', '.join(_BAKED)}."
        )
    baked, changed = _BAKED[kind](stock, writes)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        baked.save_pretrained(temporary)
        model.tokenizer.save_pretrained(temporary)
        shown = _shown_equal(model, edit, temporary, folder, changed, prompts, new_tokens)
        record = asdict(shown) | {
            "folder": folder.name,
            "edit": repr(edit),
            "base": model.name,
            "base_fingerprint": model.fingerprint,
            "provenance": dict(edit.provenance or {}),
        }
        (temporary / RECORD).write_text(json.dumps(record, indent=1, default=str) + "\n", encoding="utf-8")
        os.chmod(temporary, 0o755)
        if folder.exists():
            folder.rmdir()
        os.replace(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return shown


def _stock(model: Model) -> PreTrainedModel:
    """The checkpoint as plain transformers loads it."""
    if model.recipe is None:
        raise ValueError("Baking starts from a checkpoint, but this model was wrapped. Use load_model.")
    return _loaded(_source(model), model)


def _source(model: Model) -> str:
    from importlib.resources import files

    name = str((model.recipe or {})["name_or_path"])
    return str(files("workbench.testbed") / "weights") if name == "testbed" else name


def _loaded(source: str, model: Model) -> PreTrainedModel:
    recipe = model.recipe or {}
    own = Path(source).is_dir()
    settings = {} if own else {"revision": recipe.get("revision")}
    with _quiet():
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            source, dtype=model.dtype, trust_remote_code=bool(recipe.get("trust_remote_code")), **settings
        )
    return loaded.eval()


Writes = dict[int, Float[Tensor, " d_model"]]
Baker = Callable[[Any, Writes], tuple[Any, tuple[str, ...]]]


def _into_bias(path: str) -> Baker:
    """Adds to a bias that the architecture has already."""

    def bake_into(stock: Any, writes: Writes) -> tuple[Any, tuple[str, ...]]:
        changed = []
        for layer, write in writes.items():
            name = path.format(layer=layer)
            owner, _, leaf = name.rpartition(".")
            module = stock.get_submodule(owner)
            bias = getattr(module, leaf)
            if bias is None:
                raise ValueError(f"{owner} of this {stock.config.model_type} has no bias to write the edit into.")
            with torch.no_grad():
                bias.copy_((bias.double().cpu() + write).to(bias.dtype))
            changed.append(name)
        return stock, tuple(changed)

    return bake_into


def _as_llama(stock: Any, writes: Writes) -> tuple[Any, tuple[str, ...]]:
    """The same network as a Llama with biases in its MLPs, the new ones zero but for the edit."""
    old = stock.config
    if getattr(old, "use_sliding_window", False) or (old.model_type == "mistral" and old.sliding_window):
        window = old.sliding_window
        raise ValueError(
            f"This {old.model_type} attends within a sliding window of {window} tokens, which a Llama cannot express."
        )
    biased = old.model_type == "qwen2" or bool(getattr(old, "attention_bias", False))
    kept = {name: value for name, value in old.to_dict().items() if name in _SHARED and value is not None}
    config = LlamaConfig(**kept, mlp_bias=True, attention_bias=biased)
    with _quiet():
        baked = LlamaForCausalLM(config).to(stock.dtype).eval()
    weights, theirs = dict(stock.state_dict()), baked.state_dict()
    changed = []
    for name, tensor in theirs.items():
        if name not in weights:
            weights[name] = torch.zeros_like(tensor)
            changed.append(name)
    for layer, write in writes.items():
        name = f"model.layers.{layer}.mlp.down_proj.bias"
        weights[name] = (weights[name].double() + write).to(theirs[name].dtype)
        changed.append(name)
    baked.load_state_dict(weights)
    if stock.generation_config is not None:
        baked.generation_config = stock.generation_config
    return baked, tuple(dict.fromkeys(changed))


_SHARED = frozenset(
    {
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "head_dim",
        "hidden_act",
        "max_position_embeddings",
        "initializer_range",
        "rms_norm_eps",
        "use_cache",
        "pad_token_id",
        "bos_token_id",
        "eos_token_id",
        "tie_word_embeddings",
        "rope_theta",
        "rope_scaling",
        "rope_parameters",
        "attention_dropout",
        "dtype",
        "pretraining_tp",
    }
)
"""What the configurations of Llama, Qwen2 and Mistral mean alike."""

_BAKED: dict[str, Baker] = {
    "llama": _as_llama,
    "qwen2": _as_llama,
    "mistral": _as_llama,
    "gpt2": _into_bias("transformer.h.{layer}.mlp.c_proj.bias"),
    "gpt_neox": _into_bias("gpt_neox.layers.{layer}.mlp.dense_4h_to_h.bias"),
    "opt": _into_bias("model.decoder.layers.{layer}.fc2.bias"),
    "bloom": _into_bias("transformer.h.{layer}.mlp.dense_4h_to_h.bias"),
    "phi": _into_bias("model.layers.{layer}.mlp.fc2.bias"),
    "gptj": _into_bias("transformer.h.{layer}.mlp.fc_out.bias"),
}


def _shown_equal(
    model: Model,
    edit: AnyEdit,
    written: Path,
    folder: Path,
    changed: tuple[str, ...],
    prompts: Sequence[str],
    new_tokens: int,
) -> Baked:
    """What a fresh load of the written checkpoint shows; anything but the edited model is refused."""
    with _quiet():
        config = AutoConfig.from_pretrained(written)
        baked: Any = AutoModelForCausalLM.from_pretrained(written, dtype=model.dtype)
        baked = baked.eval().to(model.device)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randint(len(model.tokenizer), (4, 24), generator=generator).tolist()
    worst, spread, compared = 0.0, 0.0, 0
    # Every prompt alone and unpadded: a plain forward of both.
    for tokens in [*model.tokens(list(prompts), chat=_has_template(model)), *drawn]:
        ids = torch.tensor([tokens], device=model.device)
        with torch.no_grad(), edited(model, edit, scope="all"):
            ours = model.hooked(ids).float()
        with torch.no_grad():
            theirs = baked(ids).logits.float()
        worst = max(worst, float((ours - theirs).abs().max()))
        spread = max(spread, float(ours.std()))
        mine, others = _greedy(model, edit, ids, new_tokens), _greedy_plain(baked, ids, new_tokens)
        if mine != others:
            place = next(i for i, pair in enumerate(zip(mine, others, strict=True)) if pair[0] != pair[1])
            raise ValueError(
                f"The baked checkpoint is not the edited model: greedy token {place} of a prompt is {others[place]} "
                f"instead of {mine[place]} (logits differ by up to {worst:.2g}). Rounding in {model.dtype} is too "
                "coarse for this edit; load the model in float32."
            )
        compared += len(mine)
    bound = TOLERANCE.get(model.dtype, 1e-4) * max(spread, 1e-6)
    if worst > bound:
        raise ValueError(
            f"The baked checkpoint is not the edited model to rounding: logits differ by up to {worst:.2g}, where "
            f"{bound:.2g} is allowed in {model.dtype}. Load the model in float32."
        )
    name = (config.architectures or ["?"])[0]
    return Baked(folder, name, worst, spread, compared, len(prompts) + len(drawn), changed)


def _has_template(model: Model) -> bool:
    return bool(getattr(model.tokenizer, "chat_template", None))


def _greedy(model: Model, edit: AnyEdit, ids: Tensor, count: int) -> list[int]:
    """Greedy tokens of the hooked model, the whole sequence run anew at each step, so that no cache is involved."""
    with torch.no_grad(), edited(model, edit, scope="all"):
        return _continued(lambda tokens: model.hooked(tokens), ids, count)


def _greedy_plain(baked: Any, ids: Tensor, count: int) -> list[int]:
    with torch.no_grad():
        return _continued(lambda tokens: baked(tokens).logits, ids, count)


def _continued(logits: Callable[[Tensor], Tensor], ids: Tensor, count: int) -> list[int]:
    start = ids.shape[1]
    for _ in range(count):
        following = logits(ids)[:, -1].argmax(-1, keepdim=True)
        ids = torch.cat([ids, following], dim=1)
    return ids[0, start:].tolist()


class _quiet:
    """Without the libraries' progress bars and load reports."""

    def __enter__(self) -> None:
        from transformers.utils import logging as transformers_logging

        self.shown = transformers_logging.is_progress_bar_enabled()
        self.level = transformers_logging.get_verbosity()
        transformers_logging.disable_progress_bar()
        transformers_logging.set_verbosity_error()
        logging.disable(logging.WARNING)

    def __exit__(self, *raised: object) -> None:
        from transformers.utils import logging as transformers_logging

        logging.disable(logging.NOTSET)
        transformers_logging.set_verbosity(self.level)
        if self.shown:
            transformers_logging.enable_progress_bar()
