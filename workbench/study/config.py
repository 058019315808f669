"""What a study asks, as a value that is checked before anything runs."""

import math
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from workbench.capture.settings import Engine
from workbench.select.settings import RuleSettings
from workbench.study.judging import JudgeConfig
from workbench.vocabulary import BIG_FIVE, Scope, big_five

GRADED = (
    "DPN-LE",
    "DPN-LE weighted",
    "DPN-LE directional",
    "magnitude only",
    "d only",
    "write norm",
    "broad",
    "NPTI",
    "residual",
    "heads",
    "random",
)
"""Arms that are run at every dose: the edit under test, its ablations, its rivals and the simplest control."""

CONTROLS = ("random", "matched random", "shuffled", "flipped", "other trait")
"""Arms that should do nothing, or less: at the chosen dose and at those of `control_gammas`; random at every dose."""

PROMPTING = ("simple prompt", "description prompt", "neutral prompt")
"""Arms that speak to the model instead of editing it; they have no dose."""

ARMS = tuple(dict.fromkeys((*GRADED, *CONTROLS, *PROMPTING)))
WIDE = ("broad", "d only", "heads")
"""Arms that are far stronger at each dose: most neurons at once, or attention heads, which every MLP then reads."""

ACROSS = ("DPN-LE", "residual", "description prompt")
"""Arms that are asked about every trait, not their own alone."""

OUTCOMES = ("answers", "capability", "fluency", "questionnaire", "off-target", "patching")


_LATER = {"questions": "testbed", "max_new_tokens": 56, "scorer": "grammar", "judge": None, "quantiles": ()}
"""Entries that older studies lack, and the value that stands for what these did."""


class StudyConfig(BaseModel):
    """A study of the embedded model, or of another model.

    Answers are scored by the grammar that taught the embedded model, or by a judge: any other model needs one.

    Neurons are found on `pairs` prompts of training topics. The dose is chosen on questions of the search
    topics; everything reported is measured on questions of the test topics and on held-out capability items.
    Where `contrast` and `questions` are a PersonalityBench folder, its search and test splits stand for them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(default="testbed", description="'testbed', a Hugging Face name, or a checkpoint folder.")
    traits: tuple[str, ...] = Field(default=BIG_FIVE, description="Which of the Big Five.")
    contrast: str = Field(
        default="testbed",
        description="Where pairs come from: the embedded model's bank (testbed), the built-in one (builtin), a "
        "PersonalityBench folder, or a jsonl, csv or parquet table with a column trait.",
    )
    questions: str = Field(
        default="testbed",
        description="Where open questions come from: the embedded model's (testbed), or a PersonalityBench folder, "
        "whose search split chooses the dose and whose test split is reported.",
    )
    pairs: int = Field(default=400, ge=2, description="Contrast pairs per trait.")
    site: Literal["hook_post"] = Field(default="hook_post", description="Where neurons are read and edited.")
    rule: Literal["dual", "magnitude-only", "d-only"] = Field(
        default="dual", description="The rule that chooses the neurons of the DPN-LE arms."
    )
    quantile: float = Field(default=RuleSettings.quantile, gt=0, lt=1, description="q of tau_q.")
    quantiles: tuple[float, ...] = Field(
        default=(0.97, 0.99, 0.999),
        description="Other q at which DPN-LE and its random control are run besides, at the chosen dose.",
    )
    min_d: float = Field(default=RuleSettings.min_d, ge=0, description="tau_d.")
    layers: tuple[int, ...] | None = Field(default=None, description="Target layers; all by default.")
    arms: tuple[str, ...] = Field(default=ARMS, description=f"DPN-LE and any of {', '.join(ARMS[1:])}.")
    gammas: tuple[float, ...] = Field(default=(0.25, 0.5, 0.75, 1.0, 1.5), description="Doses of the graded arms.")
    broad_gammas: tuple[float, ...] = Field(
        default=(0.05, 0.1, 0.2, 0.3, 0.5),
        description="Doses of broad, d only and heads, which are far stronger at each.",
    )
    control_gammas: tuple[float, ...] = Field(
        default=(), description="Doses of the controls besides the chosen one, at which they always run."
    )
    scopes: tuple[Scope, ...] = Field(
        default=("generated",),
        description="Which positions are edited; the first is what is reported, DPN-LE alone is run in the others.",
    )
    outcomes: tuple[str, ...] = Field(default=OUTCOMES, description=f"answers, capability and any of {OUTCOMES[2:]}.")
    temperature: float = Field(default=0.0, ge=0, description="Of the open answers; 0 takes the likeliest token.")
    max_new_tokens: int = Field(default=56, ge=1, description="The most tokens of an open answer.")
    search_questions: int = Field(default=10, ge=1, le=100, description="Questions per trait on which gamma is chosen.")
    test_questions: int = Field(
        default=20, ge=2, le=200, description="Held-out questions per trait, asked in both directions."
    )
    items_per_task: int = Field(default=6, ge=1, le=50, description="Capability items per task, trait and direction.")
    patching_pairs: int = Field(default=40, ge=2, description="Held-out pairs per trait behind the patching curves.")
    max_capability_loss: float = Field(default=0.02, ge=0, le=1, description="Bound on the loss at the chosen gamma.")
    margin: float = Field(
        default=0.05, gt=0, le=1, description="Loss of capability that a test of non-inferiority tolerates."
    )
    min_wellformed: float = Field(
        default=0.95,
        ge=0,
        le=1,
        description="Bound on well-formedness at the chosen gamma; "
        "with a judge on (fluency - 1) / 4, so that 0.75 asks for a mean fluency of 4.",
    )
    permutations: int = Field(default=1000, ge=19, description="Shuffled labellings behind each null.")
    resamples: int = Field(default=1000, ge=100, description="Bootstrap resamples behind each interval.")
    engine: Engine = Field(default="local", description="Where cells run; the tables are the same.")
    address: str | None = Field(default=None, description="The Ray cluster's address.")
    workers: int | None = Field(default=None, ge=1, description="How many Ray workers.")
    seed: int = Field(default=0, description="Seed of the pairs, the answers and the intervals.")
    scorer: Literal["grammar", "judge"] = Field(
        default="grammar", description="Who scores open answers: the embedded model's grammar, or the judge below."
    )
    judge: JudgeConfig | None = Field(
        default=None, description="A table, at the end: model, and kind, base_url and more; see JudgeConfig."
    )

    @property
    def scope(self) -> Scope:
        """The scope that is reported."""
        return self.scopes[0]

    @property
    def other_quantiles(self) -> tuple[float, ...]:
        """The quantiles that are swept besides the study's own; none where the rule asks for no quantile."""
        return () if self.rule == "d-only" else tuple(q for q in self.quantiles if q != self.quantile)

    def doses(self, arm: str, chosen: float) -> tuple[float, ...]:
        """The doses at which an arm is run, the chosen one among them; 1 for an arm without a dose."""
        if arm in PROMPTING:
            return (1.0,)
        own = self.broad_gammas if arm in WIDE else self.gammas if arm in GRADED else self.control_gammas
        return tuple(sorted({*own, chosen}))

    @property
    def told(self) -> dict[str, Any]:
        """Every entry, but those that came later while they are what they were before: what tables depend on."""
        entries = self.model_dump()
        return {name: value for name, value in entries.items() if name not in _LATER or value != _LATER[name]}

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

    @field_validator("outcomes")
    @classmethod
    def _outcomes(cls, outcomes: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [outcome for outcome in outcomes if outcome not in OUTCOMES]
        if unknown or not {"answers", "capability"} <= set(outcomes):
            raise ValueError(f"outcomes are answers, capability and any of {OUTCOMES[2:]}, but {outcomes} arrived")
        return tuple(outcome for outcome in OUTCOMES if outcome in outcomes)

    @field_validator("scopes")
    @classmethod
    def _scopes(cls, scopes: tuple[Scope, ...]) -> tuple[Scope, ...]:
        if not scopes:
            raise ValueError("a study needs at least one scope")
        return tuple(dict.fromkeys(scopes))

    @field_validator("gammas", "broad_gammas")
    @classmethod
    def _gammas(cls, gammas: tuple[float, ...]) -> tuple[float, ...]:
        if not gammas:
            raise ValueError("doses are finite numbers above 0, but none arrived")
        return _doses(gammas)

    @field_validator("control_gammas")
    @classmethod
    def _control_gammas(cls, gammas: tuple[float, ...]) -> tuple[float, ...]:
        return _doses(gammas)

    @field_validator("quantiles")
    @classmethod
    def _quantiles(cls, quantiles: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 < quantile < 1 for quantile in quantiles):
            raise ValueError(f"quantiles lie between 0 and 1, but {list(quantiles)} arrived")
        return tuple(sorted(set(quantiles)))

    @model_validator(mode="after")
    def _whole(self) -> "StudyConfig":
        if self.engine == "local" and (self.address is not None or self.workers is not None):
            raise ValueError("address and workers go with engine = 'ray', but the engine is 'local'")
        if (self.scorer == "judge") != (self.judge is not None):
            given = "without a table [judge]" if self.judge is None else f"[judge] came with scorer = {self.scorer!r}"
            raise ValueError(f"scorer = 'judge' and a table [judge] go together, but {given}")
        return self

    @classmethod
    def example(cls) -> "StudyConfig":
        """A small study with every outcome: two traits of the embedded model, in about a minute on two cores."""
        return cls(
            traits=("Extraversion", "Neuroticism"),
            pairs=200,
            quantiles=(0.97, 0.999),
            gammas=(0.5, 1.0, 1.5),
            broad_gammas=(0.1, 0.2, 0.4),
            scopes=("generated", "decode"),
            test_questions=12,
            temperature=1.0,
            patching_pairs=20,
            permutations=200,
            resamples=500,
        )

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

    def toml(self, *, explained: bool = False) -> str:
        """The configuration as TOML, with a comment above each entry where it is to be explained."""
        tables = [(name, value) for name, value in self if isinstance(value, BaseModel)]
        lines = _entries(self, explained, without={name for name, _ in tables})
        for name, table in tables:
            lines += [f"\n[{name}]\n", *_entries(table, explained)]
        return "".join(lines)


def _entries(of: BaseModel, explained: bool, without: Collection[str] = ()) -> list[str]:
    lines = []
    for name, value in of:
        if name in without:
            continue
        if explained:
            lines.append(f"# {type(of).model_fields[name].description}\n")
        lines.append(f"{name} = {_toml(value)}\n" if value is not None else f"# {name} =\n" if explained else "")
    return lines


def _doses(gammas: tuple[float, ...]) -> tuple[float, ...]:
    if any(not (math.isfinite(gamma) and gamma > 0) for gamma in gammas):
        raise ValueError(f"doses are finite numbers above 0, but {list(gammas)} arrived")
    return tuple(sorted(set(gammas)))


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)
