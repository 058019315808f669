"""How cost grows: `python -m benchmarks.scaling` prints exponents of time and memory along five axes.

- prompts: a capture of 100 to 10,000 prompts;
- layers × neurons: the same capture of random Llamas of more and more layers;
- arms × doses: answers to the same questions under 1 to 32 conditions, each with an edit of its own;
- answer's length: answers of 8 to 128 tokens;
- neurons permuted: 1,000 permutations of 200 pairs in more and more neurons.

A cost that grows as size to the power b is a line of slope b in logarithms; b is fitted by least squares and stands
with its standard error. Every size runs in a process of its own, after a small run that loads what is needed; memory is
the process's peak above what it held before. Seconds are the processor's, on one thread.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import workbench as wb
from benchmarks.capture import RESULTS, peak_bytes, persona_prompts
from benchmarks.decode import edit_of
from benchmarks.gpu import llama, random_model
from benchmarks.statistics import kept_rows
from workbench.score.answers import Condition, run_conditions

_NEURONS = 1024  # of a layer of the random Llamas
_QUESTIONS = [f"w{number} w2 w3 w4 w5 w6" for number in range(8)]


@dataclass(frozen=True)
class Fit:
    """A power law.

    Attributes:
        exponent, error: b and its standard error; a doubling of the size multiplies the cost by 2 to the power b.
        at_largest: the cost at the largest size, in its own unit.
    """

    exponent: float
    error: float
    at_largest: float


def fitted(sizes: Sequence[float], costs: Sequence[float]) -> Fit:
    """The power law through costs by size.

    Raises:
        ValueError: for fewer than 3 sizes, or a cost that is not above 0.
    """
    if len(sizes) < 3 or min(costs) <= 0:
        raise ValueError(f"An exponent needs 3 sizes and costs above 0, but {list(zip(sizes, costs))} arrived.")  # noqa: B905
    x, y = np.log(sizes), np.log(costs)
    slope, start = np.polyfit(x, y, 1)
    left = y - slope * x - start
    error = np.sqrt((left**2).sum() / (len(x) - 2) / ((x - x.mean()) ** 2).sum())
    return Fit(float(slope), float(error), float(costs[-1]))


def prompts(model: wb.Model, size: int) -> Callable[[], object]:
    """A capture of so many prompts."""
    if model.name == "testbed":
        contrast = wb.Contrast.testbed("Extraversion", n=size // 2)
        contrast = wb.Contrast(contrast.trait, contrast.high, contrast.low, source=contrast.source)
    elif model.name.startswith("random"):
        contrast = persona_prompts(size // 2)
    else:
        contrast = wb.Contrast.builtin("Extraversion", n=size // 2)
    return lambda: wb.capture(model, contrast)


def layers(model: wb.Model, size: int) -> Callable[[], object]:
    """A capture of 32 prompts of a random Llama with so many neurons, 1,024 a layer."""
    grown = random_llama(size // _NEURONS)
    return prompts(grown, 32)


def conditions(model: wb.Model, size: int) -> Callable[[], object]:
    """8 answers of 12 tokens under so many conditions, each with its own edit."""
    model.stop_tokens = frozenset()
    asked = [
        Condition(f"arm {number}", "Extraversion", "increase", 1.0, edit_of(model, seed=number))
        for number in range(size)
    ]
    questions = [[wb.Prompt(question) for question in _QUESTIONS]] * size
    return lambda: run_conditions(model, asked, questions, scope="generated", max_new_tokens=12)


def lengths(model: wb.Model, size: int) -> Callable[[], object]:
    """8 answers of so many tokens."""
    model.stop_tokens = frozenset()
    return lambda: model.generate_tokens(_QUESTIONS, max_new_tokens=size)


def permuted(model: wb.Model, size: int) -> Callable[[], object]:
    """1,000 permutations of 200 pairs, in so many neurons."""
    rows = kept_rows(max(1, size // 4096), min(size, 4096), 200)
    return lambda: wb.permutation_null(rows, unit="pair", permutations=1000)


AXES: dict[str, Callable[[wb.Model, int], Callable[[], object]]] = {
    "prompts": prompts,
    "layers × neurons": layers,
    "arms × doses": conditions,
    "answer's length": lengths,
    "neurons permuted": permuted,
}
SIZES: dict[str, dict[str, tuple[int, ...]]] = {
    "testbed": {
        "prompts": (100, 300, 1000, 3000, 10_000),
        "arms × doses": (1, 2, 4, 8, 16, 32),
        "answer's length": (8, 16, 32, 64, 128),
    },
    "random Llama": {
        "prompts": (16, 32, 64, 128),
        "layers × neurons": (2048, 4096, 8192, 16_384),
        "arms × doses": (1, 2, 4, 8, 16, 32),
        "answer's length": (8, 16, 32, 64, 128),
        "neurons permuted": (4096, 16_384, 65_536, 262_144),
    },
    "smollm2": {"prompts": (20, 60, 200), "arms × doses": (1, 4, 16), "answer's length": (8, 32, 128)},
}


def random_llama(depth: int = 4) -> wb.Model:
    """A random Llama of 256 hidden units and 1,024 neurons a layer."""
    config = llama(vocab_size=32_000, hidden_size=256, intermediate_size=_NEURONS, num_hidden_layers=depth)
    return random_model(config, torch.device("cpu"), torch.float32)


def point(axis: str, size: int, name: str) -> dict[str, float]:
    """Seconds and bytes of one size, after a run at the axis' least size that loads what is needed."""
    model = random_llama() if name == "random Llama" else wb.load_model(name)
    AXES[axis](model, min(SIZES[name][axis]))()
    work = AXES[axis](model, size)
    before = peak_bytes()
    started = time.process_time()
    work()
    return {"size": size, "seconds": time.process_time() - started, "bytes": max(1, peak_bytes() - before)}


def measured(axis: str, size: int, name: str) -> dict[str, float]:
    """`point` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.scaling", "--point", axis, str(size), name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def grown(points: Sequence[dict[str, float]]) -> dict[str, Any]:
    """The exponents of time and memory of an axis."""
    sizes = [each["size"] for each in points]
    fits = {cost: fitted(sizes, [each[cost] for each in points]) for cost in ("seconds", "bytes")}
    return {"points": list(points), **{cost: vars(fit) for cost, fit in fits.items()}}


def table(found: dict[str, dict[str, Any]]) -> str:
    """A line for each model and axis."""
    lines = [f"{'model':<14}{'axis':<20}{'sizes':<20}{'time ~ size^':<16}{'memory ~ size^':<16}at the largest"]
    for name, axes in found.items():
        for axis, each in axes.items():
            sizes = [point["size"] for point in each["points"]]
            seconds, memory = each["seconds"], each["bytes"]
            lines.append(
                f"{name:<14}{axis:<20}{f'{sizes[0]:,} to {sizes[-1]:,}':<20}"
                f"{_power(seconds):<16}{_power(memory):<16}"
                f"{seconds['at_largest']:.1f} s, {memory['at_largest'] / 1e6:.0f} MB more"
            )
    return "\n".join(lines)


def _power(fit: dict[str, float]) -> str:
    return f"{fit['exponent']:.2f} ± {fit['error']:.2f}"


def main() -> None:
    """Measure, add to `results.json` and print a table."""
    parser = argparse.ArgumentParser(description="How time and memory grow with the size of a study.")
    parser.add_argument("--model", choices=list(SIZES), action="append")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--point", nargs=3, help=argparse.SUPPRESS)
    settings = parser.parse_args()
    if settings.point:
        torch.set_num_threads(1)
        axis, size, name = settings.point
        print(json.dumps(point(axis, int(size), name)))
        return
    found: dict[str, dict[str, Any]] = {}
    for name in settings.model or SIZES:
        for axis, sizes in SIZES[name].items():
            print(f"  {name}, {axis} ...", file=sys.stderr, flush=True)
            try:
                found.setdefault(name, {})[axis] = grown([measured(axis, size, name) for size in sizes])
            except subprocess.CalledProcessError as error:
                print(f"  {name} is not measured: {error.stderr.strip().splitlines()[-1]}", file=sys.stderr)
                break
    results = json.loads(settings.out.read_text(encoding="utf-8")) if settings.out.is_file() else {}
    results["scaling"] = found
    settings.out.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(table({name: axes for name, axes in found.items() if axes}))


if __name__ == "__main__":
    main()
