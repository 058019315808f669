"""One capture as a value: everything that its steps need, in this process and on the workers of a cluster."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from workbench.capture.computing import Budget, Computer, Read
from workbench.capture.plan import Group
from workbench.capture.planning import CapturePlan, row_dtype
from workbench.capture.reading import Reader
from workbench.capture.settings import CaptureSettings
from workbench.contrast.contrast import Contrast
from workbench.model.model import Model

Progress = Callable[[int, int], None]
"""Called with (prompts done, prompts in all)."""


@dataclass(frozen=True)
class CaptureRun:
    """One capture.

    Attributes:
        model: whose activations are read.
        contrast: the prompts.
        settings: what is read and kept.
        planned: in which order the prompts are computed, and at which sites and layers they are read.
    """

    model: Model
    contrast: Contrast
    settings: CaptureSettings
    planned: CapturePlan

    @property
    def groups(self) -> tuple[Group, ...]:
        """The groups of prompts, in the order in which they are computed."""
        return self.planned.plan.groups

    @property
    def row_dtype(self) -> torch.dtype:
        """The type of kept rows."""
        return row_dtype(self.model, self.settings)

    @contextmanager
    def computing(self, count: Callable[[int], None] | None = None) -> Iterator[Callable[[Group], Read]]:
        """Keep the hooks on; inside, a function computes one group after another.

        Args:
            count: called with the number of prompts that a batch has finished.
        """
        model, planned, settings = self.model, self.planned, self.settings
        reader = Reader(model, planned.sites, planned.layers)
        budget = Budget(settings.batch_tokens(model.device.type))
        computer = Computer(model, reader, budget, settings.min_saving, count=count)
        with reader.reading():
            yield lambda group: computer.compute(group, pooled=planned.plan.positions.pooled)

    def depends_on(self) -> dict[str, Any]:
        """Everything that determines the capture's result, by name."""
        model, planned, settings = self.model, self.planned, self.settings
        return {
            "model": model.fingerprint,
            "dtype": str(model.dtype),
            "template": str(model.tokenizer.chat_template),
            **({"template_variables": model.template} if model.template else {}),
            "contrast": self.contrast.digest,
            "tokens": planned.plan.digest,
            "position": planned.plan.positions.name,
            "sites": [site.name for site in planned.sites],
            "layers": list(planned.layers),
            "kept": str(self.row_dtype) if settings.keep else "",
            "clusters": sorted(settings.clusters),
            "positive": settings.positive,
            "sample": settings.sample,
        }
