"""Texts of stresses, written for this package: questions in other words and languages, roles, earlier turns."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from workbench.contrast.tables import read_table


@cache
def texts(speaks: str) -> dict[str, Any]:
    """What is known in someone's words, `testbed` or `builtin`, by kind; a kind may be lacking.

    `paraphrase` maps questions to other words; `system` is a list of roles; `conversation` a list of turns;
    `language` maps each language to its `system` prompt and its `questions`.
    """
    path = files("workbench.study.stressing") / "texts.json"
    return json.loads(path.read_text(encoding="utf-8"))[speaks]


def read_rewordings(file: str, column: str) -> dict[str, list[str]]:
    """Questions with their other words, from a jsonl, csv or parquet table with columns `question` and `column`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a column or a text is lacking.
    """
    table, name = read_table(Path(file)), Path(file).name
    lacking = [each for each in ("question", column) if each not in table]
    if lacking:
        raise ValueError(f"{name} needs columns question and {column}, but has no {lacking[0]!r}.")
    known: dict[str, list[str]] = {}
    for number, row in enumerate(table.to_dict("records"), start=1):
        question, words = (_text(row[each]) for each in ("question", column))
        if not (question and words):
            raise ValueError(f"{name}, row {number}: question and {column} are texts, but one is empty.")
        known.setdefault(question, []).append(words)
    return known


def in_turn(known: Mapping[str, list[str]]) -> list[dict[str, str]]:
    """One wording of every question after another, as many as the question with the most has.

    Example:
        >>> in_turn({"a": ["b", "c"], "d": ["e"]})
        [{'a': 'b', 'd': 'e'}, {'a': 'c', 'd': 'e'}]
    """
    most = max(map(len, known.values()), default=0)
    return [{question: words[number % len(words)] for question, words in known.items()} for number in range(most)]


def _text(cell: object) -> str:
    return cell.strip() if isinstance(cell, str) else ""
