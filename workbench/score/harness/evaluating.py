"""Capability by lm-evaluation-harness: its tasks, put to a model as it is, edited or instructed, sample by sample."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.edit.applying import EditedRun, edited
from workbench.model.model import Model
from workbench.score.answers import Condition
from workbench.score.harness.kept import read_outcomes, write_outcomes, write_table
from workbench.score.harness.model import harness_model
from workbench.score.harness.quiet import one_process, quiet, seeded
from workbench.score.harness.requests import require_harness
from workbench.score.harness.rows import aggregate_rows, sample_rows, with_outcome
from workbench.score.harness.tasks import Loaded, TaskSpec, loaded_tasks, name_of
from workbench.vocabulary import SCOPES, Scope

_BOOTSTRAP = 1000  # resamples behind the harness's standard errors that have no formula


@dataclass(frozen=True, eq=False)
class HarnessOutcomes:
    """Tasks of the harness under several conditions.

    Attributes:
        samples: a row per condition, task and sample: arm, trait, direction, gamma, scope, task, item, prompt,
            dropped, response, metric and filter (the task's main ones), score, correct (1 or 0; missing where the
            main metric is not right or wrong), and a column for every metric and filter.
        aggregate: a row per condition, task or group, metric and filter, the harness's own numbers: value, stderr, n,
            version, fewshot, chat, harness (its version), and as `aggregate_rows` says.
    """

    samples: pd.DataFrame
    aggregate: pd.DataFrame

    @property
    def graded(self) -> pd.DataFrame:
        """The samples that are right or wrong, for `compare_arms`."""
        return self.samples[self.samples["correct"].notna()].reset_index(drop=True)


def evaluate_harness(
    model: Model,
    conditions: Sequence[Condition],
    tasks: Sequence[TaskSpec],
    *,
    scope: Scope | str = "generated",
    limit: int | float | None = None,
    fewshot: int | None = None,
    chat: bool = False,
    max_new_tokens: int | None = None,
    metrics: Mapping[str, str] | None = None,
    folder: str | Path | None = None,
    include_path: str | Path | None = None,
    cache: str | Path | None = None,
    seed: int = 0,
    max_tokens: int = 16_384,
    max_rows: int = 256,
    verbose: bool = False,
    progress: Callable[[str, float], None] | None = None,
    record: Callable[[EditedRun], None] | None = None,
) -> HarnessOutcomes:
    """Tasks of lm-evaluation-harness under every condition, by the harness's own prompts, filters and metrics.

    Every condition gets the same documents, few-shot examples and random draws, so that samples pair up. An edit
    acts on log-likelihoods as in generation: with scope `generated` from the prompt's last position on.

    Args:
        tasks: names of tasks, groups or tags, YAML files, configurations, or what `local_task` returns.
        limit: documents of each task, or a share of them below 1.
        fewshot: examples before each question; by default the task's own number. A task that fixes 0 keeps it.
        chat: whether to apply the chat template, examples as turns; instructions need it.
        max_new_tokens: overrides the tasks' own number.
        metrics: by task, its main metric, e.g. `acc_norm` or `exact_match,flexible-extract`; see `main_metric`.
        folder: keeps each condition and task as it is done, and does not run again what is kept there.
        include_path: a folder of further task files.
        cache: where `datasets` keeps what it reads; by default its own place for the hub's data sets, a temporary
            folder for local files.
        max_tokens, max_rows: bounds of one batch, padding counted.
        verbose: lets the harness print and log.
        progress: called with what has been done and the share of the work that is done.
        record: called with the count of what was edited, where anything was.

    Raises:
        ImportError: if lm-evaluation-harness is not installed.
        ValueError: if there is nothing to do, a task comes twice or, like a metric, is unknown, or an instruction
            would not be heard; if a file of the folder is damaged.
        RuntimeError: if an edit never fired on a task, e.g. `decode` on answers of one token.

    Reference:
        Biderman et al. (2024), Lessons from the Trenches on Reproducible Evaluation of Language Models.
    """
    require_harness()
    if not conditions or not tasks:
        raise ValueError(f"Nothing to evaluate: {len(conditions)} conditions, {len(tasks)} tasks. Give both.")
    if scope not in SCOPES:
        raise ValueError(f"The scope is one of {', '.join(SCOPES)}, but {scope!r} arrived.")
    settings = _Settings(str(scope), limit, chat, seed, max_tokens, max_rows, verbose)
    kept = None if folder is None else Path(folder)
    runs: dict[tuple[str, int], tuple[pd.DataFrame, pd.DataFrame]] = {}
    samples, aggregates = [], []
    asked = [(place, condition) for place in range(len(tasks)) for condition in conditions]
    with ExitStack() as held:
        with quiet(verbose):
            overruled = {"limit": limit, "fewshot": fewshot, "new_tokens": max_new_tokens, "seed": seed}
            loading = loaded_tasks(tasks, include_path=include_path, cache=cache, **overruled)
            loaded = held.enter_context(loading)
        _check(conditions, loaded, metrics or {}, chat=chat)
        for done, (place, condition) in enumerate(asked, start=1):
            name, does = name_of(tasks[place]), _does(condition)
            if (does, place) not in runs:  # conditions that do the same say the same
                key = settings.key(model, does, loaded[place])
                stem = None if kept is None else kept / f"{name.replace('/', '-')}.{key[:16]}"
                found = None if stem is None else read_outcomes(stem, key)
                if found is None:
                    found = _run(model, condition, loaded[place], settings, record)
                    if stem is not None:
                        write_outcomes(stem, key, *found, {"task": name, "scope": str(scope), **condition.labels})
                runs[does, place] = found
            own, numbers = runs[does, place]
            labels = {**condition.labels, "scope": str(scope)}
            samples.append(_labelled(with_outcome(own, numbers, metrics or {}), labels))
            aggregates.append(_labelled(numbers, labels))
            if progress is not None:
                progress(f"{name}: {condition.arm}", done / len(asked))
    outcomes = HarnessOutcomes(pd.concat(samples, ignore_index=True), pd.concat(aggregates, ignore_index=True))
    if kept is not None:
        write_table(kept / "samples.parquet", outcomes.samples)
        write_table(kept / "aggregate.parquet", outcomes.aggregate)
    return outcomes


def _check(
    conditions: Sequence[Condition], loaded: Sequence[Loaded], metrics: Mapping[str, str], *, chat: bool
) -> None:
    """Refuse what would be found out too late, or not at all."""
    every = [name for one in loaded for name in one.tasks]
    if twice := sorted({name for name in every if every.count(name) > 1}):
        raise ValueError(f"Each task is evaluated once, but {', '.join(twice)} came several times. Leave out a group.")
    if unknown := sorted(set(metrics) - set(every)):
        raise ValueError(f"Main metrics are of {', '.join(every)}, but one is of {unknown[0]!r}.")
    told = next((condition for condition in conditions if condition.instruction is not None), None)
    if told is None:
        return
    if not chat:
        raise ValueError(f"An instruction needs a chat prompt, but {told.arm} has one. Use chat=True.")
    if deaf := [name for one in loaded for name in one.tasks if name in one.whole_texts]:
        raise ValueError(f"{told.arm} instructs the model, but {deaf[0]} judges whole texts, without a prompt.")


@dataclass(frozen=True)
class _Settings:
    """What all conditions have in common."""

    scope: str
    limit: int | float | None
    chat: bool
    seed: int
    max_tokens: int
    max_rows: int
    verbose: bool

    def key(self, model: Model, does: str, loaded: Loaded) -> str:
        """A hash of all that a condition's outcomes on some tasks depend on."""
        depends = {
            "model": model.fingerprint,
            "template": model.tokenizer.chat_template if self.chat else None,
            "does": does,
            "scope": self.scope if does else None,
            "chat": self.chat,
            "seed": self.seed,
            "harness": require_harness().__version__,
            "tasks": loaded.digest,
        }
        return hashlib.sha256(json.dumps(depends, sort_keys=True, default=str).encode()).hexdigest()


def _run(
    model: Model,
    condition: Condition,
    loaded: Loaded,
    settings: _Settings,
    record: Callable[[EditedRun], None] | None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Samples and the harness's own numbers of one condition on some tasks."""
    edit = condition.edit
    with nullcontext() if edit is None else edited(model, edit, scope=settings.scope) as run:
        asked = harness_model(
            model,
            chat=settings.chat,
            run=run,
            seed=settings.seed,
            max_tokens=settings.max_tokens,
            max_rows=settings.max_rows,
        )
        # `simple_evaluate` is this, and seconds spent on describing the machine.
        with quiet(settings.verbose), seeded(settings.seed), one_process():
            loaded.begin(settings.seed)
            found: Any = require_harness().evaluate(
                asked,
                loaded.harness,
                limit=settings.limit,
                bootstrap_iters=_BOOTSTRAP,
                system_instruction=condition.instruction and condition.instruction.text,
                apply_chat_template=settings.chat,
                fewshot_as_multiturn=settings.chat,
            )
    if run is not None and record is not None:
        record(run)
    rows = [sample_rows(name, task, found["samples"][name], asked.ledger) for name, task in loaded.tasks.items()]
    samples = pd.concat(rows, ignore_index=True)
    numbers = aggregate_rows(found, asked.ledger, samples)
    chat = settings.chat & ~numbers["task"].isin(loaded.whole_texts)
    return samples, numbers.assign(chat=chat, harness=require_harness().__version__)


def _does(condition: Condition) -> str:
    """What a condition does to the model, whatever it is called; empty for nothing."""
    does = []
    if condition.edit is not None and condition.edit.acts:
        for part in condition.edit.parts:
            header, tensors = part.state()
            names = ("site", "operation", "gamma", "mask", "seed")
            does.append([header[name] for name in names] + [tensors[name].tolist() for name in sorted(tensors)])
    if condition.instruction is not None:
        does.append(condition.instruction.text)
    return hashlib.sha256(json.dumps(does).encode()).hexdigest() if does else ""


def _labelled(frame: pd.DataFrame, labels: Mapping[str, str | float]) -> pd.DataFrame:
    named = pd.DataFrame({name: [value] * len(frame) for name, value in labels.items()}, index=frame.index)
    return pd.concat([named, frame], axis=1)
