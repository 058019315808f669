"""A replication from a folder of data to a folder of results: each step that has its data, and a word on the others."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.model.loading import load_model
from workbench.model.model import Model
from workbench.replicate.added import added_tables
from workbench.replicate.caa import behaviours, beyond_random, layer_of, matching_share, run_caa
from workbench.replicate.comparing import (
    Comparison,
    NotMeasured,
    Ours,
    counted_in,
    measured_in,
    table_of,
)
from workbench.replicate.data import Found, find_data, missing
from workbench.replicate.people import people_tables
from workbench.replicate.personality import GRAMMAR, Rater, asked_of, model_of
from workbench.replicate.protocol import Deviation, Protocol, Published, read_protocol
from workbench.replicate.telling import markdown_of
from workbench.score.judge.settings import JudgeConfig
from workbench.select.presets import shape_of
from workbench.study.meter import Progress
from workbench.study.running import run_study
from workbench.study.store import Store
from workbench.study.study import Study
from workbench.testbed.speaking import TESTBED
from workbench.whole import write_whole

STUDY = "study"
"""The folder of the study inside a replication's."""


@dataclass(frozen=True)
class Replication:
    """A paper's numbers beside ours.

    Attributes:
        protocol: the paper's.
        folder: where everything is kept.
        model: the model's name.
        faithful: whether the paper's protocol ran on the paper's model, as far as this package can run it.
        table: a row for each number of the paper; see `Comparison`.
        steps: columns step, title, ran and why, a row for each step of the protocol.
        deviations: how what ran differs from the paper.
        added: tables that the paper lacks, by name.
        study: the study behind them, where there is one.
    """

    protocol: Protocol
    folder: Path
    model: str
    faithful: bool
    table: pd.DataFrame
    steps: pd.DataFrame
    deviations: tuple[Deviation, ...]
    added: dict[str, pd.DataFrame] = field(default_factory=dict)
    study: Study | None = None

    @property
    def markdown(self) -> str:
        """All of it as a text."""
        return markdown_of(self)

    def save(self) -> list[Path]:
        """Write `replication.md`, its tables as CSV, and `replication.json` into the folder."""
        named = {"numbers": self.table, "steps": self.steps, **self.added}
        written = []
        for name, table in named.items():
            path = self.folder / f"{name}.csv"
            write_whole(path, table.to_csv(index=False))
            written.append(path)
        content = {
            "paper": self.protocol.name,
            "citation": self.protocol.citation,
            "model": self.model,
            "faithful": self.faithful,
            "deviations": [each.model_dump() for each in self.deviations],
            "verdicts": self.table["verdict"].value_counts().to_dict(),
        }
        for name, text in (
            ("replication.md", self.markdown),
            ("replication.json", json.dumps(content, indent=1) + "\n"),
        ):
            write_whole(self.folder / name, text)
            written.append(self.folder / name)
        return written


def replicate(
    paper: str | Path,
    *,
    model: str | Model,
    data: str | Path,
    folder: str | Path,
    name: str = "",
    judge: Rater | None = None,
    small: bool = False,
    settings: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Replication:
    """Run a paper's protocol on a model, with the data that a folder holds, and compare its numbers with ours.

    A step without its data or without a judge is not run and listed with the reason; nothing stands in for it. What is
    done is kept in the folder, and a run that was stopped continues there.

    Args:
        paper: `dpn-le`, `npti`, `caa`, or a file like theirs.
        model: as `load_model` takes it, or a model.
        data: see `find_data`.
        name: the model's, as results call it; by default its own.
        judge: who rates open answers, or `grammar` for the embedded model's, which speaks no other language. A small
            run without one has the model rate itself, which says little; the embedded model has its grammar.
        small: run every step on few pairs, questions and items; every change is among the deviations.
        settings: settings by name that stand before the paper's, e.g. `{"traits": ["Openness"]}`.

    Raises:
        FileNotFoundError, NotADirectoryError, ValueError: as `read_protocol` and `find_data`; for a setting that the
            protocol lacks; or if no step can run.
    """
    protocol, found = read_protocol(paper), find_data(data)
    given = dict(settings or {})
    known = {*protocol.values, *protocol.small}
    unknown = sorted(set(given) - known)
    if unknown:
        raise ValueError(f"{protocol.name} has settings {', '.join(sorted(known))}, but {unknown[0]!r} arrived.")
    folder = Path(folder)
    name = name or (model if isinstance(model, str) else model.name)
    if small and judge is None:
        judge = own_judge(name)
    if protocol.method == "CAA":
        return _multiple_choice(protocol, found, model, name, folder, small, given, progress)
    return _personality(protocol, found, model, name, folder, judge, small, given, progress)


def own_judge(model: str) -> Rater:
    """The model itself as its judge, whose rating counts however little it thinks of any digit.

    The embedded model reads too little for a rubric: its grammar rates.
    """
    if model == TESTBED:
        return GRAMMAR
    return JudgeConfig(model=model, kind="local", min_mass=0.0)


def _personality(
    protocol: Protocol,
    found: Found,
    model: str | Model,
    name: str,
    folder: Path,
    judge: Rater | None,
    small: bool,
    given: Mapping[str, Any],
    progress: Progress | None,
) -> Replication:
    lacking = missing(protocol, found, judged=judge is not None)
    if "personalitybench" not in found.paths:
        return _written(protocol, folder, name, lacking, lambda number: _sets_alone(found, number), False, (), {}, None)
    asked_of(protocol, found, model=name, shape=None, judge=judge, small=small, given=given)  # refuses before loading
    loaded = model if isinstance(model, Model) else load_model(model)
    asked = asked_of(protocol, found, model=name, shape=shape_of(loaded), judge=judge, small=small, given=given)
    study = run_study(
        asked.config, folder / STUDY, arms=asked.arms, outcomes=asked.outcomes, model=loaded, progress=progress
    )

    published = {arm.name: arm.doses for arm in protocol.arms}

    def measure(number: Published) -> Ours:
        if number.quantity.startswith("published neurons"):
            return counted_in(found.paths["npti sets"], number.quantity.rpartition(" ")[2])
        return measured_in(study, number, published.get(number.arm))

    deviations = asked.deviations
    if judge == GRAMMAR:
        here = "the grammar that the embedded model was taught by, for fluency too"
        deviations = (*deviations, Deviation(what="who judges", paper="another, larger model", here=here))
    elif isinstance(judge, JudgeConfig) and judge.kind == "local" and judge.model == name:
        here = "the model that is measured rates itself: its ratings mean little"
        deviations = (*deviations, Deviation(what="who judges", paper="another, larger model", here=here))
    arms = tuple(arm.name for arm in asked.arms if arm.has_dose)
    faithful = asked.same_model and not small and not given
    added = {**added_tables(study, arms), **people_tables(study, found, protocol)}
    return _written(protocol, folder, name, lacking, measure, faithful, deviations, added, study)


def _multiple_choice(
    protocol: Protocol,
    found: Found,
    model: str | Model,
    name: str,
    folder: Path,
    small: bool,
    given: Mapping[str, Any],
    progress: Progress | None,
) -> Replication:
    lacking = missing(protocol, found, judged=False)
    if "caa" not in found.paths or not behaviours(found.paths["caa"]):
        lacking.setdefault("a/b", "no behaviour has both generate_dataset.json and test_dataset_ab.json")
        return _written(protocol, folder, name, lacking, _nothing, False, (), {}, None)
    values, changes = protocol.changed(small=small, given=given)
    loaded = model if isinstance(model, Model) else load_model(model)
    paper_model = model_of(protocol, shape_of(loaded))
    layer = layer_of(loaded, paper_model)
    frame = run_caa(
        loaded,
        found.paths["caa"],
        Store(folder),
        layer=layer,
        multipliers=values["multipliers"],
        pairs=int(values["pairs"]),
        items=int(values["items"]),
        report=progress or (lambda label, share: None),
    )
    if paper_model is None:
        here = f"{name}, layer {layer} of {loaded.n_layers}, as deep as the paper's"
        changes.append(Deviation(what="model", paper=f"{protocol.model}, layer 13 of 32", here=here))
    # The files' own number of rows is no deviation where all of them are taken.
    told = (*changes, *protocol.deviations)
    faithful = paper_model is not None and not small and not given
    added = {"beyond_random": beyond_random(frame)}
    return _written(
        protocol, folder, name, lacking, lambda number: matching_share(frame, number), faithful, told, added, None
    )


def _written(
    protocol: Protocol,
    folder: Path,
    model: str,
    lacking: Mapping[str, str],
    measure: Callable[[Published], Ours],
    faithful: bool,
    deviations: tuple[Deviation, ...],
    added: dict[str, pd.DataFrame],
    study: Study | None,
) -> Replication:
    def of(number: Published) -> Ours:
        if number.step in lacking:
            raise NotMeasured(lacking[number.step])
        return measure(number)

    table = table_of([
        Comparison.of(number, lambda number=number: of(number), faithful=faithful) for number in protocol.numbers
    ])  # fmt: skip
    steps = pd.DataFrame(
        [
            {"step": step.name, "title": step.title, "ran": step.name not in lacking, "why": lacking.get(step.name, "")}
            for step in protocol.steps
        ]
    )
    if not steps["ran"].any():
        raise ValueError(f"No step of {protocol.name} can run: {'; '.join(dict.fromkeys(lacking.values()))}.")
    folder.mkdir(parents=True, exist_ok=True)
    made = Replication(protocol, folder, model, faithful, table, steps, deviations, added, study)
    made.save()
    return made


def _sets_alone(found: Found, number: Published) -> Ours:
    """What can be said without running a model: how many neurons published sets have."""
    if number.quantity.startswith("published neurons"):
        return counted_in(found.paths["npti sets"], number.quantity.rpartition(" ")[2])
    return _nothing(number)


def _nothing(number: Published) -> Ours:
    raise NotMeasured("nothing ran")
