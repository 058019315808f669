"""Where each trait is found: its activations, effects and selections, and the statistics on them, kept by trait."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pandas as pd

from workbench.arm.context import Located
from workbench.capture.answering import capture_gates
from workbench.capture.capturing import capture, capture_sites, provenance
from workbench.capture.settings import CaptureSettings
from workbench.capture.tally import Activations, Tally
from workbench.contrast.contrast import Contrast
from workbench.digest import code_of, key_of
from workbench.measure.clustered import Errors
from workbench.measure.effects import effect_sizes
from workbench.measure.geometry import pca_by_layer
from workbench.model.model import Model
from workbench.outcome.outcome import MATCHED, SELECTED, TraitOutcome
from workbench.study.config import StudyConfig
from workbench.study.frames import stacked
from workbench.study.meter import Meter
from workbench.study.pairs import pairs_of
from workbench.study.statistics import SETTINGS, between_traits, trait_statistics
from workbench.study.store import Part, Store
from workbench.tensorfile import read_tensors, write_tensors
from workbench.vocabulary import HOOK_POST, RESID_POST, Z

_POINTS = 120  # rows of each pole kept for the PCA figure
_HELD_OUT = "held out "
_SITES = (HOOK_POST, RESID_POST, Z)
_PROBED = 120  # pairs on which probes of heads are trained, as many as the items that PAS was published with
_PROMPTS = 8  # prompts at whose ends it is read what an edit writes
_PAIR = 6.0  # rough cost of a pair's activations and statistics, in prompts captured
_ERRORS = "workbench errors 1"


@dataclass(frozen=True, eq=False)
class KeptErrors:
    """Standard errors of effects, which need rows that are not kept."""

    errors: Errors

    def save(self, path: Path) -> Path:
        """Write them."""
        header = {"df": self.errors.df, "clusters": self.errors.clusters, "method": self.errors.method}
        tensors = {"mean_difference": self.errors.mean_difference, "cohens_d": self.errors.cohens_d}
        return write_tensors(path, format=_ERRORS, header=header, tensors=tensors)

    @classmethod
    def load(cls, path: Path) -> "KeptErrors":
        """What `save` wrote."""
        header, tensors = read_tensors(path, format=_ERRORS)
        return cls(Errors(**tensors, **header))


def locating_work(config: StudyConfig) -> float:
    """The rough cost of one trait's activations and statistics, in prompts captured."""
    return _PAIR * config.pairs


def locate_traits(
    model: Model, config: StudyConfig, store: Store, meter: Meter
) -> tuple[dict[str, Located], dict[str, pd.DataFrame]]:
    """Where each trait is found, and the tables on every trait's activations and between traits."""
    located: dict[str, Located] = {}
    tables: dict[str, list[pd.DataFrame]] = {}
    for number, trait in enumerate(config.traits):
        files, frames = _read_trait(model, config, store, trait)
        meter.add(f"{trait}: activations", locating_work(config))
        located[trait] = _located(model, config, store, files, pairs_of(config, trait), seed=config.seed + number)
        for name, frame in frames.items():
            tables.setdefault(name, []).append(frame)
    together = {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}
    return located, together | between_traits(
        {trait: found.neurons for trait, found in located.items()},
        {trait: found.selected for trait, found in located.items()},
        {trait: config.concept(trait).desirable for trait in located},
    )


def _read_trait(
    model: Model, config: StudyConfig, store: Store, trait: str
) -> tuple[dict[str, Path], dict[str, pd.DataFrame]]:
    """The files of a trait's moments and the tables of its statistics; the capture runs where either is lacking."""
    contrast = pairs_of(config, trait)
    held_out = pairs_of(config, trait, held_out=True)
    captured: list[dict[str, Tally]] = []

    def activations() -> dict[str, Tally]:
        if not captured:
            settings = CaptureSettings(keep=True, positive=True)
            captured.append(capture_sites(model, contrast, sites=_SITES, settings=settings))
        return captured[0]

    def moments() -> dict[str, Part]:
        tallies = activations()
        errors = effect_sizes(tallies[HOOK_POST.name]).errors
        assert errors is not None
        return {**tallies, "errors": KeptErrors(errors)}

    def statistics() -> dict[str, pd.DataFrame]:
        rows = activations()[HOOK_POST.name]
        assert isinstance(rows, Activations)
        unseen = capture(model, held_out, keep=True)
        assert isinstance(unseen, Activations)
        found = trait_statistics(rows, contrast, model, effect_sizes(rows), config)
        return {"projection": _points(trait, rows, unseen), **found}

    key = key_of(
        **provenance(model, contrast),
        sites=[site.name for site in _SITES],
        code=code_of("workbench.capture.capturing"),
    )
    depends = key_of(
        capture=key,
        held_out=provenance(model, held_out),
        code=code_of("workbench.study.statistics"),
        **config.model_dump(include=set(SETTINGS)),
    )
    files = store.step(f"tally/{trait}", key, moments)
    return files, store.frames(f"tables/traits/{trait}", depends, statistics)


def _located(
    model: Model, config: StudyConfig, store: Store, files: Mapping[str, Path], contrast: Contrast, *, seed: int
) -> Located:
    tallies = {site.name: Tally.load(files[site.name]) for site in _SITES}
    post = tallies[HOOK_POST.name]
    neurons = effect_sizes(post, write_norms=model.write_norms(post.layers))
    prompts = contrast.neutral or (*contrast.high, *contrast.low)
    return Located(
        replace(neurons, errors=KeptErrors.load(files["errors"]).errors),
        effect_sizes(tallies[RESID_POST.name]),
        effect_sizes(tallies[Z.name]),
        _answers(model, config, store, contrast),
        prompts[:: -(-len(prompts) // _PROMPTS)],
        config.selecting,
        config.layers,
        seed,
        head_rows=_head_rows(model, contrast),
    )


def _answers(model: Model, config: StudyConfig, store: Store, contrast: Contrast) -> Callable[[], Tally]:
    """Gives what NPTI reads of the model's answers under each pole; they are asked for when it is first called."""

    @cache
    def answers() -> Tally:
        key = key_of(
            **provenance(model, contrast, position="each token of the response"),
            pairs=config.answered_pairs,
            max_new_tokens=config.max_new_tokens,
            code=code_of("workbench.capture.answering"),
        )

        def make() -> dict[str, Part]:
            return {
                "": capture_gates(model, contrast, pairs=config.answered_pairs, max_new_tokens=config.max_new_tokens)
            }

        return Tally.load(store.step(f"answers/{contrast.trait}", key, make)[""])

    return answers


def _head_rows(model: Model, contrast: Contrast) -> Callable[[], Activations]:
    """Gives rows at the heads of the first pairs, which are captured when it is first called."""

    @cache
    def rows() -> Activations:
        poles = replace(contrast.rows(range(min(len(contrast), _PROBED))), neutral=None)
        captured = capture(model, poles, site=Z, keep=True)
        assert isinstance(captured, Activations)
        return captured

    return rows


def trace_traits(
    model: Model,
    config: StudyConfig,
    store: Store,
    located: Mapping[str, Located],
    outcome: TraitOutcome,
    meter: Meter,
) -> dict[str, pd.DataFrame]:
    """An outcome of traits: its tables, all traits together.

    Where the rule selects nothing of a trait, the neurons at the largest min_d that selects a handful are traced.
    """
    tables: dict[str, list[pd.DataFrame]] = {}
    for trait, found in located.items():
        pairs = pairs_of(config, trait, held_out=True)
        sets = {SELECTED: found.standing.both, MATCHED: found.matched}
        key = key_of(
            **provenance(model, pairs),
            outcome=outcome.key("test"),
            sets={name: list(each) for name, each in sets.items()},
            resamples=config.resamples,
            seed=config.seed,
        )

        def trace(pairs: Contrast = pairs, sets: dict = sets) -> dict[str, pd.DataFrame]:
            return outcome.trace(model, pairs, sets, resamples=config.resamples, seed=config.seed)

        for name, frame in store.frames(f"outcomes/{outcome.name}/{trait}", key, trace).items():
            tables.setdefault(name, []).append(frame)
        meter.add(f"{trait}: {outcome.name}", outcome.work("test"))
    return {name: stacked(frames) for name, frames in tables.items()}


def _points(trait: str, rows: Activations, held_out: Activations) -> pd.DataFrame:
    """Prompts on the components of their layer, with a column that tells those that were held out."""
    by_pole = {str(pole): values for pole, values in rows.activations.items()}
    by_pole |= {f"{_HELD_OUT}{pole}": values for pole, values in held_out.activations.items()}
    frame = pca_by_layer(by_pole, layers=rows.layers, components=2)
    unseen = frame["pole"].str.startswith(_HELD_OUT)
    frame = frame.assign(pole=frame["pole"].str.removeprefix(_HELD_OUT), held_out=unseen, trait=trait)
    return frame[frame["row"] < _POINTS].reset_index(drop=True)
