"""A concept as the text of its file."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from workbench.concept.texts import EXPLICIT, Text, Texts

if TYPE_CHECKING:
    from workbench.concept.concept import Concept

HIGH, LOW = "high", "low"


def toml_of_concept(concept: "Concept") -> str:
    """See `Concept.toml`. Texts of which a fixed fifth is held out are listed whole."""
    parts = [f"name = {_quoted(concept.name)}\n"]
    parts += [f"{key} = {_quoted(of)}\n" for key in ("source", "license") if (of := getattr(concept, key))]
    parts.append(f"\n[poles]\nhigh = {_quoted(concept.high)}\nlow = {_quoted(concept.low)}\n")
    parts.append(f"desirable = {_quoted(concept.desirable)}\n" if concept.desirable else "")
    for each in concept.personas:
        poles = {HIGH: each.high, LOW: each.low}
        if each.style == EXPLICIT and concept.neutral:
            poles["neutral"] = concept.neutral
        parts.append("\n[personas]\n" if each.style == EXPLICIT else f"\n[styles.{_key(each.style)}]\n")
        parts.append("paired = true\n" if each.paired else "")
        parts += _divided(poles)
    if concept.questions:
        questions = concept.questions
        whole = questions == Texts.divided(questions.rows, by_kind=False)
        listed = {"all": None} if whole else {"search": False, "held_out": True}
        parts.append("\n[questions]\n")
        parts += [f"{name} = {_list(questions.rows_of(held))}\n" for name, held in listed.items()]
    if concept.statements:
        parts.append("\n[statements]\n")
        for pole in (HIGH, LOW):
            rows = [Text(getattr(each, pole), each.facet, question=each.question) for each in concept.statements]
            parts.append(f"{pole} = {_list(rows)}\n")
    if concept.rubric is not None:
        parts.append(f"\n[rubric]\nhigh = {_quoted(concept.rubric[0])}\nlow = {_quoted(concept.rubric[1])}\n")
    return "".join(parts)


def _divided(poles: Mapping[str, Texts]) -> list[str]:
    """The lists of each pole, and of what is held out where somebody said what."""
    whole = {pole for pole, texts in poles.items() if texts == Texts.divided(texts.rows)}
    if not {HIGH, LOW} <= whole:
        whole -= {HIGH, LOW}
    parts = [f"{pole} = {_list(texts.rows_of(None if pole in whole else False))}\n" for pole, texts in poles.items()]
    named = [f"{pole} = {_list(texts.rows_of(True))}" for pole, texts in poles.items() if pole not in whole]
    # An inline table has no line breaks in TOML 1.0, but the lists in it may.
    return [*parts, f"held_out = {{ {', '.join(named)} }}\n"] if named else parts


def _list(rows: Sequence[Text]) -> str:
    return "[\n" + "".join(f"    {_row(row)},\n" for row in rows) + "]"


def _row(row: Text) -> str:
    kinds = (("facet", row.facet), ("form", row.form), ("question", row.question))
    said = [f"{key} = {_quoted(of)}" for key, of in kinds if of]
    text = _quoted(row.text)
    return f"{{ {', '.join([*said, f'text = {text}'])} }}" if said else text


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() and name.isascii() else _quoted(name)
