"""PersonalityBench: a folder of descriptions in two poles, and of questions about each trait."""

import logging
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from workbench.concept.formats.wording import chosen, poles_of
from workbench.concept.reading import DESCRIPTIONS
from workbench.textfile import read_json_lines

_LOG = logging.getLogger("workbench")
_HALVES = "search"  # the seed by which a test split is divided, whatever the seed of the pairs

SPLITS = ("search", "test")
REVERSED = "_reversed"
"""What a trait's low column is called by, behind its name."""


def entries_of(path: Path, name: str | None = None) -> dict[str, Any]:
    """The entries of a concept from a folder, or from the file of one trait's questions in it.

    Personas are the descriptions, each once; the search split's questions are for the search, the test split's are
    held out; without a search split, half of the test split's stand for it. The format has no statements.

    Args:
        name: which trait; the name of a file of questions says it too.

    Raises:
        FileNotFoundError: naming the file that does not exist.
        ValueError: naming the file and the row that is not of the format, or the traits of which one is to be named.

    Reference:
        Deng et al. (2025), Neuron-based personality trait induction in large language models.
    """
    folder, asked = (path, name) if path.is_dir() else (path.resolve().parents[1], name or path.stem)
    every = read_rows(folder / DESCRIPTIONS, [])
    traits = [key for key in every[0] if f"{key}{REVERSED}" in every[0]]
    if not traits:
        raise ValueError(
            f"{DESCRIPTIONS} has a column for each trait and one with {REVERSED} behind its name, but it has "
            f"{sorted(every[0])[:8]}."
        )
    trait = chosen(asked, traits, folder.name)
    columns = {"high": trait, "low": f"{trait}{REVERSED}"}
    rows = read_rows(folder / DESCRIPTIONS, list(columns.values()))
    return {
        "name": trait,
        "source": f"PersonalityBench (Deng et al., 2025), {folder.resolve().name}",
        "license": "MIT",
        "poles": poles_of(trait),
        "personas": {pole: list(dict.fromkeys(row[column] for row in rows)) for pole, column in columns.items()},
        "questions": {
            part: split_questions(folder, trait, split, warn=split == SPLITS[0]).texts
            for part, split in zip(("search", "held_out"), SPLITS, strict=True)
        },
    }


@dataclass(frozen=True)
class Split:
    """A split's distinct questions about a trait.

    Attributes:
        texts: the questions.
        source: what the split is, in words.
    """

    texts: list[str]
    source: str


def split_questions(folder: Path, trait: str, split: str, *, warn: bool = True) -> Split:
    """A split's questions; a search question that the test split asks too is left out.

    Of a folder that has no search split for the trait, half of the test split's questions stand for it, the same ones
    each time, and the other half is the test split. A warning says so, unless `warn` is False.
    """
    test, search = folder / "test" / f"{trait}.json", folder / "search" / f"{trait}.json"
    if split in SPLITS and test.is_file() and not search.is_file():
        return _half(_distinct(test), folder, trait, split, warn)
    questions = _distinct(folder / split / f"{trait}.json")
    if split != "search" or not test.is_file():
        return Split(list(questions.values()), split)
    kept = [text for key, text in questions.items() if key not in _distinct(test)]
    if not kept:
        raise ValueError(f"Every search question about {trait} is a test question too. Give two different splits.")
    left_out = len(questions) - len(kept)
    return Split(kept, split + (f", without {left_out} questions of its test split" if left_out else ""))


def _half(questions: dict[str, str], folder: Path, trait: str, split: str, warn: bool) -> Split:
    """The search or the test half of a test split that has to serve for both."""
    if len(questions) < 2:
        raise ValueError(
            f"{folder.name} has no search split, and its test split asks {len(questions)} question about {trait}, "
            "which cannot be divided. Add questions."
        )
    searched = set(Random(_HALVES).sample(sorted(questions), len(questions) // 2))
    if warn:
        _LOG.warning(
            "%s has no search split: of the %d questions that its test split asks about %s, %d stand for the search "
            "split and the other %d for the test split.",
            folder.name,
            len(questions),
            trait,
            len(searched),
            len(questions) - len(searched),
        )
    kept = [text for key, text in questions.items() if (key in searched) == (split == "search")]
    return Split(kept, f"{split}, {len(kept)} of the {len(questions)} questions of its test split")


def _distinct(path: Path) -> dict[str, str]:
    """A file's questions by their words, the first where several differ in case or spaces alone."""
    questions: dict[str, str] = {}
    for row in read_rows(path, ["question"]):
        questions.setdefault(" ".join(row["question"].casefold().split()), row["question"])
    return questions


def read_rows(path: Path, needed: list[str]) -> list[dict]:
    """A file's rows.

    Args:
        needed: the keys under which every row has a text.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the row that lacks one, or for an empty file.
    """
    rows = read_json_lines(path)
    name = path.name if path.name == DESCRIPTIONS else path.parent.name
    for number, row in enumerate(rows, start=1):
        missing = [key for key in needed if not (isinstance(row.get(key), str) and row[key].strip())]
        if missing:
            raise ValueError(f"{name}, row {number} lacks {missing}; it has {sorted(row)}.")
    if not rows:
        raise ValueError(f"PersonalityBench needs descriptions and questions; {path.parent} holds an empty file.")
    return rows
