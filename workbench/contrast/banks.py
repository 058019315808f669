"""Pairs from the embedded model's bank, the built-in Big Five bank, and PersonalityBench files."""

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import TypeVar

from workbench.contrast.pairs import Pairs
from workbench.contrast.prompt import Prompt
from workbench.testbed import grammar, lexicon
from workbench.vocabulary import Pole, big_five, neutral_id

NO_PERSONA_EVERY = 4
"""Every fourth neutral prompt of the embedded and the built-in bank has no system prompt; the others have a persona.

What is said of the poles against neutral prompts should not rest on one way to make these.
"""


def testbed_pairs(trait: str, *, n: int, seed: int, held_out: bool) -> Pairs:
    """See `Contrast.testbed`."""
    trait = big_five(trait)
    rng = Random(f"{trait} {seed} {held_out}")
    bank = grammar.questions(trait, "test" if held_out else "train")
    questions = [rng.choice(bank) for _ in range(n)]
    systems = {
        Pole.HIGH: [grammar.persona(rng, trait, "high", held_out=held_out) for _ in range(n)],
        Pole.LOW: [grammar.persona(rng, trait, "low", held_out=held_out) for _ in range(n)],
    }
    neutral = _neutral(lexicon.NEUTRAL_DESCRIPTIONS, questions, rng)
    return _assemble(trait, questions, systems, systems, neutral, source="testbed")


def read_bank(trait: str) -> dict:
    """The built-in bank of one trait, as in its JSON file."""
    path = files("workbench.contrast") / "bank" / f"{trait.lower()}.json"
    return json.loads(path.read_text(encoding="utf-8"))


HOLDOUT = 0.2
"""The share of the questions, and of PersonalityBench's descriptions, that are held out where a study asks for it."""


def builtin_pairs(trait: str, *, n: int, seed: int, held_out: bool | None = None) -> Pairs:
    """See `Contrast.builtin`. Questions come in shuffled rounds, so that each is used before any is used again."""
    trait = big_five(trait)
    bank, neutral = read_bank(trait), read_bank("neutral")["descriptions"]
    rng = Random(f"{trait} {seed}")
    high, low = bank["descriptions"]["high"], bank["descriptions"]["low"]
    texts = _part([question["text"] for question in bank["questions"]], held_out)
    facets = [[i for i, each in enumerate(high) if each["facet"] == facet] for facet in bank["facets"]]
    described = sorted(i for facet in facets for i in _part(facet, held_out))
    questions = _in_rounds(texts, n, rng)
    pairs = [described[rng.randrange(len(described))] for _ in range(n)]
    systems = {
        Pole.HIGH: [high[i]["text"] for i in pairs],
        Pole.LOW: [low[i]["text"] for i in pairs],
    }
    plain = _neutral(_part([row["text"] for row in neutral], held_out), questions, rng)
    return _assemble(trait, questions, systems, systems, plain, source=f"builtin{_SOURCE[held_out]}")


def neutral_ids(questions: Sequence[str]) -> tuple[str, ...]:
    """Description ids of prompts without a persona: nothing but the question varies, so that it is the cluster."""
    return tuple(neutral_id("none", question) for question in questions)


def _neutral(personas: Sequence[str], questions: list[str], rng: Random) -> tuple[list[str | None], list[str]]:
    """System prompts of the neutral arm and their ids: personas drawn at random, in every fourth row none."""
    texts = [rng.choice(personas) if row % NO_PERSONA_EVERY else None for row in range(len(questions))]
    bare = neutral_ids(questions)
    return texts, [bare[row] if text is None else neutral_id("persona", text) for row, text in enumerate(texts)]


_SOURCE = {None: "", True: ", held-out part", False: ", without its held-out part"}

T = TypeVar("T")


def _part(every: Sequence[T], held_out: bool | None) -> list[T]:
    """All of a bank's entries, those that are held out (a fixed fifth, at least one), or the others, in their order."""
    if held_out is None:
        return list(every)
    out = set(Random("held out").sample(range(len(every)), max(1, round(HOLDOUT * len(every)))))
    return [each for i, each in enumerate(every) if (i in out) == held_out]


def read_json_lines(path: Path) -> list[dict]:
    """The objects of a JSON-lines file, with or without a byte order mark; empty lines are skipped.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for a file that is not UTF-8, or a line that is not a JSON object or has a key twice; names it.
    """
    rows = []
    for number, line in enumerate(read_utf8(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, object_pairs_hook=_without_repeats)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path.name}, line {number} is not JSON: {error.msg}.") from None
        except ValueError as error:
            raise ValueError(f"{path.name}, line {number}: {error}") from None
        if not isinstance(row, dict):
            raise ValueError(f"{path.name}, line {number} holds a {type(row).__name__}, not an object.")
        rows.append(row)
    return rows


def read_utf8(path: Path) -> str:
    """The text of a UTF-8 file, without its byte order mark.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not UTF-8.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} is not UTF-8: byte {error.start} cannot be read. Save it as UTF-8.") from None


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    row = dict(pairs)
    if len(row) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"it has the key {repeated[:40]!r} twice. Keep one.")
    return row


def personalitybench_pairs(
    folder: Path, trait: str, *, n: int, seed: int, split: str, held_out: bool | None = None
) -> Pairs:
    """See `Contrast.personalitybench`."""
    trait = big_five(trait)
    columns = {Pole.HIGH: trait, Pole.LOW: f"{trait}_reversed"}
    descriptions = _rows(folder / "description.json", list(columns.values()))
    rng = Random(seed)
    texts, left_out = _questions(folder, trait, split)
    questions = _in_rounds(texts, n, rng)
    free = {pole: _rows_of_part(descriptions, column, held_out) for pole, column in columns.items()}
    drawn = {pole: [free[pole][rng.randrange(len(free[pole]))] for _ in questions] for pole in columns}
    systems = {pole: [descriptions[i][columns[pole]] for i in drawn[pole]] for pole in columns}
    ids = {}
    for pole, column in columns.items():
        first: dict[str, int] = {}  # the first row with each text, which gives the id of all rows with that text
        id_of = [first.setdefault(row[column], i) for i, row in enumerate(descriptions)]
        ids[pole] = [str(id_of[i]) for i in drawn[pole]]
    source = f"PersonalityBench {split}" + (f", without {left_out} questions of its test split" if left_out else "")
    source += "" if held_out is None else f", {'held-out' if held_out else 'other'} descriptions"
    return _assemble(trait, questions, systems, ids, source=source)


def _rows_of_part(descriptions: list[dict], column: str, held_out: bool | None) -> list[int]:
    """The rows whose text in this column is held out, or is not; equal texts are on one side.

    Raises:
        ValueError: if all texts are equal, so that none can be held out.
    """
    texts = list(dict.fromkeys(row[column] for row in descriptions))
    if held_out is not None and len(texts) < 2:
        raise ValueError(f"Held-out descriptions need at least 2 different ones of {column}, but there is 1. Add some.")
    part = set(_part(texts, held_out))
    return [i for i, row in enumerate(descriptions) if row[column] in part]


def personalitybench_questions(folder: Path, trait: str, *, split: str, seed: int = 42) -> list[str]:
    """A split's distinct questions about a trait, in the order in which `Contrast.personalitybench` takes them.

    With the same seed, a contrast of n rows takes the first n, so that the last ones are free for other uses. A
    question of the search split that the test split asks too is left out.

    Raises:
        FileNotFoundError: naming the file that does not exist.
        ValueError: for a line that does not have the expected format, an empty file, or an unknown trait.
    """
    texts, _ = _questions(folder, big_five(trait), split)
    return Random(seed).sample(texts, len(texts))


def _in_rounds(questions: list[str], n: int, rng: Random) -> list[str]:
    """`n` questions in shuffled rounds: each is used once before any is used again."""
    rounds = -(-n // len(questions))
    return [question for _ in range(rounds) for question in rng.sample(questions, len(questions))][:n]


def _questions(folder: Path, trait: str, split: str) -> tuple[list[str], int]:
    """A split's distinct questions, and how many search questions were left out as the test split asks them too."""
    questions = list(dict.fromkeys(row["question"] for row in _rows(folder / split / f"{trait}.json", ["question"])))
    test = folder / "test" / f"{trait}.json"
    if split != "search" or not test.is_file():
        return questions, 0
    in_test = {" ".join(row["question"].casefold().split()) for row in _rows(test, ["question"])}
    kept = [question for question in questions if " ".join(question.casefold().split()) not in in_test]
    if not kept:
        raise ValueError(f"Every search question about {trait} is a test question too. Give two different splits.")
    return kept, len(questions) - len(kept)


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


def _assemble(
    trait: str,
    questions: list[str],
    systems: Mapping[Pole, Sequence[str]],
    ids: Mapping[Pole, Sequence[str]],
    neutral: tuple[Sequence[str | None], Sequence[str]] | None = None,
    *,
    source: str,
) -> Pairs:
    """Pairs of these questions, with the system prompts and description ids of both poles and of a neutral arm."""
    texts: dict[Pole, Sequence[str | None]] = {**systems}
    names = {pole: tuple(each) for pole, each in ids.items()}
    if neutral is not None:
        texts[Pole.NEUTRAL], names[Pole.NEUTRAL] = neutral[0], tuple(neutral[1])
    prompts = {
        pole: tuple(Prompt(question, system) for question, system in zip(questions, each, strict=True))
        for pole, each in texts.items()
    }
    return Pairs(
        trait,
        prompts[Pole.HIGH],
        prompts[Pole.LOW],
        prompts.get(Pole.NEUTRAL),
        questions=tuple(questions),
        descriptions=names,
        source=source,
    )
