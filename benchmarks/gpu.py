"""One command for a GPU, under 10 minutes: `python -m benchmarks.gpu`. Without one it says so and stops.

- what the card does: the rate of matrix products in bfloat16, and of copies in its memory (read and written bytes);
- capture on a random LLaMA-3-8B in bfloat16: tokens a second, and the multiplications that they need as a share of the
  first rate (goal: 60 %);
- decoding on it, batch 1 and 32: tokens a second, and the weights, keys and values that a step reads as a share of the
  second rate (goal: 60 %); the time that an edit of 1 % of the neurons adds (goal: 2 %);
- correctness: logits and captured activations of a small random LLaMA in bfloat16 beside float64;
- SmolLM2's whole study, as `workbench demo --model smollm2` runs it.

Times are medians after a warm-up, each from an idle device to an idle device.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, cast

import torch
from transformers import LlamaConfig, LlamaForCausalLM

import workbench as wb
from benchmarks.capture import RESULTS, WORDS, persona_prompts, tokenizer_of_words
from benchmarks.decode import edit_of
from workbench.contrast.contrast import Contrast

GOALS = {"capture": 0.6, "decode": 0.6, "edit": 0.02}
TOLERANCE = 0.03  # of bfloat16, whose numbers have 8 significant bits, through a few layers


_tokenizer = cache(tokenizer_of_words)


def llama_3_8b() -> LlamaConfig:
    """The configuration of LLaMA-3-8B."""
    return llama(vocab_size=128_256, hidden_size=4096, intermediate_size=14_336, num_hidden_layers=32)


def llama(**sizes: int) -> LlamaConfig:
    """A configuration of LLaMA-3's kind: heads of 128, a fourth as many of keys and values, where there are so many."""
    heads = max(4, sizes["hidden_size"] // 128)
    given: dict[str, Any] = {
        "num_attention_heads": heads,
        "num_key_value_heads": heads // 4,
        "max_position_embeddings": 8192,
        "rope_parameters": {"rope_type": "default", "rope_theta": 500_000.0},
        "pad_token_id": WORDS,
        **sizes,
    }
    return LlamaConfig(**given)


def random_model(config: LlamaConfig, device: torch.device, dtype: torch.dtype, *, seed: int = 0) -> wb.Model:
    """A random model, made where it will be and in its number type, so that nothing larger is ever held."""
    before = torch.get_default_dtype()
    torch.manual_seed(seed)
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            network = LlamaForCausalLM(config)
    finally:
        torch.set_default_dtype(before)
    return wb.wrap_model(cast(Any, network).eval(), _tokenizer(), name="random LLaMA")


def seconds_of(work: Callable[[], object], device: torch.device, *, turns: int) -> float:
    """Median seconds after one warm-up, from an idle device to an idle device."""
    times = []
    for _ in range(turns + 1):
        wait(device)
        started = time.perf_counter()
        work()
        wait(device)
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


def wait(device: torch.device) -> None:
    """Until the device has done what it was asked."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def matmul_rate(device: torch.device, dtype: torch.dtype, *, size: int, turns: int = 10) -> float:
    """Floating-point operations a second of square matrix products."""
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    out = torch.empty_like(a)
    return 2 * size**3 / seconds_of(lambda: torch.matmul(a, b, out=out), device, turns=turns)


def copy_rate(device: torch.device, *, size: int, turns: int = 10) -> float:
    """Bytes a second that copies of `size` bytes read and write, both counted."""
    source = torch.zeros(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * size / seconds_of(lambda: target.copy_(source), device, turns=turns)


def block_weights(model: wb.Model) -> int:
    """Numbers in the matrices of the blocks: each is multiplied once for a token."""
    return sum(p.numel() for n, p in model.network.named_parameters() if "layers." in n and p.ndim == 2)


def capture_speed(model: wb.Model, contrast: Contrast, rate: float, *, turns: int = 3) -> dict[str, float]:
    """Tokens a second of a capture, and the share of the rate of matrix products that it reaches."""
    plan = wb.plan_capture(model, contrast).plan
    seconds = seconds_of(lambda: wb.capture(model, contrast), model.device, turns=turns)
    return {
        "prompts": plan.prompts,
        "tokens": plan.tokens,
        "tokens_computed": plan.computed,
        "seconds": seconds,
        "tokens_per_second": plan.tokens / seconds,
        "tokens_computed_per_second": plan.computed / seconds,
        "share_of_matmul_rate": 2 * block_weights(model) * plan.computed / seconds / rate,
    }


def bytes_of_step(model: wb.Model, *, rows: int, past: int) -> int:
    """What one decode step reads: every weight but the embedding's, and the keys and values of what came before."""
    size = model.runner.embedding.element_size()
    config = model.network.config
    width = config.num_key_value_heads * (config.hidden_size // config.num_attention_heads)
    weights = block_weights(model) + config.vocab_size * config.hidden_size
    return size * (weights + 2 * config.num_hidden_layers * width * rows * past)


def decode_speed(model: wb.Model, rate: float, *, rows: int, steps: int, turns: int = 3) -> dict[str, float]:
    """Tokens a second, the share of the copy rate, and how many times the step an edit takes.

    The prompt's pass is taken off: what `steps` + 1 tokens take, less what one takes.
    """
    model.stop_tokens = frozenset()
    prompts = [f"w{number} w2 w3 w4 w5 w6 w7 w8" for number in range(rows)]
    edit = edit_of(model, seed=0)

    def generated(count: int) -> None:
        model.generate_tokens(prompts, max_new_tokens=count)

    def edited(count: int) -> None:
        with wb.edited(model, edit, scope="generated"):
            generated(count)

    plain, with_edit, over = [], [], []
    for _ in range(turns):  # in turns, so that what the card's clock does concerns both
        for way, times in ((generated, plain), (edited, with_edit)):
            long, short = (
                seconds_of(lambda way=way, count=count: way(count), model.device, turns=1) for count in (steps + 1, 1)
            )
            times.append((long - short) / steps)
        over.append(with_edit[-1] / plain[-1])
    step = statistics.median(plain)
    past = len(model.tokens(prompts[:1])[0]) + steps // 2
    return {
        "rows": rows,
        "steps": steps,
        "milliseconds_a_step": 1000 * step,
        "tokens_per_second": rows / step,
        "edited_tokens_per_second": rows / statistics.median(with_edit),
        "share_of_copy_rate": bytes_of_step(model, rows=rows, past=past) / step / rate,
        "edit_adds": statistics.median(over) - 1,
    }


def correctness(device: torch.device, dtype: torch.dtype) -> dict[str, float]:
    """How far logits and the captured mean difference are from float64's on the CPU, as a share of their size."""
    config = llama(vocab_size=32_000, hidden_size=256, intermediate_size=512, num_hidden_layers=3)
    exact = random_model(config, torch.device("cpu"), torch.float64)
    ours = random_model(config, device, dtype)
    ours.network.load_state_dict(exact.network.state_dict())  # rounded to the number type
    exact.network.load_state_dict(ours.network.state_dict())  # the same rounded weights in both
    contrast = persona_prompts(8, descriptions=2)
    captured = [wb.capture(model, contrast) for model in (exact, ours)]
    means = [torch.stack([moments.mean for moments in tally.moments.values()]) for tally in captured]
    ids = torch.tensor(exact.tokens(contrast.high[:4])[0])[None]
    logits = []
    for model in (exact, ours):
        real = torch.ones_like(ids, dtype=torch.bool, device=model.device)
        with torch.inference_mode():
            found = model.runner.run(ids.to(model.device), real, logits=True)
        assert found is not None
        logits.append(found.double().cpu())
    return {
        "logits": float((logits[1] - logits[0]).norm() / logits[0].norm()),
        "captured": float((means[1] - means[0]).norm() / means[0].norm()),
    }


def study_seconds(model: wb.Model, config: wb.StudyConfig) -> float:
    """Seconds of a whole study, its report not counted."""
    with tempfile.TemporaryDirectory() as folder:
        wait(model.device)
        started = time.perf_counter()
        wb.run_study(config, folder, model=model)
        wait(model.device)
        return time.perf_counter() - started


def table(found: dict[str, Any]) -> str:
    """The results as lines to print, each with its goal."""
    rates, wrong = found["rates"], found["correctness"]
    lines = [
        f"{found['device']}: {rates['matmul'] / 1e12:.0f} TFLOP/s in products, {rates['copy'] / 1e9:.0f} GB/s copied",
        f"beside float64: logits {wrong['logits']:.1e}, captured means {wrong['captured']:.1e} (goal: {TOLERANCE:g})",
    ]
    if "capture" in found:
        c = found["capture"]
        lines.append(
            f"capture, {found['model']}: {c['tokens_per_second']:,.0f} tokens/s "
            f"({c['tokens_computed_per_second']:,.0f} computed), {c['share_of_matmul_rate']:.0%} of the products' rate "
            f"(goal: {GOALS['capture']:.0%})"
        )
    lines += [
        f"decode, batch {d['rows']}: {d['tokens_per_second']:,.0f} tokens/s, edited "
        f"{d['edited_tokens_per_second']:,.0f}; {d['share_of_copy_rate']:.0%} of the copies' rate (goal: "
        f"{GOALS['decode']:.0%}); an edit adds {d['edit_adds']:.1%} (goal: {GOALS['edit']:.0%})"
        for d in found.get("decode", [])
    ]
    if "study" in found:
        study = found["study"]
        lines.append(study if isinstance(study, str) else f"SmolLM2's whole study: {study:.0f} s")
    return "\n".join(lines)


def measure(
    device: torch.device, dtype: torch.dtype, config: LlamaConfig, *, pairs: int, steps: int, batches: tuple[int, ...]
) -> dict[str, Any]:
    """Everything but the study."""
    large = device.type == "cuda"
    found: dict[str, Any] = {"device": torch.cuda.get_device_name(device) if large else str(device)}
    say("rates")
    found["rates"] = {
        "matmul": matmul_rate(device, dtype, size=8192 if large else 64),
        "copy": copy_rate(device, size=2**32 if large else 2**16),
    }
    say("correctness")
    found["correctness"] = correctness(device, dtype)
    say("a random model")
    model = random_model(config, device, dtype)
    parameters = sum(p.numel() for p in model.network.parameters())
    found["model"] = f"random LLaMA of {parameters / 1e9:.2f} billion parameters, {dtype}".replace("torch.", "")
    say("capture")
    found["capture"] = capture_speed(model, persona_prompts(pairs), found["rates"]["matmul"])
    found["decode"] = []
    for rows in batches:
        say(f"decode, batch {rows}")
        found["decode"].append(decode_speed(model, found["rates"]["copy"], rows=rows, steps=steps))
    return found


def say(what: str) -> None:
    """Tell what is being measured."""
    print(f"  {what} ...", file=sys.stderr, flush=True)


def main() -> int:
    """Measure, add to `results.json` and print a table."""
    parser = argparse.ArgumentParser(description="What a GPU gives: capture, decode, edits and a whole study.")
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--no-study", action="store_true", help="Leave out SmolLM2's study.")
    parser.add_argument("--out", type=Path, default=RESULTS)
    settings = parser.parse_args()
    if not torch.cuda.is_available():
        print("benchmarks.gpu: skipped, torch finds no GPU here (torch.cuda.is_available() is False).")
        return 0
    device = torch.device("cuda")
    found = measure(device, torch.bfloat16, llama_3_8b(), pairs=settings.pairs, steps=settings.steps, batches=(1, 32))
    torch.cuda.empty_cache()
    if not settings.no_study:
        say("SmolLM2's study")
        try:
            found["study"] = study_seconds(wb.load_model("smollm2", device="cuda"), wb.StudyConfig.for_model("smollm2"))
        except FileNotFoundError as error:
            found["study"] = f"SmolLM2's study: skipped, {error}"
    results = json.loads(settings.out.read_text(encoding="utf-8")) if settings.out.is_file() else {}
    results["gpu"] = found
    settings.out.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
