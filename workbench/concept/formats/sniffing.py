"""Which of the published formats a file or folder has."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from workbench.concept.entries import MistakeAtError, parts_of
from workbench.concept.formats import choices, item_key, model_written, persona_vectors, personalitybench, trait
from workbench.concept.formats.records import read_records, shown
from workbench.concept.reading import DESCRIPTIONS, ENDINGS, ROWS, SHEETS
from workbench.textfile import parsed_json, read_text

Reader = Callable[[Path, str | None], dict[str, Any]]
"""What makes a concept's entries of a path and, where it holds several, the name of one."""

READERS: dict[str, Reader] = {
    "persona_vectors": persona_vectors.entries_of,
    "model_written": model_written.entries_of,
    "choices": choices.entries_of,
    "personalitybench": personalitybench.entries_of,
    "trait": trait.entries_of,
    "item_key": item_key.entries_of,
}
"""The formats that others publish, by name."""

_KNOWN = (
    "trait files of persona_vectors, statements with answer_matching_behavior or pole, A/B questions, "
    "PersonalityBench, TRAIT and item keys"
)


def published_parts(path: Path, name: str | None, form: str | None) -> dict[str, Any]:
    """The fields of a `Concept` from a file or folder in a format that others publish.

    Args:
        name: which concept of a file that holds several; of another file, how the concept is called.
        form: the format, one of `READERS`; None finds it out.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the format is not known, or for the first thing that is not of it: the file, the row, the rule
            and what to do.
    """
    if form is not None and form not in READERS:
        raise ValueError(f"There is no format {form!r} of concepts. Choose one of {', '.join(READERS)}.")
    entries = READERS[form or format_of(path)](path, name)
    try:
        return parts_of(entries)
    except MistakeAtError as error:
        raise ValueError(f"{path.name}: read as a concept, {error}") from None


def format_of(path: Path) -> str:
    """The name of a file's or folder's format.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it has none that is known.
    """
    if path.is_dir():
        if (path / DESCRIPTIONS).is_file():
            return "personalitybench"
        raise ValueError(
            f"A folder that holds a concept has a file concept.toml, or {DESCRIPTIONS} as "
            f"PersonalityBench has, but {path.name} has neither. Give a file in it."
        )
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")
    kind = path.suffix.casefold()
    if kind in SHEETS:
        return "item_key"
    if kind not in ROWS:
        raise ValueError(f"A concept comes as {', '.join(ENDINGS)}, but {path.name} arrived.")
    if kind == ".json" and (found := _of_object(path)):
        return found
    return _of_rows(path, read_records(path)[0].cells)


def _of_object(path: Path) -> str | None:
    """The format of a JSON file that is one object: a trait file, though it may have a mistake."""
    text = read_text(path)
    if not text.lstrip().startswith("{") or "\n{" in text.strip():
        return None
    value = parsed_json(text, path.name)
    return "persona_vectors" if {*persona_vectors.KEYS, "eval_prompt"} & set(value) else None


def _of_rows(path: Path, first: Mapping[str, Any]) -> str:
    keys = {str(key) for key in first}
    folded = {key.strip().casefold() for key in keys}
    if any(key in keys for pair in trait.PAIRS for key in pair):
        return "trait"
    if "statement" in keys and keys & {model_written.MATCHING, model_written.POLE}:
        return "model_written"
    if model_written.MATCHING in keys:
        return "choices"
    if folded & {"sign", "keyed"}:
        return "item_key"
    if keys == {"question"} and (path.resolve().parents[1] / DESCRIPTIONS).is_file():
        return "personalitybench"
    raise ValueError(
        f"{path.name} is in no format that is known: {_KNOWN}. Its first row has {shown(sorted(keys)[:8])}. Write a "
        "TOML file, e.g. with `workbench concept new`."
    )
