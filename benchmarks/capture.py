"""The time and memory of a capture, compared with other extractors and with a bare forward pass.

`python -m benchmarks.capture` runs all of them in turns on the same prompts, weights and threads, and compares the
medians. The model is a random Qwen2 (12 layers, hidden 512, MLP 2816, vocabulary 32,000); the prompts are persona
prompts of invented words with 8 descriptions per pole, so that their lengths are known and no text has to be fetched.

- capture: `wb.capture`, moments of every layer.
- authors' way: the published extractor: batches of 8 in the given order, left padding, a forward hook on every
  `down_proj` that is set again for each batch, logits at every position.
- run_with_cache: TransformerLens' own method in the same batches, keeping `hook_post` at the last position.
- bare: the decoder alone on as many tokens as the capture computes, in batches of the same size, without hooks,
  padding, reused keys and values, or kept activations.
"""

import argparse
import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformer_lens.model_bridge import TransformerBridge
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

import workbench as wb
from workbench.capture import Activations
from workbench.capture.settings import MAX_TOKENS
from workbench.model.rendering import pad_left

RESULTS = Path(__file__).parent / "results.json"
WORDS = 31_990
MARKS = ("<pad>", "<begin>", "<end>", "<system>", "<user>", "<assistant>", "<unknown>")
TEMPLATE = (
    "<begin> {% for m in messages %}<{{ m.role }}> {{ m.content }} {% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def tokenizer_of_words() -> PreTrainedTokenizerFast:
    """A token for each of 31,990 invented words."""
    vocabulary = {f"w{i}": i for i in range(WORDS)} | {mark: WORDS + i for i, mark in enumerate(MARKS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unknown>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()  # type: ignore[assignment]
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<end>")
    fast.chat_template = TEMPLATE
    return fast


def random_qwen2(folder: Path) -> wb.Model:
    """A random 12-layer Qwen2 of 76 M parameters."""
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=32_000,
        hidden_size=512,
        intermediate_size=2816,
        num_hidden_layers=12,
        num_attention_heads=8,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=WORDS + 1,
        eos_token_id=WORDS + 2,
        pad_token_id=WORDS,
    )
    Qwen2ForCausalLM(config).save_pretrained(folder)
    tokenizer = tokenizer_of_words()
    tokenizer.save_pretrained(folder)
    hooked = TransformerBridge.boot_transformers(str(folder), device="cpu", dtype=torch.float32)
    return wb.wrap_model(hooked, tokenizer, name="random Qwen2")


def persona_prompts(pairs: int, *, descriptions: int = 8, seed: int = 0) -> wb.Contrast:
    """Pairs with a common question; the descriptions of each pole are used in turn."""
    rng = random.Random(seed)

    def words(low: int, high: int) -> str:
        return " ".join(f"w{rng.randrange(WORDS)}" for _ in range(rng.randint(low, high)))

    questions = [words(18, 40) for _ in range(max(1, pairs // descriptions))]
    poles = {pole: [words(135, 165) for _ in range(descriptions)] for pole in ("high", "low")}
    prompts = {
        pole: tuple(
            wb.Prompt(questions[i // descriptions % len(questions)], told[i % descriptions]) for i in range(pairs)
        )
        for pole, told in poles.items()
    }
    return wb.Contrast("trait", prompts["high"], prompts["low"], source="invented words")


def batches_of_eight(model: wb.Model, contrast: wb.Contrast) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Tokens and masks, in given order."""
    tokens = [ids for prompts in contrast.poles.values() for ids in model.tokens(prompts)]
    return [pad_left(tokens[start : start + 8], model.pad_token) for start in range(0, len(tokens), 8)]


def positions_of(real: torch.Tensor) -> torch.Tensor:
    """Each token's position."""
    return (real.long().cumsum(1) - 1).clamp(min=0)


def authors_way(network: torch.nn.Module, model: wb.Model, contrast: wb.Contrast) -> torch.Tensor:
    """The published extractor's loop."""
    rows = []
    for ids, real in batches_of_eight(model, contrast):
        seen: dict[int, torch.Tensor] = {}

        def keep(layer: int, seen: dict[int, torch.Tensor] = seen) -> Callable:
            return lambda module, args: seen.update({layer: args[0][:, -1].float().cpu()})

        decoder: torch.nn.Module = network.get_decoder()  # type: ignore[operator]
        blocks: list = list(decoder.layers)  # type: ignore[arg-type]
        handles = [block.mlp.down_proj.register_forward_pre_hook(keep(i)) for i, block in enumerate(blocks)]
        network(input_ids=ids, attention_mask=real.long(), position_ids=positions_of(real), use_cache=False)
        for handle in handles:
            handle.remove()
        rows.append(torch.stack([seen[layer] for layer in range(len(blocks))], 1))
    return torch.cat(rows)


def run_with_cache(model: wb.Model, contrast: wb.Contrast) -> torch.Tensor:
    """TransformerLens' cache of every layer's `hook_post` at the last position."""
    rows = []
    for ids, real in batches_of_eight(model, contrast):
        _, cache = model.hooked.run_with_cache(
            ids, attention_mask=real.long(), names_filter=lambda name: name.endswith("mlp.hook_post"), pos_slice=-1
        )
        kept = [cache[f"blocks.{layer}.mlp.hook_post"] for layer in range(model.n_layers)]
        rows.append(torch.stack([each.reshape(len(ids), -1) for each in kept], 1))
    return torch.cat(rows)


def bare(network: torch.nn.Module, tokens: int, *, rows: int = 12) -> None:
    """A decoder on this many tokens, in batches as large as the capture's."""
    decoder: torch.nn.Module = network.get_decoder()  # type: ignore[operator]
    width = MAX_TOKENS["cpu"] // rows
    while tokens > 0:
        height = max(1, min(rows, tokens // width))
        ids = torch.randint(0, WORDS, (height, min(width, tokens)))
        decoder(input_ids=ids, use_cache=False)
        tokens -= ids.numel()


def compare(ways: dict[str, Callable[[], object]], turns: int) -> dict[str, list[float]]:
    """Seconds of each method in every turn after one warm-up; every second turn runs them in reverse order."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    with torch.inference_mode():
        for turn in range(turns + 1):
            for name in list(ways)[:: 1 if turn % 2 else -1]:
                started = time.perf_counter()
                ways[name]()
                if turn:
                    times[name].append(time.perf_counter() - started)
                print(f"  turn {turn}: {name} {time.perf_counter() - started:.2f} s", file=sys.stderr, flush=True)
    return times


def ratio(times: dict[str, list[float]], a: str, b: str) -> float:
    """Median over turns of the ratio of the seconds of `a` to those of `b` in the same turn."""
    return statistics.median(x / y for x, y in zip(times[a], times[b], strict=True))


def speed(pairs: int, turns: int) -> dict:
    """Ratios of the capture to the other methods, and the largest difference between their results."""
    with tempfile.TemporaryDirectory() as folder:
        model = random_qwen2(Path(folder))
        plain = Qwen2ForCausalLM.from_pretrained(folder).eval()
    contrast = persona_prompts(pairs)
    plan = wb.plan_capture(model, contrast).plan
    ours_and_floor: dict[str, Callable[[], object]] = {
        "capture": lambda: wb.capture(model, contrast),
        "bare": lambda: bare(plain, plan.computed),
    }
    peers: dict[str, Callable[[], object]] = {
        "authors' way": lambda: authors_way(plain, model, contrast),
        "run_with_cache": lambda: run_with_cache(model, contrast),
    }
    times = compare({**ours_and_floor, **peers}, turns)
    # The floor is near, so it takes more turns side by side to tell it from the machine's own drift.
    close = compare(ours_and_floor, 2 * turns)
    with torch.inference_mode():
        rows, cached = authors_way(plain, model, contrast), run_with_cache(model, contrast)
    kept = wb.capture(model, contrast, keep=True)
    assert isinstance(kept, Activations)
    ours = torch.cat([kept.activations[pole] for pole in contrast.poles])
    return {
        "model": "random Qwen2, 12 layers, hidden 512, MLP 2816, vocabulary 32,000, float32",
        "prompts": plan.prompts,
        "tokens": plan.tokens,
        "tokens_computed": plan.computed,
        "turns": turns,
        "seconds": {name: statistics.median(each) for name, each in times.items()},
        "times_faster_than_authors_way": ratio(times, "authors' way", "capture"),
        "times_faster_than_run_with_cache": ratio(times, "run_with_cache", "capture"),
        "times_bare": ratio(close, "capture", "bare"),
        "largest_difference_from_authors_way": float((ours - rows).abs().max()),
        "largest_difference_from_run_with_cache": float((ours - cached).abs().max()),
    }


def peak_memory(prompts: int) -> None:
    """Capture on the embedded model and print the process's peak memory in bytes and the seconds."""
    model = wb.load_model("testbed")
    contrast = wb.Contrast.testbed("Extraversion", n=prompts // 2)
    contrast = wb.Contrast(contrast.trait, contrast.high, contrast.low, source=contrast.source)
    wb.capture(model, contrast.rows(range(20)))
    started = time.perf_counter()
    wb.capture(model, contrast)
    seconds = time.perf_counter() - started
    print(json.dumps({"prompts": 2 * len(contrast), "peak_bytes": peak_bytes(), "seconds": seconds}))


def peak_bytes() -> int:
    """The peak memory of this process.

    Linux hands getrusage's figure down from the process that started this one, so it is read from /proc there.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        held = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(held.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def memory() -> dict:
    """Peak memory at 1,000 and at 10,000 prompts, each in its own process; and prompts per second."""
    found = {}
    for prompts in (1_000, 10_000):
        command = [sys.executable, "-m", "benchmarks.capture", "--peak-memory", str(prompts)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found[prompts] = json.loads(done.stdout.strip().splitlines()[-1])
        print(f"  {prompts} prompts: {found[prompts]}", file=sys.stderr, flush=True)
    return {
        "model": "testbed",
        "peak_bytes": {str(prompts): each["peak_bytes"] for prompts, each in found.items()},
        "ratio": found[10_000]["peak_bytes"] / found[1_000]["peak_bytes"],
        "prompts_per_second": found[10_000]["prompts"] / found[10_000]["seconds"],
    }


def llama_8b(pairs: int) -> dict:
    """A randomly initialised LLaMA-3-8B in bf16 on a GPU: tokens per second, and share of the matmul rate."""
    device = torch.device("cuda")
    config = LlamaConfig(
        vocab_size=128_256,
        hidden_size=4096,
        intermediate_size=14_336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        max_position_embeddings=8192,
        rope_parameters={"rope_type": "default", "rope_theta": 500_000.0},
        pad_token_id=WORDS,
    )
    with tempfile.TemporaryDirectory() as folder:
        with torch.device("meta"):
            network = cast(torch.nn.Module, LlamaForCausalLM(config))
        network = network.to(dtype=torch.bfloat16).to_empty(device="cpu")
        torch.manual_seed(0)
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.02)
        cast(LlamaForCausalLM, network).save_pretrained(folder)
        tokenizer = tokenizer_of_words()
        tokenizer.save_pretrained(folder)
        hooked = TransformerBridge.boot_transformers(folder, device=device, dtype=torch.bfloat16)
    model = wb.wrap_model(hooked, tokenizer, name="random LLaMA-3-8B")
    contrast = persona_prompts(pairs)
    plan = wb.plan_capture(model, contrast).plan
    wb.capture(model, contrast.rows(range(16)))
    torch.cuda.synchronize()
    started = time.perf_counter()
    wb.capture(model, contrast)
    torch.cuda.synchronize()
    seconds = time.perf_counter() - started
    size = 8192
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    torch.matmul(a, b)
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(20):
        torch.matmul(a, b)
    torch.cuda.synchronize()
    rate = 20 * 2 * size**3 / (time.perf_counter() - began)
    weights = sum(p.numel() for n, p in model.network.named_parameters() if "layers." in n and p.ndim == 2)
    return {
        "model": "random LLaMA-3-8B configuration, bfloat16",
        "device": torch.cuda.get_device_name(),
        "prompts": plan.prompts,
        "tokens": plan.tokens,
        "tokens_computed": plan.computed,
        "tokens_per_second": plan.tokens / seconds,
        "tokens_computed_per_second": plan.computed / seconds,
        "share_of_matmul_rate": 2 * weights * plan.computed / seconds / rate,
    }


def table(results: dict) -> str:
    """The results as lines to print."""
    lines = [f"{results['machine']}"]
    if "speed" in results:
        s = results["speed"]
        lines += [
            f"{s['prompts']} prompts, {s['tokens_computed']:,} of {s['tokens']:,} tokens computed, {s['model']}; "
            f"medians of {s['turns']} turns",
            *(f"  {name:<16}{seconds:8.2f} s" for name, seconds in s["seconds"].items()),
            f"  {s['times_faster_than_authors_way']:.2f} × as fast as the authors' way "
            f"(largest difference {s['largest_difference_from_authors_way']:.1e})",
            f"  {s['times_faster_than_run_with_cache']:.2f} × as fast as run_with_cache "
            f"(largest difference {s['largest_difference_from_run_with_cache']:.1e})",
            f"  {s['times_bare']:.2f} × the time of a bare decoder on the tokens computed",
        ]
    if "memory" in results:
        m = results["memory"]
        sizes = ", ".join(f"{size / 1e6:.0f} MB at {int(n):,}" for n, size in m["peak_bytes"].items())
        lines += [
            f"peak memory, embedded model: {sizes} prompts, ratio {m['ratio']:.3f}",
            f"embedded model: {m['prompts_per_second']:.0f} prompts per second",
        ]
    if "llama_8b" in results:
        g = results["llama_8b"]
        lines += [
            g
            if isinstance(g, str)
            else f"{g['model']} on {g['device']}: {g['tokens_per_second']:,.0f} tokens/s "
            f"({g['tokens_computed_per_second']:,.0f} computed/s, {g['share_of_matmul_rate']:.0%} of the matmul rate)"
        ]
    return "\n".join(lines)


def main() -> None:
    """Measure, write `results.json` and print a table."""
    parser = argparse.ArgumentParser(description="What a capture costs beside its peers and its floor.")
    parser.add_argument("--pairs", type=int, default=96)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--only", choices=("speed", "memory", "gpu"))
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--peak-memory", type=int, help=argparse.SUPPRESS)
    settings = parser.parse_args()
    if settings.peak_memory:
        peak_memory(settings.peak_memory)
        return
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"
    results: dict = json.loads(settings.out.read_text()) if settings.only and settings.out.is_file() else {}
    results["machine"] = f"{machine}, torch {torch.__version__}, Python {platform.python_version()}"
    if settings.only in (None, "speed"):
        results["speed"] = speed(settings.pairs, settings.turns)
    if settings.only in (None, "memory"):
        results["memory"] = memory()
    if settings.only in (None, "gpu"):
        results["llama_8b"] = llama_8b(500) if torch.cuda.is_available() else "LLaMA-3-8B: skipped, no GPU here"
    settings.out.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(table(results))


if __name__ == "__main__":
    main()
