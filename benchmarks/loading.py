"""How long the real model takes to load, beside reading the same weights from safetensors. Run by `make bench`.

In interleaved turns: `load_model` of the GGUF file, whose converted copy is kept; `load_model` of that copy as a
checkpoint folder; and plain transformers, which reads the copy's weights and tokenizer and hooks nothing.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from transformers import AutoModelForCausalLM, AutoTokenizer

import workbench as wb
from benchmarks.capture import RESULTS
from workbench.model.loading import checkpoint_of
from workbench.model.quiet import quiet

GGUF, FOLDER, PLAIN = "load_model of the GGUF file", "load_model of the converted folder", "plain transformers"


def seconds_of(run: Callable[[], object]) -> float:
    """Seconds of one call."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def loading(model: str, turns: int) -> dict:
    """The median time of each way over turns, each of which runs all once, and its ratio to the converted folder's."""
    folder = checkpoint_of(wb.load_model(model).recipe or {})

    def plain() -> None:
        with quiet():
            AutoTokenizer.from_pretrained(folder)
            AutoModelForCausalLM.from_pretrained(folder)

    ways = {GGUF: lambda: wb.load_model(model), FOLDER: lambda: wb.load_model(folder), PLAIN: plain}
    measured: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(turns):
        for name, run in ways.items():
            measured[name].append(seconds_of(run))
    medians = {name: statistics.median(seconds) for name, seconds in measured.items()}
    return {
        "model": model,
        "turns": turns,
        "seconds": medians,
        "times": {name: seconds / medians[FOLDER] for name, seconds in medians.items()},
    }


def main() -> None:
    """Measure, add to `results.json` and print a table; where the model is not installed, say so."""
    parser = argparse.ArgumentParser(description="How long a GGUF file takes to load.")
    parser.add_argument("--model", default="smollm2", help="smollm2, or a GGUF file")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--out", type=Path, default=RESULTS)
    settings = parser.parse_args()
    try:
        found = loading(settings.model, settings.turns)
    except FileNotFoundError as error:
        print(f"not measured: {error}")
        return
    results = json.loads(settings.out.read_text(encoding="utf-8")) if settings.out.is_file() else {}
    results["loading"] = found
    settings.out.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{found['model']}, medians of {found['turns']} interleaved turns")
    for name, seconds in found["seconds"].items():
        print(f"  {name:<36}{seconds:8.3f} s   {found['times'][name]:.2f} × {FOLDER}")


if __name__ == "__main__":
    main()
