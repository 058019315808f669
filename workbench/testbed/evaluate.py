"""Measure a trained embedded model, and name the bounds that it misses: `python -m workbench.testbed.evaluate DIR`."""

import json
from pathlib import Path
from random import Random
from typing import Annotated, Any

import torch
import typer
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from workbench.testbed import corpus, grammar, lexicon, scorer, tasks
from workbench.testbed.lexicon import TRAITS

WELLFORMED = 0.95
"""The least share of well-formed sentences under any persona; a clause said twice is well-formed once."""

ARMS = ("none", "neutral", "high", "low", "high, held out", "low, held out", "other trait")


@torch.inference_mode()
def generate(
    model: Any,
    tokenizer: PreTrainedTokenizerFast,
    conversations: list[corpus.Conversation],
    *,
    max_new_tokens: int,
    temperature: float,
    seed: int = 0,
    batch: int = 250,
) -> list[str]:
    """Generate with transformers alone, without the workbench's own generation."""
    torch.manual_seed(seed)
    texts: list[str] = []
    for start in range(0, len(conversations), batch):
        encoded: Any = tokenizer.apply_chat_template(
            conversations[start : start + batch],
            add_generation_prompt=True,
            return_tensors="pt",
            return_dict=True,
            padding=True,
        )
        sampling = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
        tokens = model.generate(
            input_ids=encoded["input_ids"],
            attention_mask=encoded["attention_mask"],
            max_new_tokens=max_new_tokens,
            **sampling,
        )
        texts += tokenizer.batch_decode(tokens[:, encoded["input_ids"].shape[1] :], skip_special_tokens=True)
    return texts


def _system(rng: Random, trait: str, arm: str) -> str | None:
    if arm == "none":
        return None
    if arm == "neutral":
        return rng.choice(lexicon.NEUTRAL_PERSONAS)
    if arm == "neutral, of contrasts":
        return rng.choice(lexicon.NEUTRAL_DESCRIPTIONS)
    if arm == "other trait":
        other = rng.choice([name for name in TRAITS if name != trait])
        return grammar.persona(rng, other, rng.choice(["high", "low"]))
    return grammar.persona(rng, trait, arm.split(",")[0], held_out="held out" in arm)


def measure(
    folder: Path, *, questions: int = 200, items: int = 300, arms: tuple[str, ...] = ARMS, seed: int = 0
) -> dict:
    """Trait scores of answers to held-out questions by persona, well-formedness, and capability by task.

    Answers are sampled at temperature 1, capability is greedy. Scores run from 1 to 5.

    Args:
        items: of each task, or as many as its test part holds.
    """
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    rng = Random(seed)
    asked = [
        (trait, arm, corpus.conversation(_system(rng, trait, arm), question))
        for trait in TRAITS
        for arm in arms
        for question in grammar.questions(trait, "test")[:questions]
    ]
    answers = generate(model, tokenizer, [c for *_, c in asked], max_new_tokens=60, temperature=1.0, seed=seed)
    scores: dict[str, dict[str, list[float]]] = {trait: {arm: [] for arm in arms} for trait in TRAITS}
    missing, formed = 0, {arm: [] for arm in arms}
    for (trait, arm, _), answer in zip(asked, answers, strict=True):
        score = scorer.trait_score(answer, trait)
        missing += score is None
        formed[arm].append(scorer.wellformed(answer))
        if score is not None:
            scores[trait][arm].append(score)
    capability = {}
    for task in tasks.TASKS:
        drawn = tasks.items(task, "test", n=min(items, tasks.held_out_count(task)), seed=seed)
        conversations = [corpus.conversation(None, item.question) for item in drawn]
        texts = generate(model, tokenizer, conversations, max_new_tokens=14, temperature=0.0)
        capability[task] = sum(item.correct(text) for item, text in zip(drawn, texts, strict=True)) / len(drawn)
    return {
        "trait_scores": {t: {a: round(_mean(values), 2) for a, values in by.items()} for t, by in scores.items()},
        "wellformed": {arm: round(_mean(values), 3) for arm, values in formed.items()},
        "coverage": round(1 - missing / len(answers), 3),
        "capability": {task: round(share, 3) for task, share in capability.items()},
        "questions_per_trait": questions,
    }


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else float("nan")


def shortfalls(measured: dict) -> list[str]:
    """Each bound that a model misses, as a line; empty for a model that may be shipped."""
    lines = []
    bounds = {"high, held out": (4.3, 5.0), "low, held out": (1.0, 1.8), "none": (2.6, 3.5)}
    for trait, by in measured["trait_scores"].items():
        for arm, (least, most) in bounds.items():
            if not least <= by[arm] <= most:
                lines.append(f"{trait}, {arm}: {by[arm]} is outside {least} to {most}")
    lines += [f"{task}: {share} is under 0.97" for task, share in measured["capability"].items() if share < 0.97]
    lines += [
        f"well-formed, {arm}: {share} is under {WELLFORMED}"
        for arm, share in measured["wellformed"].items()
        if share < WELLFORMED
    ]
    return lines


def _main(
    folder: Annotated[Path, typer.Argument(help="Folder of the checkpoint.")],
    questions: Annotated[int, typer.Option(help="Held-out questions per trait.", min=1, max=200)] = 200,
) -> None:
    """Measure an embedded model; exit status 1 if it falls short."""
    measured = measure(folder, questions=questions)
    lines = shortfalls(measured)
    typer.echo(json.dumps({**measured, "shortfalls": lines}, indent=1))
    raise typer.Exit(bool(lines))


if __name__ == "__main__":
    typer.run(_main)
