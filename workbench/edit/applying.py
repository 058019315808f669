"""The context in which a model runs edited, and the count of what was edited."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor

from workbench.edit.counting import EditedRun, Place
from workbench.edit.edit import AnyEdit, Composite, Edit
from workbench.edit.gate import hooked_at
from workbench.edit.reach import Reach
from workbench.edit.stages import Stage, stages_at
from workbench.model.model import Model
from workbench.model.passing import Pass
from workbench.vocabulary import ACT, HOOK_POST, HOOK_PRE, MLP_OUT, RESID_MID, RESID_POST, SCOPES, Scope, Z, site_named

_ALONG_THE_PASS = tuple(site.name for site in (Z, RESID_MID, HOOK_PRE, ACT, HOOK_POST, MLP_OUT, RESID_POST))


@contextmanager
def edited(
    model: Model,
    edit: AnyEdit | Sequence[AnyEdit],
    *,
    scope: Scope | str = "generated",
    rows: Sequence[int] | None = None,
) -> Iterator[EditedRun]:
    """Run `model` edited inside the `with`; no hook is left behind, whatever happens.

    Args:
        edit: one edit or composite for every prompt; or several, of which `rows` says which prompt gets which.
        scope: see `EditedRun`.
        rows: for each prompt of the run, the index of its edit in `edit`, or -1 for none. Many edits then share a
            batch, which is far quicker than a run for each.

    Yields:
        what the run has edited so far, counted as it goes.

    Raises:
        ValueError: if an edit does not fit the model, the scope is unknown, or `rows` and `edit` disagree; on leaving,
            if TransformerLens never runs a hook that the edit needs.
        RuntimeError: on leaving, if passes ran, but an edit that has units and a dose, and that `rows` gives to some
            prompt, changed nothing.
    """
    if scope not in SCOPES:
        raise ValueError(f"The scope is one of {', '.join(SCOPES)}, but {scope!r} arrived.")
    edits = [edit] if isinstance(edit, Edit | Composite) else list(edit)
    if rows is None and len(edits) != 1:
        raise ValueError(f"{len(edits)} edits need rows=, which says which prompt gets which.")
    if rows is not None and rows and not -1 <= min(rows) <= max(rows) < len(edits):
        raise ValueError(f"rows must lie in -1 to {len(edits) - 1}, but {min(rows)} to {max(rows)} arrived.")
    for one in edits:
        check_fits(model, one)
    assigned = None if rows is None else torch.tensor(list(rows), dtype=torch.int64)
    parts = [one.parts for one in edits]
    reached = {(part.site, layer) for acting in parts for part in acting if part.acts for layer in part.layers}
    order = sorted(reached, key=lambda pair: (_ALONG_THE_PASS.index(pair[0]), pair[1]))
    stages = [stages_at(parts, site, layer) for site, layer in order]
    places = [_place(*pair, several, len(edits)) for pair, several in zip(order, stages, strict=True)]
    run = EditedRun(scope, places, assigned, edits)
    begun = model.begun
    with ExitStack() as hooks:
        others = model.hooks()
        for number, (site, layer) in enumerate(order):
            hook = _Hook(model, stages[number], run, number)
            hooks.enter_context(hooked_at(model, site_named(site), layer, hook))
        if rows is not None:
            hooks.enter_context(model.rows_apart())
        if scope != "all":
            hooks.enter_context(model.sparing_beginnings(model.hooks() - others))
        yield run
    if order and not run.passes and model.begun > begun:
        _refuse_dead(model, order)
    wanted = {0} if rows is None else set(rows) - {-1}
    silent = [number for number in sorted(wanted) if edits[number].acts and not run.by_edit[number]]
    if run.passes and silent:
        which = f"The edit never fired: {edits[silent[0]]!r}"
        if len(edits) > 1:
            which = f"{len(silent)} of {len(edits)} edits never fired, first edit {silent[0]}, {edits[silent[0]]!r}"
        raise RuntimeError(
            f"{which}. {sum(run.passes.values())} hooked passes ran, none with a position of its prompts in scope "
            f"{scope!r}. With scope 'decode' generate at least 2 tokens, or choose 'generated' or 'all'."
        )


@torch.no_grad()
def _refuse_dead(model: Model, order: Sequence[tuple[str, int]]) -> None:
    """Refuse places whose hooks a whole pass does not run, at which an edit would do nothing, without a word."""
    ran: set[tuple[str, int]] = set()
    tokens = torch.tensor([[model.pad_token] * 2], device=model.device)
    real = torch.ones_like(tokens, dtype=torch.bool)
    with ExitStack() as hooks:
        for site, layer in order:
            seen = HOOK_POST if site == ACT.name else site_named(site)
            hooks.enter_context(model.hooked_at(seen, layer, lambda _, place=(site, layer): ran.add(place)))
        hooks.enter_context(model.passing(Pass("prompt", torch.zeros_like(real), torch.zeros(1, dtype=torch.int64))))
        model.runner.run(tokens, real)
    for site, layer in order:
        if (site, layer) not in ran:
            raise ValueError(
                f"{site} of layer {layer} of {model.name} did not run in a pass: TransformerLens does not call it in "
                "this architecture, so an edit there does nothing. Choose another site."
            )


def check_fits(model: Model, edit: AnyEdit) -> None:
    """Refuse an edit made for another model.

    Raises:
        ValueError: if a layer or the width is not the model's, giving both values.
    """
    for part in edit.parts:
        width = model.width(site_named(part.site), [layer for layer in part.layers if layer < model.n_layers])
        if part.width != width:
            raise ValueError(
                f"The edit is for a {part.site} of width {part.width}, but {model.name} has {width}. "
                "Use an edit made on this model."
            )
        if part.layers and part.layers[-1] >= model.n_layers:
            raise ValueError(
                f"The edit reaches layer {part.layers[-1]}, but {model.name} has layers 0 to {model.n_layers - 1}."
            )


def _place(site: str, layer: int, stages: Sequence[Stage], edits: int) -> Place:
    active = torch.zeros(edits + 1, dtype=torch.bool)
    active[sorted({edit for stage in stages for edit in stage.edits})] = True
    return Place(site, layer, active)


class _Hook:
    """Does at one site and layer what each row's edit says, at the positions in scope."""

    def __init__(self, model: Model, stages: Sequence[Stage], run: EditedRun, number: int) -> None:
        self.model = model
        self.stages = stages
        self.run = run
        self.number = number
        self.masked = any(stage.masks for stage in stages)
        self.decoded = 0  # decode steps since the last prompt, for masks
        # The common case, one constant for all rows, is kept apart: it is on the path of every decode step.
        self.constant = run.assigned is None and not self.masked and [stage.operation for stage in stages] == ["add"]
        self.delta = stages[0].tables[0][0]

    def __call__(self, activation: Tensor) -> Tensor | None:
        reach = self.run.reach(self.model.current, self.number, activation)
        if self.masked:
            self.decoded = self.decoded + 1 if reach.step.phase == "decode" else 0
        return reach.write(activation, self.number, self._changed)

    def _changed(self, activation: Tensor, reach: Reach) -> Tensor:
        if self.constant:
            if self.delta.dtype is not activation.dtype or self.delta.device != activation.device:
                self.delta = self.delta.to(activation.device, activation.dtype)
            return activation + self.delta
        which = reach.which_on(activation.device)
        steps = self._steps(activation, reach) if self.masked else None
        for stage in self.stages:
            activation = stage.apply(activation, which, steps)
        return activation

    def _steps(self, activation: Tensor, reach: Reach) -> Tensor:
        """Each position's step of the answer, counting decode steps from 1."""
        if reach.step.step is not None:
            return reach.step.step[:, reach.start :]
        return torch.full(activation.shape[:2], self.decoded, dtype=torch.int64)
