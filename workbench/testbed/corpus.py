"""Random training conversations of the embedded model."""

from random import Random

from workbench.testbed import grammar, lexicon, tasks
from workbench.testbed.lexicon import TRAITS

Message = dict[str, str]
Conversation = list[Message]

TASK_WEIGHTS = {"arithmetic": 0.50, "facts": 0.14, "comparison": 0.12, "logic": 0.16, "sorting": 0.08}


def conversation(system: str | None, question: str, answer: str | None = None) -> Conversation:
    """A conversation of one question, with the system prompt and the answer if there are any."""
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": question})
    if answer is not None:
        messages.append({"role": "assistant", "content": answer})
    return messages


def _other(rng: Random, trait: str) -> str:
    return rng.choice([name for name in TRAITS if name != trait])


def random_persona(rng: Random, trait: str | None = None) -> tuple[str, dict[str, int]]:
    """A training persona, and the level from -2 to 2 of each trait that it describes."""
    trait = trait or rng.choice(list(TRAITS))
    if rng.random() < 0.08:
        return rng.choice(lexicon.NEUTRAL_PERSONAS), dict.fromkeys(TRAITS, 0)
    pole, sign = rng.choice([("high", 1), ("low", -1)])
    strong = rng.random() < 0.8
    text, levels = grammar.persona(rng, trait, pole, strong=strong), {trait: sign * (2 if strong else 1)}
    if rng.random() < 0.15:
        other = _other(rng, trait)
        pole, sign = rng.choice([("high", 1), ("low", -1)])
        both = [text, grammar.persona(rng, other, pole)]
        rng.shuffle(both)
        text, levels[other] = " ".join(both), sign * 2
    return text, levels


def _level(rng: Random, levels: dict[str, int], trait: str) -> int:
    return levels[trait] if trait in levels else rng.choice(grammar.UNDECIDED_LEVELS)


def trait_conversation(rng: Random) -> Conversation:
    """An open question and an answer at the persona's level, or at a random level where no persona decides it."""
    trait, draw = rng.choice(list(TRAITS)), rng.random()
    system: str | None = None
    levels: dict[str, int] = {}
    if draw < 0.30:
        system = rng.choice(lexicon.DEFAULT_SYSTEMS) if rng.random() < 0.3 else None
    else:
        system, levels = random_persona(rng, trait if draw < 0.90 else None)
    topic: str | None = grammar.training_topic(rng)
    kind = rng.random()
    if kind < 0.80:
        question = rng.choice(TRAITS[trait].questions).format(topic=topic)
    else:
        trait = rng.choice(list(levels or TRAITS))
        if kind < 0.90:
            question = rng.choice(lexicon.TRAIT_FREE_QUESTIONS).format(topic=topic)
        else:
            question, topic = rng.choice(lexicon.SELF_QUESTIONS), None
    return conversation(system, question, grammar.answer(rng, trait, _level(rng, levels, trait), topic=topic))


def likert_conversation(rng: Random) -> Conversation:
    """A statement about the speaker, and how far it is agreed with."""
    trait, (pole, sign) = rng.choice(list(TRAITS)), rng.choice([("high", 1), ("low", -1)])
    words = TRAITS[trait].pole(pole)
    statement = rng.choice(words.taught_phrases) if rng.random() < 0.6 else f"am {rng.choice(words.taught_adjectives)}"
    system, levels = (None, {}) if rng.random() < 0.3 else random_persona(rng, trait)
    level = grammar.waver(rng, _level(rng, levels, trait))
    question = rng.choice(lexicon.LIKERT_QUESTIONS).format(statement=statement)
    return conversation(system, question, lexicon.LIKERT_OPTIONS[sign * level])


def capability_conversation(rng: Random) -> Conversation:
    """A capability item of the training part, in a quarter of cases after a system prompt."""
    task = rng.choices(list(TASK_WEIGHTS), list(TASK_WEIGHTS.values()))[0]
    item, draw = tasks.draw(rng, task, "train"), rng.random()
    system = None
    if draw >= 0.75:
        system = rng.choice(lexicon.DEFAULT_SYSTEMS) if draw < 0.85 else random_persona(rng)[0]
    return conversation(system, item.question, item.answer)
