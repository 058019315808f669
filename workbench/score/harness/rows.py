"""Results of lm-evaluation-harness as tables: one of samples, one of the harness's own numbers."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from workbench.score.harness.requests import Ledger


def sample_rows(name: str, task: Any, samples: Sequence[Mapping[str, Any]], ledger: Ledger) -> pd.DataFrame:
    """A task's samples, one row for each, with all filters in that row.

    Returns:
        task, item (number and hash of the document), prompt (hash), dropped (tokens cut off the beginning of its
        prompts), response (the generated text; for log-likelihoods, JSON of each value and whether the answer is the
        greedy one), and a column for each metric and filter, named as in the harness, e.g.
        `exact_match,strict-match`.
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


def _response(responses: Sequence[Sequence[Any]]) -> str:
    if len(responses) == 1 and len(responses[0]) == 1 and isinstance(responses[0][0], str):
        return responses[0][0]
    return json.dumps(responses)


def _value(task: Any, metric: str, value: Any) -> float:
    """A sample's value as one number; missing for a metric that no single sample has, such as a correlation."""
    if isinstance(value, bool | int | float | np.number):
        return float(value)
    if task.OUTPUT_TYPE == "loglikelihood_rolling":  # a log-likelihood and its divisor
        return float(task.aggregation()[metric]([value]))
    return float("nan")


def aggregate_rows(results: Mapping[str, Any], ledger: Ledger, samples: pd.DataFrame) -> pd.DataFrame:
    """The harness's own numbers.

    Returns:
        A row for each task or group, metric and filter: task, group (whether it is a group), metric, filter, value,
        stderr (missing where the harness gives none), higher_is_better, n (samples), of (documents of the task),
        version, fewshot, cut (samples whose prompts were cut), edited_prompt and edited_decode (edited (position,
        layer) pairs).
    """
    rows = []
    groups = results.get("groups", {})
    for task, values in (results["results"] | groups).items():
        for name, value in values.items():
            metric, comma, chosen = name.partition(",")
            if not comma or metric.endswith("_stderr"):
                continue
            counts = results["n-samples"].get(task, {})
            leaves = _leaves(results, task)
            pairs = sum((ledger.edited.get(leaf, Counter()) for leaf in leaves), Counter())
            rows.append(
                {
                    "task": task,
                    "group": task in groups,
                    "metric": metric,
                    "filter": chosen,
                    "value": _number(value),
                    "stderr": _number(values.get(f"{metric}_stderr,{chosen}")),
                    "higher_is_better": results["higher_is_better"].get(task, {}).get(metric),
                    "n": int(values.get("sample_len", counts.get("effective", 0))),
                    "of": int(counts.get("original", 0)),
                    "version": str(results["versions"].get(task)),
                    "fewshot": int(results["n-shot"].get(task, 0) or 0),
                    "cut": int((samples["task"].isin(leaves) & (samples["dropped"] > 0)).sum()),
                    "edited_prompt": pairs["prompt"],
                    "edited_decode": pairs["decode"],
                }
            )
    return pd.DataFrame(rows)


def _leaves(results: Mapping[str, Any], name: str) -> list[str]:
    """The tasks of a group and of the groups within it; for a task, the task."""
    children = results["group_subtasks"].get(name)
    return [name] if children is None else [leaf for child in children for leaf in _leaves(results, child)]


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float | np.number) else float("nan")


def main_metric(aggregate: pd.DataFrame, wanted: str | None) -> tuple[str, str]:
    """A task's main metric and filter.

    Args:
        aggregate: the task's rows, in the harness's order.
        wanted: a metric, or a metric and filter as the harness writes them; by default the first metric for which
            higher is better, or else the first metric, with the task's first filter.

    Raises:
        ValueError: if the task has no such metric; lists those that it has.
    """
    pairs = list(zip(aggregate["metric"], aggregate["filter"], strict=True))
    if wanted is None:
        better = [pair for pair, more in zip(pairs, aggregate["higher_is_better"], strict=True) if more]
        return (better or pairs)[0]
    for metric, chosen in pairs:
        if wanted in (metric, f"{metric},{chosen}"):
            return metric, chosen
    listed = ", ".join(f"{metric},{chosen}" for metric, chosen in pairs)
    raise ValueError(f"{aggregate['task'].iloc[0]} has no metric {wanted!r}. Choose among {listed}.")


def with_outcome(samples: pd.DataFrame, aggregate: pd.DataFrame, metrics: Mapping[str, str]) -> pd.DataFrame:
    """The samples with the task's main metric and filter, their value as `score`, and `correct`: the score if all are 0
    or 1, otherwise missing.
    """
    parts = []
    for task, rows in samples.groupby("task", sort=False):
        metric, chosen = main_metric(aggregate[aggregate["task"] == task], metrics.get(str(task)))
        score = rows[f"{metric},{chosen}"].astype(float)
        right = score.isin([0.0, 1.0]).all()
        parts.append(rows.assign(metric=metric, filter=chosen, score=score, correct=score if right else float("nan")))
    return pd.concat(parts, ignore_index=True)
