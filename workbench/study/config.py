"""What a study asks, as a value that is checked before anything runs; nothing here loads a model or torch."""

import math
import tomllib
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

from workbench.arm import registry as arms
from workbench.arm.registry import ARMS, NAMES
from workbench.arm.spec import ONCE, ArmSpec
from workbench.capture.settings import Engine
from workbench.concept.concept import Concept
from workbench.concept.named import concept_of
from workbench.concept.texts import EXPLICIT
from workbench.contrast.banks import STYLES
from workbench.outcome import registry as outcomes
from workbench.outcome.registry import DEFAULT, Entry
from workbench.score.judge.settings import JudgeConfig
from workbench.select.settings import RuleSettings
from workbench.study.concepts import CONCEPTS, KeptConcept, Mistake, as_concept, from_folder, named_concepts
from workbench.study.toml import toml_of
from workbench.testbed.speaking import named_speaks
from workbench.textfile import read_text
from workbench.vocabulary import BIG_FIVE, Scope

WORK = ("engine", "address", "workers")
"""Entries that say where a study runs, and change no result."""


class StudyConfig(BaseModel):
    """A study: traits, an arm under test and others beside it, doses, and outcomes.

    Neurons are found on `pairs` prompts of training topics. The dose is chosen on the outcomes' search questions;
    everything reported is measured on their test questions and on held-out pairs. Where `contrast` and `questions`
    are a PersonalityBench folder, its search and test splits stand for them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(
        default="testbed", description="'testbed', 'smollm2', a Hugging Face name, a checkpoint folder, or a GGUF file."
    )
    template: dict[str, Any] = Field(
        default_factory=dict,
        description="Variables of the model's chat template, e.g. { enable_thinking = false }. A template that asks "
        'for the day is told 26 July 2024, or what strftime_now says, e.g. { strftime_now = "2025-01-31" }.',
    )
    adapter: str | None = Field(
        default=None, description="A peft adapter's folder or name, e.g. a LoRA; it is merged into the model."
    )
    traits: tuple[str, ...] = Field(
        default=BIG_FIVE,
        description="What is studied: built-in concepts by name, e.g. Extraversion or Formality, and paths to other "
        "concepts' files, from this file's folder.",
    )
    contrast: str = Field(
        default="testbed",
        description="Where pairs come from: the embedded model's bank (testbed), the built-in one (builtin, the "
        "default for any other model), a PersonalityBench folder, or a jsonl, csv or parquet table with a column "
        "trait.",
    )
    style: str = Field(
        default=EXPLICIT,
        description="Personas, in pairs and in prompts: explicit ones name the trait's marks; the Big Five have "
        "behavioural ones too, which tell situations.",
    )
    questions: str = Field(
        default="testbed",
        description="Where open questions come from: the embedded model's (testbed), the built-in bank's (builtin), or "
        "a PersonalityBench folder, whose search split chooses the dose and whose test split is reported.",
    )
    pairs: int = Field(default=400, ge=2, description="Contrast pairs per trait.")
    site: Literal["hook_post"] = Field(default="hook_post", description="Where neurons are read and edited.")
    rule: Literal["dual", "magnitude-only", "d-only"] = Field(
        default="dual", description="The rule that chooses the neurons of the DPN-LE arms."
    )
    quantile: float = Field(default=RuleSettings.quantile, gt=0, lt=1, description="q of tau_q.")
    quantiles: tuple[float, ...] = Field(
        default=(0.97, 0.99, 0.999),
        description="Other q at which the arm under test and its random control run too, at the chosen dose.",
    )
    min_d: float = Field(
        default=RuleSettings.min_d,
        ge=0,
        description="tau_d; by default what was published for the model's architecture and size, where known.",
    )
    layers: tuple[int, ...] | None = Field(
        default=None, description="Target layers; by default those published for such a model, else all."
    )
    method: str = Field(default="DPN-LE", description="The arm under test, which the others are compared with.")
    arms: tuple[str, ...] = Field(default=ARMS, description=f"The arm under test and any of {', '.join(NAMES)}.")
    gammas: tuple[float, ...] = Field(default=(0.25, 0.5, 0.75, 1.0, 1.5), description="Doses of the graded arms.")
    broad_gammas: tuple[float, ...] = Field(
        default=(0.05, 0.1, 0.2, 0.3, 0.5),
        description="Doses of broad, d only and heads, which are far stronger at each.",
    )
    control_gammas: tuple[float, ...] = Field(
        default=(), description="Doses of the controls besides the chosen one, at which they always run."
    )
    draws: int = Field(
        default=20,
        ge=1,
        description="How often each random control is drawn at the chosen dose, for the target's outcome; elsewhere it "
        "is drawn once. With n draws no p-value can be below 1 / (n + 1).",
    )
    scopes: tuple[Scope, ...] = Field(
        default=("generated",),
        description="Which positions are edited; the first is reported, the arm under test alone runs in the others.",
    )
    outcomes: tuple[Entry, ...] = Field(
        default=DEFAULT,
        description=f"What is measured: any of {', '.join(outcomes.BUILT_IN)}. An outcome that needs a file or tasks "
        'is written with them, e.g. { minimal-pairs = "pairs.jsonl", n = 100 }.',
    )
    target: str | None = Field(
        default=None,
        description="The quantity that chooses the dose and at which arms are compared, e.g. trait_score or "
        "questionnaire; by default the first that measures the trait.",
    )
    shift: float | None = Field(
        default=None,
        gt=0,
        description="The shift of the target that the chosen dose must reach: the least such dose is taken. By default "
        "the dose with the greatest shift within the bounds below.",
    )
    dose: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="The dose at which everything is reported, instead of one that search questions choose, e.g. as "
        "published. Arms run at their other doses too.",
    )
    max_loss: dict[str, float] = Field(
        default_factory=dict,
        description="By cost, the greatest mean loss at the chosen dose; each cost has its own default, e.g. "
        "{ capability = 0.02 }.",
    )
    min_level: dict[str, float] = Field(
        default_factory=dict,
        description="By cost, the least mean at the chosen dose; each cost has its own default, e.g. "
        "{ wellformed = 0.95 }. With a judge, wellformed is (fluency - 1) / 4, so that 0.75 asks for a mean of 4.",
    )
    temperature: float = Field(default=0.0, ge=0, description="Of the open answers; 0 takes the likeliest token.")
    max_new_tokens: int = Field(default=56, ge=1, description="The most tokens of an open answer.")
    search_questions: int = Field(default=10, ge=1, le=100, description="Questions per trait on which gamma is chosen.")
    test_questions: int = Field(
        default=20, ge=2, le=200, description="Held-out questions per trait, asked in both directions."
    )
    items_per_task: int = Field(default=6, ge=1, le=50, description="Capability items per task, trait and direction.")
    answered_pairs: int = Field(
        default=100, ge=2, description="Pairs per trait whose answers NPTI reads, while there are as many."
    )
    patching_pairs: int = Field(default=40, ge=2, description="Held-out pairs per trait behind the patching curves.")
    margin: float = Field(
        default=0.05, gt=0, le=1, description="Loss of a capability that a test of non-inferiority tolerates."
    )
    permutations: int = Field(default=1000, ge=19, description="Shuffled labellings behind each null.")
    resamples: int = Field(default=1000, ge=100, description="Bootstrap resamples behind each interval.")
    engine: Engine = Field(default="local", description="Where arms run; the tables are the same.")
    address: str | None = Field(default=None, description="The Ray cluster's address.")
    workers: int | None = Field(default=None, ge=1, description="How many Ray workers.")
    seed: int = Field(default=0, description="Seed of the pairs, the answers and the intervals.")
    scorer: Literal["grammar", "judge", "none"] = Field(
        default="grammar",
        description="Who scores open answers: the embedded model's grammar, the judge below, or none; then those of a "
        "few arms are shown.",
    )
    judge: JudgeConfig | None = Field(
        default=None, description="A table, at the end: model, and kind, base_url and more; see JudgeConfig."
    )
    concepts: tuple[KeptConcept, ...] = Field(
        default=(), description="Those of the traits that are no built-in concepts; `traits` fills it."
    )

    @property
    def scope(self) -> Scope:
        """The scope that is reported."""
        return self.scopes[0]

    @property
    def selecting(self) -> RuleSettings:
        """The rule that chooses the neurons under test, with its thresholds."""
        return RuleSettings(rule=self.rule, quantile=self.quantile, min_d=self.min_d)

    @property
    def other_quantiles(self) -> tuple[float, ...]:
        """The quantiles that are swept besides the study's own; none where the rule asks for no quantile."""
        return () if self.rule == "d-only" else tuple(q for q in self.quantiles if q != self.quantile)

    @property
    def entries(self) -> dict[str, Any]:
        """Every entry that results may depend on, as plain values."""
        return {name: value for name, value in self.model_dump().items() if name not in WORK}

    @property
    def settings(self) -> dict[str, Any]:
        """Every entry by name, as outcomes take them."""
        return {name: getattr(self, name) for name in type(self).model_fields}

    def concept(self, trait: str) -> Concept:
        """The concept of one of the traits."""
        return concept_of(trait, among=self.concepts)

    def doses(self, arm: ArmSpec, chosen: float | None = None) -> tuple[float, ...]:
        """The doses at which an arm runs, the chosen one among them; 1 for an arm without a dose.

        Before one is chosen, those among which it is, or the one that is given; an arm without doses of its own has
        those of graded arms.
        """
        if not arm.has_dose:
            return (ONCE,)
        by_kind = {"graded": self.gammas, "wide": self.broad_gammas, "chosen": self.control_gammas}
        doses = by_kind[arm.doses] if isinstance(arm.doses, str) else arm.doses
        if chosen is None:
            return tuple(sorted(set(doses or self.gammas))) if self.dose is None else (self.dose,)
        return tuple(sorted({*doses, chosen}))

    @model_validator(mode="before")
    @classmethod
    def _follow_the_model(cls, given: Any) -> Any:
        """Pairs and questions are the built-in bank's for any model but the embedded one, where nobody says whose."""
        if isinstance(given, dict) and not named_speaks(given.get("model", "testbed")):
            return {"contrast": "builtin", "questions": "builtin", **given}
        return given

    @field_validator("template")
    @classmethod
    def _template(cls, template: dict[str, Any]) -> dict[str, Any]:
        empty = [name for name, value in template.items() if value is None]
        if empty:
            raise ValueError(f"a study's template variables have values, but {empty[0]} has none")
        return template

    @model_validator(mode="before")
    @classmethod
    def _take_concepts(cls, given: Any) -> Any:
        """Traits become names, and those that are no built-in concepts stand in `concepts`."""
        if not isinstance(given, dict) or not isinstance(given.get("traits"), list | tuple):
            return given
        try:
            names, own = named_concepts(given["traits"], [as_concept(each) for each in given.get("concepts", ())])
        except (ValueError, OSError) as error:
            return {**given, "traits": Mistake(str(error).rstrip(".")), "concepts": ()}
        return {**given, "traits": names, "concepts": own}

    @field_validator("traits", mode="before")
    @classmethod
    def _traits(cls, traits: Any) -> Any:
        if isinstance(traits, Mistake):
            raise ValueError(traits.said)
        return traits

    @field_validator("arms")
    @classmethod
    def _arms(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return arms.in_order(names)

    @field_validator("outcomes")
    @classmethod
    def _outcomes(cls, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
        return outcomes.in_order(entries)

    @field_validator("scopes")
    @classmethod
    def _scopes(cls, scopes: tuple[Scope, ...]) -> tuple[Scope, ...]:
        if not scopes:
            raise ValueError("a study needs at least one scope")
        return tuple(dict.fromkeys(scopes))

    @field_validator("gammas", "broad_gammas", "control_gammas")
    @classmethod
    def _gammas(cls, gammas: tuple[float, ...]) -> tuple[float, ...]:
        if any(not (math.isfinite(gamma) and gamma > 0) for gamma in gammas):
            raise ValueError(f"doses are finite numbers above 0, but {list(gammas)} arrived")
        return tuple(sorted(set(gammas)))

    @field_validator("quantiles")
    @classmethod
    def _quantiles(cls, quantiles: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 < quantile < 1 for quantile in quantiles):
            raise ValueError(f"quantiles lie between 0 and 1, but {list(quantiles)} arrived")
        return tuple(sorted(set(quantiles)))

    @model_validator(mode="after")
    def _whole(self) -> "StudyConfig":
        styles = dict.fromkeys((*STYLES, *(style for each in self.concepts for style in each.styles)))
        if self.style not in styles:
            raise ValueError(f"style is one of {', '.join(styles)}, but {self.style!r} arrived")
        if not self.gammas or not self.broad_gammas:
            raise ValueError("doses are finite numbers above 0, but gammas or broad_gammas holds none")
        if self.method in NAMES and self.method not in self.arms:
            raise ValueError(f"the arm under test, {self.method!r}, is not among the arms: {list(self.arms)}")
        if self.engine == "local" and (self.address is not None or self.workers is not None):
            raise ValueError("address and workers go with engine = 'ray', but the engine is 'local'")
        if (self.scorer == "judge") != (self.judge is not None):
            given = "without a table [judge]" if self.judge is None else f"[judge] came with scorer = {self.scorer!r}"
            raise ValueError(f"scorer = 'judge' and a table [judge] go together, but {given}")
        return self

    @classmethod
    def for_model(cls, model: str = "testbed", **entries: Any) -> "StudyConfig":
        """The study of DPN-LE's claim that fits a model, as `workbench demo` runs it; `entries` stand before its own.

        A model that has banks of its own is asked by them. Any other is asked by what needs neither a judge nor words
        that it was taught: statements of its own, minimal pairs and the likelihood of text. Its open answers are shown.
        """
        return cls(**{"model": model, **_OF_MODEL.get(model, _OF_ANY), **entries})

    @classmethod
    def example(cls) -> "StudyConfig":
        """A small study with every outcome: two traits of the embedded model, in a minute and a half on two cores."""
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
            ValueError: if it is no text, is no TOML, or says something a study cannot be; names the entry.
        """
        path = Path(path)
        text = read_text(path)
        try:
            entries = tomllib.loads(text)
            if isinstance(entries.get("traits"), list):
                entries["traits"] = [from_folder(path.parent, trait) for trait in entries["traits"]]
            return cls(**entries)
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"{path.name} is no TOML: {error}.") from None
        except RecursionError:
            raise ValueError(f"{path.name} is nested too deeply to be read as a study's configuration.") from None
        except ValidationError as error:
            first = error.errors()[0]
            entry = ".".join(map(str, first["loc"])) or "the whole"
            raise ValueError(f"{path.name}, {entry}: {first['msg']}.") from None

    def toml(self, *, explained: bool = False) -> str:
        """The configuration as TOML, with a comment above each entry where it is to be explained.

        Concepts that are no built-in ones are named by their files in the study's folder.
        """
        files = {each.name: file for file, each in self.concept_files.items()}
        traits = tuple(files.get(trait, trait) for trait in self.traits)
        return toml_of(self, explained=explained, instead={"traits": traits}, without={"concepts"})

    @property
    def concept_files(self) -> dict[str, Concept]:
        """Concepts that are no built-in ones, by their files in the study's folder."""
        return {f"{CONCEPTS}/{each.name}.toml": each for each in self.concepts}


_OF_MODEL: dict[str, dict[str, Any]] = {"testbed": {"temperature": 1.0}}
"""The entries of `StudyConfig.for_model` for models that have banks of their own."""

_OF_ANY: dict[str, Any] = {
    "traits": ("Extraversion",),
    "contrast": "builtin",
    "questions": "builtin",
    "pairs": 120,
    "quantiles": (0.97, 0.999),
    "gammas": (1.0, 2.0, 4.0),
    "broad_gammas": (0.25, 0.5, 1.0),
    "outcomes": (
        "answers",
        {"statements": "builtin", "n": 32},
        {"off-target-statements": "builtin", "n": 32},
        {"minimal-pairs": "builtin", "n": 64},
        {"perplexity": 6, "answers": 4},
        "patching",
    ),
    "target": "statements",
    "scorer": "none",
    "max_new_tokens": 40,
    "answered_pairs": 40,
    "search_questions": 2,
    "test_questions": 4,
    "patching_pairs": 24,
}
"""Those for any other model: one trait, in a quarter of an hour on two cores for a model of 135 million weights."""
