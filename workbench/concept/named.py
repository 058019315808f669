"""What may stand for a concept where a trait is asked for."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from workbench.concept.concept import Concept
from workbench.concept.packaged import BUILT_IN
from workbench.concept.reading import DESCRIPTIONS, ENDINGS, FILE, concept_path
from workbench.vocabulary import BIG_FIVE, big_five

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
        >>> names_a_file("mine/formality.toml"), names_a_file("TRAIT.json#Openness"), names_a_file("Extraversion")
        (True, True, False)
    """
    try:
        path, _ = concept_path(trait, None)
        return path.suffix.casefold() in ENDINGS or any((path / name).is_file() for name in (FILE, DESCRIPTIONS))
    except OSError:  # no path is so long
        return False


def name_of(trait: AnyConcept) -> str:
    """The name of what stands where a trait is asked for; a name that nobody knows is returned as it is.

    Raises:
        FileNotFoundError, ValueError: if a path leads to no file, or to one with a mistake.
    """
    if isinstance(trait, str) and not names_a_file(trait):
        return next((known for known in BUILT_IN if known.casefold() == trait.strip().casefold()), trait)
    return concept_of(trait).name


def big_five_of(trait: AnyConcept, source: str) -> str:
    """The Big Five trait that stands where a trait is asked for, of what knows no other.

    Args:
        source: what that is, e.g. `the embedded model's bank`.

    Raises:
        ValueError: for any other concept.
    """
    name = name_of(trait)
    if name.casefold() in {known.casefold() for known in BIG_FIVE}:
        return big_five(name)
    raise ValueError(
        f"There is no Big Five trait {name!r}, and {source} knows no others. Choose one of {', '.join(BIG_FIVE)}, or "
        "take what is made from the concept's own file: contrast, questions or statements = 'builtin'."
    )


def is_builtin(concept: Concept) -> bool:
    """Whether a concept is one of the package's, text by text."""
    return concept.name in BUILT_IN and concept == builtin_concept(concept.name)
