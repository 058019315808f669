"""The time that an active edit adds to decoding: `python -m benchmarks.decode`.

Greedy answers to the same prompts with the same weights and threads, with and without an edit of 1 % of the neurons of
every layer, in turns; the result is the median ratio over turns. No token ends an answer, so that both decode equally
many steps. The edited time includes setting the hooks, running them, counting what they edited, and removing them.

- one edit: the same for all prompts.
- an edit a row: each prompt of the batch has its own.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

import workbench as wb
from benchmarks.capture import RESULTS, random_qwen2

SHARE = 0.01


def edit_of(model: wb.Model, *, seed: int) -> wb.Edit:
    """An edit of a random 1 % of every layer's neurons, with values too small to change an answer."""
    generator = torch.Generator().manual_seed(seed)
    deltas = {}
    for layer in range(model.n_layers):
        delta = torch.zeros(model.d_mlp)
        units = torch.randperm(model.d_mlp, generator=generator)[: max(1, int(SHARE * model.d_mlp))]
        delta[units] = 1e-6 * torch.randn(len(units), generator=generator)
        deltas[layer] = delta
    return wb.Edit.of(deltas, trait="any", method="random", direction="increase", site="hook_post")


def in_turns(ways: dict[str, Callable[[], object]], turns: int) -> dict[str, list[float]]:
    """Seconds of each run in every turn after a warm-up; every second turn runs them in reverse order."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(turns + 2):
        for name in list(ways)[:: 1 if turn % 2 else -1]:
            started = time.perf_counter()
            ways[name]()
            if turn > 1:
                times[name].append(time.perf_counter() - started)
    return times


def overhead(model: wb.Model, prompt: str, *, rows: int, steps: int, turns: int) -> dict:
    """Milliseconds for a decode step with and without an edit, and their ratio."""
    model.stop_tokens = frozenset()
    prompts = [prompt] * rows
    edits = [edit_of(model, seed=seed) for seed in range(rows)]

    def plain() -> list[list[int]]:
        return model.generate_tokens(prompts, max_new_tokens=steps)

    def one() -> list[list[int]]:
        with wb.edited(model, edits[0], scope="generated") as run:
            answers = plain()
            assert run.edited == rows * steps * model.n_layers
        return answers

    def each() -> list[list[int]]:
        with wb.edited(model, edits, scope="generated", rows=range(rows)) as run:
            answers = plain()
            assert run.edited == rows * steps * model.n_layers
        return answers

    ways: dict[str, Callable[[], object]] = {"no edit": plain, "one edit": one}
    if rows > 1:
        ways["an edit a row"] = each
    times = in_turns(ways, turns)
    return {
        "model": f"{model.name}, {model.n_layers} layers of {model.d_mlp} neurons, {model.dtype}",
        "rows": rows,
        "steps": steps,
        "turns": turns,
        "neurons_edited": len(edits[0]),
        "share_edited": len(edits[0]) / (model.n_layers * model.d_mlp),
        "milliseconds_a_step": {name: 1000 * statistics.median(each) / steps for name, each in times.items()},
        "times_no_edit": {
            name: statistics.median(a / b for a, b in zip(each, times["no edit"], strict=True))
            for name, each in times.items()
            if name != "no edit"
        },
    }


def table(found: list[dict]) -> str:
    """The results as lines to print."""
    lines = []
    for case in found:
        lines.append(
            f"{case['model']}; batch {case['rows']}, {case['steps']} tokens, {case['share_edited']:.2%} edited, "
            f"{case['turns']} turns"
        )
        for name, milliseconds in case["milliseconds_a_step"].items():
            times = case["times_no_edit"].get(name)
            beside = "" if times is None else f"   {times:.3f} × no edit"
            lines.append(f"  {name:<16}{milliseconds:8.3f} ms a step{beside}")
    return "\n".join(lines)


def main() -> None:
    """Measure, add to `results.json` and print a table."""
    parser = argparse.ArgumentParser(description="What an active edit costs while a model answers.")
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--out", type=Path, default=RESULTS)
    settings = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cases = [(wb.load_model("testbed"), "What is 21 + 13?"), (random_qwen2(Path(folder)), "w1 w2 w3 w4 w5 w6")]
    found = []
    for model, prompt in cases:
        for rows in (1, 16):
            print(f"  {model.name}, batch {rows} ...", file=sys.stderr, flush=True)
            found.append(overhead(model, prompt, rows=rows, steps=settings.steps, turns=settings.turns))
    results = json.loads(settings.out.read_text(encoding="utf-8")) if settings.out.is_file() else {}
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"
    results["machine"] = f"{machine}, torch {torch.__version__}, Python {platform.python_version()}"
    results["decode"] = found
    settings.out.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(table(found))


if __name__ == "__main__":
    main()
