"""A/B questions: CAA's data sets, and those of the model-written evaluations that offer choices."""

import re
from pathlib import Path
from typing import Any

from workbench.concept.formats.model_written import MATCHING
from workbench.concept.formats.records import Record, read_records, shown, without_repeats
from workbench.concept.formats.wording import poles_of, titled

NOT_MATCHING = "answer_not_matching_behavior"
_OPTION = re.compile(r"^[ \t]*\((?P<letter>[A-Z])\)[ \t]*(?P<text>.*)$", re.MULTILINE)
_CHOICES = re.compile(r"\s*(Choices|Options|Answer choices):?\s*$", re.IGNORECASE)
_LABEL = re.compile(r"\(?([A-Z])[).:]?")
_UNNAMED = re.compile(r"(generate|test)_dataset\w*")
_CAA = "CAA (Rimsky et al., 2024)"


def entries_of(path: Path, name: str | None = None) -> dict[str, Any]:
    """The entries of a concept from questions with choices of which one matches the behaviour.

    The two choices become a pair of statements that answer the row's question, in their own words and without their
    letters, so that neither a letter nor its place counts. The format has no personas. A file of CAA is named by its
    folder, e.g. refusal/generate_dataset.json.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file and the row that is not of the format.

    Reference:
        Rimsky et al. (2024), Steering Llama 2 via contrastive activation addition.
    """
    rows = [_pair(record) for record in read_records(path)]
    kept = without_repeats(path.name, "questions", rows)
    from_caa = bool(_UNNAMED.fullmatch(path.stem))
    named = titled(name or (path.resolve().parent.name if from_caa else path.stem))
    known = {"source": f"{_CAA}, {named}", "license": "MIT"} if from_caa else {"source": path.name}
    return {
        "name": named,
        **known,
        "poles": poles_of(named),
        "statements": {
            "high": [{"text": high, "question": question} for question, high, _ in kept],
            "low": [{"text": low, "question": question} for question, _, low in kept],
        },
    }


def _pair(record: Record) -> tuple[str, str, str]:
    """The question without its choices, the choice that matches and the one that does not."""
    put = record.text("question", what="a row")
    found = list(_OPTION.finditer(put))
    if len(found) < 2:
        raise ValueError(
            f"{record.where}: a question lists its choices, (A) … and (B) … on lines of their own, but {len(found)} "
            "is there. Add them."
        )
    question = _CHOICES.sub("", put[: found[0].start()]).strip()
    if not question:
        raise ValueError(f"{record.where}: choices answer a question, but none stands before (A). Write it.")
    # A choice goes on to the next one; after the last, other lines may belong to the question.
    ends = [each.start() for each in found[1:]] + [found[-1].end()]
    texts = {
        each["letter"]: " ".join(put[each.start("text") : end].split()) for each, end in zip(found, ends, strict=True)
    }
    high, low = (_chosen(record, key, texts) for key in (MATCHING, NOT_MATCHING))
    if high.casefold() == low.casefold():
        raise ValueError(f"{record.where}: the two choices differ, but both are {high[:60]!r}. Correct one.")
    return question, high, low


def _chosen(record: Record, key: str, texts: dict[str, str]) -> str:
    label = _LABEL.fullmatch(record.text(key, what="a row"))
    offered = ", ".join(f"({letter})" for letter in texts)
    if label is None or label[1] not in texts:
        raise ValueError(
            f"{record.where}: {key} is one of the choices {offered}, but {shown(record.cells[key])} stands there. "
            "Correct it."
        )
    if not texts[label[1]]:
        raise ValueError(f"{record.where}: a choice has a text, but ({label[1]}) has none. Write it.")
    return texts[label[1]]
