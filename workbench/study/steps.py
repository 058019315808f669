"""The steps of a study that run the model: activations, and outcomes of conditions."""

from collections.abc import Callable, Iterable, Sequence

import pandas as pd

from workbench.capture.capturing import capture_sites, provenance
from workbench.capture.tally import Activations, Tally
from workbench.contrast.contrast import Contrast
from workbench.edit.edit import Edit
from workbench.measure.effect import effect_sizes
from workbench.measure.geometry import pca_by_layer
from workbench.model.model import Model
from workbench.score.answers import Condition, answer_questions
from workbench.score.capability import answer_items
from workbench.study.arms import DIRECTIONS, Located, build_arm, locate
from workbench.study.config import StudyConfig
from workbench.study.store import Store, key_of
from workbench.testbed import grammar, tasks
from workbench.vocabulary import HOOK_POST, RESID_POST

Progress = Callable[[str, float], None]
Outcomes = tuple[pd.DataFrame, pd.DataFrame]
"""Answers, and capability."""

_POINTS = 120  # rows of each pole kept for the PCA figure
_SITES = (HOOK_POST, RESID_POST)
_ANSWER, _ITEM = 8.0, 2.0  # rough cost of an answer and of a capability item, in prompts captured


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
        doses = (len(config.arms) - 1) * len(config.gammas) + len(config.broad_gammas) + 1.5
        self.per_dose = self._work(config.test_questions)
        self.searching = len(config.gammas) * self._work(config.search_questions)
        self.capturing = 3.0 * config.pairs * len(config.traits)
        self.meter = Meter(self.capturing + self.searching + doses * self.per_dose, progress)

    def _work(self, questions: int) -> float:
        conditions = len(self.config.traits) * len(DIRECTIONS)
        return conditions * (questions * _ANSWER + self.config.items_per_task * len(tasks.TASKS) * _ITEM)

    def located(self) -> tuple[dict[str, Located], pd.DataFrame]:
        """Effects and selections by trait, and the PCA points of every trait."""
        config, located, points = self.config, {}, []
        for trait in config.traits:
            contrast = Contrast.testbed(trait, n=config.pairs, seed=config.seed)
            key = key_of(**provenance(self.model, contrast))
            tallies = {site.name: f"tally/{trait}.{site.name}.safetensors" for site in _SITES}
            projection = f"tables/projection/{trait}.parquet"
            if not all(self.store.holds(name, key) for name in (*tallies.values(), projection)):
                captured = capture_sites(self.model, contrast, sites=_SITES, keep=True)
                for site, name in tallies.items():
                    self.store.write(name, key, captured[site].save)
                found = _points(trait, captured[HOOK_POST.name])
                self.store.write(projection, key, lambda path, found=found: found.to_parquet(path, index=False))
            self.meter.add(f"{trait}: activations", self.capturing / len(config.traits))
            effects = {site: effect_sizes(Tally.load(self.store.folder / name)) for site, name in tallies.items()}
            located[trait] = locate(effects[HOOK_POST.name], effects[RESID_POST.name], config)
            points.append(pd.read_parquet(self.store.folder / projection))
        return located, pd.concat(points, ignore_index=True)

    def edits(self, arm: str, located: dict[str, Located]) -> dict[tuple[str, str], Edit]:
        """An arm's edit by trait and direction, at gamma 1."""
        return {
            (trait, direction): build_arm(arm, found, direction, self.model, seed=self.config.seed + place)
            for place, (trait, found) in enumerate(located.items())
            for direction in DIRECTIONS
        }

    def conditions(self, arm: str, edits: dict[tuple[str, str], Edit], gammas: Iterable[float]) -> list[Condition]:
        """Every trait and direction of an arm at every dose."""
        return [
            Condition(arm, trait, direction, gamma, edit.with_gamma(gamma))
            for gamma in gammas
            for (trait, direction), edit in edits.items()
        ]

    def unedited(self, split: grammar.Split, count: int, part: tasks.Part) -> Outcomes:
        """The model as it is, on the questions and items of every trait and direction."""
        config = self.config
        asked = [Condition.unedited(trait) for trait in config.traits]
        tested = [Condition("none", trait, way, 0.0, None) for trait in config.traits for way in DIRECTIONS]
        return self._answers(asked, split, count), self._capability(tested, part)

    def outcomes(self, conditions: Sequence[Condition], split: grammar.Split, count: int, part: tasks.Part) -> Outcomes:
        """Answers and capability of conditions, a dose at a time."""
        answers, capability = [], []
        for gamma in dict.fromkeys(condition.gamma for condition in conditions):
            dose = [condition for condition in conditions if condition.gamma == gamma]
            answers.append(self._answers(dose, split, count))
            capability.append(self._capability(dose, part))
            label = f"{dose[0].arm} at gamma {gamma:g}"
            self.meter.add(label if split == "test" else f"choosing gamma: {label}", self._work(count))
        return pd.concat(answers, ignore_index=True), pd.concat(capability, ignore_index=True)

    def _answers(self, conditions: Sequence[Condition], split: grammar.Split, count: int) -> pd.DataFrame:
        config = self.config
        return answer_questions(
            self.model,
            conditions,
            {trait: evenly(grammar.questions(trait, split), count) for trait in config.traits},
            scope=config.scope,
            temperature=config.temperature,
            seed=config.seed,
        )

    def _capability(self, conditions: Sequence[Condition], part: tasks.Part) -> pd.DataFrame:
        """Each trait and direction has items of its own, so that all together are many."""
        config = self.config
        places = {(trait, way): f"{trait} {way}" for trait in config.traits for way in DIRECTIONS}
        items = [
            [
                item
                for task in tasks.TASKS
                for item in tasks.items(
                    task,
                    part,
                    n=config.items_per_task,
                    seed=f"{config.seed} {places[condition.trait, condition.direction]}",
                )
            ]
            for condition in conditions
        ]
        return answer_items(self.model, conditions, items, scope=config.scope)

    def kept(self, name: str, key: str, work: float, compute: Callable[[], Outcomes]) -> Outcomes:
        """Both outcome tables of a step, computed together unless both are there."""
        names = [f"outcomes/{name}.{kind}.parquet" for kind in ("answers", "capability")]
        if all(self.store.holds(each, key) for each in names):
            self.meter.add(f"{name}: already done", work)
        else:
            for each, frame in zip(names, compute(), strict=True):
                self.store.write(each, key, lambda path, frame=frame: frame.to_parquet(path, index=False))
        answers, capability = (pd.read_parquet(self.store.folder / each) for each in names)
        return answers, capability


def _points(trait: str, kept: Tally) -> pd.DataFrame:
    assert isinstance(kept, Activations)
    rows = {str(pole): values for pole, values in kept.activations.items()}
    frame = pca_by_layer(rows, layers=kept.layers, components=2)
    return frame[frame["row"] < _POINTS].assign(trait=trait)


def evenly(questions: Sequence[str], count: int) -> list[str]:
    """`count` questions, stem by stem in turn and topics evenly apart.

    The questions come topic by topic, five stems each, as `grammar.questions` lists them.
    """
    stems = 5
    topics = len(questions) // stems
    step = max(1, topics * stems // count)
    return [questions[((i * step // stems) % topics) * stems + i % stems] for i in range(count)]
