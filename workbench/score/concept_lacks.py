"""What a concept has, what it lacks and what that costs, and what in its texts could be taken for the concept."""

import re
from collections.abc import Iterable, Sequence
from statistics import fmean

import pandas as pd

from workbench.concept.concept import Concept
from workbench.contrast.balance import Balance

MANY_PERSONAS, MANY_QUESTIONS, MANY_STATEMENTS = 20, 40, 24
"""Personas of a pole, questions and pairs of statements from which on intervals rest on enough of them."""

_SEARCH, _TEST = 10, 20  # questions of a trait that a study asks by default
_LARGE = 0.5  # |d| of a confound from which on it is told
_TOLD_APART = 0.8  # area under the curve from which on confounds alone tell the poles
_LENGTHS = 1.15  # ratio of the poles' mean lengths from which on it is told
_RUN = 4  # words on end in a persona and in a statement


def counts_of(concept: Concept) -> pd.DataFrame:
    """A row for each kind of text: `texts`, `high`, `low`, `others`, `held_out`; see `ConceptCheck`."""
    rows: list[dict[str, object]] = []
    for each in concept.personas:
        held = f"{len(each.high.part(True))} and {len(each.low.part(True))}"
        rows.append(
            {"texts": f"personas, {each.style}", "high": len(each.high), "low": len(each.low), "held_out": held}
        )
    for name, texts in (("neutral personas", concept.neutral), ("questions", concept.questions)):
        rows.append({"texts": name, "others": len(texts), "held_out": str(len(texts.part(True)))})
    count = len(concept.statements)
    rows.append({"texts": "statements", "high": count, "low": count, "held_out": str(count - (count + 1) // 3)})
    columns = ["texts", "high", "low", "others", "held_out"]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(("high", "low", "others"), "Int64")).astype(object)


def lacks_of(concept: Concept) -> tuple[str, ...]:
    """What is missing and what that costs."""
    return tuple(_lacks(concept))


def _lacks(concept: Concept) -> Iterable[str]:
    if not concept.personas:
        yield "no personas and questions: pairs come from a table or a folder alone, and no arm that prompts is built."
    else:
        fewest = min(len(concept.personas[0].high), len(concept.personas[0].low))
        if fewest < MANY_PERSONAS:
            yield (
                f"{fewest} personas a pole: intervals that allow for personas rest on so few, and come out too narrow "
                f"below about {MANY_PERSONAS}."
            )
        search, held = (len(concept.questions.part(part)) for part in (False, True))
        if search < _SEARCH or held < _TEST:
            yield (
                f"{search} questions to search with and {held} held out: a study of open answers asks {_SEARCH} and "
                f"{_TEST} by default, and is refused until it says search_questions = {min(search, _SEARCH)} and "
                f"test_questions = {min(held, _TEST)} at most."
            )
        if not concept.neutral:
            yield (
                "no neutral personas: whether the poles are exclusive is held against the question without a persona "
                "alone, which decides nothing by itself, and the arm neutral prompt cannot be built."
            )
    if not concept.statements:
        yield "no statements: the concept is measured by a judge or a questionnaire alone; one of these is needed."
    elif len(concept.statements) < MANY_STATEMENTS:
        yield (
            f"{len(concept.statements)} pairs of statements, of which a third chooses the dose: below about "
            f"{MANY_STATEMENTS} the intervals of the others are unsteady and too narrow."
        )
    if concept.rubric is None:
        yield "no rubric: a judge cannot rate how strongly an answer shows it."
    if not concept.source or not concept.license:
        absent = " and ".join(name for name in ("source", "license") if not getattr(concept, name))
        yield f"no {absent}: a manifest cannot say where the texts come from, nor whether they may be passed on."


def remarks_on(concept: Concept, balance: Balance | None) -> tuple[str, ...]:
    """What in the texts could be taken for the concept: lengths, wording, and personas that say a statement."""
    return (*_unbalanced(balance), *_of_statements(concept))


def _unbalanced(balance: Balance | None) -> Iterable[str]:
    if balance is None:
        return
    for row in balance.table.to_dict("records"):
        surely = row["difference_low"] > 0 or row["difference_high"] < 0
        if abs(row["difference"]) >= _LARGE and surely and row["measure"] != "description reuse":
            more, less = ("high", "low") if row["difference"] > 0 else ("low", "high")
            yield (
                f"{more} personas have more {row['measure']} than {less} ones (d {row['difference']:+.2f}: "
                f"{row['high']:.3g} to {row['low']:.3g}): neurons that tell these apart could be selected. Match them."
            )
    if balance.auc >= _TOLD_APART:
        yield (
            f"length and wording alone tell the poles apart on unseen personas (area under the curve "
            f"{balance.auc:.2f}; 0.5 is balance)."
        )


def _of_statements(concept: Concept) -> Iterable[str]:
    if not concept.statements:
        return
    high, low = ([getattr(each, pole) for each in concept.statements] for pole in ("high", "low"))
    lengths = {pole: fmean(len(_words(text)) for text in texts) for pole, texts in (("high", high), ("low", low))}
    more, less = sorted(lengths, key=lambda pole: -lengths[pole])
    if lengths[more] > _LENGTHS * lengths[less]:
        yield (
            f"{more} statements have {lengths[more]:.1f} words, {less} ones {lengths[less]:.1f}: the i-th of each are "
            "to be matched in length and wording."
        )
    said = [text for text in (*high, *low) if not {"i", "my", "me", "myself", "we", "our"} & set(_words(text))]
    if said:
        yield (
            f"{len(said)} statements do not speak in the first person, e.g. {said[0][:60]!r}: they are scored as what "
            "the model says of itself."
        )
    personas = [text for each in concept.personas for text in (*each.high.part(), *each.low.part())]
    runs = set().union(*map(_runs, personas)) if personas else set()
    repeated = [text for text in (*high, *low) if _runs(text) & runs]
    if repeated:
        yield (
            f"{len(repeated)} statements share {_RUN} words on end with a persona, e.g. {repeated[0][:60]!r}: a model "
            "can repeat its persona instead of following it."
        )


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", text.casefold())


def _runs(text: str) -> set[tuple[str, ...]]:
    words: Sequence[str] = _words(text)
    return {tuple(words[i : i + _RUN]) for i in range(len(words) - _RUN + 1)}
