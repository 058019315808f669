"""The concepts that a study's file names: by name, by their files, or as values."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator

from workbench.concept.concept import Concept
from workbench.concept.named import concept_of, is_builtin, names_a_file
from workbench.concept.reading import FILE

CONCEPTS = "concepts"
"""The folder in a study's folder that holds the files of concepts that are no built-in ones."""


def as_concept(given: Any) -> Concept:
    """A concept, or one from the text of its file."""
    return given if isinstance(given, Concept) else Concept.of(tomllib.loads(given))


@dataclass(frozen=True)
class Mistake:
    """What is wrong with a study's traits."""

    said: str


def named_concepts(traits: Sequence[Any], known: Sequence[Concept]) -> tuple[list[Any], tuple[Concept, ...]]:
    """The names of traits, and the concepts among them that are no built-in ones; what is no trait stays as it is.

    Raises:
        FileNotFoundError, ValueError: if there is no trait, no such concept, or two have one name.
    """
    if not traits:
        raise ValueError("a study needs at least one trait")
    if not all(isinstance(each, str | Path | Concept) for each in traits):
        return list(traits), ()
    by_name: dict[str, Concept] = {}
    for each in traits:
        concept = concept_of(each, among=known)
        for other in by_name.values():
            if other.name.casefold() == concept.name.casefold() and other != concept:
                raise ValueError(f"two concepts are called {concept.name!r}, but differ. Rename one in its file")
        by_name[concept.name] = concept
    return list(by_name), tuple(each for each in by_name.values() if not is_builtin(each))


KeptConcept = Annotated[Concept, PlainValidator(as_concept), PlainSerializer(Concept.toml)]
"""A concept that is written out as the text of its file."""


def from_folder(folder: Path, trait: Any) -> Any:
    """A path to a concept that a file in a folder names, from where the program runs."""
    if isinstance(trait, str) and (names_a_file(trait) or (folder / trait / FILE).is_file()):
        return str(folder / trait)
    return trait
