"""Steering by words alone: an instruction that is put into the system prompt."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from workbench.concept.named import AnyConcept, big_five_of, concept_of
from workbench.concept.texts import EXPLICIT, Text
from workbench.contrast.prompt import Prompt
from workbench.testbed import grammar, lexicon
from workbench.vocabulary import Pole, sign_of

Speaks = Literal["testbed", "builtin"]
SPEAKS: tuple[str, ...] = ("testbed", "builtin")


@dataclass(frozen=True)
class Instruction:
    """A text that tells a model who to be.

    Attributes:
        trait: the trait it moves.
        direction: `increase` or `decrease`.
        method: the arm's name.
        text: what is put into the system prompt.
    """

    trait: str
    direction: str
    method: str
    text: str

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise ValueError(f"An instruction needs a text, but {self.text!r} arrived.")

    def apply(self, prompt: Prompt) -> Prompt:
        """The prompt with the text at the head of its system prompt.

        Raises:
            ValueError: for a raw text, which has no system prompt.
        """
        if not prompt.chat:
            raise ValueError(f"An instruction needs a chat prompt, but {prompt.user!r} is a raw text. Set chat=True.")
        return replace(prompt, system=" ".join(filter(None, (self.text, prompt.system))))


def simple_prompt(trait: AnyConcept, direction: str, *, speaks: Speaks | str = "testbed", seed: int = 0) -> Instruction:
    """Simple Prompt: the pole in one adjective or phrase, e.g. "You are talkative.".

    Args:
        speaks: whose words: `testbed`, those that the embedded model was taught; `builtin`, plain English.

    Raises:
        ValueError: for an unknown trait, direction or vocabulary.
    """
    name, pole, rng = _asked(trait, direction, speaks, seed)
    if speaks == "testbed":
        adjective = rng.choice(lexicon.TRAITS[name].pole(pole).taught_adjectives)
    else:
        adjective = concept_of(trait).word(pole)
    return Instruction(name, direction, "simple prompt", f"You are {adjective}.")


def description_prompt(
    trait: AnyConcept,
    direction: str,
    *,
    speaks: Speaks | str = "testbed",
    style: str = EXPLICIT,
    seed: int = 0,
    sentences: int = 3,
    held_out: bool = False,
) -> Instruction:
    """The pole described in several ways after one another, in the manner of P².

    Args:
        style: the style of the concept's personas, of which those that a contrast holds out are taken.
        sentences: how many descriptions; of a concept, each of another facet while there are more.
        held_out: describe the embedded model's pole in frames and words that no persona of its training used.

    Raises:
        ValueError: for an unknown trait, direction, vocabulary or style, or fewer than one description.

    Reference:
        Jiang et al. (2023), Evaluating and Inducing Personality in Pre-trained Language Models.
    """
    if sentences < 1:
        raise ValueError(f"A description needs at least 1 sentence, but {sentences} arrived.")
    name, pole, rng = _asked(trait, direction, speaks, seed)
    if speaks == "testbed":
        texts = [grammar.persona(rng, name, pole, held_out=held_out) for _ in range(sentences)]
    else:
        personas = concept_of(trait).in_style(style)
        held = (personas.high if pole is Pole.HIGH else personas.low).rows_of(True)
        texts = _of_each_facet(held, sentences, rng)
    return Instruction(name, direction, "description prompt", " ".join(texts))


def neutral_prompt(
    trait: AnyConcept, direction: str, *, speaks: Speaks | str = "testbed", seed: int = 0
) -> Instruction:
    """The control of prompting: a description that says nothing about the trait.

    Raises:
        ValueError: for an unknown trait, direction or vocabulary, or a concept without neutral personas.
    """
    name, _, rng = _asked(trait, direction, speaks, seed)
    if speaks == "testbed":
        text = rng.choice(lexicon.NEUTRAL_PERSONAS)
    else:
        held = concept_of(trait).neutral.part(True)
        if not held:
            raise ValueError(f"The neutral prompt is a neutral persona, but {name} has none. Add personas.neutral.")
        text = rng.choice(held)
    return Instruction(name, direction, "neutral prompt", text)


def _asked(trait: AnyConcept, direction: str, speaks: Speaks | str, seed: int) -> tuple[str, Pole, Random]:
    """The trait's name, the pole that is told, and what chooses among words."""
    if speaks not in SPEAKS:
        raise ValueError(f"A prompt speaks {' or '.join(SPEAKS)}, but {speaks!r} arrived.")
    name = big_five_of(trait, "the embedded model") if speaks == "testbed" else concept_of(trait).name
    pole = Pole.HIGH if sign_of(direction) > 0 else Pole.LOW
    return name, pole, Random(f"{name} {direction} {seed}")


def _of_each_facet(descriptions: Sequence[Text], count: int, rng: Random) -> list[str]:
    """Descriptions in a shuffled order in which a facet's second comes only after the first of every facet."""
    order = rng.sample(list(descriptions), len(descriptions))
    seen: dict[str, int] = {}
    turns = []
    for index, description in enumerate(order):
        turn = seen[description.facet] = seen.get(description.facet, -1) + 1
        turns.append((turn, index, description.text))
    return [text for _, _, text in sorted(turns)[:count]]
