"""The cells of one architecture: what the workbench does, held against plain transformers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor

import workbench as wb
from benchmarks.architectures.plain import Plain, adding, captured, difference, greedy
from workbench.edit.passes import final_logits
from workbench.export.writing import residual_writes
from workbench.vocabulary import Pole, site_named

STEPS = 5
TOLERANCE = 1e-3
COLUMNS = ("capture", "edit", "generate", "patch", "bake", "residual sites", "z")
NEURON_SITES, RESIDUAL_SITES = ("hook_post", "hook_pre", "act"), ("resid_mid", "resid_post", "mlp_out")
ASKED = ["How do you spend your time at the office party?", "What is 21 + 13?", "Say it."]


@dataclass
class Cell:
    """What became of one use of an architecture.

    Attributes:
        worst: the largest relative difference; None if nothing was computed.
        refused: what was refused, with the message.
        bugs: what was wrong.
    """

    worst: float | None = None
    refused: dict[str, str] = field(default_factory=dict)
    bugs: list[str] = field(default_factory=list)

    def differs(self, what: str, by: float) -> None:
        """Count a difference, which is a bug above the tolerance."""
        self.worst = max(by, self.worst or 0.0)
        if not by <= TOLERANCE:
            self.bugs.append(f"{what} differs by {by:.1e}")

    def refuses(self, what: str, error: BaseException) -> None:
        """Count a refusal, which is a bug unless it is one line of the kind that callers' mistakes get."""
        message = str(error)
        if isinstance(error, ValueError | FileNotFoundError) and message and "\n" not in message:
            self.refused[what] = message
        else:
            self.bugs.append(f"{what}: {type(error).__name__}: {message.partition(chr(10))[0][:300]}")


@dataclass
class Case:
    """One checkpoint, hooked and plain."""

    model: wb.Model
    plain: Plain
    contrast: wb.Contrast

    @property
    def layers(self) -> range:
        return range(len(self.plain.layers))

    def at(self, site: str) -> list[int]:
        return [layer for layer in self.layers if self.plain.has(site, layer)]

    def edit(self, site: str, layers: list[int], width: int) -> wb.Edit:
        generator = torch.Generator().manual_seed(1)
        deltas = {layer: torch.randn(width, generator=generator) for layer in layers}
        return wb.Edit.of(deltas, trait="T", method="test", direction="increase", site=site, gamma=1.5)


def capture_cell(case: Case, sites: tuple[str, ...], cell: Cell) -> None:
    for site in sites:
        if site == "act":
            continue
        layers = case.at(site)
        try:
            found: Any = wb.capture(case.model, case.contrast, site=site, keep=True, layers=layers or None)
        except Exception as error:
            cell.refuses(site, error)
            continue
        if not layers:
            cell.bugs.append(f"capture of {site} gave numbers where there is none")
            continue
        for pole, prompts in case.contrast.poles.items():
            expected = captured(case.plain, site, case.model.tokens(prompts))
            for row, layer in enumerate(found.layers):
                cell.differs(
                    f"capture of {site}, layer {layer}",
                    difference(found.activations[pole][:, row].float(), expected[layer]),
                )


def logits_of(case: Case, tokens: list[list[int]]) -> Tensor:
    out: list[Tensor] = [torch.empty(0)] * len(tokens)
    with torch.no_grad():
        for rows, logits in final_logits(case.model, tokens, max_tokens=4096):
            for row, values in zip(rows.tolist(), logits, strict=True):
                out[row] = values.float()
    return torch.stack(out)


def edit_cell(case: Case, sites: tuple[str, ...], cell: Cell) -> None:
    tokens = case.model.tokens(ASKED)
    for site in sites:
        layers = case.at(site)
        try:
            width = case.model.width(site_named(site), layers or (0,))
            edit = case.edit(site, layers[-2:] or [0], width)
            with wb.edited(case.model, edit, scope="all"):
                ours = logits_of(case, tokens)
        except Exception as error:
            cell.refuses(site, error)
            continue
        if not layers:
            cell.bugs.append(f"an edit at {site} ran where there is none")
            continue
        deltas = {layer: edit.delta(layer) for layer in edit.layers}
        with case.plain.changing(site, adding(deltas)):
            theirs = torch.stack([case.plain.run(torch.tensor([ids]))[-1] for ids in tokens])
        bare = torch.stack([case.plain.run(torch.tensor([ids]))[-1] for ids in tokens])
        if difference(theirs, bare) < 10 * TOLERANCE:
            cell.bugs.append(f"the edit at {site} does not show")
        cell.differs(f"edit at {site}", difference(ours, theirs))


def generate_cell(case: Case, cell: Cell) -> None:
    tokens = case.model.tokens(ASKED)
    stops = case.model.stop_tokens
    try:
        ours = case.model.generate_tokens(ASKED, max_new_tokens=STEPS)
    except Exception as error:
        cell.refuses("answers", error)
        return
    theirs = [greedy(case.plain, ids, STEPS, stops) for ids in tokens]
    cell.differs("generated tokens", float(ours != theirs))
    site = "hook_post" if case.at("hook_post") else "resid_post"
    layers = case.at(site)
    try:
        edit = case.edit(site, layers[-2:], case.model.width(site_named(site), layers))
        for scope in ("generated", "decode"):
            with wb.edited(case.model, edit, scope=scope):
                ours = case.model.generate_tokens(ASKED, max_new_tokens=STEPS)
            theirs = []
            for ids in tokens:
                start = len(ids) - (1 if scope == "generated" else 0)
                deltas = {layer: edit.delta(layer) for layer in edit.layers}
                with case.plain.changing(site, adding(deltas, start)):
                    theirs.append(greedy(case.plain, ids, STEPS, stops))
            cell.differs(f"tokens edited in scope {scope}", float(ours != theirs))
    except Exception as error:
        cell.refuses("edited answers", error)


def patch_cell(case: Case, cell: Cell) -> None:
    layers = case.at("hook_post") or [0]
    neurons = wb.NeuronSet.of((layer, unit) for layer in layers for unit in range(12))

    def metric(logits: Tensor, rows: Tensor) -> Tensor:
        return logits[:, 7]

    try:
        ours = wb.patch(case.model, case.contrast, neurons, metric=metric).table
    except Exception as error:
        cell.refuses("patch", error)
        return
    if not case.at("hook_post"):
        cell.bugs.append("patch ran where there are no neurons")
        return
    prompts = {pole: case.model.tokens(rows) for pole, rows in case.contrast.poles.items()}
    donor = captured(case.plain, "hook_post", prompts[Pole.HIGH])
    theirs = []
    for row, ids in enumerate(prompts[Pole.LOW]):

        def insert(layer: int, h: Tensor, row: int = row) -> Tensor:
            changed = h.clone()
            changed[0, -1, :12] = donor[layer][row, :12]
            return changed

        with case.plain.changing("hook_post", insert):
            theirs.append(float(case.plain.run(torch.tensor([ids]))[-1, 7]))
    own = captured(case.plain, "hook_post", prompts[Pole.LOW])
    differ = any(difference(own[layer][:, :12], donor[layer][:, :12]) > TOLERANCE for layer in layers)
    if differ and difference(torch.tensor(ours["base"].to_numpy()), torch.tensor(theirs)) < TOLERANCE:
        cell.bugs.append("what is patched does not show")
    cell.differs("patched logits", difference(torch.tensor(ours["patched"].to_numpy()), torch.tensor(theirs)))


def bake_cell(case: Case, folder: Path, cell: Cell) -> None:
    layers = case.at("hook_post")
    site = "hook_post" if layers else "resid_post"
    layers = layers or case.at(site)
    try:
        edit = case.edit(site, layers[-2:], case.model.width(site_named(site), layers))
        wb.bake(case.model, edit, folder, new_tokens=4)
        baked = transformers.AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    except Exception as error:
        cell.refuses("bake", error)
        return
    for ids in case.model.tokens(ASKED):
        with case.plain.changing(site, adding({layer: edit.delta(layer) for layer in edit.layers})):
            theirs = case.plain.run(torch.tensor([ids]))
        with torch.no_grad():
            cell.differs("baked logits", difference(baked(torch.tensor([ids])).logits[0], theirs))


def writes_cell(case: Case, cell: Cell) -> None:
    """Whether an edit at `hook_post` writes to the residual stream what it is said to write, in the last such layer."""
    layers = [layer for layer in case.at("hook_post") if case.plain.has("mlp_out", layer)][-1:]
    if not layers or cell.worst is None:
        return
    try:
        edit = case.edit("hook_post", layers, case.model.width(site_named("hook_post"), layers))
        said = residual_writes(case.model, edit)[layers[0]]
    except Exception as error:
        cell.refuses("what an edit writes", error)
        return
    tokens = case.model.tokens(ASKED)[:1]
    bare = captured(case.plain, "mlp_out", tokens)[layers[0]]
    with case.plain.changing("hook_post", adding({layer: edit.delta(layer) for layer in layers})):
        moved = captured(case.plain, "mlp_out", tokens)[layers[0]]
    cell.differs("what an edit writes", difference((moved - bare)[0], said.float()))


def cells_of(case: Case, folder: Path) -> dict[str, Cell]:
    """Every cell of an architecture.

    Args:
        folder: where a baked checkpoint is written.
    """
    cells = {name: Cell() for name in COLUMNS}
    work: list[tuple[str, Callable[[Cell], None]]] = [
        ("capture", lambda cell: capture_cell(case, NEURON_SITES, cell)),
        ("edit", lambda cell: edit_cell(case, NEURON_SITES, cell)),
        ("edit", lambda cell: writes_cell(case, cell)),
        ("generate", lambda cell: generate_cell(case, cell)),
        ("patch", lambda cell: patch_cell(case, cell)),
        ("bake", lambda cell: bake_cell(case, folder / "baked", cell)),
        ("residual sites", lambda cell: capture_cell(case, RESIDUAL_SITES, cell)),
        ("residual sites", lambda cell: edit_cell(case, RESIDUAL_SITES, cell)),
        ("z", lambda cell: capture_cell(case, ("z",), cell)),
        ("z", lambda cell: edit_cell(case, ("z",), cell)),
    ]
    for column, run in work:
        try:
            run(cells[column])
        except Exception as error:  # what cannot be held against transformers is not right either
            cells[column].bugs.append(f"not held against transformers: {type(error).__name__}: {error}")
    return cells


def plain_of(name: str, folder: Path) -> Plain:
    """The checkpoint in plain transformers, with the attention that TransformerLens uses where there is a choice."""
    kind: Any = getattr(transformers, name)
    try:
        network = kind.from_pretrained(folder, attn_implementation="eager")
    except ValueError:
        network = kind.from_pretrained(folder)
    return Plain(network.eval())
