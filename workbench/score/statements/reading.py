"""First-person statements of a trait's poles: the built-in bank, model-written evaluations, and any table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from workbench.concept.concept import Concept
from workbench.concept.named import AnyConcept, big_five_of, concept_of, name_of
from workbench.concept.packaged import BUILT_IN as CONCEPTS
from workbench.contrast.tables import READERS, read_table
from workbench.score.questionnaire.asking import testbed_statements
from workbench.vocabulary import Pole

BUILT_IN, TESTBED = "builtin", "testbed"
LEAST = 5
"""The fewest statements of a pole: 2 choose the dose and 3 are reported."""
_EVERY, _SEARCH = 3, 1
_POLES = {"high": Pole.HIGH, "low": Pole.LOW}
_MATCHING = "answer_matching_behavior"
_ANSWERS = {"yes": Pole.HIGH, "no": Pole.LOW}


@dataclass(frozen=True)
class TraitStatement:
    """What someone high or low in a trait says of themselves.

    Attributes:
        text: in the first person.
        pole: whether it is said by those high or by those low in the trait.
        trait: the trait.
        facet: the side of the trait that it shows, where that is known.
        question: what it answers; empty where that is any neutral question about oneself.
    """

    text: str
    pole: Pole
    trait: str
    facet: str = ""
    question: str = ""


def read_statements(source: str | Path, trait: AnyConcept) -> list[TraitStatement]:
    """A trait's statements, high and low.

    Args:
        source: `builtin` for those of the concept; `testbed` for phrases that the embedded model knows; a
            file of the model-written evaluations (columns statement and answer_matching_behavior, where Yes is high); a
            jsonl, csv or parquet table with columns statement and pole (`high` or `low`) and, optionally, trait and
            facet; or a folder with such a file for each trait, e.g. extraversion.jsonl.
        trait: a built-in concept's name, a concept's file, or a `Concept`.

    Returns:
        at least 5 of each pole, in the source's order. Of a concept the i-th high and the i-th low statement are
        matched in wording and length.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a column, a pole or a text is lacking, a text stands twice, or a pole has too few.

    Reference:
        Perez et al. (2023), Discovering language model behaviors with model-written evaluations.

    Example:
        >>> len(read_statements("builtin", "Extraversion"))
        132
    """
    if source == BUILT_IN:
        return _of_concept(concept_of(trait))
    if source == TESTBED:
        return _of_testbed(big_five_of(trait, "the embedded model"))
    path, name = Path(source), name_of(trait)
    if path.is_dir():
        path = _file_of(path, name)
    statements = list(_of_table(path, name))
    _require_usable(path.name, name, statements)
    return statements


def split_of(statements: Sequence[TraitStatement], split: Literal["search", "test"]) -> list[TraitStatement]:
    """The statements that choose the dose (`search`), or those that are reported (`test`).

    Of each pole every third one, beginning with the second, is for the search, so that both splits hold every facet
    and matched statements stay together. Statements that answer one question of their own stay together too.
    """
    numbers: dict[Pole, dict[object, int]] = {pole: {} for pole in Pole}
    chosen = []
    for statement in statements:
        of_pole = numbers[statement.pole]
        number = of_pole.setdefault(statement.question or statement, len(of_pole))
        if (number % _EVERY == _SEARCH) == (split == "search"):
            chosen.append(statement)
    return chosen


def at_most(statements: Sequence[TraitStatement], n: int | None) -> list[TraitStatement]:
    """At most `n` statements of each pole, evenly apart; all where `n` is None."""
    if n is None:
        return list(statements)
    kept: set[TraitStatement] = set()
    for pole in (Pole.HIGH, Pole.LOW):
        of_pole = [each for each in statements if each.pole == pole]
        count = min(n, len(of_pole))
        kept |= {of_pole[i * len(of_pole) // count] for i in range(count)}
    return [each for each in statements if each in kept]


def _of_concept(concept: Concept) -> list[TraitStatement]:
    return [
        TraitStatement(text, pole, concept.name, each.facet, each.question)
        for each in concept.require_statements()
        for text, pole in ((each.high, Pole.HIGH), (each.low, Pole.LOW))
    ]


def _of_testbed(trait: str) -> list[TraitStatement]:
    """The embedded model's phrases, as many of each pole; those that its questionnaires were taught come first."""
    every = [*testbed_statements(trait, split="train"), *testbed_statements(trait, split="test")]
    poles = {"+": Pole.HIGH, "-": Pole.LOW}
    return [TraitStatement(f"{each.text.rstrip('.')}.", poles[each.keyed], trait) for each in every]


def _file_of(folder: Path, trait: str) -> Path:
    """The file of a folder that is named after the trait."""
    endings = tuple(READERS)
    for path in sorted(folder.iterdir()):
        if path.stem.casefold() == trait.casefold() and path.suffix.casefold() in endings:
            return path
    raise FileNotFoundError(
        f"A folder of statements holds a file for each trait, but {folder.name} has no {trait.lower()}.jsonl."
    )


def _of_table(path: Path, trait: str) -> Iterator[TraitStatement]:
    frame = read_table(path)
    name = path.name
    if "statement" not in frame or not {"pole", _MATCHING} & set(frame):
        raise ValueError(
            f"Statements need columns statement and pole (high or low), or statement and {_MATCHING}, but {name} has "
            f"{sorted(map(str, frame.columns))[:8]}."
        )
    if "trait" not in frame and path.stem.casefold() in {one.casefold() for one in CONCEPTS} - {trait.casefold()}:
        raise ValueError(f"{name} holds statements of {path.stem.capitalize()}, but {trait} is asked for.")
    key, meaning = ("pole", _POLES) if "pole" in frame else (_MATCHING, _ANSWERS)
    for number, row in enumerate(frame.to_dict("records"), start=1):
        said, where = _text(row["statement"]), f"{name}, row {number}"
        if not said:
            raise ValueError(f"{where}: a statement is a text, but the cell is empty.")
        pole = meaning.get(_text(row[key]).casefold())
        if pole is None:
            allowed = " or ".join(meaning)
            raise ValueError(f"{where}: {key} is {allowed}, but {str(row[key])[:40]!r} arrived.")
        if "trait" in frame and _text(row["trait"]).casefold() != trait.casefold():
            continue
        yield TraitStatement(said, pole, trait, _text(row.get("facet")))


def _text(cell: object) -> str:
    """A cell's text, empty where there is none."""
    return cell.strip() if isinstance(cell, str) and not pd.isna(cell) else ""


def _require_usable(name: str, trait: str, statements: Sequence[TraitStatement]) -> None:
    if not statements:
        raise ValueError(f"{name} has no statement with trait {trait!r}.")
    seen: set[str] = set()
    for each in statements:
        if f"{each.question} {each.text}" in seen:
            raise ValueError(f"{name}: a statement stands once, but {each.text[:60]!r} stands twice. Keep one.")
        seen.add(f"{each.question} {each.text}")
    for pole in (Pole.HIGH, Pole.LOW):
        count = sum(each.pole == pole for each in statements)
        if count < LEAST:
            raise ValueError(
                f"{name}: each pole needs {LEAST} statements or more, but {pole} has {count} about {trait}. Add some."
            )
