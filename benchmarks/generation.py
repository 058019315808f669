"""Greedy answers beside transformers' own `generate`, edited and not: `python -m benchmarks.generation`.

The same weights, prompts and threads, in interleaved turns; no token ends an answer, and both give the same tokens
where nothing is edited. The edit is one of 1 % of the neurons of every layer; its time includes setting and removing
its hooks and counting what they edited.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

import workbench as wb
from benchmarks.capture import RESULTS, random_qwen2
from benchmarks.decode import edit_of, in_turns
from workbench.model.gguf import PACKAGED
from workbench.model.loading import checkpoint_of
from workbench.model.quiet import quiet
from workbench.model.rendering import pad_left

PEER, OURS, EDITED = "transformers' generate", "workbench", "workbench, edited"


def beside_transformers(model: wb.Model, plain: Any, prompts: list[str], *, steps: int, turns: int) -> dict:
    """Seconds for `steps` new tokens of every prompt, and the median over turns of ours divided by transformers'.

    Raises:
        RuntimeError: if the tokens differ where nothing is edited.
    """
    model.stop_tokens = frozenset()
    edit = edit_of(model, seed=0)
    tokens, real = pad_left(model.tokens(prompts), model.pad_token)

    def peer() -> list[list[int]]:
        with torch.no_grad():
            made = plain.generate(
                tokens, attention_mask=real.long(), max_new_tokens=steps, do_sample=False, eos_token_id=None,
                pad_token_id=model.pad_token,
            )  # fmt: skip
        return made[:, tokens.shape[1] :].tolist()

    def ours() -> list[list[int]]:
        return model.generate_tokens(prompts, max_new_tokens=steps)

    def edited() -> list[list[int]]:
        with wb.edited(model, edit, scope="generated"):
            return ours()

    if peer() != ours():
        raise RuntimeError(f"{model.name}: transformers generates other tokens, so that times would say nothing.")
    ways: dict[str, Callable[[], object]] = {PEER: peer, OURS: ours, EDITED: edited}
    times = in_turns(ways, turns)
    return {
        "model": model.name,
        "rows": len(prompts),
        "steps": steps,
        "turns": turns,
        "seconds": {name: statistics.median(each) for name, each in times.items()},
        "times": {
            name: statistics.median(a / b for a, b in zip(each, times[PEER], strict=True))
            for name, each in times.items()
        },
    }


def main() -> None:
    """Measure, add to `results.json` and print a table."""
    parser = argparse.ArgumentParser(description="Greedy answers beside transformers' own generate.")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--out", type=Path, default=RESULTS)
    settings = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as folder, quiet():
        model = random_qwen2(Path(folder))
        cases = [(model, AutoModelForCausalLM.from_pretrained(folder).eval(), "w{} w2 w3 w4 w5 w6")]
        try:
            PACKAGED["smollm2"].file()
        except FileNotFoundError as error:
            print(f"smollm2 is not measured: {error}", file=sys.stderr)
        else:
            real = wb.load_model("smollm2")
            network = AutoModelForCausalLM.from_pretrained(checkpoint_of(real.recipe or {})).eval()
            cases.append((real, network, "What would you do on day {} of a long holiday by the sea?"))
        for model, plain, prompt in cases:
            for rows, steps in ((1, 64), (16, 32), (64, 16)):
                print(f"  {model.name}, batch {rows} ...", file=sys.stderr, flush=True)
                prompts = [prompt.format(number + 1) for number in range(rows)]
                found.append(beside_transformers(model, plain, prompts, steps=steps, turns=settings.turns))
    results = json.loads(settings.out.read_text(encoding="utf-8")) if settings.out.is_file() else {}
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"
    results["machine"] = f"{machine}, torch {torch.__version__}, Python {platform.python_version()}"
    results["generation"] = found
    settings.out.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for case in found:
        print(f"{case['model']}; batch {case['rows']}, {case['steps']} tokens, medians of {case['turns']} turns")
        for name, seconds in case["seconds"].items():
            print(f"  {name:<24}{seconds:8.3f} s   {case['times'][name]:.3f} × {PEER}")


if __name__ == "__main__":
    main()
