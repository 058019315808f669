"""Options that several commands share, and what they stand for."""

import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

import workbench as wb
from workbench.cli.telling import say
from workbench.edit.edit import AnyEdit

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, last and alone on standard output.")]
ModelName = Annotated[str, typer.Option("--model", help="'testbed', a Hugging Face name, or a checkpoint folder.")]


class Dtype(StrEnum):
    """Number types that a model may run in."""

    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


Precision = Annotated[Dtype, typer.Option("--dtype", help="Number type of the weights.")]
Device = Annotated[str | None, typer.Option(help="Where the model lives; CUDA where it is there, else the CPU.")]
DeviceMap = Annotated[str | None, typer.Option(help="Spread the model over devices: auto, balanced, sequential.")]
AnyWeights = Annotated[
    bool, typer.Option("--any-weights", help="Take an edit made on other weights, e.g. in another number type.")
]
Pairs = Annotated[
    Path | None,
    typer.Option(
        help="Pairs from a jsonl, csv or parquet file, or a PersonalityBench folder; by default the embedded "
        "model's bank for it and the built-in bank for every other model."
    ),
]


def contrast_asked(trait: str | None, model: str, pairs: Path | None, n: int, seed: int) -> wb.Contrast:
    if pairs is not None and not pairs.is_dir():
        return wb.Contrast.from_table(pairs, trait=trait)
    if trait is None:
        raise ValueError(f"A bank needs --trait, one of {', '.join(wb.BIG_FIVE)}.")
    if pairs is not None:
        return wb.Contrast.personalitybench(pairs, trait, n=n, seed=seed)
    bank = wb.Contrast.testbed if model == "testbed" else wb.Contrast.builtin
    return bank(trait, n=n, seed=seed)


def load_asked(model: str, dtype: Dtype, device: str | None, device_map: str | None = None) -> wb.Model:
    """The model, with a line where prompts are not rendered by its own template."""
    loaded = wb.load_model(model, dtype=getattr(torch, dtype.value), device=device, device_map=device_map)
    if loaded.rendering.is_fallback:
        say(f"prompts: {loaded.rendering}")
    return loaded


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
        if not first.isdigit() or (dash and not last.isdigit()) or (dash and int(last) < int(first)):
            raise ValueError(f"Layers are written like 12-31 or 0,2,5-7, but {text!r} arrived.")
        wanted += range(int(first), int(last or first) + 1)
    return wanted


def steering_asked(path: Path, model: wb.Model, gamma: float | None, *, any_weights: bool) -> AnyEdit:
    """The edit that a file of any known kind holds, at a dose."""
    if gamma is not None and not math.isfinite(gamma):
        raise ValueError(f"gamma must be finite, but {gamma} arrived.")
    dose: dict[str, Any] = {} if gamma is None else {"gamma": gamma}
    return wb.read_steering(path, model=model, any_weights=any_weights, **dose)
