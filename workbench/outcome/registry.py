"""The built-in outcomes by name, and how the entries of a study's file become values."""

import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.outcome.outcome import AnyOutcome

BUILT_IN: dict[str, str] = {
    "answers": "workbench.outcome.answers:Answers",
    "fluency": "workbench.outcome.fluency:Fluency",
    "capability": "workbench.outcome.items:Capability",
    "gsm8k": "workbench.outcome.items:Gsm8k",
    "question-answering": "workbench.outcome.items:QuestionAnswering",
    "statements": "workbench.outcome.statements:Statements",
    "minimal-pairs": "workbench.outcome.minimal_pairs:MinimalPairs",
    "perplexity": "workbench.outcome.perplexity:Perplexity",
    "harness": "workbench.outcome.harness:Harness",
    "off-target": "workbench.outcome.off_target:OffTarget",
    "off-target-statements": "workbench.outcome.off_target_statements:OffTargetStatements",
    "questionnaire": "workbench.outcome.questionnaire:Questionnaire",
    "patching": "workbench.outcome.patching:Patching",
}
"""Where the class of each built-in outcome is, so that naming one loads nothing; in the order of asking."""

DEFAULT = ("answers", "fluency", "capability", "off-target", "questionnaire", "patching")
"""What a study asks where its file does not say."""

Entry = str | dict[str, Any]
"""An outcome in a study's file: its name, or a table whose first key is its name."""


def name_of(entry: Entry) -> str:
    """The outcome that an entry names.

    Raises:
        ValueError: if there is no such outcome.

    Example:
        >>> name_of({"minimal-pairs": "agreement.jsonl", "n": 60})
        'minimal-pairs'
    """
    name = entry if isinstance(entry, str) else next(iter(entry), "")
    if name not in BUILT_IN:
        raise ValueError(f"outcomes are any of {', '.join(BUILT_IN)}, but {name!r} arrived")
    return name


def in_order(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Entries in the order in which outcomes are asked, each once.

    Raises:
        ValueError: as `name_of`.
    """
    unique = {str(entry): entry for entry in entries}
    order = list(BUILT_IN)
    return tuple(sorted(unique.values(), key=lambda entry: order.index(name_of(entry))))


def outcome_of(entry: Entry, settings: Mapping[str, Any]) -> "AnyOutcome":
    """The outcome that an entry names; its fields come from the entry, then from the study's settings by name.

    Raises:
        ValueError: if the entry gives a field that the outcome lacks, or lacks one that it needs.
    """
    name = name_of(entry)
    kind: Any = pkgutil.resolve_name(BUILT_IN[name])
    known = {each.name: each for each in fields(kind)}
    given: dict[str, Any] = {}
    if isinstance(entry, dict):
        (_, value), *others = entry.items()
        given = {kind.main: value} | dict(others)
        unknown = sorted(set(given) - set(known))
        if unknown or not kind.main:
            raise ValueError(f"The outcome {name} has entries {', '.join(known)}, but {unknown or [name]} arrived.")
    values = {each: given.get(each, settings.get(each, MISSING)) for each in known}
    lacking = [each for each, value in values.items() if value is MISSING and known[each].default is MISSING]
    if lacking:
        raise ValueError(f'The outcome {name} needs {lacking[0]}. Write e.g. {{ {name} = "{lacking[0]}" }}.')
    values = {each: tuple(v) if isinstance(v, list) else v for each, v in values.items() if v is not MISSING}
    return kind(**values)
