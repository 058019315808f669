"""The neurons that a rule chose, and how many each of its criteria removed."""

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from workbench.vocabulary import NeuronSet


@dataclass(frozen=True, eq=False)
class Selection:
    """The neurons a rule chose, by the pole on which they are more active.

    `high` and `low` follow the sign of the mean difference, so they are disjoint by construction. That they do not
    overlap shows nothing.

    Attributes:
        trait: the effects' trait.
        rule: the rule's name.
        high, low: neurons more active on the high pole, and on the low pole.
        layers: a row for each layer: `layer, neurons, threshold` (tau_q of |s|), `above_threshold`, `above_min_d`,
            `high`, `low`, `removed_by_d` (above tau_q but not tau_d), `removed_by_magnitude` (the reverse).
        parameters: the settings that the rule uses, by name.
        criteria: a row for each layer and criterion of the rule: `layer, criterion, asks`, its `threshold`, how many
            neurons pass it, and how many it alone `removes` (those that pass every other criterion).
    """

    trait: str
    rule: str
    high: NeuronSet
    low: NeuronSet
    layers: pd.DataFrame
    parameters: dict[str, float | str | None] = field(default_factory=dict)
    criteria: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def both(self) -> NeuronSet:
        """All chosen neurons."""
        return self.high | self.low

    @property
    def share(self) -> float:
        """Chosen neurons over all neurons of the layers that were searched, 0 to 1."""
        return len(self) / int(self.layers["neurons"].sum())

    def frame(self) -> pd.DataFrame:
        """Columns trait, layer, neuron, pole: a row for each chosen neuron."""
        poles = [self.high.frame().assign(pole="high"), self.low.frame().assign(pole="low")]
        frame = pd.concat(poles, ignore_index=True).sort_values(["layer", "neuron"], ignore_index=True)
        return frame.assign(trait=self.trait)[["trait", "layer", "neuron", "pole"]]

    def counts(self) -> pd.DataFrame:
        """Columns trait, layer, pole, neurons: how many were chosen in each layer for each pole."""
        table = self.layers[["layer", "high", "low"]].melt("layer", var_name="pole", value_name="neurons")
        return table.assign(trait=self.trait)

    def __len__(self) -> int:
        return len(self.high) + len(self.low)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Selection):
            return NotImplemented
        return (self.trait, self.rule, self.high, self.low) == (other.trait, other.rule, other.high, other.low)

    def __repr__(self) -> str:
        return (
            f"Selection({self.trait!r}, {self.rule}, {len(self.high)} high + {len(self.low)} low, {self.share:.2%} of "
            f"{len(self.layers)} layers' neurons)"
        )


def read_selection(path: str | Path) -> Selection:
    """A selection from a table of neurons, as `locate` writes it or from elsewhere.

    Args:
        path: a csv or parquet file with columns layer, neuron and pole (`high` or `low`), and perhaps trait.

    Returns:
        the selection, whose rule is `file`; how many neurons were searched is not known.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no such table, or holds several traits.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        table = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    except (ValueError, OSError) as error:
        raise ValueError(f"{path.name} is no table: {str(error).splitlines()[0]}.") from None
    missing = [name for name in ("layer", "neuron", "pole") if name not in table]
    if missing:
        raise ValueError(f"{path.name} needs columns layer, neuron and pole; missing {missing} from {list(table)}.")
    wrong = sorted(set(table["pole"].astype(str)) - {"high", "low"})
    if wrong or table.empty:
        raise ValueError(f"{path.name} names neurons of the poles high and low, but {wrong or 'no row'} arrived.")
    for name in ("layer", "neuron"):
        if not pd.api.types.is_integer_dtype(table[name]):
            raise ValueError(f"{path.name} has a whole number for each {name}, but its column is {table[name].dtype}.")
    traits = sorted(set(table["trait"].astype(str))) if "trait" in table else [path.stem]
    if len(traits) > 1:
        raise ValueError(f"{path.name} holds neurons of {', '.join(traits)}. Keep one trait.")
    poles = {
        pole: NeuronSet.of(zip(rows["layer"], rows["neuron"], strict=True))
        for pole, rows in ((pole, table[table["pole"] == pole]) for pole in ("high", "low"))
    }
    if len(poles["high"] & poles["low"]):
        raise ValueError(f"{path.name} has neurons that are both high and low. Keep one row of each.")
    found = sorted(set(table["layer"].tolist()))
    layers = pd.DataFrame({"layer": found, "neurons": [len((poles["high"] | poles["low"]).at(each)) for each in found]})
    for pole, neurons in poles.items():
        layers[pole] = [len(neurons.at(each)) for each in found]
    return Selection(traits[0], "file", poles["high"], poles["low"], layers)
