"""What a finished study's folder gives an explorer: its effects, pairs, questions, scorer and dose."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd

from workbench.capture.tally import Tally
from workbench.contrast.contrast import Contrast
from workbench.explore.given import Given, new_lock
from workbench.explore.settings import MAX_GAMMA
from workbench.explore.trait import TraitSource
from workbench.measure.effects import Effects, effect_sizes
from workbench.model.model import Model
from workbench.plots.legend import SHIFT, Legend, Wording
from workbench.report.measured import shown_costs
from workbench.score.answers import Scorer, testbed_scorer
from workbench.study.pairs import pairs_of
from workbench.study.store import Store
from workbench.study.study import Study
from workbench.study.traits import KeptErrors
from workbench.testbed import lexicon
from workbench.vocabulary import HOOK_POST

_COMPARED = 20  # answers whose scores must be the grammar's for it to be the study's scorer


def given_by(study: Study, model: Model) -> Given:
    """What an explorer of a study is made of.

    Raises:
        ValueError: if the model is not the one that the study was made with.
    """
    check_model(study, model)
    lock, config = new_lock(), study.config
    sources = {
        trait: TraitSource(
            trait,
            model,
            lock,
            effects=partial(effects, study, model, trait),
            contrast=partial(contrast, study, trait),
            held_out=partial(contrast, study, trait, held_out=True),
        )
        for trait in config.traits
    }
    defaults = {
        "quantile": config.quantile,
        # Where the rule selects nothing, what stood for it is what there is to look at.
        "min_d": min(each["min_d"] for each in study.stand_ins.values()) if study.stands_for else config.min_d,
        "rule": config.rule,
        "layers": config.layers,
        "gamma": min(study.gamma, MAX_GAMMA),
        "scope": config.scope,
        "temperature": config.temperature,
        "seed": config.seed,
    }
    asked = {trait: questions(study, trait) for trait in config.traits}
    return Given(lock, sources, defaults, asked, scorer(study), config.max_new_tokens, facts(study))


def check_model(study: Study, model: Model) -> None:
    """Refuse a model that is not the one a study was made with.

    Raises:
        ValueError: naming both fingerprints, or both models' template variables.
    """
    made_with = str(study.manifest["model_fingerprint"])
    if model.fingerprint != made_with:
        raise ValueError(
            f"The study in {study.folder} was made with {study.manifest['model']}, fingerprint {made_with[:12]}, but "
            f"{model.name} has {model.fingerprint[:12]}. Give the weights that it was made with, or run it again."
        )
    if model.template != study.config.template:
        raise ValueError(
            f"The study in {study.folder} was made with the template variables {study.config.template}, but "
            f"{model.name} has {model.template}. Load it with template= as in the study."
        )


def effects(study: Study, model: Model, trait: str) -> Effects:
    """A trait's effects as the study found them, with their clustered errors and write norms.

    Raises:
        ValueError: if a file is not as the study wrote it.
    """
    tally = Tally.load(_tally(study, trait, HOOK_POST.name))
    without_errors = effect_sizes(tally, write_norms=model.write_norms(tally.layers))
    return replace(without_errors, errors=KeptErrors.load(_tally(study, trait, "errors")).errors)


def contrast(study: Study, trait: str, *, held_out: bool = False) -> Contrast:
    """The pairs that a study found a trait's neurons on, or its held-out ones, built again.

    Raises:
        ValueError: if they are no longer the study's, as where its table of pairs has changed.
    """
    built = pairs_of(study.config, trait, held_out=held_out)
    if not held_out:
        kept = Tally.load(_tally(study, trait, HOOK_POST.name)).provenance["contrast"]
        if built.digest != kept:
            raise ValueError(
                f"The pairs of {trait} from {study.config.contrast} are no longer those of the study in "
                f"{study.folder} (digest {built.digest[:12]}, the study's {kept[:12]}). Restore them, or run it again."
            )
    return built


def questions(study: Study, trait: str) -> list[str]:
    """The held-out questions that a study asked about a trait; empty where it asked none."""
    answers = study.tables.get("answers")
    if answers is None or not {"trait", "question"} <= set(answers):
        return []
    return list(dict.fromkeys(answers.loc[answers["trait"] == trait, "question"]))


def scorer(study: Study) -> Scorer | None:
    """What scored a study's open answers, where it can score others at once: the embedded model's grammar.

    None where the study had no open answers, or scored them by other means.
    """
    answers = study.tables.get("answers")
    if answers is None or not {"trait", "answer", "score"} <= set(answers):
        return None
    scored = answers[answers["score"].notna()].head(_COMPARED)
    if not set(scored["trait"]) <= set(lexicon.TRAITS):
        return None
    same = [
        testbed_scorer(answer, trait).score == score
        for answer, trait, score in zip(scored["answer"], scored["trait"], scored["score"], strict=True)
    ]
    return testbed_scorer if same and all(same) else None


def facts(study: Study) -> dict[str, str]:
    """The dose that a study chose, and what the arm under test did there to the target and to costs, with intervals."""
    legend, rows = Legend.of(study), study.tables["equal_dose"]
    row = rows[rows["arm"] == study.method].iloc[0]
    shift, target = legend.shift(), legend.quantity(study.target)
    named = {
        "Dose": f"gamma {study.gamma:g} of {study.method}",
        f"Shift of {target.label}": _interval(row, SHIFT, shift),
    }
    for cost in shown_costs(study):
        change = legend.change(cost)
        named[change.label[:1].upper() + change.label[1:]] = _interval(row, f"{cost}_change", change)
    return named


def _interval(row: pd.Series, column: str, wording: Wording) -> str:
    estimate, low, high = (wording.text(float(row[f"{column}{end}"])) for end in ("", "_low", "_high"))
    unit = "" if wording.share else f" {wording.unit.partition(',')[0]}"
    return f"{estimate} [{low}, {high}]{unit}".replace("-", "−")


def _tally(study: Study, trait: str, part: str) -> Path:
    """A file of a trait's activations, checked to be as the study wrote it."""
    files = Store(study.folder).files_of(f"tally/{trait}") or {}
    if part not in files:
        raise ValueError(
            f"The study in {study.folder} lacks the activations of {trait}. Run it again: it makes what is missing."
        )
    return files[part]
