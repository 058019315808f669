"""Hooks at every site, among them the activation function's output, which TransformerLens itself does not hook."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor

from workbench.model.model import Model
from workbench.vocabulary import ACT, HOOK_POST, HOOK_PRE, HOOK_PRE_LINEAR, Site

_ROUNDING, _NARROW = 1e-4, 0.05  # of the product's norm, in float32 and in shorter types


@contextmanager
def hooked_at(model: Model, site: Site, layer: int, function: Callable[[Tensor], Tensor | None]) -> Iterator[None]:
    """`Model.hooked_at`, at the site `act` too.

    A gated MLP computes `h = a * u` from `a = act(hook_pre)` and `u = hook_pre_linear`. Where `function` turns a into
    a', h becomes `h + (a' - a) * u`, which is `a' * u`. In an MLP without a gate, a is `hook_post` itself.

    Raises:
        ValueError: in the first pass, if the layer's `hook_post` is not that product (BitNet normalises it first).
    """
    if site != ACT:
        with model.hooked_at(site, layer, function):
            yield
        return
    gated = model.is_gated(layer)
    try:
        activate = model.activation_function(layer)
    except ValueError:
        if gated:
            raise
        with model.hooked_at(HOOK_POST, layer, function):
            yield
        return
    held: dict[str, Tensor] = {}
    checked = False

    def keep(name: str) -> Callable[[Tensor], None]:
        def hold(values: Tensor) -> None:
            held[name] = values

        return hold

    def change(h: Tensor) -> Tensor | None:
        nonlocal checked
        a, u = activate(held.pop("gate")), held.pop("linear", None)
        if not checked:
            _check_product(model, layer, h, a if u is None else a * u)
            checked = True
        if u is None:
            return function(h)
        changed = function(a)
        return None if changed is None else h + (changed - a) * u

    with ExitStack() as hooks:
        hooks.enter_context(model.hooked_at(HOOK_PRE, layer, keep("gate")))
        if gated:
            hooks.enter_context(model.hooked_at(HOOK_PRE_LINEAR, layer, keep("linear")))
        hooks.enter_context(model.hooked_at(HOOK_POST, layer, change))
        yield


def _check_product(model: Model, layer: int, h: Tensor, product: Tensor) -> None:
    """Refuse an MLP whose `hook_post` is not what follows from its projections and the activation function."""
    apart, size = (h - product.reshape(h.shape)).float().norm(), product.float().norm()
    if not bool(apart <= (_ROUNDING if h.dtype in (torch.float32, torch.float64) else _NARROW) * size):
        raise ValueError(
            f"Layer {layer} of {model.name} does more between hook_pre and hook_post than its activation function and a "
            "gate's product, so that act cannot be edited there. Edit hook_post."
        )
