"""NPTI's neuron sets: `{Trait}_dict.json` holds a trait's high pole, `{Trait}_reversed_dict.json` its low pole."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.capture.tally import Tally
from workbench.edit.edit import AnyEdit, Composite
from workbench.edit.npti import COLUMNS, npti_from_values, npti_values
from workbench.export.fitting import check_shape
from workbench.export.naming import file_part
from workbench.model.model import Model
from workbench.textfile import read_json
from workbench.vocabulary import ACT, HOOK_POST, NeuronSet, Pole, big_five, sign_of
from workbench.whole import write_whole

_SUFFIXES = {"_reversed_dict.json": Pole.LOW, "_dict.json": Pole.HIGH}
_ENDINGS = {pole: suffix for suffix, pole in _SUFFIXES.items()}
MOST_BYTES = 1 << 28
"""The largest file that is read; the published ones have 4 MB."""


def read_npti(path: str | Path) -> NeuronSet:
    """The neurons of one of NPTI's files: `{"layer": [[layer, neuron, delta, P, q95], ...]}`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is not as the format says, naming the entry.

    Reference:
        Deng et al. (2025), Neuron-based Personality Trait Induction in Large Language Models.
    """
    return NeuronSet.of((row[0], row[1]) for row in _entries(Path(path)))


def read_npti_values(path: str | Path) -> pd.DataFrame:
    """The neurons of one of NPTI's files with their values, in the file's order.

    Returns:
        columns `layer, neuron, delta, probability, q95`; see `npti_values`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is not as the format says, naming the entry.
    """
    path = Path(path)
    rows = _entries(path)
    for row in rows:
        numbers = row[2:]
        if len(numbers) != 3 or not all(_is_number(value) for value in numbers):
            raise ValueError(f"{path.name}: an entry is [layer, neuron, delta, P, q95], but {row!r} arrived.")
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype(dict.fromkeys(COLUMNS[:2], "int64") | dict.fromkeys(COLUMNS[2:], "float64"))


def write_npti(path: str | Path, values: pd.DataFrame) -> Path:
    """Write the values of a pole's neurons as one of NPTI's files, the neurons of a layer by falling delta.

    Args:
        values: columns `layer, neuron, delta, probability, q95`, as `npti_values` gives them.

    Raises:
        ValueError: if a column is missing, or a value is not finite.
    """
    missing = sorted(set(COLUMNS) - set(values))
    if missing:
        raise ValueError(f"NPTI's file needs columns {', '.join(COLUMNS)}, but {missing} are missing.")
    table = values[list(COLUMNS)].sort_values(["layer", "delta", "neuron"], ascending=[True, False, True])
    content: dict[str, list] = {}
    for layer, neuron, *numbers in table.itertuples(index=False):
        if not all(map(math.isfinite, numbers)):
            raise ValueError(f"NPTI's values are finite, but neuron {neuron} of layer {layer} has {numbers}.")
        content.setdefault(str(layer), []).append([int(layer), int(neuron), *map(float, numbers)])
    return write_whole(path, json.dumps(content, indent=1) + "\n")


def write_npti_edit(model: Model, edit: AnyEdit, folder: str | Path, *, tally: Tally) -> dict[str, Path]:
    """Write the neurons of an edit, by pole, as NPTI's two files, with the values that a capture gives them.

    NPTI's edit has the neurons of one pole to drive and those of the other to silence. Any other edit of MLP neurons is
    split into those that it raises to increase the trait, the High ones, and the Low ones. Only which neurons they are
    is written: NPTI's code edits them in its own way.

    Args:
        tally: a capture at `hook_pre` with `positive=True` and `sample=`, as an edit does not keep delta, P and q95.

    Raises:
        ValueError: if the edit is of no neurons, or the capture lacks what is needed.
    """
    poles = _poles(edit)
    name = file_part(edit.trait, what="trait")
    activation = model.activation_function(0)
    values = {pole: npti_values(tally, neurons, pole=pole, activation=activation) for pole, neurons in poles.items()}
    return {str(pole): write_npti(Path(folder) / f"{name}{_ENDINGS[pole]}", frame) for pole, frame in values.items()}


def read_npti_edit(
    folder: str | Path,
    *,
    model: Model,
    trait: str | None = None,
    direction: str = "increase",
    gamma: float = 1.4,
) -> Composite:
    """NPTI's edit from the two files of a trait in a folder.

    Args:
        model: the files must fit its width and layers.
        trait: needed where the folder holds several.
        direction: `increase` drives the high pole's neurons and silences the low pole's.

    Raises:
        FileNotFoundError: if the folder holds no such files, or one of the two.
        ValueError: if a file is not as the format says, or is for another model, with both values.
    """
    folder = Path(folder)
    sign = sign_of(direction)
    low = _ENDINGS[Pole.LOW]
    traits = sorted(path.name.removesuffix(low) for path in folder.glob(f"*{low}"))
    if trait is None and len(traits) != 1:
        raise ValueError(f"{folder.name} holds {len(traits)} traits. Choose one with trait=: {', '.join(traits)}.")
    name = file_part(traits[0] if trait is None else trait, what="trait")
    frames = {pole: read_npti_values(folder / f"{name}{ending}") for pole, ending in _ENDINGS.items()}
    reached = {int(layer) for frame in frames.values() for layer in frame["layer"]}
    most = max((int(frame["neuron"].max()) for frame in frames.values() if len(frame)), default=0)
    check_shape(model, f"{folder.name} ({name})", site=HOOK_POST, width=model.d_mlp, layers=reached)
    if most >= model.d_mlp:
        raise ValueError(
            f"{folder.name} ({name}) has neuron {most}, but {model.name} has neurons 0 to {model.d_mlp - 1}."
        )
    driven, silenced = (Pole.HIGH, Pole.LOW) if sign > 0 else (Pole.LOW, Pole.HIGH)
    return npti_from_values(
        frames[driven],
        frames[silenced],
        trait=name,
        width=model.d_mlp,
        direction=direction,
        gamma=gamma,
        provenance={"source": folder.name, "format": "npti", "rule": "npti"},
    )


def read_npti_folder(folder: str | Path) -> dict[tuple[str, str], NeuronSet]:
    """Every neuron set in a folder, by trait and pole.

    Raises:
        FileNotFoundError: if the folder holds none.
    """
    sets = {}
    for path in sorted(Path(folder).glob("*_dict.json")):
        suffix = next(suffix for suffix in _SUFFIXES if path.name.endswith(suffix))
        sets[big_five(path.name.removesuffix(suffix)), str(_SUFFIXES[suffix])] = read_npti(path)
    if not sets:
        raise FileNotFoundError(f"{folder} holds no NPTI sets: there is no file *_dict.json.")
    return sets


def _poles(edit: AnyEdit) -> Mapping[Pole, NeuronSet]:
    """An edit's neurons by pole."""
    sign = sign_of(edit.direction)
    driven, silenced = (Pole.HIGH, Pole.LOW) if sign > 0 else (Pole.LOW, Pole.HIGH)
    parts = edit.parts
    if [(part.site, part.operation) for part in parts] == [(ACT.name, "cap"), (ACT.name, "add")]:
        return {driven: parts[1].neurons, silenced: parts[0].neurons}
    if len(parts) != 1 or parts[0].site != HOOK_POST.name or parts[0].operation != "add":
        raise ValueError(
            f"NPTI's files hold MLP neurons by pole: NPTI's edit or one at hook_post, but {edit!r} arrived."
        )
    (part,) = parts
    raised = sign * part.value > 0
    return {
        pole: NeuronSet(part.layer[chosen], part.unit[chosen])
        for pole, chosen in ((Pole.HIGH, raised), (Pole.LOW, ~raised))
    }


def _entries(path: Path) -> list[list[Any]]:
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(
            f"{path.name} has {path.stat().st_size:,} bytes, but NPTI's files have at most {MOST_BYTES:,}."
        )
    content = read_json(path)
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} holds a {type(content).__name__}, not neurons by layer.")
    entries = []
    for layer, rows in content.items():
        if not isinstance(rows, list):
            raise ValueError(f"{path.name}, layer {layer}: a list of entries is needed, but {rows!r} arrived.")
        for row in rows:
            if not (isinstance(row, list) and len(row) >= 2 and all(type(x) is int for x in row[:2])):
                raise ValueError(f"{path.name}, layer {layer}: an entry is [layer, neuron, ...], but {row!r} arrived.")
            if str(row[0]) != str(layer):
                raise ValueError(f"{path.name}: an entry of layer {row[0]} stands under layer {layer}.")
            entries.append(row)
    return entries


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)
