"""What may stand for a concept where a trait is asked for."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from workbench.concept.concept import Concept
from workbench.concept.reading import FILE

AnyConcept = str | Path | Concept
"""What may stand where a trait is asked for: a built-in name, a concept's file or folder, or a concept."""


@cache
def builtin_concept(name: str) -> Concept:
    """As `Concept.builtin`, read once.

    Example:
        >>> builtin_concept("extraversion").high
        'extraverted'
    """
    return Concept.builtin(name)


def concept_of(trait: AnyConcept, *, among: Sequence[Concept] = ()) -> Concept:
    """The concept that stands where a trait is asked for.

    Args:
        trait: a concept, the name of one of `among` or of a built-in one, whatever its capitals, or a path.
        among: concepts that are known by name besides the built-in ones, and before them.

    Raises:
        FileNotFoundError: if a path leads to no file.
        ValueError: if there is no concept of this name, or its file has a mistake.
    """
    if isinstance(trait, Concept):
        return trait
    if isinstance(trait, str):
        for each in among:
            if each.name.casefold() == trait.strip().casefold():
                return each
        if not names_a_file(trait):
            return builtin_concept(trait)
    return Concept.read(trait)


def names_a_file(trait: str) -> bool:
    """Whether a word that stands for a trait is a path to a concept's file or folder.

    Example:
        >>> names_a_file("mine/formality.toml"), names_a_file("Extraversion")
        (True, False)
    """
    return trait.casefold().endswith(".toml") or "/" in trait or "\\" in trait or (Path(trait) / FILE).is_file()
