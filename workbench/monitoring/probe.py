"""What is read along a text: an edit's direction, the activity of its neurons, and the same of random controls."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from workbench.edit.applying import check_fits
from workbench.edit.controls import matched_control, random_control, random_direction_control
from workbench.edit.edit import AnyEdit, Composite, Edit
from workbench.edit.making import dpn_edit
from workbench.measure.effects import Effects
from workbench.model.model import Model
from workbench.select.controls import matched_neurons
from workbench.select.selection import Selection
from workbench.vocabulary import HOOK_POST, Axis, site_named


@dataclass(frozen=True, eq=False)
class Place:
    """What is read at one site of one layer.

    Attributes:
        units: `(u,)` those of which anything is read.
        weights: `(u, column)` by which their activations are added up, in float64.
    """

    site: str
    layer: int
    units: Int[Tensor, " u"]
    weights: Float[Tensor, "u column"]


@dataclass(frozen=True, eq=False)
class Probe:
    """An edit's direction and its controls, ready to be read.

    Columns are the direction, the neurons' activity by pole where the site has neurons, and the random draws.

    Attributes:
        trait: the trait.
        what: the edit or the selection, in words.
        sites: the sites' names.
        poles: the poles that have neurons, `high` and `low`; none at a site without neurons.
        draws: how many random controls there are.
        drawn: how they were drawn, in words.
        places: what is read, a place for each site and layer.
    """

    trait: str
    what: str
    sites: tuple[str, ...]
    poles: tuple[str, ...]
    draws: int
    drawn: str
    places: tuple[Place, ...]

    @property
    def columns(self) -> int:
        """Number of columns."""
        return 1 + len(self.poles) + self.draws

    @property
    def digest(self) -> str:
        """SHA-256 over all that is read."""
        digest = hashlib.sha256(repr((self.sites, self.poles, self.draws)).encode())
        for place in self.places:
            digest.update(f"{place.site} {place.layer} {place.units.tolist()}".encode())
            digest.update(place.weights.contiguous().numpy().tobytes())
        return digest.hexdigest()


def probe_of(model: Model, read: AnyEdit | Selection, *, effects: Effects | None, draws: int, seed: int) -> Probe:
    """The probe of an edit, or of a selection.

    A selection is read along the effects' mean differences, or else with equal weights, plus for high neurons and
    minus for low ones. The direction of an edit that decreases its trait is turned, so that more is more of the trait.

    Raises:
        ValueError: if nothing is selected, the edit does not add or is of another model, or `draws` is not positive.
    """
    if draws < 1:
        raise ValueError(f"The null needs at least 1 random draw, but draws is {draws}.")
    edit = _edit_of(model, read, effects) if isinstance(read, Selection) else read
    check_fits(model, edit)
    parts = [_turned(part) for part in _undosed(edit)]
    size = sum(float(part.value.double().square().sum()) for part in parts)
    if not size:
        raise ValueError(f"Monitoring needs a direction, but {edit!r} adds nothing anywhere.")
    neurons = all(site_named(part.site).axis is Axis.NEURONS for part in parts)
    signs = torch.cat([part.value for part in parts]).sign() if neurons else torch.zeros(0)
    poles = tuple(pole for pole, sign in (("high", 1), ("low", -1)) if bool((signs == sign).any()))
    counts = {pole: int((signs == (1 if pole == "high" else -1)).sum()) for pole in poles}
    controls = [[_control(part, effects, seed + draw) for part in parts] for draw in range(draws)]
    columns = 1 + len(poles) + draws
    tables: dict[tuple[str, int], Tensor] = {}
    for number, part in enumerate(parts):
        for layer in part.layers:
            table = tables.setdefault((part.site, layer), torch.zeros(part.width, columns, dtype=torch.float64))
            at = part.layer == layer
            table[part.unit[at], 0] += part.value[at].double() / size
            for column, pole in enumerate(poles, start=1):
                of_pole = at & (part.value.sign() == (1 if pole == "high" else -1))
                table[part.unit[of_pole], column] += 1 / counts[pole]
            for draw, control in enumerate(controls):
                other, there = control[number], control[number].layer == layer
                table[other.unit[there], 1 + len(poles) + draw] += other.value[there].double() / size
    places = []
    for (site, layer), table in sorted(tables.items()):
        units = table.any(1).nonzero()[:, 0]
        places.append(Place(site, layer, units, table[units].contiguous()))
    sites = tuple(dict.fromkeys(part.site for part in parts))
    drawn = f"{draws} draws of {_how(parts, effects)}, seed {seed}"
    return Probe(edit.trait, repr(read), sites, poles, draws, drawn, tuple(places))


def _edit_of(model: Model, selection: Selection, effects: Effects | None) -> Edit:
    if not len(selection):
        raise ValueError(f"Monitoring needs neurons, but {selection!r} has none. Lower its thresholds.")
    if effects is not None:
        return dpn_edit(effects, selection)
    both = selection.both
    width = model.width(HOOK_POST, model.layers(both.layer.tolist()))
    if int(both.neuron.max()) >= width:
        raise ValueError(f"{model.name} has {width} neurons a layer, but {selection!r} has neuron {both.neuron.max()}.")
    high = selection.high.mask(range(model.n_layers), width)
    value = torch.where(high[both.layer, both.neuron], 1.0, -1.0)
    return Edit.on(
        both, value, operation="add", width=high.shape[1], trait=selection.trait, method=selection.rule,
        direction="increase", site=HOOK_POST.name,
    )  # fmt: skip


def _undosed(edit: AnyEdit) -> Sequence[Edit]:
    """An edit at gamma 1; a composite's parts each at its own dose."""
    parts = [part for part in edit.edits if part.acts] if isinstance(edit, Composite) else [edit]
    for part in parts:
        if part.operation != "add":
            raise ValueError(
                f"Monitoring follows the direction that an edit adds, but {part!r} has operation {part.operation!r}. "
                "Pass the selection that it was made from."
            )
    composite = isinstance(edit, Composite)
    return [replace(part, value=part.gamma * part.value if composite else part.value, gamma=1.0) for part in parts]


def _turned(part: Edit) -> Edit:
    return replace(part, value=-part.value, direction="increase") if part.direction == "decrease" else part


def _control(part: Edit, effects: Effects | None, seed: int) -> Edit:
    if not _has_room(part):
        return random_direction_control(part, seed=seed)
    if effects is not None and effects.site == part.site:
        return matched_control(part, matched_neurons(part.neurons, effects, seed=seed), effects)
    return random_control(part, seed=seed)


def _has_room(part: Edit) -> bool:
    """Whether its site has neurons, and each layer as many others as the edit has there."""
    counts = [int((part.layer == layer).sum()) for layer in part.layers]
    return site_named(part.site).axis is Axis.NEURONS and 2 * max(counts, default=0) <= part.width


def _how(parts: Sequence[Edit], effects: Effects | None) -> str:
    if not all(map(_has_room, parts)):
        return "random directions of equal norm in each layer"
    if effects is not None and all(effects.site == part.site for part in parts):
        return "random other neurons, matched in number, layer, values and |mean difference|"
    return "random other neurons, matched in number, layer and values"
