"""A paper's settings and numbers, as one file that a reader can check against the paper; nothing here loads torch."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from workbench.replicate.papers import PAPERS
from workbench.textfile import read_text


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Published(_Entry):
    """A number of the paper.

    Attributes:
        id: its name in the table.
        step: the step that measures it.
        quantity: what is measured; see `comparing`.
        arm: of which arm, or of which behaviour.
        gamma: at which dose; None for the best of those that were tried, or for an arm without one.
        direction: `increase`, `decrease`, or both together.
        quantile: at which quantile of |s|, if not the protocol's.
        value: as the paper gives it.
        where: where it stands.
    """

    id: str
    step: str
    quantity: str
    arm: str
    gamma: float | None = None
    direction: str = "both"
    quantile: float | None = None
    value: float
    where: str = Field(min_length=1)


class Setting(_Entry):
    """A setting of the paper, where it stands, and, where its value says it badly, in words."""

    name: str
    value: Any
    said: str = ""
    where: str = Field(min_length=1)


class Arm(_Entry):
    """An arm of the paper, the doses at which it ran, and where they stand."""

    name: str
    doses: tuple[float, ...] | None = None
    where: str = Field(min_length=1)


class Step(_Entry):
    """A part of the protocol, and what it needs: kinds of data, see `find_data`, `judge`, or what the kit lacks."""

    name: str
    title: str
    needs: tuple[str, ...]


class PaperModel(_Entry):
    """A model of the paper by its architecture and size, and the settings that the paper has for it."""

    name: str
    model_type: str
    n_layers: int
    d_model: int
    d_mlp: int
    layers: tuple[int, int]
    quantile: float
    min_d: float
    where: str = Field(min_length=1)

    @property
    def every_layer(self) -> tuple[int, ...]:
        """The layers, both ends included."""
        return tuple(range(self.layers[0], self.layers[1] + 1))


class Deviation(_Entry):
    """What runs otherwise here than in the paper."""

    what: str
    paper: str
    here: str

    def __str__(self) -> str:
        return f"{self.what}: {self.here}; in the paper: {self.paper}"


class Protocol(_Entry):
    """A paper's protocol.

    Attributes:
        name, title, citation: of the paper.
        model: the model whose numbers these are, one of `models`.
        method: the arm under test.
        models: the paper's models.
        settings, arms, steps: what ran.
        added: arms that the paper lacks and that run beside its own: controls, and rivals of equal strength.
        dose: at which controls and other quantiles run.
        numbers: what came out.
        deviations: what always runs otherwise here.
        small: the settings that a small run changes, and under `doses` those of arms.
    """

    name: str
    title: str
    citation: str
    model: str
    method: str
    dose: float = 1.0
    models: tuple[PaperModel, ...]
    settings: tuple[Setting, ...]
    arms: tuple[Arm, ...] = ()
    added: tuple[str, ...] = ()
    steps: tuple[Step, ...]
    numbers: tuple[Published, ...]
    deviations: tuple[Deviation, ...] = ()
    small: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _whole(self) -> "Protocol":
        steps = [step.name for step in self.steps]
        for number in self.numbers:
            if number.step not in steps:
                raise ValueError(f"the number {number.id!r} is of the step {number.step!r}, but there is none")
        for kind, names in (("number", [n.id for n in self.numbers]), ("setting", [s.name for s in self.settings])):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"each {kind} has a name of its own, but {twice[0]!r} comes twice")
        if self.model not in [each.name for each in self.models]:
            raise ValueError(f"the model {self.model!r} is not among the models")
        return self

    @property
    def values(self) -> dict[str, Any]:
        """Every setting's value, by name."""
        return {setting.name: setting.value for setting in self.settings}

    def changed(self, *, small: bool, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[Deviation]]:
        """The settings of a run by name, those that are given last, and how they differ from the paper's."""
        fewer = {name: value for name, value in self.small.items() if small and name not in ("doses", "added")}
        values = {**self.values, **fewer, **given}
        changes = [
            Deviation(what=setting.name, paper=setting.said or _said(setting.value), here=_said(values[setting.name]))
            for setting in self.settings
            if _plain(values[setting.name]) != _plain(setting.value)
        ]
        return values, changes

    def beside(self, *, small: bool) -> tuple[str, ...]:
        """The arms that the paper lacks."""
        return tuple(self.small.get("added", self.added)) if small else self.added

    def doses(self, *, small: bool) -> tuple[Mapping[str, tuple[float, ...] | None], list[Deviation]]:
        """The doses of each arm by name, and how they differ from the paper's."""
        fewer = self.small.get("doses", {}) if small else {}
        doses = {arm.name: tuple(fewer[arm.name]) if arm.name in fewer else arm.doses for arm in self.arms}
        changes = [
            Deviation(what=f"doses of {arm.name}", paper=_said(arm.doses), here=_said(doses[arm.name]))
            for arm in self.arms
            if doses[arm.name] != arm.doses
        ]
        return doses, changes


def read_protocol(paper: str | Path) -> Protocol:
    """The protocol of a paper in the package by its name, or of a file of the same form.

    Raises:
        FileNotFoundError: if it is neither a known name nor a file.
        ValueError: if the file is no TOML, or lacks something; names the entry.

    Example:
        >>> read_protocol("dpn-le").values["pairs"]
        1000
    """
    if str(paper) in PAPERS:
        name = PAPERS[str(paper)]
        text = files("workbench.replicate").joinpath("published", name).read_text(encoding="utf-8")
    else:
        path = Path(paper)
        if not path.is_file():
            raise FileNotFoundError(
                f"A protocol is one of {', '.join(PAPERS)}, or a file like theirs, but {str(paper)!r} is neither."
            )
        name, text = path.name, read_text(path)
    try:
        return Protocol(**tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{name} is no TOML: {error}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        entry = ".".join(map(str, first["loc"])) or "the whole"
        raise ValueError(f"{name}, {entry}: {first['msg']}.") from None
    except TypeError as error:
        raise ValueError(f"{name} is no protocol: {error}.") from None


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_said(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_said, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
