"""The error rates of the statistics, and the time of the largest. Run by `make bench`.

In simulated captures with planted effects it counts how often 95 % intervals contain the planted effect, how many of
the neurons that pass a false-discovery rate are false, how many planted neurons pass it, and which verdict each planted
persona gets. Then it times 1,000 permutations of kept activations as wide as LLaMA-3-8B's, and the bare matrix products
that these need.
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


def permutation_cost(layers: int, width: int, rows: int, permutations: int) -> dict[str, float]:
    """Seconds of all permutations with max-T and the selection's count, and of the bare matrix products."""
    generator = torch.Generator().manual_seed(0)
    activations = {
        pole: torch.randn(rows, layers, width, generator=generator).to(torch.bfloat16) for pole in (Pole.HIGH, Pole.LOW)
    }
    source = Rows.__new__(Rows)  # without its moments, which this does not need
    for name, value in (("activations", activations), ("ids", {}), ("layers", tuple(range(layers)))):
        object.__setattr__(source, name, value)

    def seconds(work: Callable[[], object]) -> float:
        started = time.perf_counter()
        work()
        return time.perf_counter() - started

    def products() -> None:
        signs = torch.ones(permutations, rows)
        for layer in range(layers):
            signs @ (activations[Pole.HIGH][:, layer].float() - activations[Pole.LOW][:, layer].float())

    ours = seconds(lambda: wb.permutation_null(source, unit="pair", permutations=permutations))
    floor = statistics.median(seconds(products) for _ in range(3))
    return {
        "layers": layers,
        "width": width,
        "rows": rows,
        "permutations": permutations,
        "seconds": ours,
        "seconds_of_products": floor,
        "times_products": ours / floor,
    }


def table(found: dict) -> str:
    """The results as lines to print."""
    cost = found["permutations"]
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
        f"neurons: {cost['seconds']:.0f} s, {cost['times_products']:.1f} × the bare matrix products",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, add to `results.json` and print a table."""
    parser = argparse.ArgumentParser(description="Whether the statistics say what is true, and what they cost.")
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--permutations", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=RESULTS)
    settings = parser.parse_args()
    found: dict = {"simulations": settings.simulations}
    tenth = max(5, settings.simulations // 10)
    for name, work in (
        ("coverage", lambda: coverage(settings.simulations)),
        ("discoveries", lambda: discoveries(tenth)),
        ("personas", lambda: personas(tenth)),
        ("permutations", lambda: permutation_cost(32, 14_336, settings.rows, settings.permutations)),
    ):
        print(f"  {name} ...", file=sys.stderr, flush=True)
        found[name] = work()
    results = json.loads(settings.out.read_text(encoding="utf-8")) if settings.out.is_file() else {}
    results["statistics"] = found
    settings.out.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(table(found))


if __name__ == "__main__":
    main()
