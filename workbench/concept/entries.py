"""A concept's entries, as its file says them, checked and made into values."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from workbench.concept.lines import Place
from workbench.concept.texts import EXPLICIT, Personas, Statement, Text, Texts
from workbench.printable import one_line

PERSONAS, QUESTIONS, STATEMENTS = 4, 5, 5
"""The fewest personas of a pole, questions, and pairs of statements."""

BUILTIN = "builtin"
"""Instead of neutral personas: those of the package, which say nothing of any built-in concept."""

_NAME = re.compile(r"[^\W\d_][\w '’-]{0,39}")
_TAKEN = ("all", "unedited", "neutral")
_POLES = ("high", "low")
_KEYS: dict[str, tuple[str, ...]] = {
    "": ("name", "source", "license", "poles", "personas", "styles", "questions", "statements", "rubric"),
    "poles": (*_POLES, "desirable"),
    "personas": (*_POLES, "neutral", "held_out", "paired"),
    "held_out": (*_POLES, "neutral"),
    "style": (*_POLES, "held_out", "paired"),
    "questions": ("all", "search", "held_out"),
    "statements": _POLES,
    "rubric": _POLES,
    "text": ("text", "facet", "form"),
    "statement": ("text", "facet", "question"),
}


class MistakeAtError(ValueError):
    """A mistake in a concept's entries.

    Attributes:
        place: the keys and indices of the entry.
        sentence: what is wrong and what to do; `{other}` in it stands for where `other` is.
        other: another entry that it speaks of.
    """

    def __init__(self, place: Place, sentence: str, other: Place | None = None) -> None:
        self.place, self.sentence, self.other = place, sentence, other
        where = "" if other is None else dotted(other)
        super().__init__(f"{dotted(place) or 'the concept'}: {sentence.replace('{other}', where)}")


def dotted(place: Place) -> str:
    """A place as it is written, e.g. `personas.high[2]`, the first element being 1."""
    said = ""
    for part in place:
        said += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if said else str(part)
    return said


def parts_of(entries: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a `Concept`.

    Args:
        entries: as `tomllib` reads a concept's file.

    Raises:
        MistakeAtError: for the first mistake.
    """
    _require_keys(entries, "", ())
    texts = {name: _text(entries[name], (name,)) for name in ("name", "source", "license") if name in entries}
    if "name" not in texts:
        raise MistakeAtError(("name",), 'a concept needs a name. Add name = "…" at the top.')
    if not _NAME.fullmatch(texts["name"]) or texts["name"].casefold() in _TAKEN:
        raise MistakeAtError(
            ("name",),
            "a concept's name is 1 to 40 letters, digits, blanks, hyphens and underscores, begins with a letter and is "
            f"none of {', '.join(_TAKEN)}, but {one_line(texts['name'], most=60)!r} stands here. Change it.",
        )
    words = _both(entries, "poles", "the words for its two poles")
    desirable = entries["poles"].get("desirable", "")
    if desirable not in ("", *_POLES):
        raise MistakeAtError(
            ("poles", "desirable"),
            f"the desirable pole is high or low, but {_kind(desirable)} stands here. Or leave it out.",
        )
    if "personas" not in entries and "statements" not in entries:
        raise MistakeAtError((), "a concept needs a table [personas], from which its pairs are made. Add one.")
    if ("personas" in entries) != ("questions" in entries):
        lacking, given = ("questions", "personas") if "personas" in entries else ("personas", "questions")
        raise MistakeAtError((given,), f"[personas] and [questions] go together, but there is no [{lacking}]. Add it.")
    neutral: Texts | str = Texts()
    personas: list[Personas] = []
    if "personas" in entries:
        seen = _Seen("a persona")
        table = _table(entries["personas"], "personas", ("personas",))
        personas.append(_personas(table, ("personas",), EXPLICIT, seen))
        neutral = _neutral(table, seen)
        styles = _as_table(entries.get("styles", {}), ("styles",))
        for style, of_style in styles.items():
            place = ("styles", style)
            if style == EXPLICIT:
                raise MistakeAtError(place, f"the style {EXPLICIT} is that of [personas]. Give this one another name.")
            personas.append(_personas(_table(of_style, "style", place), place, style, seen))
    elif "styles" in entries:
        raise MistakeAtError(("styles",), "other styles stand beside [personas], but there is none. Add it.")
    rubric = _both(entries, "rubric", "what a 5 and what a 1 look like") if "rubric" in entries else None
    return {
        "name": texts["name"],
        "high": words[0],
        "low": words[1],
        "personas": tuple(personas),
        "neutral": neutral,
        "questions": _questions(entries) if "questions" in entries else Texts(),
        "statements": tuple(_statements(entries)) if "statements" in entries else (),
        "rubric": rubric,
        "desirable": desirable,
        "source": texts.get("source", ""),
        "license": texts.get("license", ""),
    }


@dataclass
class _Seen:
    """The texts of one kind that came before, by their words, each with its place."""

    what: str
    places: dict[str, Place] = field(default_factory=dict)

    def add(self, text: str, place: Place) -> None:
        other = self.places.setdefault(" ".join(text.casefold().split()), place)
        if other == place:
            return
        told = f"{self.what} stands once, but {one_line(text, most=60)!r} stands in {{other}} too"
        poles = {pole for each in (place, other) for pole in (*_POLES, "neutral") if pole in each}
        if len(poles) > 1:
            told = f"{self.what} is of one pole, but {one_line(text, most=60)!r} is {' and '.join(sorted(poles))}: it "
            told += "stands in {other} too"
        raise MistakeAtError(place, f"{told}. Keep one.", other)


def _require_keys(table: Mapping[str, Any], kind: str, place: Place) -> None:
    known = _KEYS[kind]
    for key in table:
        if key in known:
            continue
        near = get_close_matches(key, known, n=1, cutoff=0.6)
        what = f"no entry or table {key!r} in a concept" if not place else f"no entry {key!r} in {dotted(place)}"
        todo = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(known)}."
        raise MistakeAtError((*place, key), f"there is {what}. {todo}")


def _as_table(value: object, place: Place) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise MistakeAtError(
            place, f"a table is due, [{dotted(place)}] with entries below it, but {_kind(value)} stands here."
        )
    return value


def _table(value: object, kind: str, place: Place) -> Mapping[str, Any]:
    table = _as_table(value, place)
    _require_keys(table, kind, place)
    return table


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return f"the truth value {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text {one_line(value, most=40)!r}"
    return {list: "a list", dict: "a table"}.get(type(value), "a date or time")


def _text(value: object, place: Place) -> str:
    if not isinstance(value, str):
        raise MistakeAtError(place, f"a text is due, but {_kind(value)} stands here. Put a text in quotation marks.")
    if not value.strip():
        raise MistakeAtError(place, "a text is due, but it is empty. Write it or remove it.")
    return value.strip()


def _both(entries: Mapping[str, Any], name: str, what: str) -> tuple[str, str]:
    """The high and the low text of a table."""
    if name not in entries:
        raise MistakeAtError((), f"a concept needs a table [{name}] with high and low, {what}. Add it.")
    table = _table(entries[name], name, (name,))
    for pole in _POLES:
        if pole not in table:
            raise MistakeAtError((name,), f"[{name}] needs high and low, {what}, but it has no {pole}. Add it.")
    high, low = (_text(table[pole], (name, pole)) for pole in _POLES)
    if high.casefold() == low.casefold():
        raise MistakeAtError(
            (name, "low"), f"the two poles differ, but both are {one_line(high, most=60)!r}. Change one."
        )
    return high, low


def _rows(value: object, place: Place, seen: _Seen, kind: str = "text") -> list[Text]:
    """A list of texts, each alone or in a table with its facet and form, or a statement's question."""
    if not isinstance(value, list | tuple):
        raise MistakeAtError(place, f'a list of texts is due, ["…", "…"], but {_kind(value)} stands here.')
    rows = []
    for number, each in enumerate(value):
        here = (*place, number)
        if isinstance(each, Mapping):
            table = _table(each, kind, here)
            if "text" not in table:
                raise MistakeAtError(here, "a text in a table needs an entry text. Add it.")
            row = Text(**{key: _text(of_key, (*here, key)) for key, of_key in table.items()})
        else:
            row = Text(_text(each, here))
        seen.add(f"{row.question} {row.text}".strip(), here)
        rows.append(row)
    return rows


def _require_count(rows: list[Text], least: int, place: Place, what: str) -> None:
    if len(rows) < least:
        raise MistakeAtError(
            place, f"{what} needs {least} or more, but {dotted(place)} has {len(rows)}. Add {least - len(rows)}."
        )


def _personas(table: Mapping[str, Any], place: Place, style: str, seen: _Seen) -> Personas:
    paired = table.get("paired", False)
    if not isinstance(paired, bool):
        raise MistakeAtError((*place, "paired"), f"paired is true or false, but {_kind(paired)} stands here.")
    out = _table(table.get("held_out", {}), "held_out" if place == ("personas",) else "rubric", (*place, "held_out"))
    poles: dict[str, Texts] = {}
    for pole in _POLES:
        here = (*place, pole)
        if pole not in table:
            raise MistakeAtError(
                place, f"{dotted(place)} needs personas of both poles, but it has no {pole}. Add them."
            )
        rows = _rows(table[pole], here, seen)
        if "held_out" not in table:
            _require_count(rows, PERSONAS, here, "a pole")
            poles[pole] = Texts.divided(rows)
            continue
        there = (*place, "held_out")
        if pole not in out:
            raise MistakeAtError(there, f"personas of both poles are held out, but {pole} is not there. Add some.")
        held = _rows(out[pole], (*there, pole), seen)
        _require_count(held, 1, (*there, pole), "the held-out part of a pole")
        _require_count(rows, PERSONAS - 1, here, "the searched part of a pole")
        poles[pole] = Texts.given(rows, held)
    if paired and (poles["high"].held != poles["low"].held):
        raise MistakeAtError(
            (*place, "paired"),
            f"paired personas are as many and of the same facets in both poles, but high has {len(poles['high'])} and "
            f"low {len(poles['low'])}. Write paired = false, or pair them.",
        )
    return Personas(poles["high"], poles["low"], style, paired)


def _neutral(table: Mapping[str, Any], seen: _Seen) -> Texts | str:
    here, held = ("personas", "neutral"), ("personas", "held_out", "neutral")
    out = table.get("held_out", {})
    if "neutral" not in table:
        if "neutral" in out:
            raise MistakeAtError(held, "neutral personas are held out, but there are no others. Add personas.neutral.")
        return Texts()
    if table["neutral"] == BUILTIN:
        return BUILTIN
    rows = _rows(table["neutral"], here, seen)
    if "neutral" in out:
        of_part = _rows(out["neutral"], held, seen)
        _require_count(of_part, 1, held, "the held-out part")
        _require_count(rows, PERSONAS - 1, here, "the searched part of the neutral personas")
        return Texts.given(rows, of_part)
    _require_count(rows, PERSONAS, here, "neutral")
    return Texts.divided(rows)


def _questions(entries: Mapping[str, Any]) -> Texts:
    table = _table(entries["questions"], "questions", ("questions",))
    seen = _Seen("a question")
    if "all" in table:
        for other in ("search", "held_out"):
            if other in table:
                raise MistakeAtError(
                    ("questions", other),
                    "questions come as all, or as search and held_out, but both are here. Keep one way.",
                )
        rows = _rows(table["all"], ("questions", "all"), seen)
        _require_count(rows, QUESTIONS, ("questions", "all"), "a concept's questions")
        return Texts.divided(rows, by_kind=False)
    parts = []
    for name, least in (("search", QUESTIONS - 2), ("held_out", 2)):
        if name not in table:
            raise MistakeAtError(
                ("questions",), f"questions come as all, or as search and held_out, but {name} is lacking."
            )
        rows = _rows(table[name], ("questions", name), seen)
        _require_count(rows, least, ("questions", name), f"the {name.replace('_', '-')} part of the questions")
        parts.append(rows)
    return Texts.given(*parts)


def _statements(entries: Mapping[str, Any]) -> Iterator[Statement]:
    table = _table(entries["statements"], "statements", ("statements",))
    seen = _Seen("a statement")
    poles: dict[str, list[Text]] = {}
    for pole in _POLES:
        if pole not in table:
            raise MistakeAtError(("statements",), f"[statements] needs high and low, but it has no {pole}. Add them.")
        poles[pole] = _rows(table[pole], ("statements", pole), seen, "statement")
    more, fewer = sorted(_POLES, key=lambda pole: -len(poles[pole]))
    if len(poles[more]) > len(poles[fewer]):
        raise MistakeAtError(
            ("statements", more, len(poles[fewer])),
            f"the i-th high and the i-th low statement are a pair, but {more} has {len(poles[more])} and {fewer} "
            f"{len(poles[fewer])}: this one has no partner. Add it or remove this one.",
        )
    for pole in _POLES:
        _require_count(poles[pole], STATEMENTS, ("statements", pole), "a pole's statements")
    for number, (high, low) in enumerate(zip(poles["high"], poles["low"], strict=True)):
        if low.facet not in ("", high.facet):
            raise MistakeAtError(
                ("statements", "low", number),
                f"two statements of a pair are of one facet, but these are of {high.facet!r} and {low.facet!r}.",
                ("statements", "high", number),
            )
        if low.question not in ("", high.question):
            raise MistakeAtError(
                ("statements", "low", number),
                "two statements of a pair answer one question, but these have two: the other's stands in {other}.",
                ("statements", "high", number),
            )
        yield Statement(high.text, low.text, high.facet, high.question)
