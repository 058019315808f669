"""What a capture costs beside a bare forward pass: `python -m benchmarks.capture`.

Everything runs on the same prompts, weights and threads, in turns, and the median of the turns is compared:

- bare: the decoder alone on the same length-sorted batches, no hook, nothing kept;
- capture: `wb.capture`, moments of every layer;
- run_with_cache: TransformerLens' own way, one prompt at a time, `hook_post` kept at the last position;
- one by one: a plain hook on each down projection, one prompt at a time, logits and all, as the published
  extractor does it.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch

import workbench as wb
from workbench.model.rendering import batches_by_length, pad_left


def bare(model: wb.Model, contrast: wb.Contrast) -> None:
    """The decoder on the batches that the capture makes, and nothing else."""
    for prompts in contrast.poles.values():
        tokens = model.tokens(prompts)
        for batch in batches_by_length([len(ids) for ids in tokens], max_tokens=8192, max_rows=256):
            ids, real = pad_left([tokens[row] for row in batch], model.pad_token)
            positions = (real.long().cumsum(1) - 1).clamp(min=0)
            model.decoder(input_ids=ids, attention_mask=real.long(), position_ids=positions, use_cache=False)


def run_with_cache(model: wb.Model, contrast: wb.Contrast) -> None:
    """TransformerLens' cache of every layer's `hook_post`, prompt by prompt."""
    for prompts in contrast.poles.values():
        rows = []
        for ids in model.tokens(prompts):
            _, cache = model.hooked.run_with_cache(
                torch.tensor([ids]), names_filter=lambda name: name.endswith("mlp.hook_post")
            )
            rows.append(torch.stack([cache[f"blocks.{layer}.mlp.hook_post"][0, -1] for layer in range(model.n_layers)]))
        torch.stack(rows).mean(0)


def one_by_one(model: wb.Model, contrast: wb.Contrast) -> None:
    """A hook on each down projection, set anew for each prompt, and the whole network with its logits."""
    for prompts in contrast.poles.values():
        rows = []
        for ids in model.tokens(prompts):
            seen: list[torch.Tensor] = []
            handles = [
                block.mlp.down_proj.register_forward_pre_hook(
                    lambda module, args, seen=seen: seen.append(args[0][0, -1])
                )
                for block in model.network.model.layers
            ]
            model.network(torch.tensor([ids]))
            for handle in handles:
                handle.remove()
            rows.append(torch.stack(seen))
        torch.stack(rows).mean(0)


def main() -> None:
    """Print the medians and their ratios to the bare forward."""
    parser = argparse.ArgumentParser(description="What a capture costs beside a bare forward pass.")
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    settings = parser.parse_args()
    model = wb.load_model("testbed")
    contrast = wb.Contrast.testbed("Extraversion", n=settings.pairs)
    ways: dict[str, Callable[[], object]] = {
        "bare": lambda: bare(model, contrast),
        "capture": lambda: wb.capture(model, contrast),
        "run_with_cache": lambda: run_with_cache(model, contrast),
        "one by one": lambda: one_by_one(model, contrast),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    with torch.inference_mode():
        for way in ways.values():
            way()
        for _ in range(settings.turns):
            for name, way in ways.items():
                started = time.perf_counter()
                way()
                times[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(each) for name, each in times.items()}
    ratios = {name: median / medians["bare"] for name, median in medians.items()}
    prompts = sum(map(len, contrast.poles.values()))
    if settings.json:
        print(json.dumps({"prompts": prompts, "seconds": medians, "ratio_to_bare": ratios}))
        return
    print(f"{prompts} persona prompts, {model!r}, {torch.get_num_threads()} threads, median of {settings.turns} turns")
    for name, median in medians.items():
        print(f"  {name:<16}{median:8.3f} s   {ratios[name]:6.2f} × bare")


if __name__ == "__main__":
    main()
