"""What a study asks, as a value that is checked before anything runs."""

import math
import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from workbench.edit.applying import Scope
from workbench.vocabulary import BIG_FIVE, big_five

ARMS = ("DPN-LE", "DPN-LE weighted", "magnitude only", "broad", "random", "residual")


class StudyConfig(BaseModel):
    """A study of the embedded model, or of another model trained on its corpus: answers are scored by its grammar.

    Neurons are found on `pairs` prompts of training topics. The dose is chosen on questions of the search
    topics; everything reported is measured on questions of the test topics and on held-out capability items.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = "testbed"
    traits: tuple[str, ...] = BIG_FIVE
    pairs: int = Field(default=400, ge=2, description="Contrast pairs per trait.")
    quantile: float = Field(default=0.995, gt=0, lt=1, description="q of tau_q.")
    min_d: float = Field(default=0.8, ge=0, description="tau_d.")
    layers: tuple[int, ...] | None = Field(default=None, description="Target layers; all by default.")
    arms: tuple[str, ...] = ARMS
    gammas: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0, 1.5)
    broad_gammas: tuple[float, ...] = Field(
        default=(0.05, 0.1, 0.2, 0.3, 0.5), description="Doses of the broad arm, which is far stronger at each."
    )
    scope: Scope = "generated"
    temperature: float = Field(default=1.0, ge=0)
    search_questions: int = Field(default=10, ge=1, le=100, description="Questions per trait on which gamma is chosen.")
    test_questions: int = Field(
        default=20, ge=2, le=200, description="Held-out questions per trait, asked in both directions."
    )
    items_per_task: int = Field(default=6, ge=1, le=50, description="Capability items per task, trait and direction.")
    max_capability_loss: float = Field(default=0.02, ge=0, le=1, description="Bound on the loss at the chosen gamma.")
    min_wellformed: float = Field(default=0.95, ge=0, le=1, description="Bound on well-formedness at the chosen gamma.")
    resamples: int = Field(default=1000, ge=100, description="Bootstrap resamples behind each interval.")
    seed: int = 0

    @field_validator("traits")
    @classmethod
    def _traits(cls, traits: tuple[str, ...]) -> tuple[str, ...]:
        if not traits:
            raise ValueError("a study needs at least one trait")
        return tuple(dict.fromkeys(big_five(trait) for trait in traits))

    @field_validator("arms")
    @classmethod
    def _arms(cls, arms: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [arm for arm in arms if arm not in ARMS]
        if unknown or "DPN-LE" not in arms:
            raise ValueError(f"arms are DPN-LE and any of {', '.join(ARMS[1:])}, but {list(arms)} arrived")
        return tuple(arm for arm in ARMS if arm in arms)

    @field_validator("gammas", "broad_gammas")
    @classmethod
    def _gammas(cls, gammas: tuple[float, ...]) -> tuple[float, ...]:
        if not gammas or any(not (math.isfinite(gamma) and gamma > 0) for gamma in gammas):
            raise ValueError(f"doses are finite numbers above 0, but {list(gammas)} arrived")
        return tuple(sorted(set(gammas)))

    @classmethod
    def read(cls, path: str | Path) -> "StudyConfig":
        """A configuration from a TOML file.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it is no TOML, or says something a study cannot be; names the entry.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"There is no file {path}.")
        try:
            return cls(**tomllib.loads(path.read_text(encoding="utf-8")))
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"{path.name} is no TOML: {error}.") from None
        except ValidationError as error:
            first = error.errors()[0]
            entry = ".".join(map(str, first["loc"])) or "the whole"
            raise ValueError(f"{path.name}, {entry}: {first['msg']}.") from None

    def toml(self) -> str:
        """The configuration as TOML."""
        return "".join(f"{name} = {_toml(value)}\n" for name, value in self.model_dump().items() if value is not None)


def _toml(value: object) -> str:
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)
