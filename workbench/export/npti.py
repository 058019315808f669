"""NPTI's published neuron sets: `{Trait}_dict.json` and `{Trait}_reversed_dict.json`."""

import json
from pathlib import Path

from workbench.vocabulary import NeuronSet, big_five

_SUFFIXES = {"_reversed_dict.json": "low", "_dict.json": "high"}


def read_npti(path: str | Path) -> NeuronSet:
    """The neurons of one of NPTI's files: `{"layer": [[layer, neuron, delta, P, q95], ...]}`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not as the format says, naming the entry.

    Reference:
        Deng et al. (2025), Neuron-based Personality Trait Induction in Large Language Models.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name} is no JSON: {error}.") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} holds a {type(content).__name__}, not neurons by layer.")
    pairs = []
    for layer, rows in content.items():
        for row in rows:
            if not (isinstance(row, list) and len(row) >= 2 and all(isinstance(x, int) for x in row[:2])):
                raise ValueError(f"{path.name}, layer {layer}: an entry is [layer, neuron, ...], but {row!r} arrived.")
            if str(row[0]) != str(layer):
                raise ValueError(f"{path.name}: an entry of layer {row[0]} stands under layer {layer}.")
            pairs.append((row[0], row[1]))
    return NeuronSet.of(pairs)


def read_npti_folder(folder: str | Path) -> dict[tuple[str, str], NeuronSet]:
    """Every set in a folder, by trait and pole; a trait's `reversed` file is its low pole.

    Raises:
        FileNotFoundError: if the folder holds none.
    """
    found = {}
    for path in sorted(Path(folder).glob("*_dict.json")):
        suffix = next(suffix for suffix in _SUFFIXES if path.name.endswith(suffix))
        found[big_five(path.name.removesuffix(suffix)), _SUFFIXES[suffix]] = read_npti(path)
    if not found:
        raise FileNotFoundError(f"{folder} holds no NPTI sets: there is no file *_dict.json.")
    return found
