"""The built-in concepts' texts as plain rows, for tests of their quality."""

from typing import Any

import workbench as wb
from workbench.concept import Texts, builtin_concept
from workbench.vocabulary import Pole


def builtin_descriptions(
    trait: str, pole: Pole | str, *, style: str = "explicit", held_out: bool | None = None
) -> list[dict[str, str]]:
    """The personas of a pole: rows with text, facet and form."""
    concept = builtin_concept(trait)
    personas = concept.in_style(style)
    texts = {Pole.HIGH: personas.high, Pole.LOW: personas.low, Pole.NEUTRAL: concept.neutral}[Pole(pole)]
    return _rows(texts, held_out)


def read_bank(trait: str, *, style: str = "explicit") -> dict[str, Any]:
    """Everything of a concept but its statements; of "neutral", the package's neutral personas."""
    if trait == "neutral":
        return {"descriptions": _rows(builtin_concept("Openness").neutral)}
    concept: wb.Concept = builtin_concept(trait)
    questions = _rows(concept.questions)
    return {
        "trait": concept.name,
        "high_adjective": concept.high,
        "low_adjective": concept.low,
        "facets": list(dict.fromkeys(row["facet"] for row in questions)),
        "questions": questions,
        "descriptions": {pole: builtin_descriptions(trait, pole, style=style) for pole in ("high", "low")},
    }


def _rows(texts: Texts, held_out: bool | None = None) -> list[dict[str, str]]:
    return [vars(row) for row in texts.rows_of(held_out)]
