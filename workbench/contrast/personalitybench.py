"""Pairs and questions from PersonalityBench files."""

from pathlib import Path
from random import Random

from workbench.concept.formats.personalitybench import read_rows, split_questions
from workbench.concept.named import AnyConcept, big_five_of
from workbench.concept.reading import DESCRIPTIONS
from workbench.concept.texts import part_of
from workbench.contrast.banks import assemble, in_rounds
from workbench.contrast.pairs import Pairs
from workbench.vocabulary import Pole


def personalitybench_pairs(
    folder: Path, trait: AnyConcept, *, n: int, seed: int, split: str, held_out: bool | None = None
) -> Pairs:
    """See `Contrast.personalitybench`."""
    trait = big_five_of(trait, "PersonalityBench")
    columns = {Pole.HIGH: trait, Pole.LOW: f"{trait}_reversed"}
    descriptions = read_rows(folder / DESCRIPTIONS, list(columns.values()))
    rng = Random(seed)
    asked = split_questions(folder, trait, split)
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
    texts = split_questions(folder, big_five_of(trait, "PersonalityBench"), split).texts
    return Random(seed).sample(texts, len(texts))
