"""Open questions about a trait: those that choose the dose, and those that are reported."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from random import Random

from workbench.concept.named import AnyConcept, big_five_of, concept_of, is_builtin
from workbench.contrast.personalitybench import personalitybench_questions
from workbench.testbed import grammar

TESTBED, BUILTIN = "testbed", "builtin"
_STEMS = 5
_HOLDER = {True: "the built-in bank", False: "its concept"}


def open_questions(source: str, trait: AnyConcept, split: grammar.Split, count: int, *, seed: int) -> list[str]:
    """`count` questions of a split about a trait.

    Of a concept, the held-out questions are reported, and the others choose the dose. Of a PersonalityBench
    folder, those that a contrast of the same seed takes last, so that while there are enough
    of them neurons are found on none of the questions that choose the dose, and patched on none that are reported.

    Args:
        source: `testbed` for the embedded model's, `builtin` for the concept's, or a PersonalityBench folder.
        trait: a built-in concept's name, a concept's file, or a `Concept`.

    Raises:
        FileNotFoundError: if the source is no folder, or lacks the trait's file.
        ValueError: if the split holds fewer questions.
    """
    if source == TESTBED:
        return evenly(grammar.questions(big_five_of(trait, "the embedded model"), split), count)
    if source == BUILTIN:
        concept = concept_of(trait)
        texts = concept.questions.part(split == "test")
        if len(texts) < count:
            raise ValueError(
                f"{count} {split} questions about {concept.name} were asked for, but {_HOLDER[is_builtin(concept)]} "
                f"holds {len(texts)}. Lower {split}_questions."
            )
        return Random(seed).sample(texts, count)
    folder = Path(source)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"Questions come from {TESTBED!r}, {BUILTIN!r} or a PersonalityBench folder, but there is no folder "
            f"{source}."
        )
    trait = big_five_of(trait, "PersonalityBench")
    paths = [folder / part / f"{trait}.json" for part in ("search", "test")]
    stamps = tuple(path.stat().st_mtime_ns if path.is_file() else 0 for path in paths)
    questions = _shuffled(source, trait, split, seed, stamps)
    if len(questions) < count:
        raise ValueError(
            f"{count} {split} questions about {trait} were asked for, but {folder.name} holds {len(questions)}. Lower "
            f"{split}_questions."
        )
    return list(questions[-count:])


@lru_cache(maxsize=64)
def _shuffled(folder: str, trait: str, split: str, seed: int, stamps: tuple[int, ...]) -> tuple[str, ...]:
    """A file's questions, read once while its `stamps` stay as they are: every arm and dose asks for them."""
    return tuple(personalitybench_questions(Path(folder), trait, split=split, seed=seed))


def evenly(questions: Sequence[str], count: int) -> list[str]:
    """`count` questions, stem by stem in turn and topics evenly apart.

    The questions come topic by topic, five stems each, as `grammar.questions` lists them.
    """
    topics = len(questions) // _STEMS
    step = max(1, topics * _STEMS // count)
    return [questions[((i * step // _STEMS) % topics) * _STEMS + i % _STEMS] for i in range(count)]
