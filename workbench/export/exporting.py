"""Export of an edit as a file that another tool reads, whichever tool it is."""

import pkgutil
from pathlib import Path
from typing import Any

from workbench import edit as edits
from workbench import model as models

WRITERS: dict[str, str] = {
    "hf": "workbench.export.baking:bake",
    "gguf": "workbench.export.control_vector:export_control_vector",
    "lm-eval": "workbench.export.lm_eval:write_lm_eval",
    "dpn-le": "workbench.export.dpn_le:write_dpn_le_edit",
    "npti": "workbench.export.npti:write_npti_edit",
}
"""Where the function is that writes each format, so that naming one loads nothing."""


def export_edit(
    model: "models.Model", edit: "edits.Edit | edits.Composite", path: str | Path, *, to: str, **settings: Any
) -> Path:
    """Write an edit for another tool.

    Args:
        path: a folder for `hf`, `dpn-le` and `npti`, a file for `gguf` and `lm-eval` (ending in .pt).
        to: `hf`, a stock checkpoint; `gguf`, a control vector; `lm-eval`, a file for its model `steered`; `dpn-le` and
            `npti`, the files of these methods' own code.
        settings: the other arguments of that writer: `scope` of `hf`, `gguf` and `lm-eval`, `tally` of `npti`.

    Returns:
        what was written.

    Raises:
        ValueError: as `check_format`, or if the format cannot express the edit, with the reason.
    """
    check_format(to, has_tally=settings.get("tally") is not None)
    pkgutil.resolve_name(WRITERS[to])(model, edit, path, **settings)
    return Path(path)


def check_format(to: str, *, has_tally: bool) -> None:
    """Refuse what is known to fail before a model is loaded.

    Raises:
        ValueError: for an unknown format, listing the choices, or for NPTI's without the capture that it needs.
    """
    if to not in WRITERS:
        raise ValueError(f"There is no export to {to!r}. Choose one of {', '.join(WRITERS)}.")
    if to == "npti" and not has_tally:
        raise ValueError(
            "NPTI's files hold each neuron's delta, P and q95, which an edit does not keep. Give a capture to compute "
            "them from: tally=capture_sites(..., sites=['hook_pre']) with positive=True and sample=1024."
        )
