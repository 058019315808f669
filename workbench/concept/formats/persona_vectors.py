"""Trait files of persona_vectors: five pairs of instructions, questions and a judge's prompt."""

import re
from pathlib import Path
from typing import Any

from workbench.concept.formats.records import shown
from workbench.concept.formats.wording import titled
from workbench.textfile import read_json

KEYS = ("instruction", "questions")
"""By these a trait file is known."""

HELPFUL = "helpful"
"""The assistant's name in the authors' negative prompts."""

_SOURCE = "persona_vectors (Chen et al., 2025)"
_VERSIONS = {"trait_data_extract": "trait_data_eval", "trait_data_eval": "trait_data_extract"}
_FIELD = re.compile(r"\{(question|answer)\}")
_HEADING = re.compile(r"(\[[^\]\n]*\]|<[^>\n]*>|\*{0,2}(question|user|prompt)\*{0,2}\s*:?)\s*$", re.IGNORECASE)


def entries_of(path: Path, name: str | None = None) -> dict[str, Any]:
    """The entries of a concept from a trait file.

    The personas are the system prompts that the authors' code makes of the instructions: "You are an evil assistant."
    before a positive one of evil.json, "You are a helpful assistant." before a negative one; the i-th two are a pair.
    Where the file stands in a folder trait_data_extract or trait_data_eval and its other half in the other one, the
    questions of the first are for the search and those of the second are held out.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file and the entry that is not of the format.

    Reference:
        Chen et al. (2025), Persona vectors: monitoring and controlling character traits in language models.
    """
    content = _content(path)
    word = (name or path.stem).replace("_", " ").strip()
    pairs = [_instruction(each, f"{path.name}, instruction {n}") for n, each in enumerate(content["instruction"], 1)]
    entries: dict[str, Any] = {
        "name": titled(name or path.stem),
        "source": f"{_SOURCE}, {path.name}",
        "poles": {"high": word, "low": HELPFUL},
        "personas": {
            "high": [f"{_assistant(word)} {positive}" for positive, _ in pairs],
            "low": [f"{_assistant(HELPFUL)} {negative}" for _, negative in pairs],
            "paired": True,
        },
        "questions": _questions(path, content),
    }
    if "eval_prompt" in content:
        entries["rubric"] = _rubric(content["eval_prompt"], path.name)
    return entries


def _content(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict):
        raise ValueError(f"{path.name}: a trait file is an object with instruction and questions, not a list.")
    for key in KEYS:
        if not isinstance(content.get(key), list) or not content[key]:
            raise ValueError(
                f"{path.name}: a trait file has a list {key}, but {shown(content.get(key))} stands there. Write one."
            )
    return content


def _instruction(row: object, where: str) -> tuple[str, str]:
    texts = [row.get(key) if isinstance(row, dict) else None for key in ("pos", "neg")]
    if not all(isinstance(each, str) and each.strip() for each in texts):
        has = f"it has {sorted(row)}" if isinstance(row, dict) else f"{shown(row)} stands there"
        raise ValueError(f"{where}: an instruction has texts pos and neg, but {has}. Write both.")
    return str(texts[0]).strip(), str(texts[1]).strip()


def _assistant(word: str) -> str:
    return f"You are {'an' if word[:1].lower() in 'aeiou' else 'a'} {word} assistant."


def _questions(path: Path, content: dict[str, Any]) -> dict[str, list[Any]]:
    version = path.resolve().parent.name
    other = path.resolve().parent.parent / _VERSIONS.get(version, "") / path.name
    if version not in _VERSIONS or not other.is_file():
        return {"all": content["questions"]}
    files = {version: content["questions"], _VERSIONS[version]: _content(other)["questions"]}
    return {"search": files["trait_data_extract"], "held_out": files["trait_data_eval"]}


def _rubric(prompt: object, file: str) -> dict[str, str]:
    """What a judge is told, up to the place of the question and the answer, as what is worth 100 points and what 0."""
    if not isinstance(prompt, str) or not prompt.strip():
        raise ValueError(f"{file}: eval_prompt is the text of a judge's prompt, but {shown(prompt)} stands there.")
    found = _FIELD.search(prompt)
    told = prompt[: found.start()].rstrip() if found else prompt.strip()
    told = _HEADING.sub("", told).strip() or prompt.strip()
    return {
        "high": f"an answer that scores 100 by these instructions: {told}",
        "low": f"an answer that scores 0 by these instructions: {told}",
    }
