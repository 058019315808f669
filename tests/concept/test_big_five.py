"""The Big Five's files say what their banks said: pairs, statements, prompts, questions and rubrics, one by one."""

import hashlib
import json
from collections.abc import Sequence
from itertools import product

import pytest

import workbench as wb
from workbench.edit.prompting import description_prompt, neutral_prompt, simple_prompt
from workbench.outcome.questions import open_questions
from workbench.score.judge.rubric import concept_rubric
from workbench.score.statements.reading import read_statements, split_of

PINNED = {
    "Openness": [
        "b01171b36e5c57bb",
        "93d5412b4fc1d2f1",
        "a44fca65731c046e",
        "4eb1776901a4c6bb",
        "d9fd3cfe96808691",
        "3f54f4483eca6d66",
    ],
    "Conscientiousness": [
        "37d1f104be1e7b96",
        "2de3dd4ac09fe4af",
        "baf0d7f06df7f232",
        "08559b62162207ce",
        "32c44dd372949480",
        "338aa0eeac3b5192",
    ],
    "Extraversion": [
        "4445158c79c2aad9",
        "b1eac2083be67ead",
        "148c0f309894c881",
        "5b9a29680314010e",
        "2e49439b70a91fa3",
        "dcae30c4243ae395",
    ],
    "Agreeableness": [
        "76079cd851dcd72b",
        "585e7d9e1b541e7a",
        "ef515c848305abe9",
        "bb75096cc12cbec5",
        "2c505cb21714ebf8",
        "6fcdb1810c43d8f0",
    ],
    "Neuroticism": [
        "02f015122a591275",
        "3ec6de6c6f77fcb5",
        "6029107e60181c8a",
        "c9a93cbafa60bd1b",
        "36870f0c90ca3591",
        "9a6f2efb94f14e65",
    ],
}
"""Hashes of what the banks gave before they were concepts' files."""


def hashed(value: object) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=False).encode()).hexdigest()[:16]


def prompts_of(trait: str, direction: str, seed: int) -> list[str]:
    said = [make(trait, direction, speaks="builtin", seed=seed).text for make in (simple_prompt, neutral_prompt)]
    styles = ("explicit", "behavioural")
    return said + [description_prompt(trait, direction, speaks="builtin", seed=seed, style=s).text for s in styles]


@pytest.mark.parametrize(("trait", "pinned"), PINNED.items(), ids=list(PINNED))
def test_everything_is_as_it_was(trait: str, pinned: Sequence[str]) -> None:
    ways = product((7, 200), (0, 42), ("explicit", "behavioural"), (None, True, False))
    pairs = [wb.Contrast.builtin(trait, n=n, seed=seed, style=style, held_out=out) for n, seed, style, out in ways]
    statements = read_statements("builtin", trait)
    rubric = concept_rubric(trait)
    found = [
        [[each.digest, each.source] for each in pairs],
        [[each.text, each.pole, each.facet] for each in statements],
        [[each.text for each in split_of(statements, part)] for part in ("search", "test")],
        [prompts_of(trait, direction, seed) for direction in ("increase", "decrease") for seed in range(3)],
        [open_questions("builtin", trait, part, n, seed=3) for part in ("search", "test") for n in (4, 20)],
        [rubric.name, rubric.measures, list(rubric.anchors)],
    ]
    assert [hashed(each) for each in found] == list(pinned)
