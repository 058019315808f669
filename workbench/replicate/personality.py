"""The study that a paper on personality asks for: its arms, doses and outcomes, and controls that it lacks."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

from workbench.arm.registry import arm_named
from workbench.arm.spec import ArmSpec
from workbench.contrast.personalitybench import personalitybench_questions
from workbench.outcome.outcome import Outcome
from workbench.outcome.registry import outcome_of
from workbench.replicate.data import Found, missing
from workbench.replicate.outcomes import FirstGsm8k, FirstItems, questions_of
from workbench.replicate.protocol import Deviation, PaperModel, Protocol
from workbench.score.judge.settings import JudgeConfig
from workbench.select.presets import Shape
from workbench.study.config import StudyConfig

GRAMMAR = "grammar"
"""The rater of answers in the embedded model's words: the grammar that it was taught by."""
Rater = JudgeConfig | Literal["grammar"]
"""Who rates open answers."""

_MOST_QUESTIONS = 200
_PLAIN = (
    *("traits", "pairs", "gammas", "scopes", "test_questions", "search_questions", "max_new_tokens", "temperature"),
    *("answered_pairs", "patching_pairs", "draws", "permutations", "resamples", "seed"),
)
"""Settings of a protocol that are entries of a study's file."""


@dataclass(frozen=True)
class Asked:
    """What runs: a study, with arms and outcomes as values, and how it differs from the paper.

    Attributes:
        config, arms, outcomes: of the study.
        deviations: from the paper.
        same_model: whether the model is the one whose numbers the paper gives, by architecture and size.
    """

    config: StudyConfig
    arms: tuple[ArmSpec, ...]
    outcomes: tuple[Outcome, ...]
    deviations: tuple[Deviation, ...]
    same_model: bool


def asked_of(
    protocol: Protocol,
    found: Found,
    *,
    model: str,
    shape: Shape | None,
    judge: Rater | None,
    small: bool,
    given: Mapping[str, Any],
) -> Asked:
    """The study of a protocol on the data that were found.

    Args:
        model: its name, as a study's file has it.
        shape: of the model; None where it is not known yet.
        given: settings that stand before the paper's and a small run's.

    Raises:
        ValueError: if nothing that was found measures the trait.
    """
    values, changes = protocol.changed(small=small, given=given)
    doses, fewer = protocol.doses(small=small)
    lacking = missing(protocol, found, judged=judge is not None)
    runs = {step.name for step in protocol.steps if step.name not in lacking}
    if not {"personalitybench", "ipip"} & runs:
        raise ValueError(
            f"Nothing measures the trait: {lacking.get('personalitybench', 'no PersonalityBench')}. "
            "Give PersonalityBench with a judge, or an IPIP item key."
        )
    paper_model = model_of(protocol, shape)
    bench = found.paths["personalitybench"]
    questions, cut = _questions(protocol, found, values)
    entries = {name: values[name] for name in _PLAIN if name in values} | {"test_questions": questions}
    entries.setdefault("search_questions", 1)  # the dose is given: they choose nothing
    entries["answered_pairs"] = min(values.get("answered_pairs", 100), values["pairs"])
    if paper_model is not None:
        entries |= {"layers": paper_model.every_layer, "min_d": paper_model.min_d, "quantile": paper_model.quantile}
    judged: dict[str, Any] = {"scorer": "none" if judge is None else GRAMMAR}
    if isinstance(judge, JudgeConfig):
        judged = {"scorer": "judge", "judge": judge}
    if judge is not None:  # the doses are the paper's: no cost keeps one from being taken
        judged |= {"min_level": {"wellformed": 0.0}, "max_loss": {"coverage": 1.0}}
    names = [*doses, *(name for name in protocol.beside(small=small) if name not in doses)]
    config = StudyConfig(
        model=model,
        contrast=str(bench),
        questions=str(bench),
        quantiles=tuple(values.get("quantiles", ())),
        method=protocol.method,
        dose=protocol.dose,
        arms=tuple(names),
        **entries,
        **judged,
    )
    arms = tuple(
        spec if (own := doses.get(spec.name)) is None or not spec.has_dose else replace(spec, doses=own)
        for spec in (arm_named(name) for name in config.arms)
    )
    told = (*changes, *fewer, *cut, *_of_model(protocol, paper_model, model), *protocol.deviations)
    outcomes = tuple(_outcomes(config, found, values, runs))
    same = paper_model is not None and paper_model.name == protocol.model
    return Asked(config, arms, outcomes, told, same)


def model_of(protocol: Protocol, shape: Shape | None) -> PaperModel | None:
    """The paper's model of this architecture and size."""
    for each in protocol.models:
        if shape == Shape(each.model_type, each.n_layers, each.d_model, each.d_mlp):
            return each
    return None


def _outcomes(config: StudyConfig, found: Found, values: Mapping[str, Any], runs: set[str]) -> Iterator[Outcome]:
    common = {"margin": config.margin, "seed": config.seed}
    if "personalitybench" in runs:
        made = outcome_of("answers", config.settings)
        assert isinstance(made, Outcome)
        yield made
    if "gsm8k" in runs:
        yield FirstGsm8k(file=str(found.paths["gsm8k"]), **values["gsm8k"], **common)
    for task in ("hotpotqa", "triviaqa"):
        if task in runs:
            yield questions_of(found.paths[task], task, **values[task], **common)
    if "ipip" in runs:
        split = found.paths["ipip"] / "mpi_300_split.json"
        yield FirstItems(
            config.traits,
            config.seed,
            str(found.ipip_key()),
            values["ipip"]["n"],
            str(split) if split.is_file() else "",
        )


def _questions(protocol: Protocol, found: Found, values: Mapping[str, Any]) -> tuple[int, list[Deviation]]:
    """How many test questions a trait has in common with the others, and what the folder lacks."""
    bench = found.paths["personalitybench"]
    with quiet_log():
        counts = {trait: len(personalitybench_questions(bench, trait, split="test")) for trait in values["traits"]}
    wanted = int(values["test_questions"])
    questions = min(wanted, _MOST_QUESTIONS, *counts.values())
    told = []
    if questions < min(wanted, max(counts.values())):
        counted = f"{min(counts.values())} to {max(counts.values())}"
        told.append(Deviation(what="test questions", paper=f"{counted} for each trait", here=f"{questions} for each"))
    if not all((bench / "search" / f"{trait}.json").is_file() for trait in values["traits"]):
        told.append(
            Deviation(
                what="search questions",
                paper="about 36,000 for each trait in PersonalityBench's folder search",
                here="half of the test questions, as the folder has no search; the other half is asked",
            )
        )
    return questions, told


def _of_model(protocol: Protocol, paper_model: PaperModel | None, name: str) -> list[Deviation]:
    if paper_model is None:
        here = f"{name}, with the layers and tau_d that this package takes for such a model"
        return [Deviation(what="model", paper=", ".join(each.name for each in protocol.models), here=here)]
    if paper_model.name == protocol.model:
        return []
    here = f"{paper_model.name}'s architecture and size; the numbers below are {protocol.model}'s"
    return [Deviation(what="model", paper=protocol.model, here=here)]


@contextmanager
def quiet_log() -> Iterator[None]:
    """Without the warnings of the package's log, which the study gives again."""
    log = logging.getLogger("workbench")
    before = log.disabled
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = before
