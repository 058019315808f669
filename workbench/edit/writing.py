"""What an edit writes to the residual stream: the one strength in which rivals and controls equal it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from workbench.contrast.prompt import Prompt
from workbench.edit.applying import check_fits
from workbench.edit.edit import AnyEdit, Edit
from workbench.model.model import Model
from workbench.model.norms import Half, half_multiplier, mlp_out_multiplier, norm_after
from workbench.model.passing import Pass
from workbench.model.rendering import pad_left
from workbench.vocabulary import HOOK_POST, MLP_OUT, RESID_MID, RESID_POST, Z

MATCHED_NORM = "the norm of what the whole edit writes to the residual stream"
"""What `equal in norm` means, in provenance and in print."""

_HALF: dict[str, Half] = {HOOK_POST.name: "mlp", Z.name: "attention"}
_DIRECT = (MLP_OUT.name, RESID_MID.name, RESID_POST.name)
_GRID, _SPAN, _ROUNDS = 9, 12.0, 5  # factors tried at once, between 2^-12 and 2^12, each round between two of the last


@dataclass(frozen=True)
class WriteNorm:
    """How much an edit at gamma 1 writes to the residual stream.

    Attributes:
        total: the norm of the sum, over all layers, of what is written; the root mean square over prompts, where it
            depends on the prompt.
        by_layer: the same of each layer alone.
    """

    total: float
    by_layer: dict[int, float]


@dataclass(frozen=True, eq=False)
class Writing:
    """How what is added inside a model's layers reaches its residual stream.

    What an edit writes is the change of the layers' own contributions to the stream, everything upstream of each layer
    as it is without the edit. The contributions are vectors of one stream and add up, so the whole edit's strength is
    the norm of their sum over layers. A delta at `hook_post` writes `delta @ W_out` and one at `z` `delta @ W_O`, times
    a residual multiplier. Where a norm follows, as in Gemma 2, it writes `norm(out + delta @ W) - norm(out)`, which
    depends on the output `out`: it is read at the last position of some prompts. A delta at `mlp_out`, `resid_mid` or
    `resid_post` is written as it is.

    Attributes:
        model: the model.
        outputs: by half of the block and layer, what the norm takes in at the last position of each prompt, `(prompt,
            d_model)`; empty where no norm follows.
    """

    model: Model
    outputs: dict[tuple[Half, int], Float[Tensor, "prompt d_model"]] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Model, prompts: Sequence[str | Prompt] = ()) -> "Writing":
        """How a model writes, at the ends of these prompts; only a model with norms after its layers needs any."""
        norms = _norms_of(model) if len(prompts) else {}
        return cls(model, _read(model, norms, prompts) if norms else {})

    def writes(self, edit: AnyEdit, factor: float = 1.0) -> dict[int, Float[Tensor, "prompt d_model"]]:
        """What `factor` times an edit at gamma 1 adds to the residual stream in each layer that it touches.

        Returns:
            by layer, a row a prompt; a single row where it is the same for every prompt.

        Raises:
            ValueError: if the edit does not fit the model or does not add constants, or a norm follows and no prompt
                was read.
        """
        written = self._written(edit, torch.tensor([factor]))
        return {layer: rows[0] for layer, rows in written.items()}

    def norm(self, edit: AnyEdit) -> WriteNorm:
        """How much an edit at gamma 1 writes.

        Raises:
            ValueError: as `writes`.
        """
        written = self._written(edit, torch.ones(1))
        return WriteNorm(float(_total(written)[0]), {layer: float(_norm(rows)[0]) for layer, rows in written.items()})

    def matched(self, control: Edit, edit: AnyEdit) -> Edit:
        """A rival or control with all its values times one factor, so that it writes as much as `edit` at gamma 1.

        Its provenance says what is equal (`matched_norm`), how much it writes (`write_norm`), and its share of what
        the edit writes (`write_ratio`), which is not 1 where nothing can make it so: it writes nothing, or a norm that
        follows bounds what it writes. Edits that do more than add constants are left as they are, with `unknown`.
        """
        if not (adds(control) and adds(edit)):
            return self.compared(control, edit)
        factor = self.factor(control, self.norm(edit).total)
        return self.compared(replace(control, value=control.value * factor), edit)

    def compared(self, control: Edit, edit: AnyEdit) -> Edit:
        """A rival or control as it is, with the provenance of `matched`."""
        said = {"matched_norm": MATCHED_NORM, "write_norm": "unknown", "write_ratio": "unknown"}
        if adds(control) and adds(edit):
            own, aimed = self.norm(control).total, self.norm(edit).total
            said |= {"write_norm": f"{own:.6g}", "write_ratio": f"{own / aimed if aimed else math.nan:.4g}"}
        return replace(control, provenance={**control.provenance, **said})

    def factor(self, edit: AnyEdit, target: float) -> float:
        """What an edit's values are multiplied by so that at gamma 1 it writes with the norm `target`.

        1 for an edit that writes nothing. Where a norm that follows keeps it below the target, the factor between
        2^-12 and 2^12 with which it comes nearest.

        Raises:
            ValueError: as `writes`.
        """
        plain = self.norm(edit).total
        if not plain or not target:
            return 1.0
        if not any((_HALF.get(part.site), layer) in self.outputs for part in edit.parts for layer in part.layers):
            return target / plain
        low, high = -_SPAN, _SPAN
        for _ in range(_ROUNDS):
            exponents = torch.linspace(low, high, _GRID, dtype=torch.float64)
            totals = _total(self._written(edit, 2**exponents)).double()
            reached = (totals >= target).nonzero()[:, 0].tolist()
            if not reached or not reached[0]:
                return float(2 ** exponents[int((totals - target).abs().argmin())])
            above = reached[0]
            low, high = exponents[above - 1].item(), exponents[above].item()
        share = (target - totals[above - 1]) / (totals[above] - totals[above - 1])
        return float(2 ** (low + share.item() * (high - low)))

    def _written(self, edit: AnyEdit, factors: Tensor) -> dict[int, Float[Tensor, "factor prompt d_model"]]:
        """What an edit writes with its values times each factor, by layer."""
        check_fits(self.model, edit)
        plain = [part.with_gamma(part.gamma / edit.gamma if edit.gamma else 1.0) for part in edit.parts]
        written: dict[int, Tensor] = {}
        for site in dict.fromkeys(part.site for part in plain):
            parts = [part for part in plain if part.site == site]
            for layer in sorted({layer for part in parts for layer in part.layers}):
                delta = torch.stack([part.delta(layer) for part in parts]).sum(0)
                rows = self._reaching(site, layer, delta, factors.float()).cpu()
                rows = rows * self._share(site, layer)
                written[layer] = written[layer] + rows if layer in written else rows
        return dict(sorted(written.items()))

    def _share(self, site: str, layer: int) -> float:
        """What the model multiplies by between a site and the residual stream."""
        if site in _HALF:
            return half_multiplier(self.model, _HALF[site])
        return mlp_out_multiplier(self.model, layer) if site == MLP_OUT.name else 1.0

    def _reaching(
        self, site: str, layer: int, delta: Float[Tensor, " width"], factors: Float[Tensor, " factor"]
    ) -> Float[Tensor, "factor prompt d_model"]:
        if site in _DIRECT:
            return factors[:, None, None] * delta
        if site not in _HALF:
            raise ValueError(
                f"What an edit at {site} writes to the residual stream depends on the input. Only edits at "
                f"{', '.join((*_HALF, *_DIRECT))} have a norm."
            )
        half = _HALF[site]
        weights = (self.model.w_out if half == "mlp" else self.model.w_o)(layer).float()
        through = factors.to(weights.device)[:, None, None] * (delta.to(weights.device) @ weights)
        norm = norm_after(self.model, layer, half)
        if norm is None:
            return through
        if (half, layer) not in self.outputs:
            raise ValueError(
                f"{self.model.name} normalises what its layers write, so that an edit's norm depends on the prompt. "
                "Give some prompts, e.g. Writing.of(model, prompts)."
            )
        output = self.outputs[half, layer]
        with torch.no_grad():
            return norm(output + through) - norm(output)[None]


def write_norm(edit: AnyEdit, model: Model, prompts: Sequence[str | Prompt] = ()) -> WriteNorm:
    """How much an edit at gamma 1 writes to the residual stream; see `Writing`.

    Args:
        prompts: at whose last positions it is read, in a model that normalises what its layers write.

    Raises:
        ValueError: if the edit does not fit the model or does not add constants, or prompts are needed.
    """
    return Writing.of(model, prompts).norm(edit)


def adds(edit: AnyEdit) -> bool:
    """Whether an edit adds constants at sites from which they reach the residual stream without the input's doing."""
    return all(
        part.operation == "add" and not part.mask and part.site in (*_HALF, *_DIRECT) and len(part)
        for part in edit.parts
    )


def _norm(rows: Float[Tensor, "factor prompt d_model"]) -> Float[Tensor, " factor"]:
    return rows.norm(dim=2).square().mean(1).sqrt()


def _total(written: dict[int, Float[Tensor, "factor prompt d_model"]]) -> Float[Tensor, " factor"]:
    rows = torch.broadcast_tensors(*written.values())
    return _norm(torch.stack(rows).sum(0))


def _norms_of(model: Model) -> dict[tuple[Half, int], nn.Module]:
    halves: tuple[Half, ...] = ("attention", "mlp")
    found: dict[tuple[Half, int], nn.Module] = {}
    for half in halves:
        for layer in range(model.n_layers):
            norm = norm_after(model, layer, half)
            if norm is not None:
                found[half, layer] = norm
    return found


@torch.no_grad()
def _read(
    model: Model, norms: dict[tuple[Half, int], nn.Module], prompts: Sequence[str | Prompt]
) -> dict[tuple[Half, int], Float[Tensor, "prompt d_model"]]:
    """What each norm takes in at the last position of each prompt, in float32."""
    tokens = model.tokens(list(prompts))
    model.loop.check([len(ids) for ids in tokens])
    seen: dict[tuple[Half, int], list[Tensor]] = {place: [] for place in norms}

    def reader(place: tuple[Half, int]):
        return lambda module, args: seen[place].append(args[0][:, -1].to(torch.float32, copy=True))

    handles = [norm.register_forward_pre_hook(reader(place)) for place, norm in norms.items()]
    try:
        for batch in model.loop.batches([len(ids) for ids in tokens], max_tokens=4096, max_rows=64):
            ids, real = pad_left([tokens[row] for row in batch], model.pad_token)
            ids, real = ids.to(model.device), real.to(model.device)
            with model.passing(Pass("prompt", real, torch.tensor(batch))):
                model.runner.run(ids, real)
    finally:
        for handle in handles:
            handle.remove()
    return {place: torch.cat(rows) for place, rows in seen.items()}
