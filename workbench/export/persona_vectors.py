"""persona_vectors' files: `{trait}_{response_avg|prompt_avg|prompt_last}_diff.pt`, a row a hidden state."""

import re
from collections.abc import Sequence
from pathlib import Path

from workbench.edit.edit import Edit
from workbench.export.fitting import check_shape
from workbench.export.pickled import load_pt, reals_of
from workbench.export.residual import residual_arm
from workbench.model.model import Model
from workbench.vocabulary import RESID_POST

_NAME = re.compile(r"(.+)_(prompt_avg|response_avg|prompt_last)_diff", re.DOTALL)


def read_persona_vectors(
    path: str | Path,
    *,
    model: Model | None = None,
    trait: str | None = None,
    layers: Sequence[int] | None = None,
    direction: str = "increase",
    gamma: float = 1.0,
) -> Edit:
    """A persona vector as an edit at `resid_post`.

    The file is `(n_layers + 1, d_model)`: row 0 is the embeddings' and is left out, row L + 1 is added after block L
    (0-based). Their code adds it at one layer at a time, which it counts by rows: its layer 20 is `layers=[19]`.

    Args:
        model: whose blocks and width the file is checked against.
        trait: by default from the file's name.
        layers: 0-based blocks to edit; all of them if None, which is far stronger than one.
        direction: `decrease` subtracts.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no such tensor, or for another model, with both values.

    Reference:
        Chen et al. (2025), Persona Vectors: Monitoring and Controlling Character Traits in Language Models.
    """
    path = Path(path)
    rows = reals_of(load_pt(path), path.name, axes=2)
    if len(rows) < 2:
        raise ValueError(f"{path.name} has {len(rows)} rows, but a row for the embeddings and one a block are needed.")
    if model is not None:
        check_shape(model, path.name, site=RESID_POST, width=rows.shape[1], n_layers=len(rows) - 1)
    named = _NAME.fullmatch(path.stem)
    return residual_arm(
        dict(enumerate(rows[1:])),
        name=path.name,
        trait=trait or (named[1] if named else path.stem),
        method=f"persona vector ({named[2]})" if named else "persona vector",
        layers=layers,
        direction=direction,
        gamma=gamma,
    )
