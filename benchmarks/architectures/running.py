"""One architecture after the other: made, loaded, held against plain transformers."""

import gc
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import workbench as wb
from benchmarks.architectures.building import Unbuilt, build
from benchmarks.architectures.cells import Case, Cell, cells_of, plain_of
from benchmarks.architectures.page import Row
from workbench.model.quiet import quiet

PAIRS = 4


def rows_of(names: Sequence[str]) -> Iterator[Row]:
    """What becomes of each architecture."""
    tokenizer = wb.load_model("testbed").tokenizer
    for name in names:
        with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
            warnings.simplefilter("ignore")
            yield row_of(name, tokenizer, Path(folder))
        gc.collect()  # a hooked model refers to itself


def row_of(name: str, tokenizer: Any, folder: Path) -> Row:
    """What becomes of one architecture.

    Args:
        folder: an empty folder for its checkpoints.
    """
    try:
        with quiet():
            checkpoint = build(name, tokenizer, folder / name)
    except Unbuilt as error:
        return Row(name, unbuilt=str(error))
    try:
        model = wb.load_model(checkpoint)
    except (ValueError, FileNotFoundError) as error:
        return Row(name, refused=_without(folder, str(error)))
    except Exception as error:
        return Row(name, {"capture": Cell(bugs=[f"load: {type(error).__name__}: {error}"])})
    with quiet():
        try:
            plain = plain_of(name, checkpoint)
        except Exception as error:
            bug = f"not held against transformers: {type(error).__name__}: {error}"
            return Row(name, {"capture": Cell(bugs=[bug])})
        cells = cells_of(Case(model, plain, wb.Contrast.testbed("Extraversion", n=PAIRS)), folder)
    for cell in cells.values():
        cell.refused = {what: _without(folder, message) for what, message in cell.refused.items()}
    return Row(name, cells)


def _without(folder: Path, message: str) -> str:
    """A message that names the checkpoint by its architecture alone."""
    return message.replace(f"{folder}/", "")
