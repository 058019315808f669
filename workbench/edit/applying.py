"""The context in which a model runs edited, and the count of what was edited."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from workbench.edit.edit import Edit
from workbench.model.model import Model
from workbench.model.passing import Pass
from workbench.vocabulary import site_named

Scope = Literal["all", "generated", "decode"]
SCOPES: tuple[str, ...] = ("all", "generated", "decode")


@dataclass
class EditedRun:
    """What an edited run has done so far.

    Attributes:
        scope: where it edits: `all` positions; `generated`, the last prompt position and every later one, so
            that the first new token is steered; `decode`, decode steps alone, as published, so that it is not.
        pairs: edited (position, layer) pairs by phase; padding does not count.
        passes: forward passes seen, by phase.
    """

    scope: str
    pairs: Counter[str] = field(default_factory=Counter)
    passes: Counter[str] = field(default_factory=Counter)

    @property
    def edited(self) -> int:
        """Edited (position, layer) pairs in all."""
        return sum(self.pairs.values())


@contextmanager
def edited(
    model: Model,
    edit: Edit | Sequence[Edit],
    *,
    scope: Scope | str = "generated",
    rows: Sequence[int] | None = None,
) -> Iterator[EditedRun]:
    """Run `model` edited inside the `with`; no hook is left behind, whatever happens.

    Args:
        edit: one edit for every prompt; or several, of which `rows` says which prompt gets which.
        scope: see `EditedRun`.
        rows: for each prompt of the run, the place of its edit in `edit`, or -1 for none. Many edits then
            share a batch, which is far quicker than one run each.

    Yields:
        The run's record, counted as it goes.

    Raises:
        ValueError: if an edit does not fit the model, the scope is unknown, or `rows` and `edit` disagree.
        RuntimeError: on leaving, if passes ran and a non-empty edit never fired.
    """
    if scope not in SCOPES:
        raise ValueError(f"The scope is one of {', '.join(SCOPES)}, but {scope!r} arrived.")
    edits = [edit] if isinstance(edit, Edit) else list(edit)
    if rows is None and len(edits) != 1:
        raise ValueError(f"{len(edits)} edits need rows=, which says which prompt gets which.")
    if rows is not None and rows and not -1 <= min(rows) <= max(rows) < len(edits):
        raise ValueError(f"rows must lie in -1 to {len(edits) - 1}, but {min(rows)} to {max(rows)} arrived.")
    for one in edits:
        check_fits(model, one)
    run = EditedRun(scope)
    assigned = None if rows is None else torch.tensor(list(rows))
    with ExitStack() as hooks:
        for site_name in sorted({one.site for one in edits}):
            site = site_named(site_name)
            here = [one if one.site == site_name else None for one in edits]
            for layer in sorted({layer for one in here if one is not None for layer in one.layers}):
                zeros = torch.zeros(model.width(site))
                deltas = torch.stack([zeros if one is None else one.delta(layer) for one in here])
                hook = _adder(model, deltas, assigned, run)
                hooks.enter_context(model.hooked_at(site, layer, hook))
        yield run
    if (
        run.passes
        and not run.edited
        and any(len(one) and one.gamma for one in edits)
        and (rows is None or max(rows) >= 0)
    ):
        raise RuntimeError(
            f"The edit never fired: {sum(run.passes.values())} hooked passes ran, none with a position in scope "
            f"{scope!r}. With scope 'decode' generate at least 2 tokens, or choose 'generated' or 'all'."
        )


def check_fits(model: Model, edit: Edit) -> None:
    """Refuse an edit made for another model.

    Raises:
        ValueError: if a layer or the width is not the model's, giving both values.
    """
    width = model.width(site_named(edit.site))
    if edit.width != width:
        raise ValueError(
            f"The edit is for a {edit.site} of width {edit.width}, but {model.name} has {width}. "
            "Use an edit made on this model."
        )
    if edit.layers and edit.layers[-1] >= model.n_layers:
        raise ValueError(
            f"The edit reaches layer {edit.layers[-1]}, but {model.name} has layers 0 to {model.n_layers - 1}."
        )


def _adder(
    model: Model, deltas: Float[Tensor, "edit width"], assigned: Int[Tensor, " prompt"] | None, run: EditedRun
) -> Callable[[Tensor], Tensor | None]:
    """A hook that adds each row's delta at the positions in scope, keeping its copy where the activations are."""
    padded = torch.cat([deltas, torch.zeros_like(deltas[:1])])  # the last row, -1, is "no edit"
    active = padded.any(1)
    cached: dict[tuple[torch.device, torch.dtype], Tensor] = {}

    def add(activation: Tensor) -> Tensor | None:
        step = model.current or _inferred(activation)
        run.passes[step.phase] += 1
        if run.scope == "decode" and step.phase == "prompt":
            return None
        key = (activation.device, activation.dtype)
        if key not in cached:
            cached[key] = padded.to(*key)
        which = torch.zeros_like(step.rows) if assigned is None else assigned[step.rows]
        chosen = active[which].to(step.real.device)
        delta = cached[key][0] if assigned is None else cached[key][which.to(activation.device)][:, None]
        if run.scope == "generated" and step.phase == "prompt":
            run.pairs[step.phase] += int(chosen.sum())
            changed = activation.clone()
            changed[:, -1:] += delta
            return changed
        run.pairs[step.phase] += int((step.real & chosen[:, None]).sum())
        return activation + delta

    return add


def _inferred(activation: Tensor) -> Pass:
    """What a pass that somebody else runs must be: one position is a decode step, more are a prompt."""
    batch, positions = activation.shape[:2]
    return Pass(
        "decode" if positions == 1 else "prompt",
        torch.ones(batch, positions, dtype=torch.bool),
        torch.arange(batch),
    )
