"""Where a trait's neurons were found: effects, selection and both edits, in a folder of their own."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from workbench.capture.capturing import capture
from workbench.capture.tally import Tally
from workbench.contrast.contrast import Contrast
from workbench.edit.edit import Edit
from workbench.edit.making import dpn_edit
from workbench.measure.effect import Effects, effect_sizes
from workbench.model.model import Model
from workbench.select.rules import select_neurons
from workbench.select.selection import Selection

RECORD = "located.json"


@dataclass(frozen=True)
class LocatedTrait:
    """One trait's neurons in one model, and the edits made of them."""

    tally: Tally
    effects: Effects
    selection: Selection
    edits: dict[str, Edit]


def locate_trait(
    model: Model,
    contrast: Contrast,
    *,
    rule: str = "dual",
    quantile: float = 0.995,
    min_d: float = 0.8,
    layers: Sequence[int] | None = None,
    weighted: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> LocatedTrait:
    """Capture a contrast and choose its neurons; both directions' edits at gamma 1.

    Raises:
        ValueError: as `capture`, `effect_sizes` and `select_neurons` do.
    """
    tally = capture(model, contrast, layers=layers, progress=progress)
    effects = effect_sizes(tally)
    selection = select_neurons(effects, rule=rule, quantile=quantile, min_d=min_d)
    edits = {
        direction: dpn_edit(effects, selection, direction=direction, weighted=weighted)
        for direction in ("increase", "decrease")
    }
    return LocatedTrait(tally, effects, selection, edits)


def write_located(located: LocatedTrait, folder: Path) -> list[str]:
    """Fill a folder; the names of its files.

    `tally.safetensors` (moments by pole), `effects.parquet` (a row per neuron), `selection.parquet` (a row per
    chosen neuron), `layers.parquet` (what each criterion kept and removed), `increase.safetensors` and
    `decrease.safetensors` (edits), `located.json` (settings and provenance).
    """
    selection = located.selection
    located.tally.save(folder / "tally.safetensors")
    located.effects.frame().to_parquet(folder / "effects.parquet", index=False)
    selection.frame().to_parquet(folder / "selection.parquet", index=False)
    selection.layers.to_parquet(folder / "layers.parquet", index=False)
    for direction, edit in located.edits.items():
        edit.save(folder / f"{direction}.safetensors")
    record = {
        "trait": selection.trait,
        "rule": selection.rule,
        "parameters": selection.parameters,
        "layers": list(located.effects.layers),
        "high": len(selection.high),
        "low": len(selection.low),
        "share": selection.share,
        "n_high": located.effects.n_high,
        "n_low": located.effects.n_low,
        "provenance": dict(located.effects.provenance),
    }
    (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def whole_folder(folder: str | Path, *, mark: str = RECORD) -> Iterator[Path]:
    """A temporary folder that takes `folder`'s place when the block ends well, and vanishes when it does not.

    Raises:
        FileExistsError: if `folder` holds something that does not bear `mark`, the file that tells its kind.
        OSError: if it cannot be made.
    """
    folder = Path(folder)
    if folder.exists() and not (folder.is_dir() and ((folder / mark).is_file() or not any(folder.iterdir()))):
        raise FileExistsError(f"{folder} is there already and holds something else. Choose another output folder.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        yield temporary
        os.chmod(temporary, 0o755)
        replaced = temporary.with_name(temporary.name + "-before")
        if folder.exists():
            os.replace(folder, replaced)
        os.replace(temporary, folder)
        shutil.rmtree(replaced, ignore_errors=True)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
