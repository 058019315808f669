"""The built-in stressors by name, and how the entries of a study's file become values."""

import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.study.stressing.stressor import Stressor

_HERE = "workbench.study.stressing"
BUILT_IN: dict[str, str] = {
    "paraphrase": f"{_HERE}.paraphrase:Paraphrase",
    "system": f"{_HERE}.system:System",
    "template": f"{_HERE}.template:Template",
    "typing": f"{_HERE}.mistyping:Typing",
    "conversation": f"{_HERE}.conversation:Conversation",
    "language": f"{_HERE}.language:Language",
    "pairs": f"{_HERE}.pairs:Pairs",
    "seeds": f"{_HERE}.seeds:Seeds",
    "halves": f"{_HERE}.halves:Halves",
}
"""Where the class of each built-in stressor is, so that naming one loads nothing; in the order of tables."""

EVERY = "all"
"""The word for all of them."""

Entry = str | dict[str, Any]
"""A stressor in a study's file: its name, or a table whose first key is its name."""


def name_of(entry: Entry) -> str:
    """The stressor that an entry names.

    Raises:
        ValueError: if there is no such stressor.

    Example:
        >>> name_of({"pairs": [10, 30]})
        'pairs'
    """
    name = entry if isinstance(entry, str) else next(iter(entry), "")
    if name not in BUILT_IN:
        raise ValueError(f"stress is {EVERY!r} or any of {', '.join(BUILT_IN)}, but {name!r} arrived")
    return name


def in_order(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Entries in the order of tables, each stressor once; `all` stands for those that no other entry names.

    Raises:
        ValueError: as `name_of`, or if two entries name one stressor.

    Example:
        >>> in_order([{"pairs": [10]}, "system"])
        ('system', {'pairs': [10]})
    """
    given = list(entries)
    by_name: dict[str, Entry] = {}
    for entry in given:
        if entry == EVERY:
            continue
        name = name_of(entry)
        if by_name.setdefault(name, entry) != entry:
            raise ValueError(f"stress names a stressor once, but {name} is there as {by_name[name]} and as {entry}")
    if EVERY in given:
        by_name = {**{name: name for name in BUILT_IN}, **by_name}
    return tuple(by_name[name] for name in BUILT_IN if name in by_name)


def stressor_of(entry: Entry, settings: Mapping[str, Any]) -> "Stressor":
    """The stressor that an entry names; its fields come from the entry, then from the study's settings by name.

    Raises:
        ValueError: if the entry gives a field that the stressor lacks, or a value that it cannot have.
    """
    name = name_of(entry)
    kind: Any = pkgutil.resolve_name(BUILT_IN[name])
    known = [each.name for each in fields(kind)]
    given: dict[str, Any] = {}
    if isinstance(entry, dict):
        (_, value), *others = entry.items()
        given = {kind.main: value} | dict(others)
        unknown = sorted(set(given) - set(known))
        if unknown:
            listed = ", ".join(known) or "none"
            raise ValueError(f"The stressor {name} has entries {listed}, but {unknown} arrived. Correct the entry.")
    values = {each: settings[each] for each in known if each in settings and each != kind.main} | given
    return kind(**{each: tuple(value) if isinstance(value, list) else value for each, value in values.items()})
