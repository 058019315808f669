"""Export of an edit as a file that another tool reads, whichever tool it is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from workbench.edit.edit import AnyEdit
from workbench.export.baking import bake
from workbench.export.control_vector import export_control_vector
from workbench.export.dpn_le import write_dpn_le_edit
from workbench.export.lm_eval import write_lm_eval
from workbench.export.npti import write_npti_edit
from workbench.model.model import Model


def export_edit(model: Model, edit: AnyEdit, path: str | Path, *, to: str, **settings: Any) -> Path:
    """Write an edit for another tool.

    Args:
        path: a folder for `hf`, `dpn-le` and `npti`, a file for `gguf` and `lm-eval` (ending in .pt).
        to: `hf`, a stock checkpoint; `gguf`, a control vector; `lm-eval`, a file for its model `steered`; `dpn-le` and
            `npti`, the files of these methods' own code.
        settings: the other arguments of that writer: `scope` of `hf`, `gguf` and `lm-eval`, `tally` of `npti`.

    Returns:
        what was written.

    Raises:
        ValueError: for another `to`, listing the choices, or if that format cannot express the edit, with the reason.
    """
    if to not in WRITERS:
        raise ValueError(f"There is no export to {to!r}. Choose one of {', '.join(WRITERS)}.")
    WRITERS[to](model, edit, path, **settings)
    return Path(path)


def _to_npti(model: Model, edit: AnyEdit, path: str | Path, **settings: Any) -> Any:
    if settings.get("tally") is None:
        raise ValueError(
            "NPTI's files hold each neuron's delta, P and q95, which an edit does not keep. Give a capture to compute "
            "them from: tally=capture_sites(..., sites=['hook_pre']) with positive=True and sample=1024."
        )
    return write_npti_edit(model, edit, path, **settings)


WRITERS: dict[str, Callable[..., Any]] = {
    "hf": bake,
    "gguf": export_control_vector,
    "lm-eval": write_lm_eval,
    "dpn-le": write_dpn_le_edit,
    "npti": _to_npti,
}
