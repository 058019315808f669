"""The error rates of the statistics, and the time of the largest. Run by `make bench`.

In simulated captures with planted effects it counts how often 95 % intervals contain the planted effect, how many of
the neurons that pass a false-discovery rate are false, how many planted neurons pass it, and which verdict each planted
persona gets. Then it times 1,000 permutations of kept activations as wide as LLaMA-3-8B's beside one matrix product of
that size, and bootstraps beside the products that they need.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import workbench as wb
from benchmarks.capture import RESULTS
from workbench.measure.clustered import Errors
from workbench.measure.planted import Planted, planted
from workbench.measure.resampled import bootstrap_errors
from workbench.measure.units import Rows
from workbench.vocabulary import Pole

DESIGNS: dict[str, dict] = {
    "descriptions and questions": {},
    "independent rows": {"description_std": 0.0, "question_std": 0.0},
    "strong descriptions": {"description_std": 0.8},
    "questions that act on one pole": {"interaction_std": 0.4},
}


def share_covered(truth: Planted, errors: Errors | None = None) -> float:
    """Share of neurons whose 95 % interval contains the planted d."""
    effects = wb.effect_sizes(truth.rows)
    low, high = effects.interval(errors=errors)
    return float(((low < truth.true_d) & (truth.true_d < high)).double().mean())


def coverage(simulations: int) -> dict[str, float]:
    """By design, over simulations of 50 neurons each."""
    found = {
        name: float(
            np.mean([share_covered(planted(layers=1, width=50, seed=seed, **design)) for seed in range(simulations)])
        )
        for name, design in DESIGNS.items()
    }
    few = range(max(5, simulations // 20))
    truths = [planted(layers=1, width=50, seed=seed) for seed in few]
    drawn = [share_covered(each, bootstrap_errors(each.rows, resamples=400)) for each in truths]
    return {**found, "descriptions and questions, by bootstrap": float(np.mean(drawn))}


def discoveries(simulations: int) -> dict[str, float]:
    """False and true neurons that pass a false-discovery rate of 5 % (Benjamini and Hochberg, cluster-robust tests)."""
    false, found, family = [], [], []
    for seed in range(simulations):
        truth = planted(rows=400, layers=2, width=300, neurons=15, effect=1.0, correlation=0.1, seed=seed)
        chosen = wb.select_neurons(wb.effect_sizes(truth.rows), rule="fdr", alpha=0.05).both
        real = truth.high | truth.low
        false.append(len(chosen - real) / max(1, len(chosen)))
        found.append(len(chosen & real) / len(real))
        nothing = planted(effect=0.0, layers=2, width=100, seed=seed).rows
        null = wb.permutation_null(nothing, unit="description", permutations=99, seed=seed)
        family.append(bool((null.family_wise <= 0.05).any()))
    return {
        "false_discovery_rate": float(np.mean(false)),
        "recall": float(np.mean(found)),
        "family_wise_error": float(np.mean(family)),
    }


def personas(simulations: int) -> dict[str, dict[str, float]]:
    """How often each planted persona gets each verdict."""
    table = {}
    for persona, effect in (("exclusive", 1.6), ("shared", 1.6), ("independent", 1.6), ("none", 0.0)):
        said = [
            wb.exclusivity(
                planted(
                    persona="independent" if persona == "none" else persona,
                    effect=effect,
                    layers=2,
                    width=150,
                    neurons=40,
                    seed=seed,
                ).rows,
                min_d=0.8 if effect else 0.1,
            ).verdict
            for seed in range(simulations)
        ]
        table[persona] = {
            verdict: said.count(verdict) / simulations for verdict in ("exclusive", "shared", "undecided")
        }
    return table


def kept_rows(layers: int, width: int, rows: int) -> Rows:
    """Random activations of both poles, in half precision as a capture keeps them."""
    generator = torch.Generator().manual_seed(0)
    activations = {pole: torch.empty(rows, layers, width, dtype=torch.bfloat16) for pole in (Pole.HIGH, Pole.LOW)}
    for values in activations.values():
        for row in values:
            row[:] = torch.randn(layers, width, generator=generator)
    source = Rows.__new__(Rows)  # without its moments, which this does not need
    for name, value in (("activations", activations), ("ids", {}), ("layers", tuple(range(layers)))):
        object.__setattr__(source, name, value)
    return source


def product_of(replicates: int, rows: int, width: int, layers: int) -> Callable[[], object]:
    """One matrix product of every replicate's weights with every neuron's rows, a layer at a time."""
    weights, values = torch.ones(replicates, rows), torch.randn(rows, width)

    def work() -> None:
        for _ in range(layers):
            torch.matmul(weights, values)

    return work


def permutation_cost(layers: int, width: int, rows: int, permutations: int, turns: int = 3) -> dict[str, float]:
    """Seconds of all permutations with max-T and the selection's count, and of one matrix product of that size."""
    source = kept_rows(layers, width, rows)
    product = product_of(permutations, rows, width, layers)
    return {
        "layers": layers,
        "width": width,
        "rows": rows,
        "permutations": permutations,
        **beside(
            lambda: wb.permutation_null(source, unit="pair", permutations=permutations), product, turns, products=1
        ),
    }


def bootstrap_cost(layers: int, width: int, rows: int, resamples: int, turns: int = 3) -> dict[str, float]:
    """Seconds of all resamples' effects and their variances, and of the four products that these need.

    Each pole's resampled sums and sums of squares are a product.
    """
    source = kept_rows(layers, width, rows)
    product = product_of(resamples, rows, width, layers)
    return {
        "layers": layers,
        "width": width,
        "rows": rows,
        "resamples": resamples,
        **beside(lambda: bootstrap_errors(source, kinds=["row"], resamples=resamples), product, turns, products=4),
    }


def beside(ours: Callable[[], object], product: Callable[[], object], turns: int, *, products: int) -> dict[str, float]:
    """Median seconds of both, in turns, and the median over turns of their ratio."""
    times: dict[str, list[float]] = {"ours": [], "products": []}
    for _ in range(turns):
        for name, work, repeats in (("products", product, products), ("ours", ours, 1)):
            started = time.perf_counter()
            for _ in range(repeats):
                work()
            times[name].append(time.perf_counter() - started)
    return {
        "seconds": statistics.median(times["ours"]),
        "seconds_of_products": statistics.median(times["products"]),
        "times_products": statistics.median(a / b for a, b in zip(times["ours"], times["products"], strict=True)),
    }


def table(found: dict) -> str:
    """The results as lines to print."""
    cost, drawn = found["permutations"], found["bootstraps"]
    lines = [f"planted truth, {found['simulations']} simulations; coverage of 95 % intervals of Cohen's d:"]
    lines += [f"  {name:<42}{share:8.1%}" for name, share in found["coverage"].items()]
    told = found["discoveries"]
    lines += [
        f"  false discoveries at 5 %: {told['false_discovery_rate']:.1%}, planted neurons found: {told['recall']:.1%}, "
        f"family-wise error at 5 %: {told['family_wise_error']:.1%}",
        "  persona planted, and called:",
        *(
            f"    {name:<14}" + ", ".join(f"{verdict} {share:.0%}" for verdict, share in said.items())
            for name, said in found["personas"].items()
        ),
        f"{cost['permutations']:,} permutations of {cost['rows']:,} pairs, {cost['layers']} × {cost['width']:,} "
        f"neurons: {cost['seconds']:.0f} s, {cost['times_products']:.2f} × one matrix product of that size",
        f"{drawn['resamples']:,} resamples of {drawn['rows']:,} rows a pole, {drawn['layers']} × {drawn['width']:,} "
        f"neurons: {drawn['seconds']:.0f} s, {drawn['times_products']:.2f} × the four matrix products that they need",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, add to `results.json` and print a table."""
    parser = argparse.ArgumentParser(description="Whether the statistics say what is true, and what they cost.")
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--permutations", type=int, default=1000)
    parser.add_argument("--layers", type=int, default=32)
    parser.add_argument("--out", type=Path, default=RESULTS)
    settings = parser.parse_args()
    found: dict = {"simulations": settings.simulations}
    tenth = max(5, settings.simulations // 10)
    for name, work in (
        ("coverage", lambda: coverage(settings.simulations)),
        ("discoveries", lambda: discoveries(tenth)),
        ("personas", lambda: personas(tenth)),
        ("permutations", lambda: permutation_cost(settings.layers, 14_336, settings.rows, settings.permutations)),
        ("bootstraps", lambda: bootstrap_cost(settings.layers // 4, 14_336, settings.rows, settings.permutations)),
    ):
        print(f"  {name} ...", file=sys.stderr, flush=True)
        found[name] = work()
    results = json.loads(settings.out.read_text(encoding="utf-8")) if settings.out.is_file() else {}
    results["statistics"] = found
    settings.out.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(table(found))


if __name__ == "__main__":
    main()
