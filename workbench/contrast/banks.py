"""Pairs from the embedded model's bank and the built-in Big Five bank."""

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from random import Random
from typing import Any, Literal, TypeVar

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
    return assemble(trait, questions, systems, systems, neutral, source="testbed")


Style = Literal["explicit", "behavioural"]
STYLES: tuple[str, ...] = ("explicit", "behavioural")
EXPLICIT: Style = "explicit"

HOLDOUT = 0.2
"""The share of the questions, and of PersonalityBench's descriptions, that are held out where a study asks for it."""


def read_bank(trait: str, *, style: Style | str = EXPLICIT) -> dict[str, Any]:
    """The built-in bank of one trait, or of the neutral personas ("neutral"), as in its JSON files.

    Returns:
        for a trait its adjectives, `facets`, `questions`, and `descriptions` of the style by pole; for "neutral" the
        `descriptions`, which serve both styles.

    Raises:
        ValueError: for a style that there is not.
    """
    if style not in STYLES:
        raise ValueError(f"The built-in personas come in the styles {' and '.join(STYLES)}, but {style!r} arrived.")
    bank = _read(f"{trait.lower()}.json")
    return bank if "descriptions" in bank else {**bank, "descriptions": _read(f"{style}/{trait.lower()}.json")}


def _read(name: str) -> dict[str, Any]:
    path = files("workbench.contrast") / "bank" / name
    return json.loads(path.read_text(encoding="utf-8"))


def builtin_descriptions(
    trait: str, pole: Pole | str, *, style: Style | str = EXPLICIT, held_out: bool | None = None
) -> list[dict[str, str]]:
    """The built-in personas of a trait's pole, or with `neutral` those that show no trait: rows with a `text`.

    Args:
        held_out: True takes a fixed fifth of each facet, and in the explicit style of each form (adjectives, plain),
            at least one; False the others; None all.

    Raises:
        ValueError: for an unknown trait or style.
    """
    if Pole(pole) is Pole.NEUTRAL:
        return part_of(read_bank("neutral")["descriptions"], held_out)
    rows = read_bank(big_five(trait), style=style)["descriptions"][Pole(pole)]
    kinds = [(row["facet"], row.get("form")) for row in rows]
    return [
        row
        for kind in dict.fromkeys(kinds)
        for row in part_of([each for each, of in zip(rows, kinds, strict=True) if of == kind], held_out)
    ]


def builtin_pairs(
    trait: str, *, n: int, seed: int, style: Style | str = EXPLICIT, held_out: bool | None = None
) -> Pairs:
    """See `Contrast.builtin`. Questions come in shuffled rounds, so that each is used before any is used again."""
    trait = big_five(trait)
    rng = Random(f"{trait} {seed}")
    texts = {
        pole: [row["text"] for row in builtin_descriptions(trait, pole, style=style, held_out=held_out)]
        for pole in Pole
    }
    questions = in_rounds(part_of([row["text"] for row in read_bank(trait)["questions"]], held_out), n, rng)
    if style == EXPLICIT:
        systems = {pole: in_rounds(texts[pole], n, rng) for pole in (Pole.HIGH, Pole.LOW)}
    else:
        drawn = [rng.randrange(len(texts[Pole.HIGH])) for _ in range(n)]
        systems = {pole: [texts[pole][i] for i in drawn] for pole in (Pole.HIGH, Pole.LOW)}
    plain = _neutral(texts[Pole.NEUTRAL], questions, rng)
    return assemble(trait, questions, systems, systems, plain, source=f"builtin, {style}{_SOURCE[held_out]}")


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


def part_of(every: Sequence[T], held_out: bool | None) -> list[T]:
    """All of a bank's entries, those that are held out (a fixed fifth, at least one), or the others, in their order."""
    if held_out is None:
        return list(every)
    out = set(Random("held out").sample(range(len(every)), max(1, round(HOLDOUT * len(every)))))
    return [each for i, each in enumerate(every) if (i in out) == held_out]


def in_rounds(questions: list[str], n: int, rng: Random) -> list[str]:
    """`n` questions in shuffled rounds: each is used once before any is used again."""
    rounds = -(-n // len(questions))
    return [question for _ in range(rounds) for question in rng.sample(questions, len(questions))][:n]


def assemble(
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
