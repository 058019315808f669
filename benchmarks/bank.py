"""How far a concept's personas move a model, concept by concept: `python -m benchmarks.bank --model smollm2`.

Every built-in concept is measured by default; `--trait` takes one of them or a concept's file.

A persona's score is the mean log-probability per token of first-person statements high in the trait minus that of
statements low in it, as the model's answer to a neutral question with the persona as the system prompt. Personas and
statements are drawn with a seed; the statements are those that outcomes report on. No persona shares four words in a
row with one, but the Big Five's personas were reworded while their scores on SmolLM2 were looked at, so that on that
model their differences are somewhat optimistic. For `--model testbed` both are the embedded model's own.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from random import Random

import numpy as np

import workbench as wb
from workbench.concept import BUILT_IN, concept_of
from workbench.concept.named import name_of
from workbench.contrast.banks import STYLES
from workbench.score.statements.reading import TraitStatement, at_most, read_statements, split_of
from workbench.score.statements.scoring import statement_scores
from workbench.vocabulary import BIG_FIVE, Pole

TESTBED = "testbed"
RESAMPLES = 2000


@dataclass(frozen=True)
class Separation:
    """How far personas of a trait move a model's statements.

    Attributes:
        trait, style: which personas.
        high, low, none, neutral: mean score under high, low, no and neutral personas, in nats per token.
        difference: high minus low.
        interval: its 95 % percentile interval, personas and statements resampled within poles.
        right_side: the share of high personas above, and of low ones below, the mean of the neutral ones.
        personas, neutral_personas, statements: how many of each pole were used.
    """

    trait: str
    style: str
    high: float
    low: float
    none: float
    neutral: float
    difference: float
    interval: tuple[float, float]
    right_side: float
    personas: int
    neutral_personas: int
    statements: int

    @classmethod
    def of(cls, trait: str, style: str, scores: dict[str, np.ndarray], *, seed: int) -> "Separation":
        """From log-probabilities by condition, `(personas, 2, statements)`: high statements, then low ones."""
        own = {name: (each[:, 0] - each[:, 1]).mean(-1) for name, each in scores.items()}
        neutral = float(own["neutral"].mean())
        right = np.concatenate([own["high"] > neutral, own["low"] < neutral])
        rng = np.random.default_rng(seed)
        drawn = [_resampled(scores["high"], scores["low"], rng) for _ in range(RESAMPLES)]
        low, high = np.quantile(drawn, [0.025, 0.975])
        means = {name: float(each.mean()) for name, each in own.items()}
        sizes = (len(own["high"]), len(own["neutral"]), scores["high"].shape[2])
        difference = means["high"] - means["low"]
        interval = (float(low), float(high))
        return cls(trait, style, **means, difference=difference, interval=interval, right_side=float(right.mean()),
                   personas=sizes[0], neutral_personas=sizes[1], statements=sizes[2])  # fmt: skip


def _resampled(high: np.ndarray, low: np.ndarray, rng: np.random.Generator) -> float:
    """The difference with personas and statements drawn again; both poles' personas meet the same statements."""
    count = high.shape[2]
    statements = rng.integers(count, size=(2, count))

    def mean(scores: np.ndarray) -> float:
        rows = scores[rng.integers(len(scores), size=len(scores))]
        return float(rows[:, 0, statements[0]].mean() - rows[:, 1, statements[1]].mean())

    return mean(high) - mean(low)


def personas_of(trait: str, style: str, count: int, *, seed: int) -> dict[str, list[str | None]]:
    """By condition, at most `count` personas each, drawn with the seed; `none` has no system prompt."""
    if style == TESTBED:
        contrast = wb.Contrast.testbed(trait, n=20 * count, seed=seed)
        every = {pole: sorted({p.system for p in each if p.system}) for pole, each in contrast.poles.items()}
    else:
        concept = concept_of(trait)
        personas = concept.in_style(style)
        texts = {Pole.HIGH: personas.high, Pole.LOW: personas.low, Pole.NEUTRAL: concept.neutral}
        every = {pole: list(texts[pole].part()) for pole in Pole}
    drawn: dict[str, list[str | None]] = {}
    for pole, texts in every.items():
        few = list(Random(f"{trait} {pole} {seed}").sample(texts, min(count, len(texts))))
        drawn[str(pole)] = few or [None]  # a concept without neutral personas has the question alone
    return {**drawn, "none": [None]}


def statements_of(trait: str, source: str, count: int) -> list[TraitStatement]:
    """As many statements of either pole, `count` at most, of those that are reported."""
    return at_most(split_of(read_statements(source, trait), "test"), count)


def logprobs(model: wb.Model, statements: Sequence[TraitStatement], systems: Sequence[str | None]) -> np.ndarray:
    """Mean log-probability per token, `(personas, 2, statements)`: high statements, then low ones."""
    tables = [statement_scores(model, statements, system=system) for system in systems]
    poles = [[frame.loc[frame["pole"] == pole, "logprob"].to_numpy() for pole in ("high", "low")] for frame in tables]
    fewest = min(len(of_pole) for frame in poles for of_pole in frame)
    return np.array([[of_pole[:fewest] for of_pole in frame] for frame in poles])


def separations(
    model: wb.Model, traits: Sequence[str], styles: Sequence[str], *, personas: int, statements: int, seed: int
) -> list[Separation]:
    """Every trait in each of these styles that it has; what is the same for all styles is scored once."""
    found = []
    for trait in traits:
        own = styles if TESTBED in styles else [style for style in styles if style in concept_of(trait).styles]
        asked = statements_of(trait, TESTBED if TESTBED in styles else "builtin", statements)
        shared: dict[str, np.ndarray] = {}
        for style in own:
            drawn = personas_of(trait, style, personas, seed=seed)
            shared |= {name: logprobs(model, asked, drawn[name]) for name in ("none", "neutral") if name not in shared}
            poles = {name: logprobs(model, asked, drawn[name]) for name in ("high", "low")}
            found.append(Separation.of(name_of(trait), style, {**poles, **shared}, seed=seed))
    return found


def table(found: Sequence[Separation]) -> str:
    """The results as lines to print."""
    columns = f"{'trait':<19}{'style':<13}{'high':>6}{'low':>7}{'none':>7}{'neutral':>9}{'high - low':>12}"
    lines = [f"{columns}  95 % interval  right side  personas  statements"]
    for each in found:
        low, high = each.interval
        lines.append(
            f"{each.trait:<19}{each.style:<13}{each.high:>6.2f}{each.low:>7.2f}{each.none:>7.2f}{each.neutral:>9.2f}"
            f"{each.difference:>+12.2f}  {low:+.2f} to {high:+.2f}"
            f"{each.right_side:>12.0%}{each.personas:>10}{each.statements:>12}"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="How far the built-in personas move a model, trait by trait.")
    parser.add_argument("--model", default="smollm2", help="testbed, smollm2, a Hugging Face name, a folder or a GGUF")
    parser.add_argument("--style", action="append", choices=STYLES, help="may be repeated; by default both")
    parser.add_argument(
        "--trait", action="append", help="a built-in concept or a file; may be repeated; by default all"
    )
    parser.add_argument("--personas", type=int, default=12, help="of each pole, drawn with the seed")
    parser.add_argument("--statements", type=int, default=12, help="of each pole")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    asked = parser.parse_args(arguments)
    try:
        model = wb.load_model(asked.model)
    except (FileNotFoundError, ImportError, ValueError) as error:
        print(f"{asked.model}: skipped. {error}")
        return
    styles = (TESTBED,) if asked.model == TESTBED else tuple(asked.style or STYLES)
    sizes = {"personas": asked.personas, "statements": asked.statements, "seed": asked.seed}
    traits = asked.trait or (BIG_FIVE if asked.model == TESTBED else BUILT_IN)
    found = separations(model, traits, styles, **sizes)
    if asked.json:
        print(json.dumps({"model": asked.model, **sizes, "rows": [asdict(each) for each in found]}, indent=1))
    else:
        print(table(found))


if __name__ == "__main__":
    main()
