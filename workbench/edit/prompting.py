"""Steering by words alone: an instruction that is put into the system prompt."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from workbench.contrast.banks import EXPLICIT, Style, builtin_descriptions, read_bank
from workbench.contrast.prompt import Prompt
from workbench.testbed import grammar, lexicon
from workbench.vocabulary import Pole, big_five, sign_of

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


def simple_prompt(trait: str, direction: str, *, speaks: Speaks | str = "testbed", seed: int = 0) -> Instruction:
    """Simple Prompt: the pole in one adjective, e.g. "You are talkative.".

    Args:
        speaks: whose words: `testbed`, those that the embedded model was taught; `builtin`, plain English.

    Raises:
        ValueError: for an unknown trait, direction or vocabulary.
    """
    trait, pole, rng = _asked(trait, direction, speaks, seed)
    if speaks == "testbed":
        adjective = rng.choice(lexicon.TRAITS[trait].pole(pole).taught_adjectives)
    else:
        adjective = read_bank(trait)[f"{pole}_adjective"]
    return Instruction(trait, direction, "simple prompt", f"You are {adjective}.")


def description_prompt(
    trait: str,
    direction: str,
    *,
    speaks: Speaks | str = "testbed",
    style: Style | str = EXPLICIT,
    seed: int = 0,
    sentences: int = 3,
    held_out: bool = False,
) -> Instruction:
    """The pole described in several ways after one another, in the manner of P².

    Args:
        style: the style of the built-in bank's personas, of which those that a contrast holds out are taken.
        sentences: how many descriptions; of the built-in bank, each of another facet while there are more.
        held_out: describe the embedded model's pole in frames and words that no persona of its training used.

    Raises:
        ValueError: for an unknown trait, direction, vocabulary or style, or fewer than one description.

    Reference:
        Jiang et al. (2023), Evaluating and Inducing Personality in Pre-trained Language Models.
    """
    if sentences < 1:
        raise ValueError(f"A description needs at least 1 sentence, but {sentences} arrived.")
    trait, pole, rng = _asked(trait, direction, speaks, seed)
    if speaks == "testbed":
        texts = [grammar.persona(rng, trait, pole, held_out=held_out) for _ in range(sentences)]
    else:
        texts = _of_each_facet(builtin_descriptions(trait, pole, style=style, held_out=True), sentences, rng)
    return Instruction(trait, direction, "description prompt", " ".join(texts))


def neutral_prompt(trait: str, direction: str, *, speaks: Speaks | str = "testbed", seed: int = 0) -> Instruction:
    """The control of prompting: a description that says nothing about the trait.

    Raises:
        ValueError: for an unknown trait, direction or vocabulary.
    """
    trait, _, rng = _asked(trait, direction, speaks, seed)
    if speaks == "testbed":
        text = rng.choice(lexicon.NEUTRAL_PERSONAS)
    else:
        text = rng.choice(builtin_descriptions(trait, Pole.NEUTRAL, held_out=True))["text"]
    return Instruction(trait, direction, "neutral prompt", text)


def _asked(trait: str, direction: str, speaks: str, seed: int) -> tuple[str, Pole, Random]:
    trait = big_five(trait)
    pole = Pole.HIGH if sign_of(direction) > 0 else Pole.LOW
    if speaks not in SPEAKS:
        raise ValueError(f"A prompt speaks {' or '.join(SPEAKS)}, but {speaks!r} arrived.")
    return trait, pole, Random(f"{trait} {direction} {seed}")


def _of_each_facet(descriptions: Sequence[dict[str, str]], count: int, rng: Random) -> list[str]:
    """Descriptions in a shuffled order in which a facet's second comes only after the first of every facet."""
    order = rng.sample(list(descriptions), len(descriptions))
    seen: dict[str, int] = {}
    turns = []
    for index, description in enumerate(order):
        turn = seen[description["facet"]] = seen.get(description["facet"], -1) + 1
        turns.append((turn, index, description["text"]))
    return [text for _, _, text in sorted(turns)[:count]]
