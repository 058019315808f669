"""What an edited run has edited, counted when somebody asks, so that counting costs the run nothing."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from workbench.model.passing import Pass

_SETTLE_AFTER = 512  # passes whose masks are held before they are counted


@dataclass(frozen=True)
class Place:
    """A site and layer of a run, and which of its edits do something there; the last entry is "no edit"."""

    site: str
    layer: int
    active: Bool[Tensor, " edit_and_none"]


class EditedRun:
    """What an edited run has done so far.

    Attributes:
        scope: where it edits: `all` positions; `generated`, the last prompt position and every later one, so
            that the first new token is steered; `decode`, decode steps alone, as published, so that it is not.
        places: the sites and layers that it edits.
        assigned: for each prompt of the run, the place of its edit, or -1; None where all have one edit.
    """

    def __init__(
        self, scope: str, places: Sequence[Place] = (), assigned: Int[Tensor, " prompt"] | None = None
    ) -> None:
        self.scope = scope
        self.places = tuple(places)
        self.assigned = assigned
        self._pairs: Counter[str] = Counter()
        self._passes: Counter[str] = Counter()
        self._by_edit: Counter[int] = Counter()
        self._log: list[tuple[Pass, set[int]]] = []
        self._step: Pass | None = None
        self._fired: set[int] = set()
        self._inferred = False
        self._known: tuple[Pass | None, dict[torch.device, Tensor]] = (None, {})

    @property
    def pairs(self) -> Counter[str]:
        """Edited (position, layer) pairs by phase; padding does not count."""
        self._settle()
        return self._pairs

    @property
    def passes(self) -> Counter[str]:
        """Forward passes seen, by phase."""
        self._settle()
        return self._passes

    @property
    def by_edit(self) -> Counter[int]:
        """Edited (position, layer) pairs by the place of the edit."""
        self._settle()
        return self._by_edit

    @property
    def edited(self) -> int:
        """Edited (position, layer) pairs in all."""
        return sum(self.pairs.values())

    def certificate(self) -> dict[str, Any]:
        """What was edited, as a manifest keeps it: scope, pairs and passes by phase, pairs by edit, sites, layers."""
        return {
            "scope": self.scope,
            "pairs": {phase: count for phase, count in self.pairs.items() if count},
            "passes": dict(self.passes),
            "by_edit": {str(place): count for place, count in sorted(self.by_edit.items())},
            "sites": sorted({place.site for place in self.places}),
            "layers": sorted({place.layer for place in self.places}),
        }

    def note(self, current: Pass | None, place: int, activation: Tensor) -> Pass:
        """Record that a place's hook ran, and say which pass that was in; None is one that somebody else runs."""
        if current is None:
            current = self._guessed(activation, place)
        elif self._inferred:
            self._inferred = False
        if current is self._step and place not in self._fired:
            self._fired.add(place)
            return current
        self._step, self._fired = current, {place}
        if len(self._log) >= _SETTLE_AFTER:
            self._settle()
        self._log.append((current, self._fired))
        return current

    def which(self, step: Pass, device: torch.device | None = None) -> Int[Tensor, " batch"]:
        """The place of each row's edit; that of "no edit" is the last. Found once a pass for all its layers."""
        if step is not self._known[0]:
            if self.assigned is None:
                which = torch.zeros(len(step.rows), dtype=torch.int64)
            else:
                which = self.assigned[step.rows]
                which = torch.where(which < 0, len(self.places[0].active) - 1, which)
            self._known = (step, {torch.device("cpu"): which})
        known = self._known[1]
        device = device or torch.device("cpu")
        if device not in known:
            known[device] = known[torch.device("cpu")].to(device)
        return known[device]

    def _guessed(self, activation: Tensor, place: int) -> Pass:
        """What a pass that somebody else runs must be: one position is a decode step, more are a prompt."""
        shape = activation.shape[:2]
        last = self._step
        if self._inferred and last is not None and last.real.shape == shape and place not in self._fired:
            return last
        self._inferred = True
        phase = "decode" if shape[1] == 1 else "prompt"
        return Pass(phase, torch.ones(shape, dtype=torch.bool), torch.arange(shape[0]))

    def _settle(self) -> None:
        """Count what the log holds."""
        log, self._log, self._step = self._log, [], None
        touched: dict[frozenset[int], Tensor] = {}
        for step, fired in log:
            self._passes[step.phase] += 1
            places = frozenset(fired)
            if places not in touched:
                touched[places] = torch.stack([self.places[place].active for place in fired]).sum(0)
            hits = touched[places]
            which = self.which(step)
            for phase, rows in self._positions(step).items():
                by_edit = torch.zeros_like(hits).index_add_(0, which, rows.cpu()) * hits
                self._pairs[phase] += int(by_edit.sum())
                for edit in by_edit.nonzero()[:, 0].tolist():
                    self._by_edit[edit] += int(by_edit[edit])

    def _positions(self, step: Pass) -> dict[str, Int[Tensor, " batch"]]:
        """By phase, how many of each row's positions are in scope."""
        if step.step is None and step.phase == "decode":
            return {"decode": step.real.sum(1)}
        if step.step is None:
            count = {"all": step.real.sum(1), "generated": torch.ones(len(step.rows), dtype=torch.int64)}
            return {"prompt": count[self.scope]} if self.scope in count else {}
        here = step.real & in_scope(step, self.scope)
        decoded = here & (step.steps() >= 1)
        return {"decode": decoded.sum(1), "prompt": (here & ~decoded).sum(1)}


def in_scope(step: Pass, scope: str) -> Bool[Tensor, "batch pos"]:
    """Which positions of a pass a scope reaches."""
    steps = step.steps()
    if scope == "all":
        return torch.ones_like(steps, dtype=torch.bool)
    return steps >= {"generated": 0, "decode": 1}[scope]
