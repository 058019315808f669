"""What lm-evaluation-harness found, as tables: a row a sample, and the harness's own numbers."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from workbench.score.harness.requests import Ledger


def sample_rows(name: str, task: Any, samples: Sequence[Mapping[str, Any]], ledger: Ledger) -> pd.DataFrame:
    """A task's samples, a row each, whatever the filters.

    Returns:
        task, item (number and hash of the document), prompt (hash), dropped (tokens that its prompts lost at the
        beginning), response (what was said; of judged answers, JSON of log-likelihood and whether it is the greedy
        one), and a column a metric and filter, named as the harness does, e.g. `exact_match,strict-match`.
    """
    rows: dict[int, dict[str, Any]] = {}
    for sample in samples:
        number = int(sample["doc_id"])
        row = rows.setdefault(
            number,
            {
                "task": name,
                "item": f"{number} {sample['doc_hash'][:12]}",
                "prompt": sample["prompt_hash"],
                "dropped": ledger.dropped.get((name, number), 0),
                "response": _response(sample["resps"]),
            },
        )
        for metric in sample["metrics"]:
            row[f"{metric},{sample['filter']}"] = _value(task, metric, sample[metric])
    return pd.DataFrame([rows[number] for number in sorted(rows)])


def _response(given: Sequence[Sequence[Any]]) -> str:
    if len(given) == 1 and len(given[0]) == 1 and isinstance(given[0][0], str):
        return given[0][0]
    return json.dumps(given)


def _value(task: Any, metric: str, value: Any) -> float:
    """A sample's value as one number; missing where it has none of its own, as in a correlation."""
    if isinstance(value, bool | int | float | np.number):
        return float(value)
    if task.OUTPUT_TYPE == "loglikelihood_rolling":  # a log-likelihood and what it is to be divided by
        return float(task.aggregation()[metric]([value]))
    return float("nan")


def aggregate_rows(found: Mapping[str, Any], ledger: Ledger, samples: pd.DataFrame) -> pd.DataFrame:
    """The harness's own numbers.

    Returns:
        A row per task or group, metric and filter: task, group (whether it is one), metric, filter, value, stderr
        (missing where the harness gives none), higher_is_better, n (samples), of (documents there are), version,
        fewshot, cut (samples whose prompts lost their beginning), edited_prompt and edited_decode ((position, layer)
        pairs that were edited).
    """
    rows = []
    groups = found.get("groups", {})
    for task, values in (found["results"] | groups).items():
        for name, value in values.items():
            metric, comma, chosen = name.partition(",")
            if not comma or metric.endswith("_stderr"):
                continue
            counts = found["n-samples"].get(task, {})
            own = _leaves(found, task)
            pairs = sum((ledger.edited.get(leaf, Counter()) for leaf in own), Counter())
            rows.append(
                {
                    "task": task,
                    "group": task in groups,
                    "metric": metric,
                    "filter": chosen,
                    "value": _number(value),
                    "stderr": _number(values.get(f"{metric}_stderr,{chosen}")),
                    "higher_is_better": found["higher_is_better"].get(task, {}).get(metric),
                    "n": int(values.get("sample_len", counts.get("effective", 0))),
                    "of": int(counts.get("original", 0)),
                    "version": str(found["versions"].get(task)),
                    "fewshot": int(found["n-shot"].get(task, 0) or 0),
                    "cut": int((samples["task"].isin(own) & (samples["dropped"] > 0)).sum()),
                    "edited_prompt": pairs["prompt"],
                    "edited_decode": pairs["decode"],
                }
            )
    return pd.DataFrame(rows)


def _leaves(found: Mapping[str, Any], name: str) -> list[str]:
    """A group's tasks, those of groups within it too; a task itself."""
    children = found["group_subtasks"].get(name)
    return [name] if children is None else [leaf for child in children for leaf in _leaves(found, child)]


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float | np.number) else float("nan")


def main_metric(aggregate: pd.DataFrame, wanted: str | None) -> tuple[str, str]:
    """A task's main metric and filter.

    Args:
        aggregate: the task's rows, in the harness's order.
        wanted: a metric, or a metric and filter as the harness writes them; by default the first metric of which
            more is better, else the first, under the task's first filter.

    Raises:
        ValueError: naming the metrics that the task has.
    """
    pairs = list(zip(aggregate["metric"], aggregate["filter"], strict=True))
    if wanted is None:
        better = [pair for pair, more in zip(pairs, aggregate["higher_is_better"], strict=True) if more]
        return (better or pairs)[0]
    for metric, chosen in pairs:
        if wanted in (metric, f"{metric},{chosen}"):
            return metric, chosen
    had = ", ".join(f"{metric},{chosen}" for metric, chosen in pairs)
    raise ValueError(f"{aggregate['task'].iloc[0]} has no metric {wanted!r}, but {had}. Choose one of them.")


def with_outcome(samples: pd.DataFrame, aggregate: pd.DataFrame, metrics: Mapping[str, str]) -> pd.DataFrame:
    """Samples with metric and filter (the task's main one), score (its value) and correct (that, if all are 0 or 1)."""
    parts = []
    for task, own in samples.groupby("task", sort=False):
        metric, chosen = main_metric(aggregate[aggregate["task"] == task], metrics.get(str(task)))
        score = own[f"{metric},{chosen}"].astype(float)
        right = score.isin([0.0, 1.0]).all()
        parts.append(own.assign(metric=metric, filter=chosen, score=score, correct=score if right else float("nan")))
    return pd.concat(parts, ignore_index=True)
