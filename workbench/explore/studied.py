"""What a finished study's folder gives an explorer: its effects, its pairs, its questions."""

from dataclasses import replace
from pathlib import Path

from workbench.capture.tally import Tally
from workbench.contrast.contrast import Contrast
from workbench.measure.effects import Effects, effect_sizes
from workbench.model.model import Model
from workbench.study.pairs import pairs_of
from workbench.study.store import Store
from workbench.study.study import Study
from workbench.study.traits import KeptErrors
from workbench.vocabulary import HOOK_POST


def check_model(study: Study, model: Model) -> None:
    """Refuse a model that is not the one a study was made with.

    Raises:
        ValueError: naming both fingerprints.
    """
    made_with = str(study.manifest["model_fingerprint"])
    if model.fingerprint != made_with:
        raise ValueError(
            f"The study in {study.folder} was made with {study.manifest['model']}, fingerprint {made_with[:12]}, but "
            f"{model.name} has {model.fingerprint[:12]}. Give the weights that it was made with, or run it again."
        )


def effects(study: Study, model: Model, trait: str) -> Effects:
    """A trait's effects as the study found them, with their clustered errors and write norms.

    Raises:
        ValueError: if a file is not as the study wrote it.
    """
    tally = Tally.load(_tally(study, trait, HOOK_POST.name))
    found = effect_sizes(tally, write_norms=model.write_norms(tally.layers))
    return replace(found, errors=KeptErrors.load(_tally(study, trait, "errors")).errors)


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
    """The held-out questions that a study asked about a trait."""
    answers = study.tables["answers"]
    return list(dict.fromkeys(answers.loc[answers["trait"] == trait, "question"]))


def _tally(study: Study, trait: str, part: str) -> Path:
    """A file of a trait's activations, checked to be as the study wrote it."""
    files = Store(study.folder).files_of(f"tally/{trait}") or {}
    if part not in files:
        raise ValueError(
            f"The study in {study.folder} lacks the activations of {trait}. Run it again: it makes what is missing."
        )
    return files[part]
