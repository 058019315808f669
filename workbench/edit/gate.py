"""Hooks at every site, among them the activation function's output, which TransformerLens itself does not hook."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from torch import Tensor

from workbench.model.model import Model
from workbench.vocabulary import ACT, HOOK_POST, HOOK_PRE, HOOK_PRE_LINEAR, Site


@contextmanager
def hooked_at(model: Model, site: Site, layer: int, function: Callable[[Tensor], Tensor | None]) -> Iterator[None]:
    """`Model.hooked_at`, at the site `act` too.

    A gated MLP computes `h = a * u` from `a = act(hook_pre)` and `u = hook_pre_linear`. Where `function` turns a into
    a', h becomes `h + (a' - a) * u`, which is `a' * u`. In an MLP without a gate, a is `hook_post` itself.
    """
    if site != ACT or not model.is_gated(layer):
        with model.hooked_at(HOOK_POST if site == ACT else site, layer, function):
            yield
        return
    activate = model.activation_function(layer)
    held: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[[Tensor], None]:
        def hold(values: Tensor) -> None:
            held[name] = values

        return hold

    def change(h: Tensor) -> Tensor | None:
        a, u = activate(held.pop("gate")), held.pop("linear")
        changed = function(a)
        return None if changed is None else h + (changed - a) * u

    with ExitStack() as hooks:
        hooks.enter_context(model.hooked_at(HOOK_PRE, layer, keep("gate")))
        hooks.enter_context(model.hooked_at(HOOK_PRE_LINEAR, layer, keep("linear")))
        hooks.enter_context(model.hooked_at(HOOK_POST, layer, change))
        yield
