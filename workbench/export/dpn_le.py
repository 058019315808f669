"""DPN-LE's own files: a folder with one `layer{L}_{Trait}_steering_data.pt` for each layer and a `.json` beside it."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from workbench.edit.edit import AnyEdit, Edit
from workbench.edit.making import dpn_edit
from workbench.export.dpn_le_layer import number_of, read_layer, write_layer
from workbench.export.fitting import check_same_weights, check_shape
from workbench.export.naming import file_part
from workbench.measure.effects import Effects
from workbench.model.model import Model
from workbench.select.selection import Selection
from workbench.vocabulary import HOOK_POST, NeuronSet, sign_of

_NAME = re.compile(r"layer(\d{1,5})_(.+)_steering_data\.(?:pt|json)", re.DOTALL)


@dataclass(frozen=True, eq=False)
class SteeringData:
    """What a folder of DPN-LE's files holds about one trait.

    Attributes:
        trait: the trait.
        layers: the layer of each row.
        steering_vector: `(layer, d_mlp)` float32 mean differences, high minus low.
        cohens_d: `(layer, d_mlp)` float32; not finite where it is not known.
        high, low: the High and Low neurons.
        quantile, min_d: the thresholds they were chosen by, tau_q's quantile and tau_d.
        record: what the workbench adds to its files: dose, direction, method, model. Empty in files of other programs.
    """

    trait: str
    layers: tuple[int, ...]
    steering_vector: Float[Tensor, "layer d_mlp"]
    cohens_d: Float[Tensor, "layer d_mlp"]
    high: NeuronSet
    low: NeuronSet
    quantile: float
    min_d: float
    record: dict[str, Any]

    def edit(
        self,
        *,
        gamma: float | None = None,
        direction: str | None = None,
        weighted: bool = False,
        neurons: Literal["both", "directional"] = "both",
    ) -> Edit:
        """The edit that `dpn_edit` makes of these neurons.

        Args:
            gamma, direction: by default those that the files record; 1 and `increase` where they record none.
            weighted, neurons: as in `dpn_edit`.

        Raises:
            ValueError: if a weighted edit is asked for and d is not known; otherwise as `dpn_edit`.
        """
        chosen = (self.high | self.low).mask(self.layers, self.steering_vector.shape[1])
        if weighted and not bool(torch.isfinite(self.cohens_d[chosen]).all()):
            raise ValueError("A weighted edit ranks neurons by d, but these files were made of an edit and hold none.")
        counts = pd.DataFrame({"layer": list(self.layers), "neurons": self.steering_vector.shape[1]})
        provenance = {key: str(self.record[key]) for key in ("model", "model_fingerprint") if key in self.record}
        effects = Effects(
            self.trait, HOOK_POST.name, self.layers, self.steering_vector, self.cohens_d, 0, 0, provenance
        )  # fmt: skip
        return dpn_edit(
            effects,
            Selection(self.trait, str(self.record.get("rule", "dual")), self.high, self.low, counts),
            gamma=float(self.record.get("gamma", 1.0)) if gamma is None else gamma,
            direction=direction or str(self.record.get("direction", "increase")),
            weighted=weighted,
            neurons=neurons,
            method=self.record.get("method"),
        )


def write_dpn_le(folder: str | Path, *, effects: Effects, selection: Selection) -> list[Path]:
    """Write effects and a selection of their neurons as DPN-LE's files, one for each layer that the rule considered.

    A key `workbench` is added to those of the format; DPN-LE's code does not read it. That code selects the neurons
    again from the vector and d unless it is told not to, so give it the thresholds of the selection.

    Raises:
        FileExistsError: if the folder holds files of the trait.
        ValueError: if the effects are of another site than `hook_post`, lack a layer, or the trait is no file name.

    Reference:
        Zheng et al. (2026), arXiv 2604.27929.
    """
    if effects.site != HOOK_POST.name:
        raise ValueError(f"DPN-LE's neurons are at hook_post, but these effects are at {effects.site}.")
    layers = [int(layer) for layer in selection.layers["layer"]]
    record = {
        "rule": selection.rule,
        "layers": layers,
        **{key: effects.provenance[key] for key in ("model", "model_fingerprint") if key in effects.provenance},
    }
    folder = _room_for(folder, effects.trait)
    written = []
    for layer in layers:
        s, d = effects.at(layer)
        written.append(
            write_layer(
                folder,
                effects.trait,
                layer,
                steering_vector=s,
                cohens_d=d,
                high=selection.high.at(layer),
                low=selection.low.at(layer),
                quantile=number_of(selection.parameters.get("quantile")),
                min_d=number_of(selection.parameters.get("min_d")),
                record=record,
            )
        )
    return written


def write_dpn_le_edit(model: Model, edit: AnyEdit, folder: str | Path) -> list[Path]:
    """Write an edit as DPN-LE's files, one for every layer of the model, for a run at the edit's gamma and direction.

    An edit keeps neither d nor the mean differences of other neurons. The differences are written as 0. d is written as
    infinite, with the sign of the difference, at the edit's neurons and as NaN elsewhere. So no measured value is
    pretended, and thresholds select the edit's neurons as long as the quantile leaves that many in a layer. Where
    effects are at hand, use `write_dpn_le`, which writes the measured values.

    Raises:
        FileExistsError: if the folder holds files of the trait.
        ValueError: if the edit is no constant at `hook_post`, or does not fit the model.
    """
    if not isinstance(edit, Edit) or edit.site != HOOK_POST.name or edit.operation != "add" or edit.mask:
        raise ValueError(f"DPN-LE's files hold constants added at hook_post, but {edit!r} arrived.")
    check_shape(model, "The edit", site=HOOK_POST, width=edit.width, layers=edit.layers)
    sign = sign_of(edit.direction)
    difference = edit.with_gamma(sign)  # its delta is high minus low, whichever way the edit goes
    record = {
        "rule": edit.provenance.get("rule", "dual"),
        "method": edit.method,
        "gamma": float(edit.gamma),
        "direction": edit.direction,
        "layers": list(range(model.n_layers)),
        "model": model.name,
        "model_fingerprint": model.fingerprint,
    }
    folder = _room_for(folder, edit.trait)
    written = []
    for layer in range(model.n_layers):
        s = difference.delta(layer)
        d = torch.where(s == 0, torch.nan, s.sign() * torch.inf)
        high, low = (torch.nonzero(side).flatten() for side in (s > 0, s < 0))
        written.append(
            write_layer(
                folder,
                edit.trait,
                layer,
                steering_vector=s,
                cohens_d=d,
                high=high,
                low=low,
                quantile=torch.nan,
                min_d=torch.nan,
                record=record,
            )
        )
    return written


def read_dpn_le(
    folder: str | Path, *, trait: str | None = None, model: Model | None = None, any_weights: bool = False
) -> SteeringData:
    """Read a trait's files from a folder that DPN-LE's code, or `write_dpn_le`, wrote.

    Args:
        trait: needed where the folder holds several.
        model: its width, layers and, where the files name them, weights must be those of the files.

    Raises:
        FileNotFoundError: if the folder holds no such files.
        ValueError: if a file is not as the format says or leads out of the folder, if files are missing, or if they
            are for another model.
    """
    folder = Path(folder)
    paths = _paths(folder, trait)
    trait = next(iter(paths.values()))[1]
    rows = [read_layer(path, layer) for layer, (path, _) in sorted(paths.items())]
    widths = {len(row["steering_vector"]) for row in rows}
    if len(widths) != 1:
        raise ValueError(f"{folder.name}: steering vectors are equally wide, but widths {sorted(widths)} arrived.")
    layers = tuple(sorted(paths))
    record = rows[0]["workbench"]
    if any(row["workbench"] != record for row in rows[1:]):
        raise ValueError(f"{folder.name} mixes files of {trait} that were written at different times. Keep one set.")
    if record.get("layers", list(layers)) != list(layers):
        raise ValueError(f"{folder.name} was written with layers {record['layers']}, but holds {list(layers)}.")
    if model is not None:
        check_shape(model, f"{folder.name} ({trait})", site=HOOK_POST, width=widths.pop(), layers=layers)
        check_same_weights(model, f"{folder.name} ({trait})", record.get("model_fingerprint"), any_weights=any_weights)
    high, low = (
        NeuronSet.of((layer, i) for layer, row in zip(layers, rows, strict=True) for i in row[pole].tolist())
        for pole in ("high_exclusive_indices", "low_exclusive_indices")
    )
    return SteeringData(
        trait, layers, torch.stack([row["steering_vector"] for row in rows]),
        torch.stack([row["cohens_d_values"] for row in rows]), high, low,
        rows[0]["quantile"], rows[0]["cohens_d_threshold"], record,
    )  # fmt: skip


def _room_for(folder: str | Path, trait: str) -> Path:
    """The folder; refused if it holds files of the trait, which new ones would be mixed with."""
    folder = Path(folder)
    name = file_part(trait, what="trait")
    held = (_NAME.fullmatch(path.name) for path in folder.glob("layer*_steering_data.*"))
    if any(named is not None and named[2] == name for named in held):
        raise FileExistsError(f"{folder} holds files of {trait} already. Choose another folder, or remove them.")
    return folder


def _paths(folder: Path, trait: str | None) -> dict[int, tuple[Path, str]]:
    """One trait's files by layer, each with the trait; the `.json` files where there is no `.pt` file."""
    by_trait: dict[str, dict[int, tuple[Path, str]]] = {}
    for path in sorted(folder.glob("layer*_steering_data.pt")) or sorted(folder.glob("layer*_steering_data.json")):
        named = _NAME.fullmatch(path.name)
        if named is not None:
            by_trait.setdefault(named[2], {})[int(named[1])] = (path, named[2])
    if not by_trait:
        raise FileNotFoundError(f"{folder} holds no files layer*_TRAIT_steering_data.pt.")
    if trait is None and len(by_trait) > 1:
        raise ValueError(f"{folder.name} holds {len(by_trait)} traits. Choose one with trait=: {', '.join(by_trait)}.")
    wanted = next(iter(by_trait)) if trait is None else trait
    if wanted not in by_trait:
        raise ValueError(f"{folder.name} holds no trait {wanted!r}, but {', '.join(by_trait)}.")
    for path, _ in by_trait[wanted].values():
        if path.resolve().parent != folder.resolve():
            raise ValueError(f"{path.name} leads out of {folder.name}. Put the file itself there.")
    return by_trait[wanted]
