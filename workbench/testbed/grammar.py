"""The sentences of the embedded model: personas, questions, and answers at a level from -2 to 2."""

import re
from random import Random
from typing import Literal

from workbench.testbed import lexicon
from workbench.testbed.lexicon import TRAITS

Split = Literal["train", "search", "test"]
Level = int

# Levels of an answer where no persona decides them, symmetric about 0.
UNDECIDED_LEVELS: tuple[Level, ...] = (-2, -2, -2, -1, -1, -1, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2)


def second_person(phrase: str) -> str:
    """`phrase` in the second person.

    Example:
        >>> second_person("keep my thoughts to myself")
        'keep your thoughts to yourself'
    """
    for ours, theirs in (("myself", "yourself"), ("my", "your"), ("me", "you"), ("I", "you")):
        phrase = re.sub(rf"\b{ours}\b", theirs, phrase)
    return phrase


def persona(rng: Random, trait: str, pole: str, *, strong: bool = True, held_out: bool = False) -> str:
    """A random description of a person at a pole of a trait.

    Args:
        strong: a strong description (answers at level ±2) or a mild one (±1).
        held_out: whether to use sentence frames that never occur in training, each with at least one adjective or
            phrase that no training persona has.
    """
    words = TRAITS[trait].pole(pole)
    phrases = words.phrases if held_out else words.taught_phrases
    adjectives = words.adjectives if held_out else words.taught_adjectives
    adjective, second = rng.sample(adjectives, 2)
    deed, other = (second_person(phrase) for phrase in rng.sample(phrases, 2))
    role, name = rng.choice(lexicon.ROLES), rng.choice(lexicon.NAMES)
    adverb = rng.choice(lexicon.PERSONA_ADVERBS[2 if strong else 1])
    if not strong:
        return rng.choice(
            [
                f"You are {adverb} {adjective}.",
                f"Act like someone who is {adverb} {adjective}.",
                f"Speak as a {role} who is {adverb} {adjective}.",
                f"Sometimes you {deed}.",
            ]
        )
    if not held_out:
        return rng.choice(
            [
                f"You are {adverb} {adjective}.",
                f"You are {adjective} and {second}.",
                f"Act like someone who is {adverb} {adjective}.",
                f"Imagine that you are a {adjective} {role}.",
                f"{name} is {adjective} and {second}. You are {name}.",
                f"You {deed} and you {other}.",
                f"People say that you {deed}.",
                f"You always {deed}.",
                f"Speak as a {role} who is {adverb} {adjective}.",
                f"You are a {adjective} person. You always {deed}.",
                f"You are {adverb} {adjective} and {adverb} {second}. You {deed}.",
            ]
        )
    new_adjective = words.adjectives[-1]
    new_deed = second_person(rng.choice(words.phrases[-lexicon.HELD_OUT_PHRASES :]))
    return rng.choice(
        [
            f"People say that you are {adverb} {adjective} and {new_adjective}.",
            f"Imagine that you are {new_adjective}. You really {deed}.",
            f"You are a {role}. You {new_deed} and you are {adjective}.",
            f"{name} is a {adjective} person. {name} is {adverb} {new_adjective}. Act like {name}.",
            f"Speak as someone {adverb} {adjective}. You always {new_deed}.",
        ]
    )


def questions(trait: str, split: Split) -> list[str]:
    """Every question about `trait` whose topic belongs to `split`, topic by topic."""
    return [stem.format(topic=topic) for topic in lexicon.TOPICS[split] for stem in TRAITS[trait].questions]


def training_topic(rng: Random) -> str:
    """A random topic for training; a quarter contain a made-up word, so that the model learns to copy topics."""
    draw = rng.random()
    if draw < 0.75:
        return rng.choice(lexicon.TOPICS["train"])
    word = "".join(rng.choice(lexicon.SYLLABLES) for _ in range(rng.choice([2, 2, 3])))
    if draw < 0.87:
        return f"the {word} {rng.choice(lexicon.TOPIC_NOUNS)}"
    return f"the {rng.choice(lexicon.TOPIC_MODIFIERS)} {word}" if draw < 0.95 else f"the {word}"


def waver(rng: Random, level: Level) -> Level:
    """The level of a sentence: mostly its answer's, sometimes one step away, within -2 to 2."""
    draw = rng.random()
    if draw < 0.72:
        return level
    if draw < 0.92:
        return max(-2, min(2, level + rng.choice([-1, 1])))
    return rng.choice([-2, -1, 0, 1, 2]) if level == 0 else level


def _clause(rng: Random, trait: str, level: Level, used: set[str]) -> str:
    words = TRAITS[trait]
    if rng.random() < 0.15:
        if level == 0:
            return f"am neither {rng.choice(words.high.adjectives)} nor {rng.choice(words.low.adjectives)}"
        adjectives = words.pole("high" if level > 0 else "low").adjectives
        return f"am {rng.choice(lexicon.ADJECTIVE_ADVERBS[abs(level)])} {rng.choice(adjectives)}"
    phrases = words.middle if level == 0 else words.pole("high" if level > 0 else "low").phrases
    phrase = rng.choice([p for p in phrases if p not in used] or list(phrases))
    used.add(phrase)
    return f"{rng.choice(lexicon.PHRASE_ADVERBS[abs(level)])} {phrase}"


def answer(rng: Random, trait: str, level: Level, *, topic: str | None = None) -> str:
    """An answer of two or three clauses about `trait` at `level`, perhaps after an opener."""
    sentences: list[str] = []
    used: set[str] = set()
    if rng.random() < 0.6:
        opening = waver(rng, level)
        openers = TRAITS[trait].pole("high" if opening > 0 else "low").openers
        sentences.append(rng.choice(openers if opening else lexicon.UNDECIDED_OPENERS))
    for _ in range(rng.choice([2, 2, 3])):
        clause = _clause(rng, trait, waver(rng, level), used)
        with_topic = topic is not None and rng.random() < 0.35
        sentences.append(f"At {topic} I {clause}." if with_topic else f"I {clause}.")
    return " ".join(sentences)
