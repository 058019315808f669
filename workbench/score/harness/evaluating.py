"""Run tasks of lm-evaluation-harness on a model that is edited, instructed or neither, and keep every sample."""

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
    """Results of the harness's tasks under several conditions.

    Attributes:
        samples: a row for each condition, task and sample: arm, trait, direction, gamma, scope, task, item, prompt,
            dropped, response, metric and filter (the task's main ones), score, correct (1 or 0; missing where the main
            metric is not of right and wrong), and a column for every metric and filter.
        aggregate: the harness's own numbers, a row for each condition, task or group, metric and filter: the columns
            of `aggregate_rows`, chat, and harness (its version).
    """

    samples: pd.DataFrame
    aggregate: pd.DataFrame

    @property
    def graded(self) -> pd.DataFrame:
        """The samples whose main metric is right or wrong, for `compare_arms`."""
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
    """Run tasks of lm-evaluation-harness under every condition, with the harness's own prompts, filters and metrics.

    Every condition gets the same documents, few-shot examples and random draws, so that samples can be compared in
    pairs. An edit acts on log-likelihoods as in generation: with scope `generated`, from the prompt's last position
    on.

    Args:
        tasks: names of tasks, groups or tags, YAML files, configurations, or what `local_task` returns.
        limit: how many documents of each task, or, below 1, which share of them.
        fewshot: examples before each question; by default the task's own number. A task that fixes 0 keeps it.
        chat: whether to apply the chat template, with examples as turns; instructions need it.
        max_new_tokens: overrides the tasks' own number.
        metrics: by task, its main metric, e.g. `acc_norm` or `exact_match,flexible-extract`; see `main_metric`.
        folder: where the results of each condition and task are kept, and read again instead of computed.
        include_path: a folder of further task files.
        cache: the cache folder of `datasets`; by default its own for data sets of the hub, and a temporary folder for
            local files.
        max_tokens, max_rows: bounds of one batch, padding included.
        verbose: whether the harness may print and log.
        progress: called with a label of what is done, and the share of all work that is done.
        record: called with each edited run, which counts what was edited.

    Raises:
        ImportError: if lm-evaluation-harness is not installed.
        ValueError: if there is nothing to do, a task comes twice, a task or metric is unknown, an instruction cannot
            reach the prompts, or a file of the folder is damaged.
        RuntimeError: if an edit never fired on a task, e.g. `decode` on answers of one token.

    Reference:
        Biderman et al. (2024), Lessons from the Trenches on Reproducible Evaluation of Language Models.
    """
    require_harness()
    if not conditions or not tasks:
        raise ValueError(f"An evaluation needs conditions and tasks, but {len(conditions)} and {len(tasks)} arrived.")
    if scope not in SCOPES:
        raise ValueError(f"The scope is one of {', '.join(SCOPES)}, but {scope!r} arrived.")
    settings = _Settings(str(scope), limit, chat, seed, max_tokens, max_rows, verbose)
    kept = None if folder is None else Path(folder)
    runs: dict[tuple[str, int], tuple[pd.DataFrame, pd.DataFrame]] = {}
    samples, aggregates = [], []
    pairs = [(number, condition) for number in range(len(tasks)) for condition in conditions]
    with ExitStack() as stack:
        with quiet(verbose):
            overrides = {"limit": limit, "fewshot": fewshot, "new_tokens": max_new_tokens, "seed": seed}
            loading = loaded_tasks(tasks, include_path=include_path, cache=cache, **overrides)
            loaded = stack.enter_context(loading)
        _check(conditions, loaded, metrics or {}, chat=chat)
        for done, (number, condition) in enumerate(pairs, start=1):
            name, intervention = name_of(tasks[number]), _intervention(condition)
            if (intervention, number) not in runs:  # conditions with equal edits and instructions give equal results
                key = settings.key(model, intervention, loaded[number])
                stem = None if kept is None else kept / f"{name.replace('/', '-')}.{key[:16]}"
                results = None if stem is None else read_outcomes(stem, key)
                if results is None:
                    results = _run(model, condition, loaded[number], settings, record)
                    if stem is not None:
                        write_outcomes(stem, key, *results, {"task": name, "scope": str(scope), **condition.labels})
                runs[intervention, number] = results
            rows, numbers = runs[intervention, number]
            labels = {**condition.labels, "scope": str(scope)}
            samples.append(_labelled(with_outcome(rows, numbers, metrics or {}), labels))
            aggregates.append(_labelled(numbers, labels))
            if progress is not None:
                progress(f"{name}: {condition.arm}", done / len(pairs))
    outcomes = HarnessOutcomes(pd.concat(samples, ignore_index=True), pd.concat(aggregates, ignore_index=True))
    if kept is not None:
        write_table(kept / "samples.parquet", outcomes.samples)
        write_table(kept / "aggregate.parquet", outcomes.aggregate)
    return outcomes


def _check(
    conditions: Sequence[Condition], loaded: Sequence[Loaded], metrics: Mapping[str, str], *, chat: bool
) -> None:
    """Refuse arguments that would fail late or have no effect."""
    every = [name for each in loaded for name in each.tasks]
    if twice := sorted({name for name in every if every.count(name) > 1}):
        raise ValueError(f"Each task is evaluated once, but {', '.join(twice)} came several times. Leave out a group.")
    if unknown := sorted(set(metrics) - set(every)):
        raise ValueError(f"metrics names tasks among {', '.join(every)}, but {unknown[0]!r} arrived.")
    instructed = next((condition for condition in conditions if condition.instruction is not None), None)
    if instructed is None:
        return
    if not chat:
        raise ValueError(
            f"An instruction needs a chat prompt, but {instructed.arm} came with chat=False. Use chat=True."
        )
    if without_prompt := [name for each in loaded for name in each.tasks if name in each.whole_texts]:
        raise ValueError(
            f"An instruction needs a prompt, but {without_prompt[0]} scores whole texts. Leave out the task or "
            f"{instructed.arm}."
        )


@dataclass(frozen=True)
class _Settings:
    """The settings that all conditions share."""

    scope: str
    limit: int | float | None
    chat: bool
    seed: int
    max_tokens: int
    max_rows: int
    verbose: bool

    def key(self, model: Model, intervention: str, loaded: Loaded) -> str:
        """A hash of all that a condition's results on some tasks depend on."""
        depends = {
            "model": model.fingerprint,
            "template": model.rendering_digest,
            "does": intervention,
            "scope": self.scope if intervention else None,
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
    """Run some tasks under one condition, and return the samples and the harness's own numbers."""
    edit = condition.edit
    with nullcontext() if edit is None else edited(model, edit, scope=settings.scope) as run:
        wrapped = harness_model(
            model,
            chat=settings.chat,
            run=run,
            seed=settings.seed,
            max_tokens=settings.max_tokens,
            max_rows=settings.max_rows,
        )
        # `simple_evaluate` does the same, and spends seconds on describing the machine.
        with quiet(settings.verbose), seeded(settings.seed), one_process():
            loaded.begin(settings.seed)
            results: Any = require_harness().evaluate(
                wrapped,
                loaded.harness,
                limit=settings.limit,
                bootstrap_iters=_BOOTSTRAP,
                system_instruction=condition.instruction and condition.instruction.text,
                apply_chat_template=settings.chat,
                fewshot_as_multiturn=settings.chat,
            )
    if run is not None and record is not None:
        record(run)
    rows = [sample_rows(name, task, results["samples"][name], wrapped.ledger) for name, task in loaded.tasks.items()]
    samples = pd.concat(rows, ignore_index=True)
    numbers = aggregate_rows(results, wrapped.ledger, samples)
    chat = settings.chat & ~numbers["task"].isin(loaded.whole_texts)
    return samples, numbers.assign(chat=chat, harness=require_harness().__version__)


def _intervention(condition: Condition) -> str:
    """A hash of a condition's edit and instruction, without its labels; empty if it has neither."""
    parts: list[Any] = []
    if condition.edit is not None and condition.edit.acts:
        for part in condition.edit.parts:
            header, tensors = part.state()
            names = ("site", "operation", "gamma", "mask", "seed")
            parts.append([header[name] for name in names] + [tensors[name].tolist() for name in sorted(tensors)])
    if condition.instruction is not None:
        parts.append(condition.instruction.text)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest() if parts else ""


def _labelled(frame: pd.DataFrame, labels: Mapping[str, str | float]) -> pd.DataFrame:
    named = pd.DataFrame({name: [value] * len(frame) for name, value in labels.items()}, index=frame.index)
    return pd.concat([named, frame], axis=1)
