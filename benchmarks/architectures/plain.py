"""What plain transformers computes at each site, found from its own modules and numbers, one prompt at a time."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Change = Callable[[int, Tensor], Tensor | None]
"""From a layer and a site's values `(1, pos, width)` to what replaces them; None leaves them."""

_DOWN = ("down_proj", "dense_4h_to_h", "fc2", "fc_out", "w2", "output_linear", "c_proj", "wo", "Wo")
_GATE = ("gate_proj", "w1", "fc1", "c_fc", "dense_h_to_4h", "fc_in")
_FUSED = ("gate_up_proj", "input_linear", "Wi")
_ACT = ("act_fn", "activation_fn", "act", "activation", "gelu_impl")
_OUT = ("o_proj", "out_proj", "dense", "c_proj", "out_proj", "wo", "Wo")
_INNER = re.compile(r"expert|vision|audio|visual|mtp|encoder(?!.*decoder)")
"""Lists of modules that are not the decoder's blocks."""
_ATTENTION = re.compile(r"attn|attention|temporal|mamba|mixer|conv|recurrent")
_NORM = re.compile(r"norm|ln_|layernorm")
_CLOSE = 1e-4


@dataclass(frozen=True)
class Seen:
    """One child of a block in a pass: its name, what it took and what it gave."""

    name: str
    taken: Tensor
    given: Tensor


def first(value: Any) -> Tensor:
    """The tensor that a module gives or takes first."""
    while not isinstance(value, Tensor):
        value = value[0] if isinstance(value, tuple | list) else next(iter(value.values()))
    return value


def close(a: Tensor, b: Tensor) -> bool:
    """Whether two values are equal up to rounding."""
    if a.numel() != b.numel():
        return False
    a, b = a.flatten(), b.flatten()
    return bool((a - b).abs().max() <= _CLOSE * b.abs().max().clamp(min=1e-6))


def difference(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference as a share of the largest value; infinite for another shape or a value not finite."""
    if ours.shape != theirs.shape:
        return float("inf")
    worst = (ours.double() - theirs.double()).abs().max() / theirs.double().abs().max().clamp(min=1e-12)
    return float(worst) if bool(torch.isfinite(worst)) else float("inf")


@dataclass(frozen=True)
class Sum:
    """How a value of the residual stream arises in a block: some children's outputs, and perhaps the block's input.

    Attributes:
        children: the children of the block that are added, in the order in which they run; the last one's output is
            changed to change the sum.
        start: whether the block's input is added.
        times: what the children's outputs are multiplied by.
    """

    children: tuple[str, ...]
    start: bool
    times: float


class Plain:
    """A plain transformers network and where its sites are.

    Attributes:
        network: the network.
        layers: its blocks.
    """

    def __init__(self, network: Any) -> None:
        self.network = network
        config = network.config.get_text_config(decoder=True)
        self.times = float(getattr(config, "residual_multiplier", None) or 1.0)
        lists = [
            (name, list(module))
            for name, module in network.named_modules()
            if isinstance(module, nn.ModuleList) and len(module) == config.num_hidden_layers
        ]
        lists = [one for one in lists if not _INNER.search(one[0])] or lists
        if not lists:
            raise ValueError("its blocks are not one list")
        self.name, self.layers = lists[0]
        probe = torch.arange(7, 27)[None]
        self.middles: dict[int, Sum] = {}
        self.writers: dict[int, Sum] = {}
        for layer in range(len(self.layers)):
            self._find(layer, probe)

    def down(self, layer: int) -> Any | None:
        """The down projection of a block's MLP; None where it has none, or several."""
        block = self.layers[layer]
        names = [name for name, _ in block.named_modules()]
        if any("expert" in name.lower() or name.endswith(("router", ".gate")) for name in names):
            return None
        found = [
            module
            for name, module in block.named_modules()
            if name.rpartition(".")[2] in _DOWN
            and not re.search(r"attn|attention|mamba|conv|temporal", name)
            and hasattr(module, "weight")
        ]
        return found[0] if len(found) == 1 else None

    def _mlp(self, layer: int) -> Any:
        down = self.down(layer)
        return next(m for m in self.layers[layer].modules() if any(child is down for child in m.children()))

    def gate(self, layer: int) -> tuple[Any, bool] | None:
        """The projection before the activation function, and whether the other half of its output is another's."""
        if self.down(layer) is None:
            return None
        children = dict(self._mlp(layer).named_children())
        for name in _FUSED:
            if name in children:
                return children[name], True
        for name in (*_GATE, "up_proj"):
            if name in children:
                return children[name], False
        return None

    def act(self, layer: int) -> Any | None:
        """The activation function, if it is a module of this block alone."""
        if self.down(layer) is None:
            return None
        mlp = self._mlp(layer)
        found = next((getattr(mlp, name) for name in _ACT if isinstance(getattr(mlp, name, None), nn.Module)), None)
        shared = any(
            found is module for block in self.layers if block is not self.layers[layer] for module in block.modules()
        )
        return None if shared else found

    def _ungated(self, layer: int) -> bool:
        """Whether the down projection takes the activation function's output itself, as in GPT-1, GPT-2 and OPT."""
        gate = self.gate(layer)
        if gate is None or gate[1]:
            return False
        return not {"gate_proj", "w3"} & {name for name, _ in self._mlp(layer).named_children()}

    def heads(self, layer: int) -> Any | None:
        """The output projection of attention."""
        found = [
            module
            for name, module in self.layers[layer].named_modules()
            if name.rpartition(".")[2] in _OUT
            and re.search(r"attn|attention", name)
            and not re.search(r"linear_attn|mamba|norm", name)
        ]
        return found[0] if len(found) == 1 else None

    def run(self, ids: Tensor) -> Tensor:
        """Logits `(pos, d_vocab)` in a whole pass without a cache."""
        with torch.no_grad():
            return self.network(input_ids=ids, use_cache=False).logits[0].float()

    def trace(self, layer: int, ids: Tensor) -> tuple[Tensor, Tensor, list[Seen]]:
        """A block's input, its output, and its children in the order in which they ran."""
        ends: dict[str, Tensor] = {}
        seen: list[Seen] = []
        block = self.layers[layer]

        def child(name: str) -> Callable[..., None]:
            def keep(module: Any, args: tuple, kwargs: dict, output: Any) -> None:
                taken = args[0] if args else kwargs.get("hidden_states", next(iter(kwargs.values()), None))
                if isinstance(taken, Tensor):
                    seen.append(Seen(name, taken.clone(), first(output).clone()))

            return keep

        def whole(module: Any, args: tuple, kwargs: dict, output: Any) -> None:
            ends["in"] = (args[0] if args else kwargs["hidden_states"]).clone() if "in" not in ends else ends["in"]
            ends["out"] = first(output).clone()

        def before(module: Any, args: tuple, kwargs: dict) -> None:
            ends["in"] = (args[0] if args else kwargs["hidden_states"]).clone()

        with ExitStack() as hooks:
            for name, module in block.named_children():
                hooks.callback(module.register_forward_hook(child(name), with_kwargs=True).remove)
            hooks.callback(block.register_forward_pre_hook(before, with_kwargs=True).remove)
            hooks.callback(block.register_forward_hook(whole, with_kwargs=True).remove)
            self.run(ids)
        return ends["in"], ends["out"], seen

    def _find(self, layer: int, ids: Tensor) -> None:
        """Find how the stream between attention and MLP arises, and what the MLP writes."""
        start, end, seen = self.trace(layer, ids)
        seen = [one for one in seen if "dropout" not in one.name]
        if any(_mixes(one.name) and one.given.numel() != end.numel() for one in seen):
            return
        first_one = next((i for i, one in enumerate(seen) if _mixes(one.name)), None)
        if first_one is None:
            return
        last_one = max(i for i, one in enumerate(seen) if _mixes(one.name))
        mixers, later = [one for one in seen if _mixes(one.name)], seen[last_one + 1 :]
        middle = self._middle(start, end, seen, mixers, later)
        if middle is not None:
            self.middles[layer] = middle
        by = {one.name: one.given for one in seen}
        base = torch.stack(
            [by[name].reshape(end.shape) for name in (middle.children if middle else [m.name for m in mixers])]
        ).sum(0)
        times = middle.times if middle else self.times
        stream = times * base + (start if middle is None or middle.start else 0)
        after = [one for one in later if middle is None or one.name not in middle.children]
        after = [one for one in after if one.given.numel() == end.numel()]
        for one in reversed(after):
            reached = stream + times * one.given.reshape(end.shape)
            if close(end, reached) or any(close(each.taken, reached) for each in later[later.index(one) + 1 :]):
                self.writers[layer] = Sum((one.name,), False, times)
            elif middle is not None and not _is_norm(one.name) and close(end, one.given):
                self.writers[layer] = Sum((one.name,), True, 1.0)  # the MLP adds the stream itself
            if layer in self.writers:
                return

    def _middle(
        self, start: Tensor, end: Tensor, seen: list[Seen], mixers: list[Seen], later: list[Seen]
    ) -> Sum | None:
        norm = later[0] if later and _is_norm(later[0].name) else None
        if norm is not None and _is_norm(seen[-1].name) and close(seen[-1].given, end):
            return Sum((norm.name,), False, 1.0)  # the sum itself is normalised, as in GPT-1
        if norm is not None and any(close(each.taken, start + norm.given) for each in later[1:]):
            return Sum((norm.name,), True, 1.0)
        names = tuple(each.name for each in mixers)
        given = torch.stack([each.given.reshape(end.shape) for each in mixers]).sum(0)
        for times in (self.times, 1.0):
            if any(close(each.taken, start + times * given) for each in later):
                return Sum(names, True, times)
        if any(close(each.taken, given) for each in later if each is not norm or len(later) > 1):
            return Sum(names, False, 1.0)  # attention adds the stream itself, as in BLOOM
        return None

    @contextmanager
    def changing(self, site: str, change: Change) -> Iterator[None]:
        """The network with a site's values handed to `change`, which may replace them."""
        with ExitStack() as hooks:
            for layer in range(len(self.layers)):
                for handle in self._handles(site, layer, change):
                    hooks.callback(handle.remove)
            yield

    def has(self, site: str, layer: int) -> bool:
        """Whether a block has a site."""
        if site in ("resid_post",):
            return True
        if site == "resid_mid":
            return layer in self.middles
        if site == "mlp_out":
            return layer in self.writers
        if site == "z":
            return self.heads(layer) is not None
        if site == "hook_pre":
            return self.gate(layer) is not None
        if site == "act":
            return self.act(layer) is not None or self._ungated(layer)
        return self.down(layer) is not None

    def _handles(self, site: str, layer: int, change: Change) -> list[Any]:
        if not self.has(site, layer):
            return []
        block = self.layers[layer]
        if site == "hook_post" or (site == "act" and self.act(layer) is None):
            return [_on_input(self.down(layer), layer, change)]
        if site == "z":
            return [_on_input(self.heads(layer), layer, change)]
        if site == "act":
            return [_on_output(self.act(layer), layer, change)]
        if site == "hook_pre":
            module, fused = self.gate(layer) or (None, False)
            return [_on_output(module, layer, change, fused=fused)]
        if site == "resid_post":
            return [_on_output(block, layer, change)]
        return self._summed(site, layer, change)

    def _summed(self, site: str, layer: int, change: Change) -> list[Any]:
        """Hooks at the stream between attention and MLP, or at what the MLP writes."""
        block, how = self.layers[layer], (self.middles if site == "resid_mid" else self.writers)[layer]
        held: dict[str, Tensor] = {}

        def keep(module: Any, args: tuple, kwargs: dict) -> None:
            held["start"] = (args[0] if args else kwargs["hidden_states"]).clone()

        def add(where: int, given: Tensor) -> None:
            held["others"] = held.get("others", torch.zeros_like(given)) + given

        def last(where: int, given: Tensor) -> Tensor | None:
            others = held.pop("others", torch.zeros_like(given))
            stream = how.times * (given + others) + (held["start"] if site == "resid_mid" and how.start else 0)
            value = stream - held["mid"] if site == "mlp_out" and how.start else stream
            changed = change(where, value.reshape(held["start"].shape))
            return None if changed is None else given + (changed.reshape(value.shape) - value) / how.times

        handles = [block.register_forward_pre_hook(keep, with_kwargs=True)]
        if site == "mlp_out" and how.start:
            handles += self._summed("resid_mid", layer, lambda where, mid: held.update(mid=mid.clone()))
        handles += [_on_output(block.get_submodule(name), layer, add) for name in how.children[:-1]]
        return [*handles, _on_output(block.get_submodule(how.children[-1]), layer, last)]


def _mixes(name: str) -> bool:
    return bool(_ATTENTION.search(name)) and not _is_norm(name)


def _is_norm(name: str) -> bool:
    return bool(_NORM.search(name))


def _on_input(module: Any, layer: int, change: Change) -> Any:
    def run(_: Any, args: tuple, kwargs: dict) -> tuple[tuple, dict] | None:
        given = args[0] if args[0].ndim == 3 else args[0][None]  # OPT's MLP takes its positions flattened
        changed = change(layer, given)
        return None if changed is None else ((changed.reshape(args[0].shape), *args[1:]), kwargs)

    return module.register_forward_pre_hook(run, with_kwargs=True)


def _on_output(module: Any, layer: int, change: Change, *, fused: bool = False) -> Any:
    def run(_: Any, args: tuple, output: Any) -> Any:
        given = first(output)
        half = given.chunk(2, -1)[0] if fused else given
        changed = change(layer, half if half.ndim == 3 else half[None])
        if changed is None:
            return None
        changed = changed.reshape(half.shape)
        if fused:
            changed = torch.cat([changed, given.chunk(2, -1)[1]], -1)
        return type(output)((changed, *output[1:])) if isinstance(output, tuple | list) else changed

    return module.register_forward_hook(run)


def captured(plain: Plain, site: str, prompts: list[list[int]]) -> dict[int, Tensor]:
    """A site's values at the last position of each prompt, `(prompt, width)` by layer."""
    rows: dict[int, list[Tensor]] = {}

    def keep(layer: int, values: Tensor) -> None:
        rows.setdefault(layer, []).append(values.detach().flatten(2)[0, -1].float().clone())

    with plain.changing(site, keep):
        for ids in prompts:
            plain.run(torch.tensor([ids]))
    return {layer: torch.stack(each) for layer, each in rows.items()}


def adding(deltas: Mapping[int, Tensor], from_position: int = 0) -> Change:
    """A change that adds a vector from a position on."""

    def add(layer: int, values: Tensor) -> Tensor | None:
        if layer not in deltas:
            return None
        return torch.cat([values[:, :from_position], values[:, from_position:] + deltas[layer]], 1)

    return add


def greedy(plain: Plain, ids: list[int], steps: int, stops: frozenset[int]) -> list[int]:
    """Greedy tokens, each from a whole pass without a cache."""
    new: list[int] = []
    while len(new) < steps:
        token = int(plain.run(torch.tensor([[*ids, *new]]))[-1].argmax())
        if token in stops:
            break
        new.append(token)
    return new
