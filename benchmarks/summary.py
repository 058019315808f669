"""Every measurement as one table: ours, the peer or limit, the ratio and the goal: `python -m benchmarks.summary`.

Reads `results.json`, which the other benchmarks write; a line that was not measured says so. `make bench` ends with it,
and the README's section on speed is this table.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.capture import RESULTS

Results = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """One measurement.

    Attributes:
        what: what was run, and on what.
        ours, other: seconds, or what else the unit says; None where only the ratio was kept.
        peer: what `other` is.
        ratio: ours divided by the other, or for `faster` the other by ours.
        goal: the ratio that is aimed at.
        faster: whether the ratio tells how many times as fast ours is, so that more is better.
        unit: of both values.
    """

    what: str
    ours: float | None
    peer: str
    other: float | None
    ratio: float
    goal: float | None = None
    faster: bool = False
    unit: str = "s"

    @property
    def met(self) -> bool:
        """Whether the ratio is at its goal."""
        return self.goal is None or (self.ratio >= self.goal if self.faster else self.ratio <= self.goal)

    def cells(self) -> list[str]:
        """The line as a row of the table."""
        goal = "" if self.goal is None else f"{'≥' if self.faster else '≤'} {self.goal:g}"
        reached = "" if self.goal is None else "met" if self.met else "not met"
        ratio = f"{self.ratio:.2f} times as fast" if self.faster else f"{self.ratio:.3f}"
        return [self.what, _value(self.ours, self.unit), self.peer, _value(self.other, self.unit), ratio, goal, reached]


HEAD = ["what", "ours", "beside", "its", "ratio", "goal", ""]


def _value(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def _capture(found: Results) -> Iterator[Line]:
    speed, memory = found["speed"], found["memory"]
    seconds, prompts = speed["seconds"], f"capture of {speed['prompts']} prompts, random Qwen2 of 76 M"
    ways = {"authors' way": "times_faster_than_authors_way", "run_with_cache": "times_faster_than_run_with_cache"}
    for way, ratio in ways.items():
        yield Line(prompts, seconds["capture"], way, seconds[way], speed[ratio], faster=True)
    yield Line(prompts, seconds["capture"], "the bare decoder", seconds["bare"], seconds["capture"] / seconds["bare"])
    peak = {int(count): size / 2**20 for count, size in memory["peak_bytes"].items()}
    few, many = sorted(peak)
    yield Line(
        f"peak memory of a capture of {many:,} prompts",
        peak[many],
        f"of {few:,}",
        peak[few],
        memory["ratio"],
        unit="MiB",
    )


def _generation(found: Results) -> Iterator[Line]:
    peer = "transformers' generate"
    for case in found["generation"]:
        for name, edit in (("workbench", ""), ("workbench, edited", ", edited")):
            yield Line(
                f"{case['steps']} tokens of {case['model']}, batch {case['rows']}{edit}",
                case["seconds"][name],
                peer,
                case["seconds"][peer],
                case["times"][name],
                1.0,
            )


def _study(found: Results) -> Iterator[Line]:
    study = found["study"]
    ours, peer = study["seconds"]["workbench"]["wall"], study["seconds"]["the usual way"]["wall"]
    yield Line(f"a study of {study['model']}", ours, "the usual way", peer, study["times"]["wall"], 4.0, faster=True)


def _statistics(found: Results) -> Iterator[Line]:
    cost, drawn = found["statistics"]["permutations"], found["statistics"].get("bootstraps")
    size = f"{cost['rows']:,} pairs × {cost['layers']} × {cost['width']:,}"
    yield Line(
        f"{cost['permutations']:,} permutations of {size}",
        cost["seconds"],
        "one matrix product",
        cost["seconds_of_products"],
        cost.get("times_products", cost["seconds"] / cost["seconds_of_products"]),
        1.5,
    )
    if drawn:
        yield Line(
            f"{drawn['resamples']:,} resamples of {size}",
            drawn["seconds"],
            "the four products they need",
            drawn["seconds_of_products"],
            drawn["times_products"],
        )


def _startup(found: Results) -> Iterator[Line]:
    seconds = found["startup"]["seconds"]
    limits = {"workbench --help": 1.0, "workbench doctor": 3.0}
    for name, limit in limits.items():
        if name in seconds:
            yield Line(name, seconds[name], "limit", limit, seconds[name] / limit, 1.0)
    imports = "its own imports"
    if imports in seconds:
        located = seconds["workbench locate"]
        yield Line(
            "workbench locate, embedded model", located, imports, seconds[imports], located / seconds[imports], 1.3
        )


def _loading(found: Results) -> Iterator[Line]:
    seconds = found["loading"]["seconds"]
    ours, folder = seconds["load_model of the GGUF file"], seconds["load_model of the converted folder"]
    yield Line("load_model of SmolLM2's GGUF file", ours, "load_model of its safetensors", folder, ours / folder, 1.3)


def _explorer(found: Results) -> Iterator[Line]:
    explorer = found["explorer"]
    for what, seconds in explorer["seconds"].items():
        goal = explorer["goal"]
        yield Line(f"explorer, SmolLM2: {what}", seconds, "limit", goal, seconds / goal, 1.0)


def _report(found: Results) -> Iterator[Line]:
    report = found["report"]
    yield Line("the demo's report", report["megabytes"], "limit", 5.0, report["megabytes"] / 5.0, 1.0, unit="MB")
    for what, name in (("first_paint", "its first paint"), ("first_figure", "its first figure drawn")):
        yield Line(f"{name}, in Chromium", report[what], "limit", 2.0, report[what] / 2.0, 1.0)


def _cluster(found: Results) -> Iterator[Line]:
    cluster = found["cluster"]
    for name in ("capture", "study"):
        case = cluster[name]
        what = {"capture": "capture on SmolLM2", "study": "study of the embedded model"}[name]
        yield Line(
            f"{what}, two Ray workers",
            case["two"],
            "one worker",
            case["one"],
            case["times"],
            cluster["goal"],
            faster=True,
        )


PARTS: dict[str, Callable[[Results], Iterator[Line]]] = {
    "capture": _capture,
    "generation": _generation,
    "study": _study,
    "statistics": _statistics,
    "startup": _startup,
    "loading": _loading,
    "explorer": _explorer,
    "report": _report,
    "cluster": _cluster,
}


def table(found: Results) -> str:
    """The measurements as a table in Markdown."""
    rows, lacking = [], []
    for name, lines in PARTS.items():
        try:
            rows += [line.cells() for line in lines(found)]
        except KeyError:
            lacking.append(name)
    shown = ["| " + " | ".join(row) + " |" for row in (HEAD, ["---"] * len(HEAD), *rows)]
    if lacking:
        shown += ["", f"Not measured here: {', '.join(lacking)}."]
    return "\n".join(shown)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Every measurement as one table.")
    parser.add_argument("--results", type=Path, default=RESULTS)
    settings = parser.parse_args()
    print(table(json.loads(settings.results.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
