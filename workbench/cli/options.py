"""Options that several commands share: how they are checked, and what they ask for.

Checks and pairs need no torch; commands call these before `load_asked`.
"""

import json
import math
import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

import workbench as wb
from workbench.cli.telling import say
from workbench.concept.named import name_of, names_a_file
from workbench.concept.packaged import BUILT_IN
from workbench.concept.texts import EXPLICIT
from workbench.contrast.banks import STYLES, builtin_pairs, testbed_pairs
from workbench.contrast.pairs import Pairs
from workbench.contrast.personalitybench import personalitybench_pairs
from workbench.testbed.speaking import named_speaks

_LAYER = re.compile("[0-9]{1,5}")  # no model has more
_MOST_BYTES = 100  # of a folder's name

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, last and alone on standard output.")]
ModelName = Annotated[
    str, typer.Option("--model", help="'testbed', 'smollm2', a Hugging Face name, a checkpoint folder, or a GGUF file.")
]


class Dtype(StrEnum):
    """Number types that a model may run in."""

    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


Precision = Annotated[Dtype, typer.Option("--dtype", help="Number type of the weights.")]
Device = Annotated[str | None, typer.Option(help="Where the model lives; CUDA where it is there, else the CPU.")]
Adapter = Annotated[
    Path | None, typer.Option("--adapter", help="A peft adapter's folder or name, e.g. a LoRA; merged into the model.")
]
DeviceMap = Annotated[str | None, typer.Option(help="Spread the model over devices: auto, balanced, sequential.")]
Template = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="A variable of the model's chat template, e.g. enable_thinking=false, or, where the template asks for "
        "the day, strftime_now=2025-01-31; may be repeated.",
    ),
]
AnyWeights = Annotated[
    bool, typer.Option("--any-weights", help="Take an edit made on other weights, e.g. in another number type.")
]
PairsFile = Annotated[
    Path | None,
    typer.Option(
        help="Pairs from a jsonl, csv or parquet file, or a PersonalityBench folder; by default the embedded "
        "model's bank for it and the built-in bank for every other model."
    ),
]

TraitName = Annotated[
    str | None,
    typer.Option(
        "--trait",
        help=f"A built-in concept ({', '.join(BUILT_IN)}), a concept's TOML file, or the name of the pairs' own trait.",
    ),
]
PersonaStyle = Annotated[
    str,
    typer.Option("--style", help=f"Personas of a concept: {' or '.join(STYLES)}; for other pairs nothing changes."),
]


def pairs_asked(
    trait: str | None, model: str, pairs: Path | None, n: int, seed: int, *, style: str = EXPLICIT
) -> Pairs:
    """The pairs that a command's options ask for.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for an unknown trait or none, an unknown style, or a table that is no table of pairs.
    """
    if style not in STYLES and not (trait and names_a_file(trait)):  # a concept's file has styles of its own
        raise ValueError(f"--style is one of {', '.join(STYLES)}, but {style!r} arrived.")
    if pairs is not None and not pairs.is_dir():
        from workbench.contrast.tables import pairs_from_table  # needs pandas

        return pairs_from_table(pairs, trait=name_of(trait) if trait and names_a_file(trait) else trait)
    if trait is None:
        raise ValueError(f"A bank needs --trait, one of {', '.join(BUILT_IN)}, or a concept's TOML file.")
    if pairs is not None:
        return personalitybench_pairs(pairs, trait, n=n, seed=seed, split="search")
    if named_speaks(model):
        return testbed_pairs(trait, n=n, seed=seed, held_out=False)
    return builtin_pairs(trait, n=n, seed=seed, style=style)


def contrast_of(pairs: Pairs, *, read: bool) -> "wb.Contrast":
    """The contrast of pairs; print a line if prompts are said several times.

    Args:
        read: whether the pairs are a user's own, of which every repeated prompt is told.
    """
    contrast = wb.Contrast.of(pairs)
    if contrast.repeats or (read and contrast.said):
        say(f"{contrast.source}: {contrast.said}; equal prompts are no independent ones")
    return contrast


def default_folder(*words: str) -> Path:
    """A folder in `runs` that is named after words, of which letters, digits, dots and hyphens are kept.

    Example:
        >>> default_folder("locate", "mut [/b]").as_posix()
        'runs/locate-mut-b'
    """
    parts = (re.sub(r"[^\w.]+", "-", word).strip("-.") for word in words)
    name = "-".join(part for part in parts if part)
    return Path("runs") / (name.encode()[:_MOST_BYTES].decode(errors="ignore") or "unnamed")


def load_asked(
    model: str,
    dtype: Dtype,
    device: str | None,
    device_map: str | None = None,
    adapter: Path | None = None,
    template: Sequence[str] | None = None,
) -> "wb.Model":
    """Load the model; print a line for a merged adapter, and for what is special in how its prompts are rendered.

    Raises:
        ValueError: for a template variable that is not written NAME=VALUE, or that the template does not read.
    """
    variables = parsed_variables(template or ())

    import torch

    kind = getattr(torch, dtype.value)
    loaded = wb.load_model(model, dtype=kind, device=device, device_map=device_map, adapter=adapter, template=variables)
    if "adapter" in loaded.source:
        say(f"weights: {loaded.weights}")
    for remark in loaded.rendering_remarks:
        say(f"prompts: {remark}")
    return loaded


def parsed_variables(texts: Sequence[str]) -> dict[str, Any]:
    """Template variables written as `name=value`; a value is JSON where it can be, and text otherwise.

    `True`, `False` and `None` are read as Python writes them.

    Raises:
        ValueError: for a text without a name or without `=`, or a name that comes twice.

    Example:
        >>> parsed_variables(["enable_thinking=false", "reasoning_effort=low"])
        {'enable_thinking': False, 'reasoning_effort': 'low'}
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not name or not equals:
            raise ValueError(f"A template variable is written NAME=VALUE, but {text!r} arrived.")
        if name in found:
            raise ValueError(f"A template variable has one value, but {name} came twice.")
        found[name] = _value_of(value)
    return found


def _value_of(text: str) -> Any:
    python = {"True": True, "False": False, "None": None}
    if text in python:
        return python[text]
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return text
    return value


def parse_layers(text: str | None) -> list[int] | None:
    """Layers from `12-31` or `0,2,5-7`.

    Raises:
        ValueError: for anything else.
    """
    if text is None:
        return None
    wanted: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        ends = (first, last) if dash else (first, first)
        if not all(_LAYER.fullmatch(end) for end in ends) or int(ends[1]) < int(ends[0]):
            raise ValueError(f"Layers are written like 12-31 or 0,2,5-7, but {text!r} arrived.")
        wanted += range(int(ends[0]), int(ends[1]) + 1)
    return wanted


def check_edit(path: Path, gamma: float | None) -> None:
    """Refuse a missing file and a dose that is not finite.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for such a dose.
    """
    if gamma is not None and not math.isfinite(gamma):
        raise ValueError(f"gamma must be finite, but {gamma} arrived.")
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")


def steering_asked(
    path: Path, model: "wb.Model", gamma: float | None, *, any_weights: bool
) -> "wb.Edit | wb.edit.Composite":
    """The edit that a file of any known kind holds, at a dose."""
    dose: dict[str, Any] = {} if gamma is None else {"gamma": gamma}
    return wb.export.read_steering(path, model=model, any_weights=any_weights, **dose)
