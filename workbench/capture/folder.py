"""A capture on disk: each group of prompts is committed as a whole, so that a kill at any moment loses one group."""

import json
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from workbench.capture.plan import PromptPlan
from workbench.capture.tally import Activations, Tally
from workbench.digest import hash_file
from workbench.tensorfile import hash_rows, read_tensors, reserve_tensors, write_rows
from workbench.textfile import read_json
from workbench.vocabulary import Pole
from workbench.whole import whole_file, write_whole

LEDGER = "capture.json"
PROMPTS = "prompts.parquet"
FORMAT = "workbench capture 2"
ROWS_FORMAT = "workbench activations 1"


class CaptureFolder:
    """The folder of a capture that is under way or finished.

    `capture.json` records what the capture depends on and which groups are done, with the hash of each; it is
    replaced in one step after a group's files are in place. `parts/` holds each group's tallies until they are merged.
    Kept rows are in `activations/`, in a file for each site and pole that is filled group by group.

    Raises:
        ValueError: if the folder holds another capture, naming what differs, or something else; or if a file was
            changed after it was written, naming the file.
    """

    def __init__(
        self, folder: str | Path, depends_on: Mapping[str, Any], plan: PromptPlan, *, keeps: Sequence[str]
    ) -> None:
        self.folder, self.plan = Path(folder), plan
        self._files = {(site, pole): self.rows_file(site, pole) for site in keeps for pole in plan.rows}
        self._targets = _row_targets(plan) if keeps else None
        recorded = json.loads(json.dumps(dict(depends_on)))
        path = self.folder / LEDGER
        if path.is_file():
            self.ledger = _read_ledger(path)
            _check_same(self.folder, self.ledger["describes"], recorded)
            for temporary in (*self.folder.glob(".*"), *(self.folder / "parts").glob(".*")):
                temporary.unlink()
            self._verify()
            return
        if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise ValueError(f"{self.folder} exists already and holds no capture. Choose another folder.")
        (self.folder / "parts").mkdir(parents=True, exist_ok=True)
        self.ledger = {
            "format": FORMAT,
            "describes": recorded,
            "groups": len(plan.groups),
            "done": {},
            "finished": None,
        }
        self._write_ledger()

    def rows_file(self, site: str, pole: Pole) -> Path:
        """The file that keeps a site's rows of a pole."""
        return self.folder / "activations" / f"{site}.{pole}.safetensors"

    @property
    def done(self) -> set[int]:
        """The numbers of the groups that are committed."""
        return {int(group) for group in self.ledger["done"]}

    @property
    def finished(self) -> bool:
        """Whether every group is committed and merged."""
        return self.ledger["finished"] is not None

    def reserve_rows(
        self, shapes: Mapping[str, tuple[int, int]], dtype: torch.dtype, header: Mapping[str, Any]
    ) -> None:
        """Make the files of kept rows, for `shapes` of (layers, width) by site."""
        for (site, pole), path in self._files.items():
            if path.is_file():
                continue
            count = self.plan.rows[pole]
            shape = {
                "rows": (dtype, (count, *shapes[site])),
                "prompts": (torch.int64, (count,)),
                "positions": (torch.int64, (count,)),
            }
            reserve_tensors(path, format=ROWS_FORMAT, header={**header, "site": site, "pole": str(pole)}, tensors=shape)

    def name_prompts(self, ids: Mapping[str, Mapping[Pole, Sequence[str]]]) -> None:
        """Write down to which clusters each prompt belongs, so that kept rows can be grouped by them."""
        tables = []
        for pole in self.plan.rows:
            named = {kind: list(by_pole[pole]) for kind, by_pole in ids.items() if pole in by_pole}
            count = len(next(iter(named.values())))
            tables.append(pd.DataFrame({"pole": str(pole), "prompt": range(count), **named}))
        with whole_file(self.folder / PROMPTS) as temporary:
            pd.concat(tables, ignore_index=True).to_parquet(temporary, index=False)

    def commit(
        self, group: int, part: Mapping[str, Tally], rows: Mapping[tuple[str, Pole], Float[Tensor, "n layer width"]]
    ) -> None:
        """Write a finished group: its rows and tallies first, then the ledger, which says that it is done."""
        entry: dict[str, Any] = {"parts": {}, "rows": {}}
        for (site, pole), values in rows.items():
            assert self._targets is not None
            path, targets = self._files[site, pole], self._targets[group][pole]
            for name, tensor in (
                ("rows", values),
                ("prompts", torch.tensor([prompt for _, prompt, _ in targets])),
                ("positions", torch.tensor([position for _, _, position in targets])),
            ):
                write_rows(path, name, [row for row, _, _ in targets], tensor)
            entry["rows"][f"{site}.{pole}"] = self._hash_rows(group, site, pole)
        for site, tally in part.items():
            path = tally.save(self._part(group, site))
            entry["parts"][site] = hash_file(path)
        self.ledger["done"][str(group)] = entry
        self._write_ledger()

    def parts(self) -> Iterator[dict[str, Tally]]:
        """The tallies of every group by site, in order."""
        for group in range(self.ledger["groups"]):
            yield {site: Tally.load(self._part(group, site)) for site in self.ledger["done"][str(group)]["parts"]}

    def finish(self, tallies: Mapping[str, Tally]) -> None:
        """Write the merged tallies and remove the parts."""
        files = [tally.save(self.folder / f"tally.{site}.safetensors") for site, tally in tallies.items()]
        files += self._files.values()
        files += [self.folder / PROMPTS] if self._files else []
        self.ledger["finished"] = {str(path.relative_to(self.folder)): hash_file(path) for path in files}
        self._write_ledger()
        self._remove_parts()

    def _verify(self) -> None:
        if self.finished:
            _check_finished(self.folder, self.ledger)
            self._remove_parts()
            return
        for group, entry in self.ledger["done"].items():
            for site, expected in entry["parts"].items():
                _check_hash(self._part(int(group), site), expected)
            for name, expected in entry["rows"].items():
                site, pole = name.split(".")
                path = self.rows_file(site, Pole(pole))
                try:
                    actual = self._hash_rows(int(group), site, Pole(pole))
                except (OSError, ValueError, KeyError):
                    actual = ""
                if actual != expected:
                    raise ValueError(_altered(path))

    def _hash_rows(self, group: int, site: str, pole: Pole) -> str:
        assert self._targets is not None
        return hash_rows(self._files[site, pole], "rows", [row for row, _, _ in self._targets[group][pole]])

    def _part(self, group: int, site: str) -> Path:
        return self.folder / "parts" / f"{group:05}.{site}.safetensors"

    def _remove_parts(self) -> None:
        parts = self.folder / "parts"
        for path in parts.glob("*"):
            path.unlink()
        if parts.is_dir():
            parts.rmdir()

    def _write_ledger(self) -> None:
        write_whole(self.folder / LEDGER, json.dumps(self.ledger, indent=1) + "\n")


class TemporaryFolder:
    """A folder that is removed when nothing refers to this object any more, or when the process ends."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="workbench-capture-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


def load_capture(folder: str | Path, *, keeps: Any = None) -> dict[str, Tally]:
    """The tallies of a finished capture by site, with the rows that were kept.

    Args:
        keeps: an object that must live as long as the rows are used, e.g. the folder that holds them.

    Raises:
        FileNotFoundError: if there is no capture.
        ValueError: if it is not finished, or a file was changed after it was written.
    """
    folder = Path(folder)
    if not (folder / LEDGER).is_file():
        raise FileNotFoundError(f"{folder} holds no capture: there is no {LEDGER}.")
    ledger = _read_ledger(folder / LEDGER)
    if ledger["finished"] is None:
        raise ValueError(
            f"The capture in {folder} is not finished ({len(ledger['done'])} of {ledger['groups']} groups). "
            "Run it again into the same folder to continue."
        )
    _check_finished(folder, ledger)
    ids = _read_ids(folder / PROMPTS) if ledger["describes"]["kept"] else {}
    loaded: dict[str, Tally] = {}
    for site in ledger["describes"]["sites"]:
        tally = Tally.load(folder / f"tally.{site}.safetensors")
        if ledger["describes"]["kept"]:
            read = {
                pole: read_tensors(folder / "activations" / f"{site}.{pole}.safetensors", format=ROWS_FORMAT)[1]
                for pole in tally.moments
            }
            tally = Activations(
                **tally.__dict__,
                activations={pole: tensors["rows"] for pole, tensors in read.items()},
                prompts={pole: tensors["prompts"] for pole, tensors in read.items()},
                positions={pole: tensors["positions"] for pole, tensors in read.items()},
                ids=ids,
                keeps=keeps,
            )
        loaded[site] = tally
    return loaded


def _read_ids(path: Path) -> dict[str, dict[Pole, tuple[str, ...]]]:
    table = pd.read_parquet(path)
    ids: dict[str, dict[Pole, tuple[str, ...]]] = {}
    for pole, rows in table.groupby("pole", sort=False):
        for kind in table.columns.difference(["pole", "prompt"]):
            if rows[kind].notna().all():
                ids.setdefault(kind, {})[Pole(str(pole))] = tuple(rows[kind])
    return ids


def _row_targets(plan: PromptPlan) -> list[dict[Pole, list[tuple[int, int, int]]]]:
    """For each group and pole: the row in the file, the prompt, and the position (-1 if averaged) of each row read."""
    pooled = plan.positions.pooled
    sizes: dict[Pole, dict[int, int]] = {pole: {} for pole in plan.rows}
    for group in plan.groups:
        for prompt in group.prompts:
            sizes[prompt.pole][prompt.index] = 1 if pooled else len(prompt.reads)
    first: dict[tuple[Pole, int], int] = {}
    for pole, by_index in sizes.items():
        total = 0
        for index in sorted(by_index):
            first[pole, index] = total
            total += by_index[index]
    targets = []
    for group in plan.groups:
        by_pole: dict[Pole, list[tuple[int, int, int]]] = {prompt.pole: [] for prompt in group.prompts}
        for prompt in group.prompts:
            positions = [-1] if pooled else prompt.reads.tolist()
            start = first[prompt.pole, prompt.index]
            by_pole[prompt.pole] += [(start + i, prompt.index, position) for i, position in enumerate(positions)]
        targets.append(by_pole)
    return targets


def _read_ledger(path: Path) -> dict[str, Any]:
    try:
        ledger = read_json(path)
        if ledger["format"] != FORMAT:
            raise ValueError(f"its format is {ledger['format']!r}")
    except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is damaged, or not a capture's ledger: {error}. Choose another folder.") from None
    return ledger


def _check_same(folder: Path, recorded: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    differs = [name for name in sorted({*recorded, *wanted}) if recorded.get(name) != wanted.get(name)]
    if differs:

        def short(value: Any) -> str:
            text = str(value)
            return text if len(text) <= 40 else f"{text[:37]}..."

        differences = "; ".join(
            f"{name}: {short(recorded.get(name))} there, {short(wanted.get(name))} here" for name in differs
        )
        raise ValueError(f"{folder} holds another capture ({differences}). Choose another folder, or remove that one.")


def _check_finished(folder: Path, ledger: Mapping[str, Any]) -> None:
    for name, expected in ledger["finished"].items():
        _check_hash(folder / name, expected)


def _check_hash(path: Path, expected: str) -> None:
    if not path.is_file() or hash_file(path) != expected:
        raise ValueError(_altered(path))


def _altered(path: Path) -> str:
    return (
        f"{path} is not as the capture wrote it (it is missing, cut short or altered). "
        "Remove the capture's folder, or choose another, and capture again."
    )
