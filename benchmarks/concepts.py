"""The four concepts of the package besides the Big Five, on a real model: `python -m benchmarks.concepts`.

One study of all four: what a persona shifts, what the edit of a few neurons and a residual-stream shift do at the
chosen dose, and random neurons drawn again and again beside the edit, each by the likelihood of statements that chose
nothing. It prints a page in Markdown, also where a concept fails, and unless `--small` writes it to `docs/concepts.md`.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

import workbench as wb
from workbench.concept.packaged import OTHERS
from workbench.vocabulary import Direction

PAGE = Path(__file__).parents[1] / "docs" / "concepts.md"
PERSONA, METHOD, RIVAL, CONTROL = "description prompt", "DPN-LE", "residual", "random"

WHOLE: dict[str, Any] = {
    "pairs": 60,
    "n": 16,
    "draws": 20,
    "gammas": (1.0, 2.0, 4.0),
    "permutations": 199,
    "resamples": 1000,
}
SMALL: dict[str, Any] = {"pairs": 12, "n": 6, "draws": 3, "gammas": (2.0,), "permutations": 19, "resamples": 200}
"""Pairs of prompts a concept, pairs of reported statements, draws, doses, and sizes of nulls and intervals."""


def config_of(model: str, concepts: Sequence[str], *, n: int, **sizes: Any) -> wb.StudyConfig:
    """The study of these concepts: statements alone, and the arms of the page."""
    return wb.StudyConfig.for_model(
        model,
        traits=tuple(concepts),
        arms=(METHOD, RIVAL, CONTROL, PERSONA),
        outcomes=({"statements": "builtin", "n": n},),
        target="statements",
        quantiles=(),
        **sizes,
    )


_ABOUT = (
    "`Concept.builtin` has four concepts besides the Big Five, written for the workbench. On {model} one study, run by "
    "`python -m benchmarks.concepts`, moves each towards both of its poles. A number is the shift of the "
    "log-likelihood of first-person statements as the model's own answer, those of the high pole minus those of the "
    "low one, in nats per token and in the intended direction; in brackets are 95 % intervals over pairs of "
    "statements. No statement here chose the dose, and the persona was held out from the pairs that found the neurons. "
    "The edit is {method} at gamma {gamma}, the dose tried that moved other statements most: what an edit costs is not "
    "measured here. As many random neurons of the same layers were drawn {draws} times; p is "
    "the chance of so high a rank among the draws, {least:.2f} at the least."
)

Row = dict[str, Any]
Shifts = dict[tuple[str, str, str], Row]
"""By concept, arm and direction, the row of the study's table of shifts."""


def page(tables: Mapping[str, pd.DataFrame], *, model: str, gamma: float, concepts: Sequence[str]) -> str:
    """The page.

    Args:
        tables: of the study: `shifts`, `against_controls` and `selection`.
        gamma: the dose that was chosen.
        concepts: in the order of the page's rows.
    """
    shifts = {(row["trait"], row["arm"], row["direction"]): row for row in rows_of(tables["shifts"])}
    against = {row["trait"]: row for row in rows_of(tables["against_controls"]) if row["control"] == CONTROL}
    chosen = tables["selection"].groupby("trait")[["high", "low"]].sum().sum(axis=1).to_dict()
    draws = max((int(row["draws"]) for row in against.values()), default=0)
    return "\n".join(
        [
            "# Four more concepts on a real model",
            "",
            "<!-- Written by `python -m benchmarks.concepts`. Do not edit. -->",
            "",
            _ABOUT.format(model=model, method=METHOD, gamma=f"{gamma:g}", draws=draws, least=1 / (draws + 1)),
            "",
            f"| concept | persona | {METHOD} | neurons | random: least, greatest | {METHOD} − random | p | residual |",
            "|---|---|---|---|---|---|---|---|",
            *(
                f"| {concept} | {told(shifts, concept, PERSONA)} | {told(shifts, concept, METHOD)} "
                f"| {int(chosen.get(concept, 0))} | {_beside(against.get(concept))} | {told(shifts, concept, RIVAL)} |"
                for concept in concepts
            ),
            "",
            *(f"- **{concept}**: {verdict(shifts, against, concept)}" for concept in concepts),
            "",
            "Each direction by itself shows which pole carries a concept:",
            "",
            f"| concept | persona, to high | persona, to low | {METHOD}, to high | {METHOD}, to low |",
            "|---|---|---|---|---|",
            *(
                f"| {concept} | "
                + " | ".join(told(shifts, concept, arm, way) for arm in (PERSONA, METHOD) for way in Direction)
                + " |"
                for concept in concepts
            ),
            "",
        ]
    )


def verdict(shifts: Shifts, against: Mapping[str, Row], concept: str) -> str:
    """What the numbers say of one concept, failures as plainly as successes."""
    persona, edit = (shifts.get((concept, arm, "both")) for arm in (PERSONA, METHOD))
    if persona is None or not persona["low"] > 0:
        return "fails; the persona does not surely move its statements, so that they say nothing of edits."
    if edit is None or concept not in against:
        return f"the persona moves its statements; {METHOD} selects no neuron of it."
    if not edit["low"] > 0:
        return f"the persona moves its statements; {METHOD} does not surely."
    moved = f"the persona moves its statements, and {METHOD} {edit['shift'] / persona['shift']:.0%} as far"
    beyond = against[concept]["low"] > 0
    return f"{moved}, beyond random neurons." if beyond else f"{moved}, but not surely beyond random neurons."


def rows_of(table: pd.DataFrame) -> list[Row]:
    """A table's rows."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def told(shifts: Shifts, concept: str, arm: str, direction: str = "both") -> str:
    """A shift with its interval."""
    row = shifts.get((concept, arm, direction))
    return "–" if row is None else f"{row['shift']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"


def _beside(row: Row | None) -> str:
    """The cells on random neurons."""
    if row is None:
        return "– | – | –"
    beyond = f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"
    return f"{row['least_draw']:+.3f}, {row['greatest_draw']:+.3f} | {beyond} | {row['p_draws']:.2f}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study, print its page and keep it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", default="smollm2", help="smollm2, a Hugging Face name, a folder or a GGUF")
    parser.add_argument("--concept", action="append", help="a built-in concept or a file; may be repeated")
    parser.add_argument("--small", action="store_true", help="a trial of every step, whose numbers say nothing")
    parser.add_argument("--folder", type=Path, help="the study's folder, in which it goes on where it was stopped")
    asked = parser.parse_args(arguments)
    try:
        model = wb.load_model(asked.model)
    except (FileNotFoundError, ImportError, ValueError) as error:
        print(f"{asked.model}: skipped. {error}")
        return
    config = config_of(asked.model, asked.concept or OTHERS, **(SMALL if asked.small else WHOLE))
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        study = wb.run_study(config, asked.folder or Path(scratch) / "concepts", model=model)
        told = page(dict(study.tables), model=model.name, gamma=study.gamma, concepts=study.config.traits)
    print(told)
    print(f"{time.perf_counter() - started:.0f} s", file=sys.stderr)
    if not asked.small and not asked.concept:
        PAGE.write_text(told, encoding="utf-8")


if __name__ == "__main__":
    main()
