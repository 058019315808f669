"""CAA's files: `vec_layer_{L}_{model}.pt`, one vector of the residual stream each."""

import re
from collections.abc import Sequence
from pathlib import Path

from workbench.edit.edit import Edit
from workbench.export.fitting import check_shape
from workbench.export.pickled import load_pt, reals_of
from workbench.export.residual import residual_arm
from workbench.model.model import Model
from workbench.vocabulary import RESID_POST

PATTERN = "vec_layer_*.pt"
_NAME = re.compile(r"vec_layer_(\d{1,5})(?:_.*)?\.pt", re.DOTALL)


def read_caa(
    path: str | Path,
    *,
    model: Model | None = None,
    trait: str | None = None,
    layers: Sequence[int] | None = None,
    direction: str = "increase",
    gamma: float = 1.0,
) -> Edit:
    """One CAA vector, or a folder of them, as an edit at `resid_post`: layer L's is added after block L (0-based).

    Args:
        model: whose blocks and width the files are checked against.
        trait: by default the folder's name, which in CAA is the behaviour's.
        layers: those to edit; all that are there if None. CAA adds one at a time.
        direction: `decrease` subtracts.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a file is no such vector or leads out of the folder, two are of one layer, or they are for
            another model, with both values.

    Reference:
        Rimsky et al. (2024), Steering Llama 2 via Contrastive Activation Addition.
    """
    path = Path(path)
    files = sorted(each for each in path.glob(PATTERN) if _NAME.fullmatch(each.name)) if path.is_dir() else [path]
    if not files:
        raise FileNotFoundError(f"{path} holds no files {PATTERN}.")
    vectors = {}
    for file in files:
        named = _NAME.fullmatch(file.name)
        if named is None:
            raise ValueError(f"CAA's files are named vec_layer_12_MODEL.pt, but {file.name} arrived.")
        if path.is_dir() and file.resolve().parent != path.resolve():
            raise ValueError(f"{file.name} leads out of {path.name}. Put the file itself there.")
        layer = int(named[1])
        if layer in vectors:
            raise ValueError(f"{path.name} holds two vectors of layer {layer}. Keep those of one model.")
        vectors[layer] = reals_of(load_pt(file), file.name)
        if model is not None:
            check_shape(model, file.name, site=RESID_POST, width=len(vectors[layer]), layers=[layer])
    return residual_arm(
        vectors,
        name=path.name,
        trait=trait or files[0].resolve().parent.name,
        method="CAA",
        layers=layers,
        direction=direction,
        gamma=gamma,
    )
