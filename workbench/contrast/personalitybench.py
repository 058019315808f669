"""Pairs and questions from PersonalityBench files."""

import logging
from dataclasses import dataclass
from pathlib import Path
from random import Random

from workbench.concept.named import AnyConcept, big_five_of
from workbench.concept.texts import part_of
from workbench.contrast.banks import assemble, in_rounds
from workbench.contrast.pairs import Pairs
from workbench.textfile import read_json_lines
from workbench.vocabulary import Pole

_LOG = logging.getLogger("workbench")
_HALVES = "search"  # the seed by which a test split is divided, whatever the seed of the pairs


def personalitybench_pairs(
    folder: Path, trait: AnyConcept, *, n: int, seed: int, split: str, held_out: bool | None = None
) -> Pairs:
    """See `Contrast.personalitybench`."""
    trait = big_five_of(trait, "PersonalityBench")
    columns = {Pole.HIGH: trait, Pole.LOW: f"{trait}_reversed"}
    descriptions = _rows(folder / "description.json", list(columns.values()))
    rng = Random(seed)
    asked = _questions(folder, trait, split)
    questions = in_rounds(asked.texts, n, rng)
    free = {pole: _rows_of_part(descriptions, column, held_out) for pole, column in columns.items()}
    drawn = {pole: [free[pole][rng.randrange(len(free[pole]))] for _ in questions] for pole in columns}
    systems = {pole: [descriptions[i][columns[pole]] for i in drawn[pole]] for pole in columns}
    ids = {}
    for pole, column in columns.items():
        first: dict[str, int] = {}  # the first row with each text, which gives the id of all rows with that text
        id_of = [first.setdefault(row[column], i) for i, row in enumerate(descriptions)]
        ids[pole] = [str(id_of[i]) for i in drawn[pole]]
    source = f"PersonalityBench {asked.source}"
    source += "" if held_out is None else f", {'held-out' if held_out else 'other'} descriptions"
    return assemble(trait, questions, systems, ids, source=source)


def _rows_of_part(descriptions: list[dict], column: str, held_out: bool | None) -> list[int]:
    """The rows whose text in this column is held out, or is not; equal texts are on one side.

    Raises:
        ValueError: if all texts are equal, so that none can be held out.
    """
    texts = list(dict.fromkeys(row[column] for row in descriptions))
    if held_out is not None and len(texts) < 2:
        raise ValueError(f"Held-out descriptions need at least 2 different ones of {column}, but there is 1. Add some.")
    part = set(part_of(texts, held_out))
    return [i for i, row in enumerate(descriptions) if row[column] in part]


def personalitybench_questions(folder: Path, trait: AnyConcept, *, split: str, seed: int = 42) -> list[str]:
    """A split's distinct questions about a trait, in the order in which `Contrast.personalitybench` takes them.

    With the same seed, a contrast of n rows takes the first n, so that the last ones are free for other uses. A
    question of the search split that the test split asks too is left out; a folder without a search split has its test
    split divided into the two.

    Raises:
        FileNotFoundError: naming the file that does not exist.
        ValueError: for a line that does not have the expected format, an empty file, or an unknown trait.
    """
    texts = _questions(folder, big_five_of(trait, "PersonalityBench"), split).texts
    return Random(seed).sample(texts, len(texts))


@dataclass(frozen=True)
class _Split:
    """A split's distinct questions about a trait.

    Attributes:
        texts: the questions.
        source: what the split is, in words.
    """

    texts: list[str]
    source: str


def _questions(folder: Path, trait: str, split: str) -> _Split:
    """A split's questions; a search question that the test split asks too is left out.

    Of a folder that has no search split for the trait, half of the test split's questions stand for it, the same ones
    each time, and the other half is the test split. A warning says so.
    """
    test, search = folder / "test" / f"{trait}.json", folder / "search" / f"{trait}.json"
    if split in ("search", "test") and test.is_file() and not search.is_file():
        return _half(_distinct(test), folder, trait, split)
    questions = _distinct(folder / split / f"{trait}.json")
    if split != "search" or not test.is_file():
        return _Split(list(questions.values()), split)
    kept = [text for key, text in questions.items() if key not in _distinct(test)]
    if not kept:
        raise ValueError(f"Every search question about {trait} is a test question too. Give two different splits.")
    left_out = len(questions) - len(kept)
    return _Split(kept, split + (f", without {left_out} questions of its test split" if left_out else ""))


def _half(questions: dict[str, str], folder: Path, trait: str, split: str) -> _Split:
    """The search or the test half of a test split that has to serve for both."""
    if len(questions) < 2:
        raise ValueError(
            f"{folder.name} has no search split, and its test split asks {len(questions)} question about {trait}, "
            "which cannot be divided. Add questions."
        )
    searched = set(Random(_HALVES).sample(sorted(questions), len(questions) // 2))
    _LOG.warning(
        "%s has no search split: of the %d questions that its test split asks about %s, %d stand for the search split "
        "and the other %d for the test split.",
        folder.name,
        len(questions),
        trait,
        len(searched),
        len(questions) - len(searched),
    )
    kept = [text for key, text in questions.items() if (key in searched) == (split == "search")]
    return _Split(kept, f"{split}, {len(kept)} of the {len(questions)} questions of its test split")


def _distinct(path: Path) -> dict[str, str]:
    """A file's questions by their words, the first where several differ in case or spaces alone."""
    questions: dict[str, str] = {}
    for row in _rows(path, ["question"]):
        questions.setdefault(" ".join(row["question"].casefold().split()), row["question"])
    return questions


def _rows(path: Path, needed: list[str]) -> list[dict]:
    rows = read_json_lines(path)
    name = path.name if path.name == "description.json" else path.parent.name
    for number, row in enumerate(rows, start=1):
        missing = [key for key in needed if not (isinstance(row.get(key), str) and row[key].strip())]
        if missing:
            raise ValueError(f"{name}, row {number} lacks {missing}; it has {sorted(row)}.")
    if not rows:
        raise ValueError(f"PersonalityBench needs descriptions and questions; {path.parent} holds an empty file.")
    return rows
