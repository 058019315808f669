"""The steps of a study that run the model: activations, cells of outcomes, and patching; each kept as it is done."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import pandas as pd

from workbench.capture.capturing import capture, capture_sites, provenance
from workbench.capture.settings import CaptureSettings
from workbench.capture.tally import Activations, Tally
from workbench.contrast.contrast import Contrast
from workbench.edit.prompting import Instruction
from workbench.measure.effects import effect_sizes
from workbench.measure.geometry import pca_by_layer
from workbench.model.model import Model
from workbench.score.answers import Condition
from workbench.study.arms import Arm, Located, digest_of, locate
from workbench.study.causes import PATCHED, patched_tables
from workbench.study.cells import Cell, Outcomes, asks_statements, unedited
from workbench.study.config import ACROSS, PROMPTING, StudyConfig
from workbench.study.engines import run_cells
from workbench.study.judging import judged
from workbench.study.pairs import pairs_of
from workbench.study.questions import open_questions
from workbench.study.statistics import (
    BY_TRAIT,
    SETTINGS,
    between_traits,
    read_errors,
    trait_statistics,
    write_errors,
)
from workbench.study.store import Store, key_of
from workbench.vocabulary import HOOK_POST, HOOK_PRE, RESID_POST, Scope, Z

Progress = Callable[[str, float], None]

_POINTS = 120  # rows of each pole kept for the PCA figure
_UNSEEN = "held out "
_SITES = (HOOK_POST, RESID_POST, HOOK_PRE, Z)
_SAMPLE = 512  # rows of each pole from which quantiles are read
_PATCHED = 80.0  # rough cost of a pair's patching, in prompts captured


class Meter:
    """Turns work done into the share of the whole."""

    def __init__(self, total: float, report: Progress | None) -> None:
        self.total, self.done, self.report = total, 0.0, report

    def add(self, label: str, work: float) -> None:
        """Count `work` as done by what `label` says."""
        self.done = min(self.total, self.done + work)
        if self.report is not None:
            self.report(label, self.done / self.total)


class Steps:
    """A study's model, folder and settings, and the steps that need all three."""

    def __init__(self, config: StudyConfig, store: Store, model: Model, progress: Progress | None) -> None:
        self.config, self.store, self.model = config, store, model
        self.judge = None if config.judge is None else config.judge.build(model, config.model)
        self.capturing = 6.0 * config.pairs * len(config.traits)
        self.patching = _PATCHED * config.patching_pairs * len(config.traits) * ("patching" in config.outcomes)
        self.meter = Meter(self.capturing + self.patching + self._answering(), progress)
        for trait in config.traits:  # that all questions and pairs are there is known before anything runs
            open_questions(config, trait, "search", config.search_questions)
            open_questions(config, trait, "test", config.test_questions)
            self.contrast(trait)

    def _answering(self) -> float:
        """The cells' work, as it will be if no two arms turn out to be the same."""
        config = self.config
        search = unedited(config, "search", "train", config.search_questions)
        test = unedited(config, "test", "test", config.test_questions)
        doses = sum(len(config.doses(arm, config.gammas[0])) for arm in config.arms) + len(config.scopes) - 1
        doses += len(config.other_quantiles) * len({"DPN-LE", "random"} & set(config.arms))
        return len(config.gammas) * 2 * search.work(config) + doses * 2 * test.work(config)

    def contrast(self, trait: str, *, held_out: bool = False) -> Contrast:
        """The trait's pairs: those that neurons are chosen on, or held-out ones."""
        return pairs_of(self.config, trait, held_out=held_out)

    def located(self) -> tuple[dict[str, Located], dict[str, pd.DataFrame]]:
        """Effects and selections by trait, and the tables on every trait's activations."""
        config, located = self.config, {}
        tables: dict[str, list[pd.DataFrame]] = {}
        for place, trait in enumerate(config.traits):
            contrast = self.contrast(trait)
            key = key_of(**provenance(self.model, contrast), sites=[site.name for site in _SITES], sample=_SAMPLE)
            held_out = self.contrast(trait, held_out=True)
            unseen = provenance(self.model, held_out)
            told = key_of(capture=key, held_out=unseen, **config.model_dump(include=set(SETTINGS)))
            tallies = {site.name: f"tally/{trait}.{site.name}.safetensors" for site in _SITES}
            names = {name: f"tables/traits/{trait}.{name}.parquet" for name in ("projection", *BY_TRAIT)}
            errors = f"tally/{trait}.errors.safetensors"
            kept = all(self.store.holds(name, key) for name in (*tallies.values(), errors))
            if not (kept and all(self.store.holds(name, told) for name in names.values())):
                captured = self._capture(contrast)
                for site, name in tallies.items():
                    self.store.write(name, key, captured[site].save)
                self.meter.add(f"{trait}: activations", self.capturing / len(config.traits) / 2)
                rows = captured[HOOK_POST.name]
                assert isinstance(rows, Activations)
                effects = effect_sizes(rows)
                self.store.write(errors, key, lambda path, found=effects: write_errors(path, found))
                found = trait_statistics(rows, contrast, self.model, effects, config)
                points = _points(trait, rows, self._capture_rows(held_out))
                for name, frame in {"projection": points, **found}.items():
                    self.store.write(names[name], told, lambda path, frame=frame: frame.to_parquet(path, index=False))
                self.meter.add(f"{trait}: statistics", self.capturing / len(config.traits) / 2)
            else:
                self.meter.add(f"{trait}: activations", self.capturing / len(config.traits))
            located[trait] = self._locate({s: Tally.load(self.store.folder / n) for s, n in tallies.items()}, place)
            for name, path in names.items():
                tables.setdefault(name, []).append(pd.read_parquet(self.store.folder / path))
        joined = {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}
        return located, joined | between_traits(
            {trait: found.neurons for trait, found in located.items()},
            {trait: found.selection for trait, found in located.items()},
        )

    def _capture(self, contrast: Contrast) -> dict[str, Tally]:
        """Every site of a contrast in one pass, rows kept where statistics need them."""
        settings = CaptureSettings(keep=True, positive=True, sample=_SAMPLE)
        return capture_sites(self.model, contrast, sites=_SITES, settings=settings)

    def _capture_rows(self, contrast: Contrast) -> Activations:
        kept = capture(self.model, contrast, keep=True)
        assert isinstance(kept, Activations)
        return kept

    def _locate(self, tallies: Mapping[str, Tally], place: int) -> Located:
        post = tallies[HOOK_POST.name]
        neurons = effect_sizes(post, write_norms=self.model.write_norms(post.layers))
        neurons = replace(neurons, errors=read_errors(self.store.folder / f"tally/{post.trait}.errors.safetensors"))
        return locate(
            neurons,
            effect_sizes(tallies[RESID_POST.name]),
            effect_sizes(tallies[Z.name]),
            tallies[HOOK_PRE.name],
            self.config,
            seed=self.config.seed + place,
        )

    def cell(
        self,
        arm: str,
        does: Arm,
        gamma: float,
        *,
        chosen: float | None,
        scope: Scope | None = None,
        every_outcome: bool = True,
    ) -> Cell:
        """An arm at a dose; on search questions where no dose has been chosen yet.

        At the chosen dose it is asked for every outcome, unless it is run in another scope or `every_outcome` is
        false: then for answers and capability alone.
        """
        config = self.config
        conditions = tuple(
            Condition(arm, trait, way, gamma, None, does_this)
            if isinstance(does_this, Instruction)
            else Condition(arm, trait, way, gamma, does_this.with_gamma(gamma))
            for (trait, way), does_this in does.items()
        )
        main = scope is None and every_outcome
        wide = chosen is not None and main and (gamma == chosen or arm in PROMPTING)
        kinds = ["answers", "capability"]
        if wide and asks_statements(config):
            kinds.append("questionnaire")
        if wide and arm in ACROSS and len(config.traits) > 1 and "off-target" in config.outcomes:
            kinds.append("off-target")
        return Cell(
            arm,
            gamma,
            scope or config.scope,
            "search" if chosen is None else "test",
            "train" if chosen is None else "test",
            config.search_questions if chosen is None else config.test_questions,
            conditions,
            conditions,
            tuple(kinds),
            key_of(conditions=[_digest(condition) for condition in conditions]),
        )

    def run(self, cells: Sequence[Cell]) -> Outcomes:
        """The tables of cells, joined in their order; those that are kept already are not run again."""
        todo = []
        for cell in cells:
            key = cell.key(self.model, self.config)
            if all(self.store.holds(name, key) for name in cell.files):
                self.meter.add(f"{cell.label}: already done", cell.work(self.config))
            else:
                todo.append(cell)
        for cell, outcomes in run_cells(self.model, self.config, todo):
            key = cell.key(self.model, self.config)
            for kind, frame in outcomes.items():
                name = cell.file(kind)
                self.store.write(name, key, lambda path, frame=frame: frame.to_parquet(path, index=False))
            self.meter.add(cell.label, cell.work(self.config))
        found: dict[str, list[pd.DataFrame]] = {}
        for cell in cells:
            for kind in (*cell.kinds, "edited"):
                frame = pd.read_parquet(self.store.folder / cell.file(kind))
                found.setdefault(kind, []).append(frame)
        return {kind: self._scored(kind, joined(frames)) for kind, frames in found.items()}

    def _scored(self, kind: str, frame: pd.DataFrame) -> pd.DataFrame:
        """Open answers with the judge's ratings, if there is a judge: all arms' together, in a random order."""
        if self.judge is None or kind not in ("answers", "off-target"):
            return frame
        return judged(
            frame,
            self.judge,
            self.store.folder,
            seed=self.config.seed,
            progress=lambda label, share: self.meter.add(f"{label}, {share:.0%}", 0.0),
        )

    def patched(self, located: Mapping[str, Located]) -> dict[str, pd.DataFrame]:
        """What the selected neurons and their controls cause on held-out pairs, trait by trait."""
        if "patching" not in self.config.outcomes:
            return {}
        found: dict[str, list[pd.DataFrame]] = {}
        for trait, own in located.items():
            contrast = self.contrast(trait, held_out=True)
            sets = {"selected": own.selection.both, "matched random": own.matched}
            key = key_of(
                **provenance(self.model, contrast),
                sets={name: list(each) for name, each in sets.items()},
                resamples=self.config.resamples,
                seed=self.config.seed,
            )
            label, work = f"{trait}: patching", self.patching / len(located)
            names = {name: f"tables/traits/{trait}.{name}.parquet" for name in PATCHED}
            if not all(self.store.holds(path, key) for path in names.values()):
                for name, frame in patched_tables(self.model, contrast, sets, self.config).items():
                    self.store.write(names[name], key, lambda path, frame=frame: frame.to_parquet(path, index=False))
            else:
                label += ": already done"
            self.meter.add(label, work)
            for name, path in names.items():
                found.setdefault(name, []).append(pd.read_parquet(self.store.folder / path))
        return {name: joined(frames) for name, frames in found.items()}


def joined(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Tables below each other; empty ones do not decide a column's type."""
    frames = list(frames)
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled or frames, ignore_index=True)


def _digest(condition: Condition) -> str:
    return key_of(
        labels=condition.labels,
        does=[digest_of(condition.edit), digest_of(condition.instruction)],
    )


def _points(trait: str, kept: Activations, held_out: Activations) -> pd.DataFrame:
    """Prompts on the components of their layer; those held out are told by a column of their own."""
    rows = {str(pole): values for pole, values in kept.activations.items()}
    rows |= {f"{_UNSEEN}{pole}": values for pole, values in held_out.activations.items()}
    frame = pca_by_layer(rows, layers=kept.layers, components=2)
    unseen = frame["pole"].str.startswith(_UNSEEN)
    frame = frame.assign(pole=frame["pole"].str.removeprefix(_UNSEEN), held_out=unseen, trait=trait)
    return frame[frame["row"] < _POINTS].reset_index(drop=True)
