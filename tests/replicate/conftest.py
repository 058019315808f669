"""A folder of data as papers have it, written in the embedded model's words, and a small replication on it."""

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

import workbench as wb
from workbench.replicate import Replication, replicate
from workbench.testbed import grammar
from workbench.vocabulary import Pole

TRAITS = ("Extraversion", "Openness")
SMALL: dict[str, Any] = {"traits": ["Extraversion"], "pairs": 12, "test_questions": 2, "max_new_tokens": 8}
SMALL |= {"answered_pairs": 2, "patching_pairs": 2, "resamples": 100, "quantiles": [0.97], "draws": 2}
SMALL |= {"gsm8k": {"n": 2, "max_new_tokens": 6}, "hotpotqa": {"n": 2, "max_new_tokens": 4}}
SMALL |= {"ipip": {"n": 2, "threshold": 2.8}}


def lines(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_bench(folder: Path) -> None:
    rng = Random(0)
    columns = {(t, pole): t if pole is Pole.HIGH else f"{t}_reversed" for t in TRAITS for pole in (Pole.HIGH, Pole.LOW)}
    rows = [{column: grammar.persona(rng, t, pole) for (t, pole), column in columns.items()} for _ in range(8)]
    lines(folder / "description.json", rows)
    for trait in TRAITS:
        asked = grammar.questions(trait, "test")[:8]
        lines(folder / "test" / f"{trait}.json", [{"question": text} for text in asked])


def write_ipip(folder: Path) -> None:
    folder.mkdir(parents=True)
    rows = [("+E1", "Talk to many people"), ("-E1", "Keep quiet"), ("+E2", "Love big parties"), ("-E2", "Stay at home")]
    table = "\n".join(f"{number},{sign},{text}" for number, (sign, text) in enumerate(rows, start=1))
    (folder / "IPIP-NEO-ItemKey.csv").write_text(f"Full#,Sign,Item\n{table}\n", encoding="utf-8")


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All but TriviaQA."""
    folder = tmp_path_factory.mktemp("data")
    write_bench(folder / "personalitybench")
    write_ipip(folder / "ipip_neo")
    sums = [{"question": f"What is {n} + 2?", "answer": f"It is #### {n + 2}"} for n in range(4)]
    lines(folder / "gsm8k.jsonl", sums)
    asked = [{"question": "What is the lamp?", "answer": "red", "context": [["Lamp", ["The lamp is red."]]]}] * 3
    lines(folder / "hotpot_qa.jsonl", asked)
    return folder


def write_checkpoint(folder: Path, tokenizer: Any, **shape: Any) -> Path:
    """A random Llama that reads enough to be a judge, with the embedded model's words."""
    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 256,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
    } | shape
    config = LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=2048, **sizes)
    LlamaForCausalLM(config).save_pretrained(folder)
    own = copy.deepcopy(tokenizer)
    own.model_max_length = 2048
    own.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny(model: wb.Model, tmp_path_factory: pytest.TempPathFactory) -> wb.Model:
    return wb.load_model(write_checkpoint(tmp_path_factory.mktemp("tiny"), model.tokenizer))


@pytest.fixture(scope="session")
def small() -> dict[str, Any]:
    """Settings that make a small run smaller still."""
    return SMALL


@pytest.fixture(scope="session")
def made(data: Path, tiny: wb.Model, tmp_path_factory: pytest.TempPathFactory) -> Replication:
    """A small replication of DPN-LE on a random model, with every step for which there are data."""
    folder = tmp_path_factory.mktemp("replicated")
    return replicate("dpn-le", model=tiny, data=data, folder=folder, small=True, settings=SMALL)
