"""What a folder of data holds, by the names that files have where they are published."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench.replicate.protocol import Protocol

KINDS: dict[str, tuple[str, ...]] = {
    "personalitybench": ("personalitybench", ""),
    "ipip": ("ipip_neo", "ipip", "PAPI", ""),
    "gsm8k": ("gsm8k.jsonl", "gsm8k.json", "gsm8k_test.jsonl", "gsm8k_test.json"),
    "hotpotqa": ("hotpot_qa.jsonl", "hotpot_qa.json", "hotpotqa.jsonl", "hotpotqa.json", "hotpotqa_validation.json"),
    "triviaqa": ("trivia_qa.jsonl", "trivia_qa.json", "triviaqa.jsonl", "triviaqa.json", "triviaqa_validation.json"),
    "npti sets": ("npti_neurons", "npti_neuron_results", "neuron_results", ""),
    "caa": ("caa", "datasets", ""),
}
"""The names under which each kind is looked for, first come first; an empty name is the folder itself."""

_WITHIN = ("", "capability", "general_capability")
"""Folders in which the files of tasks may be."""

_MARKS: dict[str, tuple[str, ...]] = {
    "personalitybench": ("description.json", "test"),
    "ipip": ("IPIP-NEO-ItemKey.xls", "IPIP-NEO-ItemKey.xlsx", "IPIP-NEO-ItemKey.csv"),
    "npti sets": ("*_reversed_dict.json",),
    "caa": ("generate/*/generate_dataset.json",),
}
"""What a folder of a kind must hold: all of PersonalityBench's, any of the others'."""


@dataclass(frozen=True)
class Found:
    """What was found in a folder of data.

    Attributes:
        folder: where it was looked for.
        paths: by kind, the file or folder, for those that are there.
    """

    folder: Path
    paths: Mapping[str, Path]

    def lacking(self, kind: str) -> str:
        """What a step says whose data are not there."""
        names = " or ".join(name for name in KINDS[kind] if name)
        joint = " and " if kind == "personalitybench" else " or "
        holding = f" with {joint.join(_MARKS[kind])}" if kind in _MARKS else ""
        return f"there is no {names}{holding} in {self.folder}"

    def ipip_key(self) -> Path:
        """The item key of the questionnaire."""
        return next(path for name in _MARKS["ipip"] if (path := self.paths["ipip"] / name).is_file())


def find_data(folder: str | Path) -> Found:
    """What a folder holds of the data that papers ran on.

    A PersonalityBench folder (`description.json`, `test` and perhaps `search`), a folder of the IPIP's item key and
    PAPI's files, GSM8K, HotpotQA and TriviaQA as JSON or JSON lines, beside the others or in `capability`, NPTI's sets
    and CAA's `generate` and `test`; `KINDS` has the names.

    Raises:
        NotADirectoryError: if there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise NotADirectoryError(f"--data is a folder, but {folder} is none.")
    paths = {}
    for kind, names in KINDS.items():
        for name in names:
            places = [folder / name] if kind in _MARKS else [folder / within / name for within in _WITHIN]
            here = next((place for place in places if _is(kind, place)), None)
            if here is not None:
                paths[kind] = here
                break
    return Found(folder, paths)


def missing(protocol: Protocol, found: Found, *, judged: bool) -> dict[str, str]:
    """By step that cannot run, what it lacks.

    Args:
        judged: whether there is a judge.
    """
    why: dict[str, list[str]] = {}
    for step in protocol.steps:
        for need in step.needs:
            if need in found.paths or (need == "judge" and judged):
                continue
            lacks = found.lacking(need) if need in KINDS else f"needs {need}"
            why.setdefault(step.name, []).append("no judge was given" if need == "judge" else lacks)
    return {name: "; ".join(lacks) for name, lacks in why.items()}


def _is(kind: str, path: Path) -> bool:
    if kind not in _MARKS:
        return path.is_file()
    marks = [any(path.glob(mark)) for mark in _MARKS[kind]] if path.is_dir() else [False]
    return all(marks) if kind == "personalitybench" else any(marks)
