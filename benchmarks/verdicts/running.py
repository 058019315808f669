"""Simulated studies run in processes, counted, and told as rates."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from typing import Any, get_args

from benchmarks.verdicts.simulation import Simulation, Size, World
from workbench.measure.paired import wilson

PARTS = ("answers", "activations", "patching")
WORLDS: tuple[World, ...] = get_args(World)
SIZES: tuple[Size, ...] = get_args(Size)
_CHUNK = 10  # studies that one task simulates

Task = tuple[str, int, World, Size, range]
Counts = Mapping[tuple[str, World, Size], Counter[str]]


def simulations(part: str) -> tuple[Simulation, ...]:
    """What a part simulates."""
    return import_module(f"benchmarks.verdicts.{part}").SIMULATIONS


def simulate(task: Task) -> list[tuple[str, World, Size, str]]:
    """The verdict on each claim in each of a task's studies."""
    part, number, world, size, seeds = task
    simulation = simulations(part)[number]
    return [
        (claim, world, size, verdict)
        for seed in seeds
        for claim, verdict in simulation.judge(world, size, seed).items()
    ]


def tasks(studies: int) -> Iterator[Task]:
    """All studies in chunks, large ones first, so that no worker is left with one at the end."""
    for size in reversed(SIZES):
        for part in PARTS:
            for number, _ in enumerate(simulations(part)):
                for world in WORLDS:
                    for first in range(0, studies, _CHUNK):
                        yield part, number, world, size, range(first, min(first + _CHUNK, studies))


def verdicts(studies: int, *, workers: int) -> Counts:
    """How many studies came out how, by claim, world and size."""
    counts: dict[tuple[str, World, Size], Counter[str]] = defaultdict(Counter)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for judged in pool.map(simulate, tasks(studies)):
            for claim, world, size, verdict in judged:
                counts[claim, world, size][verdict] += 1
    return counts


def rates(counts: Counts) -> dict[str, dict[str, Any]]:
    """By claim: the shares of wrong verdicts where nothing is there, over both sizes, and the power at the demo's size.

    Returns:
        null_supported, null_refuted, true_supported, opposite_refuted, n (studies of a world and size), and `sizes`,
        each size's own, with the shares that come out the wrong way round (true_refuted, opposite_supported).
    """
    table: dict[str, dict[str, Any]] = {}
    for claim in dict.fromkeys(claim for claim, _, _ in counts):

        def share(world: World, verdict: str, sizes: tuple[Size, ...], claim: str = claim) -> float | None:
            together = sum((counts.get((claim, world, size), Counter()) for size in sizes), Counter())
            return round(together[verdict] / together.total(), 4) if together.total() else None

        entry: dict[str, Any] = {
            "null_supported": share("null", "supported", SIZES),
            "null_refuted": share("null", "refuted", SIZES),
            "true_supported": share("true", "supported", ("demo",)),
            "opposite_refuted": share("opposite", "refuted", ("demo",)),
            "n": max(each.total() for (name, _, _), each in counts.items() if name == claim),
        }
        entry["sizes"] = {
            size: {
                f"{world}_{verdict}": share(world, verdict, (size,))
                for world in WORLDS
                for verdict in ("supported", "refuted")
            }
            for size in SIZES
        }
        table[claim] = entry
    return table


def told(table: Mapping[str, Mapping[str, Any]]) -> str:
    """A row for each claim and size: false verdicts of either kind and power, each with its 95 % interval."""
    heads = ("claim", "size", "false supported", "false refuted", "power", "opposite refuted")
    names = ("null_supported", "null_refuted", "true_supported", "opposite_refuted")
    lines = [f"{heads[0]:22}{heads[1]:7}" + "".join(f"{head:>20}" for head in heads[2:])]
    for claim, entry in table.items():
        for size, shares in entry["sizes"].items():
            cells = "".join(f"{_interval(shares[name], entry['n']):>20}" for name in names)
            lines.append(f"{claim:22}{size:7}{cells}")
    return "\n".join(lines)


def _interval(share: float | None, n: int) -> str:
    if share is None:
        return "-"
    found = wilson(round(share * n), n)
    return f"{share:.0%} [{found.low:.0%}, {found.high:.0%}]"
