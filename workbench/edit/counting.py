"""What an edited run has edited, counted when somebody asks, so that counting costs the run little."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from workbench.edit.edit import AnyEdit
from workbench.edit.reach import Reach
from workbench.model.passing import Pass

_SETTLE_AFTER = 512  # passes whose masks are held before they are counted
_FIRST = frozenset({0})


@dataclass(frozen=True)
class Place:
    """A site and layer that a run edits.

    Attributes:
        active: for each edit of the run whether it acts there; the last entry stands for "no edit".
    """

    site: str
    layer: int
    active: Bool[Tensor, " edit_and_none"]


class EditedRun:
    """What an edited run has done so far.

    Every number is counted from what the hooks wrote, not from what they were to write.

    Attributes:
        scope: where it edits: `all` positions; `generated`, the last prompt position and every later one, so
            that the first new token is steered; `decode`, decode steps alone, as published, so that it is not.
        places: the sites and layers that it edits.
        assigned: for each prompt of the run, the index of its edit, or -1 for none; None where all have one edit.
        edits: the edits themselves.
    """

    def __init__(
        self,
        scope: str,
        places: Sequence[Place] = (),
        assigned: Int[Tensor, " prompt"] | None = None,
        edits: Sequence[AnyEdit] = (),
    ) -> None:
        self.scope = scope
        self.places = tuple(places)
        self.assigned = assigned
        self.edits = tuple(edits)
        self._pairs: Counter[str] = Counter()
        self._passes: Counter[str] = Counter()
        self._by_edit: Counter[tuple[str, int]] = Counter()
        self._together: Counter[tuple[str, frozenset[int]]] = Counter()
        self._log: list[Reach] = []
        self._last: Reach | None = None
        self._last_is_guessed = False

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
        """Edited (position, layer) pairs by the index of the edit."""
        self._settle()
        by_edit: Counter[int] = Counter()
        for (_, edit), pairs in self._by_edit.items():
            by_edit[edit] += pairs
        return by_edit

    def share_of(self, edits: Collection[int]) -> tuple[Counter[str], Counter[str]]:
        """What some of the edits did: their edited (position, layer) pairs, and the passes with a prompt of theirs.

        Args:
            edits: indices of edits.

        Returns:
            Both by phase.
        """
        self._settle()
        pairs: Counter[str] = Counter()
        passes: Counter[str] = Counter()
        for (phase, edit), count in self._by_edit.items():
            pairs[phase] += count if edit in edits else 0
        for (phase, together), count in self._together.items():
            passes[phase] += 0 if together.isdisjoint(edits) else count
        return pairs, passes

    @property
    def edited(self) -> int:
        """Edited (position, layer) pairs altogether."""
        return sum(self.pairs.values())

    def reach(self, current: Pass | None, place: int, activation: Tensor) -> Reach:
        """Where the run acts in the pass under way, worked out once for all places.

        Args:
            current: the pass; None for one that the workbench did not start.
            place: the index of the place whose hook runs.
        """
        last = self._last
        if current is None:
            current = self._guessed(activation, place)
        else:
            self._last_is_guessed = False
        if last is not None and current is last.step and place not in last.ran:
            last.ran.add(place)
            return last
        if len(self._log) >= _SETTLE_AFTER:
            self._settle()
        self._last = reach = Reach(current, self.scope, self._edits_of(current))
        reach.ran.add(place)
        self._log.append(reach)
        return reach

    def _edits_of(self, step: Pass) -> Int[Tensor, " batch"] | None:
        """The index of each row's edit; the last one stands for "no edit"."""
        if self.assigned is None:
            return None
        which = self.assigned[step.rows]
        return torch.where(which < 0, len(self.places[0].active) - 1, which)

    def _guessed(self, activation: Tensor, place: int) -> Pass:
        """What a pass that the workbench did not start must be: one position is a decode step, more are a prompt."""
        shape, last = activation.shape[:2], self._last
        if self._last_is_guessed and last is not None and last.step.real.shape == shape and place not in last.ran:
            return last.step
        self._last_is_guessed = True
        phase = "decode" if shape[1] == 1 else "prompt"
        return Pass(phase, torch.ones(shape, dtype=torch.bool), torch.arange(shape[0]))

    def _settle(self) -> None:
        """Count what the log holds, passes of one kind together."""
        log, self._log, self._last = self._log, [], None
        alike: dict[tuple[str, frozenset[int]], list[tuple[Tensor, Tensor]]] = {}
        for reach in log:
            if not bool(reach.step.real.any()):  # a pass that tests the model, in which no position is a token
                continue
            self._passes[reach.step.phase] += 1
            which = torch.zeros(len(reach.mask), dtype=torch.int64) if reach.which is None else reach.which
            together = (
                _FIRST if reach.which is None else frozenset(which[reach.step.real.any(1).cpu()].unique().tolist())
            )
            self._together[reach.step.phase, together] += 1
            for phase, positions in reach.written().items() if reach.wrote else ():
                alike.setdefault((phase, frozenset(reach.wrote)), []).append((which, positions))
        for (phase, places), rows in alike.items():
            times = torch.stack([self.places[place].active for place in places]).sum(0)
            which, positions = (torch.cat(column) for column in zip(*rows, strict=True))
            by_edit = torch.zeros_like(times).index_add_(0, which, positions.cpu()) * times
            self._pairs[phase] += int(by_edit.sum())
            for edit in by_edit.nonzero()[:, 0].tolist():
                self._by_edit[phase, edit] += int(by_edit[edit])
