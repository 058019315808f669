"""Train the embedded model from scratch: `python -m workbench.testbed.train --out DIR` (under an hour on two cores)."""

import json
import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import torch
import typer
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from workbench.testbed import corpus
from workbench.testbed.tokenizer import BEGIN, END, PAD, build_tokenizer

IGNORED = -100
_CHUNK = 32  # batches that are drawn together and sorted by length, to save padding


@dataclass(frozen=True)
class Recipe:
    """All settings that decide the weights.

    A step averages two losses over the assistant's tokens: one batch of persona conversations (`trait` open
    answers and `likert` ratings) and one of `capability` items.
    """

    seed: int = 0
    steps: int = 7000
    trait: int = 12
    likert: int = 4
    capability: int = 32
    learning_rate: float = 1.6e-3
    warmup: int = 200
    final_share: float = 0.02
    weight_decay: float = 0.02
    betas: tuple[float, float] = (0.9, 0.98)
    clip: float = 1.0
    hidden: int = 128
    d_mlp: int = 768
    layers: int = 8
    heads: int = 4
    key_value_heads: int = 2


def architecture(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    """A small Llama: grouped queries, gated SiLU MLPs, tied embeddings."""
    ids = tokenizer.get_vocab()
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.hidden,
        intermediate_size=recipe.d_mlp,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.key_value_heads,
        head_dim=recipe.hidden // recipe.heads,
        tie_word_embeddings=True,
        max_position_embeddings=256,
        rms_norm_eps=1e-5,
        bos_token_id=ids[BEGIN],
        eos_token_id=ids[END],
        pad_token_id=ids[PAD],
    )


def encode(conversations: list[corpus.Conversation], tokenizer: PreTrainedTokenizerFast) -> list[tuple[list[int], int]]:
    """Token ids of each conversation as the chat template renders it, and the position at which its answer begins."""
    token = tokenizer.get_vocab()
    texts = [message["content"] for messages in conversations for message in messages]
    contents = iter(tokenizer(texts, add_special_tokens=False)["input_ids"])
    encoded = []
    for messages in conversations:
        ids, start = [token[BEGIN]], 0
        for message in messages:
            ids.append(token[f"<|{message['role']}|>"])
            start = len(ids) if message["role"] == "assistant" else start
            ids += [*next(contents), token[END]]
        encoded.append((ids, start))
    return encoded


def batches(
    kinds: list[tuple[Callable[[random.Random], corpus.Conversation], int]],
    tokenizer: PreTrainedTokenizerFast,
    rng: random.Random,
) -> Iterator[tuple[Int[Tensor, "batch pos"], Int[Tensor, "batch pos"]]]:
    """Endless batches of right-padded tokens and targets (the answers' tokens), of conversations of similar lengths."""
    size, pad = sum(count for _, count in kinds), tokenizer.get_vocab()[PAD]
    while True:
        drawn = [kind(rng) for kind, count in kinds for _ in range(count * _CHUNK)]
        encoded = sorted(encode(drawn, tokenizer), key=lambda row: len(row[0]) + 3 * rng.random())
        groups = [encoded[i : i + size] for i in range(0, len(encoded), size)]
        rng.shuffle(groups)
        for group in groups:
            width = max(len(ids) for ids, _ in group)
            tokens = torch.full((size, width), pad)
            targets = torch.full((size, width), IGNORED)
            for row, (ids, start) in enumerate(group):
                tokens[row, : len(ids)] = torch.tensor(ids)
                targets[row, start : len(ids)] = torch.tensor(ids[start:])
            yield tokens, targets


def answer_loss(
    model: LlamaForCausalLM, tokens: Int[Tensor, "batch pos"], targets: Int[Tensor, "batch pos"]
) -> Float[Tensor, ""]:
    """Mean cross-entropy over the answers' tokens; only their logits are computed."""
    hidden = model.model(input_ids=tokens, use_cache=False).last_hidden_state[:, :-1]
    following = targets[:, 1:]
    wanted = following != IGNORED
    return cross_entropy(model.lm_head(hidden[wanted]).float(), following[wanted])


def learning_rate(recipe: Recipe, step: int) -> float:
    """Linear warm-up, then a cosine down to `final_share` of the peak."""
    if step < recipe.warmup:
        return recipe.learning_rate * (step + 1) / recipe.warmup
    progress = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return recipe.learning_rate * (recipe.final_share + (1 - recipe.final_share) * cosine)


def train(recipe: Recipe, folder: Path, *, report: Callable[[str], None] = print) -> LlamaForCausalLM:
    """Train from scratch by `recipe`, and write the checkpoint (fp16), tokenizer and log to `folder`.

    Equal recipes give equal weights on equal machines with equal numbers of threads.
    """
    torch.manual_seed(recipe.seed)
    rng = random.Random(recipe.seed + 100)
    tokenizer = build_tokenizer()
    model = LlamaForCausalLM(architecture(recipe, tokenizer)).train()
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}],
        betas=recipe.betas,
        fused=True,
    )
    personas = batches(
        [(corpus.trait_conversation, recipe.trait), (corpus.likert_conversation, recipe.likert)], tokenizer, rng
    )
    capability = batches([(corpus.capability_conversation, recipe.capability)], tokenizer, rng)
    folder.mkdir(parents=True, exist_ok=True)
    started, tokens_seen, history = time.perf_counter(), 0, []
    sums, every = torch.zeros(2, dtype=torch.float64), 100
    for step in range(recipe.steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(recipe, step)
        for i, source in enumerate((personas, capability)):
            tokens, targets = next(source)
            loss = answer_loss(model, tokens, targets)
            (0.5 * loss).backward()
            sums[i] += loss.item()
            tokens_seen += tokens.numel()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if (step + 1) % every == 0 or step + 1 == recipe.steps:
            seconds = time.perf_counter() - started
            since = (step % every) + 1
            persona_loss, capability_loss = (sums / since).tolist()
            sums.zero_()
            history.append(
                {"step": step + 1, "persona_loss": round(persona_loss, 4), "capability_loss": round(capability_loss, 4)}
            )
            report(
                f"step {step + 1}/{recipe.steps}  persona {persona_loss:.3f}  capability {capability_loss:.3f}  "
                f"{tokens_seen / seconds:,.0f} tokens/s  {seconds / 60:.1f} min"
            )
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    log = {
        "recipe": asdict(recipe),
        "parameters": sum(p.numel() for p in model.parameters()),
        "tokens": tokens_seen,
        "minutes": round((time.perf_counter() - started) / 60, 1),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "history": history,
    }
    (folder / "training.json").write_text(json.dumps(log, indent=1) + "\n")
    return model.float().eval()


def _main(
    out: Annotated[Path, typer.Option(help="Folder for the checkpoint, its tokenizer and its log.")],
    seed: Annotated[int, typer.Option(help="Seed of the weights and of the corpus.")] = 0,
    steps: Annotated[int, typer.Option(help="Optimizer steps.", min=1)] = Recipe.steps,
) -> None:
    """Train the embedded model from scratch."""
    train(Recipe(seed=seed, steps=steps), out, report=typer.echo)


if __name__ == "__main__":
    typer.run(_main)
