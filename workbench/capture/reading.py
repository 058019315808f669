"""Hooks that take chosen positions out of a pass and keep nothing else."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from workbench.model.model import Model
from workbench.vocabulary import HOOK_POST, HOOK_PRE, MLP_OUT, RESID_POST, Site

_INSIDE = (HOOK_PRE, HOOK_POST)
_BEHIND = (MLP_OUT, RESID_POST)
"""Sites inside the MLP, and those that need its output at every position."""


class Enough(Exception):
    """Everything asked for has been read: the rest of the pass would be thrown away."""


@dataclass(frozen=True)
class Take:
    """What one pass is read for.

    Attributes:
        position: which positions of the flattened `(batch * pos)` axis are read.
        weights: for each output row the share of each read position; None where each read position is a row.
    """

    position: Int[Tensor, " read"]
    weights: Float[Tensor, "row read"] | None


class Reader:
    """Reads sites of one model, pass after pass; use it inside `reading`."""

    def __init__(self, model: Model, sites: Sequence[Site], layers: Sequence[int]) -> None:
        self.model, self.sites, self.layers = model, tuple(sites), tuple(layers)
        self.widths = {site.name: model.width(site, layers) for site in sites}
        self._found: dict[tuple[str, int], Tensor] = {}
        self._take: Take | None = None
        self._checked: set[tuple[str, int]] = set()
        self._compact = False

    def read(self, take: Take | None, run: Callable[[], object]) -> dict[str, Float[Tensor, "row layer width"]]:
        """Run a pass and return what was asked for, in float32 on the model's device, by site.

        Args:
            take: what to read; None where the pass is run for its keys and values alone.
            run: the pass.
        """
        self._take, self._found, self._compact = take, {}, False
        try:
            run()
        except Enough:
            pass
        finally:
            found, self._found, self._take = self._found, {}, None
        if take is None:
            return {}
        missing = [site.hook(layer) for site in self.sites for layer in self.layers if (site.name, layer) not in found]
        if missing:
            raise RuntimeError(f"Every hook must fire in a pass, but {missing[0]} did not.")
        device = self.model.device
        return {
            site.name: torch.stack([found[site.name, layer].to(device) for layer in self.layers], 1)
            for site in self.sites
        }

    def hook(self, site: Site, layer: int) -> Callable[[Tensor], None]:
        """The function to run on a site's activations."""

        def read(activation: Tensor) -> None:
            if self._take is None:
                return
            if (site.name, layer) not in self._checked:
                self._check_width(activation, site, layer)
            take, flat = self._take, activation.flatten(0, 1)
            inner = self._compact and layer == self.layers[-1] and site in _INSIDE
            values = (flat if inner else flat[take.position.to(flat.device)]).float()
            weights = take.weights
            found = values.clone() if weights is None else weights.to(values.device) @ values
            self._found[site.name, layer] = found
            if len(self._found) == len(self.sites) * len(self.layers):
                raise Enough

        return read

    def _check_width(self, activation: Tensor, site: Site, layer: int) -> None:
        if activation.shape[-1] != self.widths[site.name]:
            raise ValueError(
                f"{site.hook(layer)} is {activation.shape[-1]} wide but the model's own width there is "
                f"{self.widths[site.name]}. This looks like a mixture-of-experts block; choose another site."
            )
        self._checked.add((site.name, layer))

    def _before_last_mlp(self, module: torch.nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict] | None:
        """Spare the last MLP what nobody reads: all of it, or the positions that are not taken."""
        if self._take is None:
            raise Enough
        if any(site in _BEHIND for site in self.sites):
            return None
        position = self._take.position

        def taken(given: object) -> object:
            if isinstance(given, Tensor) and given.ndim == 3:
                return given.flatten(0, 1)[position.to(given.device)][None]
            return given

        self._compact = True
        return tuple(map(taken, args)), {name: taken(value) for name, value in kwargs.items()}

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Hooks on for a whole run; they are gone on leaving, whatever happens."""
        model, last = self.model, self.layers[-1]
        inside = f"blocks.{last}.mlp."
        busy = any(point.fwd_hooks for name, point in model.hooked.hook_dict.items() if name.startswith(inside))
        with ExitStack() as hooks:
            for site in self.sites:
                for layer in self.layers:
                    hooks.enter_context(model.hooked_at(site, layer, self.hook(site, layer)))
            # Somebody else's hooks there, an edit's say, must see every position as they always do.
            if not busy:
                mlp = model.hooked.blocks[last].mlp
                handle = mlp.register_forward_pre_hook(self._before_last_mlp, with_kwargs=True)
                hooks.callback(handle.remove)
            yield
