"""Pairs from the embedded model's bank and from concepts."""

from collections.abc import Mapping, Sequence
from random import Random

from workbench.concept.named import AnyConcept, big_five_of, concept_of, is_builtin
from workbench.concept.texts import EXPLICIT
from workbench.contrast.pairs import Pairs
from workbench.contrast.prompt import Prompt
from workbench.testbed import grammar, lexicon
from workbench.vocabulary import Pole, neutral_id

NO_PERSONA_EVERY = 4
"""Every fourth neutral prompt of the embedded and the built-in bank has no system prompt; the others have a persona.

What is said of the poles against neutral prompts should not rest on one way to make these.
"""


def testbed_pairs(trait: AnyConcept, *, n: int, seed: int, held_out: bool) -> Pairs:
    """See `Contrast.testbed`."""
    trait = big_five_of(trait, "the embedded model's bank")
    rng = Random(f"{trait} {seed} {held_out}")
    bank = grammar.questions(trait, "test" if held_out else "train")
    questions = [rng.choice(bank) for _ in range(n)]
    systems = {
        Pole.HIGH: [grammar.persona(rng, trait, "high", held_out=held_out) for _ in range(n)],
        Pole.LOW: [grammar.persona(rng, trait, "low", held_out=held_out) for _ in range(n)],
    }
    neutral = _neutral(lexicon.NEUTRAL_DESCRIPTIONS, questions, rng)
    return assemble(trait, questions, systems, systems, neutral, source="testbed")


STYLES: tuple[str, ...] = (EXPLICIT, "behavioural")
"""The styles of the Big Five's personas; a concept's file may have others."""


def builtin_pairs(
    trait: AnyConcept, *, n: int, seed: int, style: str = EXPLICIT, held_out: bool | None = None
) -> Pairs:
    """See `Contrast.builtin`. Questions come in shuffled rounds, so that each is used before any is used again."""
    concept = concept_of(trait)
    personas = concept.in_style(style)
    rng = Random(f"{concept.name} {seed}")
    texts = {Pole.HIGH: personas.high.part(held_out), Pole.LOW: personas.low.part(held_out)}
    questions = in_rounds(concept.questions.part(held_out), n, rng)
    if personas.paired:
        drawn = [rng.randrange(len(texts[Pole.HIGH])) for _ in range(n)]
        systems = {pole: [texts[pole][i] for i in drawn] for pole in texts}
    else:
        systems = {pole: in_rounds(texts[pole], n, rng) for pole in texts}
    neutral = concept.neutral.part(held_out)
    plain = _neutral(neutral, questions, rng) if neutral else None
    source = "builtin" if is_builtin(concept) else "concept"
    return assemble(concept.name, questions, systems, systems, plain, source=f"{source}, {style}{_SOURCE[held_out]}")


def neutral_ids(questions: Sequence[str]) -> tuple[str, ...]:
    """Description ids of prompts without a persona: nothing but the question varies, so that it is the cluster."""
    return tuple(neutral_id("none", question) for question in questions)


def _neutral(personas: Sequence[str], questions: list[str], rng: Random) -> tuple[list[str | None], list[str]]:
    """System prompts of the neutral arm and their ids: personas drawn at random, in every fourth row none."""
    texts = [rng.choice(personas) if row % NO_PERSONA_EVERY else None for row in range(len(questions))]
    bare = neutral_ids(questions)
    return texts, [bare[row] if text is None else neutral_id("persona", text) for row, text in enumerate(texts)]


_SOURCE = {None: "", True: ", held-out part", False: ", without its held-out part"}


def in_rounds(questions: Sequence[str], n: int, rng: Random) -> list[str]:
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
