"""The package's own concepts: enough of everything, poles alike in all but what they say, and nothing taken."""

import re
from pathlib import Path

import numpy as np
import pytest

import workbench as wb
from workbench.concept.packaged import BUILT_IN, OTHERS

SHARED = Path(__file__).parents[3] / "shared" / "data"


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.casefold().replace("’", "'"))


def runs(text: str, n: int = 4) -> set[tuple[str, ...]]:
    return {tuple(words(text)[i : i + n]) for i in range(len(words(text)) - n + 1)}


def pieces(text: str) -> int:
    """About as many as tokens: words, the parts of contractions and marks."""
    return len(re.findall(r"[a-z]+|[^\sa-z]", text.casefold()))


def poles(concept: wb.Concept) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    personas = concept.in_style()
    said = tuple(zip(*((each.high, each.low) for each in concept.statements), strict=True))
    return {"personas": (personas.high.part(), personas.low.part()), "statements": (said[0], said[1])}


def texts(concept: wb.Concept) -> list[str]:
    return [text for each in poles(concept).values() for pole in each for text in pole] + list(concept.questions.part())


@pytest.mark.parametrize("name", OTHERS)
def test_a_concept_has_enough_of_everything(name: str) -> None:
    concept = wb.Concept.builtin(name)
    assert concept.name == name
    assert min(len(each) for each in poles(concept)["personas"]) >= 24
    assert min(len(concept.statements), len(concept.questions)) >= 60
    assert concept.rubric is not None
    assert (concept.license, concept.neutral) == ("MIT", wb.Concept.builtin("openness").neutral)
    assert all(each.startswith(("You ", "You're ")) or " you " in each for each in poles(concept)["personas"][0])


@pytest.mark.parametrize("name", OTHERS)
def test_poles_are_alike_in_length(name: str) -> None:
    for high, low in poles(wb.Concept.builtin(name)).values():
        lengths = [np.mean([pieces(text) for text in pole]) for pole in (high, low)]
        assert abs(lengths[0] / lengths[1] - 1) < 0.05


def test_no_text_stands_twice_in_any_concept() -> None:
    every = [" ".join(words(text)) for name in BUILT_IN for text in texts(wb.Concept.builtin(name))]
    assert len(every) > 2000
    assert not {text for text in every if every.count(text) > 1}


def test_statements_share_no_run_of_four_words_with_any_persona() -> None:
    concepts = [wb.Concept.builtin(name) for name in BUILT_IN]
    personas = [text for each in concepts for pole in poles(each)["personas"] for text in pole]
    known = set().union(*(runs(text) for text in (*personas, *concepts[0].neutral.part())))
    said = [text for each in concepts[-len(OTHERS) :] for pole in poles(each)["statements"] for text in pole]
    assert len(said) > 480
    assert not [text for text in said if runs(text) & known]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the published files are not on this machine")
def test_no_text_is_published() -> None:
    files = [path for path in SHARED.rglob("*") if path.suffix in (".json", ".jsonl", ".csv")]
    published = [re.sub(r"[^a-z']+", " ", path.read_text(encoding="utf-8").casefold()) for path in files]
    assert len(published) > 10
    for name in OTHERS:
        for text in texts(wb.Concept.builtin(name)):
            assert not any(f" {' '.join(words(text))} " in each for each in published), text
