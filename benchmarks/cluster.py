"""Two Ray workers beside one, each with one thread, on this machine: `python -m benchmarks.cluster`.

A capture on SmolLM2 and a study of the embedded model, whole: from the call to the result, with the workers' start and
the loading of their models. Both give the same as one process does. The goal is 1.7 times as fast.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import ray
import torch

import workbench as wb
from benchmarks.capture import RESULTS

GOAL = 1.7


def seconds_with(workers: int, run: Callable[[int], object]) -> tuple[float, object]:
    """The time of a run with so many workers on a cluster of as many processors, and what it gives."""
    ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False)
    try:
        started = time.perf_counter()
        result = run(workers)
        return time.perf_counter() - started, result
    finally:
        ray.shutdown()


def captured(pairs: int) -> Callable[[int], object]:
    """A capture on SmolLM2, as its tallies' means."""
    model, contrast = wb.load_model("smollm2"), wb.Contrast.builtin("Extraversion", n=pairs)

    def run(workers: int) -> object:
        tally = wb.capture(model, contrast, engine="ray", workers=workers)
        return wb.effect_sizes(tally).mean_difference

    return run


def studied(questions: int) -> Callable[[int], object]:
    """A study of the embedded model, as its table of shifts."""
    config = wb.StudyConfig(
        traits=("Extraversion", "Neuroticism"),
        pairs=200,
        gammas=(0.5, 1.0, 1.5),
        draws=20,
        test_questions=questions,
        temperature=1.0,
        outcomes=("answers", "capability", {"statements": "testbed"}),
        engine="ray",
    )
    model = wb.load_model("testbed")

    def run(workers: int) -> object:
        with tempfile.TemporaryDirectory() as folder:
            study = wb.run_study(config.model_copy(update={"workers": workers}), folder, model=model)
            return study.tables["shifts"]

    return run


def main() -> None:
    """Measure, add to `results.json` and print a table."""
    parser = argparse.ArgumentParser(description="Two Ray workers beside one.")
    parser.add_argument("--pairs", type=int, default=600, help="of the capture on SmolLM2")
    parser.add_argument("--questions", type=int, default=60, help="of the study of the embedded model, each trait's")
    settings = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, dict[str, float]] = {}
    for name, run in {"capture": captured(settings.pairs), "study": studied(settings.questions)}.items():
        results = {workers: seconds_with(workers, run) for workers in (1, 2)}
        (one, first), (two, second) = results[1], results[2]
        same = first.equals(second) if hasattr(first, "equals") else torch.allclose(first, second, atol=1e-5)  # type: ignore[attr-defined, arg-type]
        if not same:
            raise RuntimeError(f"{name}: two workers give other numbers than one.")
        found[name] = {"one": one, "two": two, "times": one / two}
        print(
            f"  {name:<10}{one:8.1f} s with one worker, {two:8.1f} s with two: {one / two:.2f} times", file=sys.stderr
        )
    results_file = Path(RESULTS)
    kept = json.loads(results_file.read_text(encoding="utf-8")) if results_file.is_file() else {}
    kept["cluster"] = {"goal": GOAL, **found}
    results_file.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
