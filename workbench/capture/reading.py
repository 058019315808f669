"""Hooks that read chosen positions during a forward pass and keep nothing else."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from workbench.model.model import Model
from workbench.vocabulary import MLP_OUT, RESID_POST, Site

_BEHIND = (MLP_OUT, RESID_POST)
"""Sites after the MLP, which need its output at every position."""


class Enough(Exception):
    """Ends a forward pass once everything has been read, as its output is not used."""


@dataclass(frozen=True)
class Take:
    """What to read in one pass.

    Attributes:
        position: which positions of the flattened `(batch * pos)` axis are read.
        weights: the weight of each read position in each output row; None if each read position is a row.
    """

    position: Int[Tensor, " read"]
    weights: Float[Tensor, "row read"] | None


class Reader:
    """Reads sites of one model in one forward pass after another, inside `reading`."""

    def __init__(self, model: Model, sites: Sequence[Site], layers: Sequence[int]) -> None:
        self.model, self.sites, self.layers = model, tuple(sites), tuple(layers)
        self.widths = {site.name: model.width(site, layers) for site in sites}
        self._values: dict[tuple[str, int], Tensor] = {}
        self._take: Take | None = None
        self._checked: set[tuple[str, int]] = set()
        self._compact = False
        self._inside = self._sites_inside_last_mlp()

    def _sites_inside_last_mlp(self) -> frozenset[str]:
        """The sites whose hooks run inside the last MLP; in a block without a norm before it, `resid_mid` is one."""
        mlp = self.model.blocks.mlp(self.layers[-1])
        within = set() if mlp is None else {id(module) for module in mlp.modules()}
        points = {site.name: self.model.hook_point(site, self.layers[-1]) for site in self.sites}
        return frozenset(name for name, point in points.items() if id(point) in within)

    def read(self, take: Take | None, run: Callable[[], object]) -> dict[str, Float[Tensor, "row layer width"]]:
        """Run a pass and return the values read, in float32 on the model's device, by site.

        Args:
            take: what to read; None if the pass is run for its keys and values alone.
            run: the pass.
        """
        self._take, self._values, self._compact = take, {}, False
        try:
            run()
        except Enough:
            pass
        finally:
            values, self._values, self._take = self._values, {}, None
        if take is None:
            return {}
        missing = [site.hook(layer) for site in self.sites for layer in self.layers if (site.name, layer) not in values]
        if missing:
            raise ValueError(
                f"{missing[0]} of {self.model.name} did not run in a pass, so nothing can be read there: TransformerLens "
                "does not call it in this architecture. Choose another site."
            )
        device = self.model.device
        return {
            site.name: torch.stack([values[site.name, layer].to(device) for layer in self.layers], 1)
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
            inner = self._compact and layer == self.layers[-1] and site.name in self._inside
            values = (flat if inner else flat[take.position.to(flat.device)]).float()
            weights = take.weights
            self._values[site.name, layer] = values.clone() if weights is None else weights.to(values.device) @ values
            if len(self._values) == len(self.sites) * len(self.layers):
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
        """Do not run the last MLP, or run it only at the positions that are read, where nothing else is needed."""
        if self._take is None:
            raise Enough
        if any(site in _BEHIND for site in self.sites):
            return None
        position = self._take.position

        def taken(argument: object) -> object:
            if isinstance(argument, Tensor) and argument.ndim == 3:
                return argument.flatten(0, 1)[position.to(argument.device)][None]
            return argument

        self._compact = True
        return tuple(map(taken, args)), {name: taken(value) for name, value in kwargs.items()}

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Keep the hooks on for a whole run; they are removed on leaving, whatever happens."""
        model, last = self.model, self.layers[-1]
        inside = f"blocks.{last}.mlp."
        busy = any(point.fwd_hooks for name, point in model.hooked.hook_dict.items() if name.startswith(inside))
        with ExitStack() as hooks:
            for site in self.sites:
                for layer in self.layers:
                    hooks.enter_context(model.hooked_at(site, layer, self.hook(site, layer)))
            # Other hooks in that MLP, e.g. an edit's, must see every position, so then all of it runs.
            mlp = model.blocks.mlp(last)
            if mlp is not None and not busy:
                handle = mlp.register_forward_pre_hook(self._before_last_mlp, with_kwargs=True)
                hooks.callback(handle.remove)
            yield
