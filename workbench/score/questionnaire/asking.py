"""Questionnaires: statements to agree or disagree with, answered by the log-probability of each option."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import permutations
from random import Random
from typing import Literal

import numpy as np
import pandas as pd

from workbench.contrast.prompt import Prompt
from workbench.edit.applying import EditedRun, edited
from workbench.model.likelihood import log_likelihoods
from workbench.model.model import Model
from workbench.score.answers import Condition
from workbench.testbed import lexicon
from workbench.vocabulary import Scope

Normalisation = Literal["total", "length"]


@dataclass(frozen=True)
class Statement:
    """One item of a questionnaire.

    Attributes:
        text: the statement, its full stop left to the wording.
        trait: what it measures.
        keyed: `+` where agreeing shows the trait, `-` where it shows its opposite.
        id: its name in a frame.
    """

    text: str
    trait: str
    keyed: str
    id: str

    def __post_init__(self) -> None:
        if self.keyed not in ("+", "-"):
            raise ValueError(f"A statement is keyed + or -, but {self.id!r} is keyed {self.keyed!r}. Read its sign.")


@dataclass(frozen=True)
class Options:
    """The answers that may be chosen, and how a statement is put.

    Attributes:
        labels: the options' texts, from least to most agreement; whole answers, e.g. with their full stop.
        values: what each label scores on a statement keyed `+`.
        wordings: ways to put a statement, each with `{statement}`; where one holds `{options}` too, the options
            are listed there, a line each, in an order that varies.
        marks: what stands before each listed option, first to last, and is the answer in its place, e.g. letters.
    """

    labels: tuple[str, ...]
    values: tuple[int, ...] = (1, 2, 3, 4, 5)
    wordings: tuple[str, ...] = ("{statement}\n{options}",)
    marks: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if len(self.labels) != len(self.values) or len(set(self.labels)) < 2:
            raise ValueError(f"Options need a value a label, but {self.labels} came with {self.values}.")
        if self.marks is not None and len(set(self.marks)) != len(self.labels):
            raise ValueError(f"Options need a mark a label, but {self.labels} came with {self.marks}.")
        for wording in self.wordings:
            if "{statement}" not in wording:
                raise ValueError(f"A wording holds {{statement}}, but {wording!r} does not. Add it.")
            if self.marks is not None and "{options}" not in wording:
                raise ValueError(f"Marks need {{options}} to stand before, but {wording!r} lists none.")

    def reverse(self, value: float) -> float:
        """A value on a statement keyed `-`: on 1 to 5, six minus it."""
        return min(self.values) + max(self.values) - value

    def put(self, statement: Statement, wording: str, order: tuple[int, ...]) -> str:
        """The statement in a wording, the options listed in `order`, if it lists them."""
        marks = [f"{mark}. " for mark in self.marks] if self.marks is not None else [""] * len(order)
        lines = "\n".join(mark + self.labels[place] for mark, place in zip(marks, order, strict=True))
        return wording.replace("{options}", lines).replace("{statement}", statement.text.rstrip("."))

    def answers(self, order: tuple[int, ...]) -> list[str]:
        """What says each label, in the labels' own order: the label, or the mark where it is listed."""
        return [self.marks[order.index(place)] if self.marks else label for place, label in enumerate(self.labels)]

    def orders(self, count: int, seed: int) -> list[tuple[int, ...]]:
        """`count` orders in which to list the options: as given, reversed, then random ones without repeats."""
        given = tuple(range(len(self.labels)))
        kept = [given, given[::-1]][:count]
        if count > 2:
            others = [order for order in permutations(given) if order not in kept]
            kept += Random(seed).sample(others, count - 2)
        return kept


TESTBED_OPTIONS = Options(
    labels=tuple(lexicon.LIKERT_OPTIONS[level] for level in (-2, -1, 0, 1, 2)),
    wordings=tuple(question.replace("I {statement}", "{statement}") for question in lexicon.LIKERT_QUESTIONS),
)
"""The options that the embedded model was taught; it is put none to choose from."""

ACCURACY_OPTIONS = Options(
    labels=(
        "Very inaccurate",
        "Moderately inaccurate",
        "Neither accurate nor inaccurate",
        "Moderately accurate",
        "Very accurate",
    ),
    wordings=(
        "How accurately does this statement describe you? Answer with one letter.\n\nStatement: {statement}.\n\n"
        "{options}",
    ),
    marks=("A", "B", "C", "D", "E"),
)
"""Ratings of accuracy, as IPIP inventories ask for them, answered by letter."""


def testbed_statements(trait: str, split: Literal["train", "test"] = "test") -> list[Statement]:  # noqa: PT028
    """Statements about a trait for the embedded model, as many keyed + as -.

    Args:
        split: `test`, phrases and adjectives that neither its statements nor its personas used in training,
            learned from open answers alone; or `train`, those that they used.
    """
    words = lexicon.TRAITS[trait]
    statements: list[Statement] = []
    for pole, keyed in (("high", "+"), ("low", "-")):
        own = words.pole(pole)
        taught = {*own.taught_phrases, *own.taught_adjectives}
        texts = [*own.phrases, *(f"am {adjective}" for adjective in own.adjectives)]
        chosen = [text for text in texts if (text.removeprefix("am ") in taught) == (split == "train")]
        statements += [Statement(f"I {text}", trait, keyed, f"{trait}: {text}") for text in chosen]
    return statements


def ask_questionnaire(
    model: Model,
    conditions: Sequence[Condition],
    statements: Sequence[Statement],
    *,
    options: Options = TESTBED_OPTIONS,
    orders: int = 2,
    system: str | None = None,
    normalise: Normalisation = "total",
    min_mass: float = 0.5,
    scope: Scope = "generated",
    seed: int = 0,
    record: Callable[[EditedRun], None] | None = None,
) -> pd.DataFrame:
    """Every condition's answers to every statement, by the probability that it gives each option.

    Each statement is put in every wording and, where a wording lists the options, under several orders of them,
    so that a liking for a letter or for a place averages out. Options are judged token by token with the edit
    active as in generation.

    Args:
        orders: how many orders to list the options in: as given, reversed, then random ones drawn with `seed`.
        system: a system prompt before every statement.
        record: called with the count of what was edited, where anything was.
        normalise: `total` compares the options' probabilities; `length`, their mean log-probability a token, for
            labels of unlike length.
        min_mass: the least probability on all options together with which an answer counts as parsed.

    Returns:
        A row per condition, statement, wording and order: arm, trait, direction, gamma, item, measured_trait,
        keyed, wording (its place), order (values as listed, empty where none are), expected (score weighted by
        probability, keyed, so that more is more of the trait), chosen (the likeliest option's, keyed), mass (0 to
        1, probability of saying any option), parsed. Where `parsed` is false, expected and chosen are missing.

    Raises:
        ValueError: if there is nothing to ask, too many orders are wanted, or one option begins another.
        RuntimeError: if the scope leaves an edit without a position, e.g. `decode` with options of one token.

    Reference:
        Reversed keys after Johnson (2014).
    """
    if not conditions or not statements:
        raise ValueError(f"Nothing to ask: {len(conditions)} conditions, {len(statements)} statements. Give both.")
    possible = int(np.prod(np.arange(1, len(options.labels) + 1)))
    if not 1 <= orders <= possible:
        raise ValueError(f"{len(options.labels)} options have 1 to {possible} orders, but {orders} arrived.")
    asked = [
        (statement, place, order if "{options}" in wording else None)
        for statement in statements
        for place, wording in enumerate(options.wordings)
        for order in options.orders(orders if "{options}" in wording else 1, seed)
    ]
    given = tuple(range(len(options.labels)))
    put = [Prompt(options.put(one, options.wordings[place], order or given), system) for one, place, order in asked]
    prompts = model.tokens([condition.put(prompt) for condition in conditions for prompt in put])
    answers = [[_tokens(model, text) for text in options.answers(order or given)] for _, _, order in asked]
    _apart(answers[0], options)
    with _conditions_edited(model, conditions, len(asked), scope, record):
        found = log_likelihoods(model, prompts, answers * len(conditions))
    rows = []
    values = np.array(options.values, dtype=float)
    for number, logs in enumerate(found):
        condition, (statement, place, order) = conditions[number // len(asked)], asked[number % len(asked)]
        totals = np.array([float(log.double().sum()) for log in logs])
        weighed = totals if normalise == "total" else totals / np.array([len(log) for log in logs])
        shares = np.exp(weighed - weighed.max())
        mass = min(float(np.exp(totals).sum()), 1.0)
        scores = [float((shares * values).sum() / shares.sum()), float(values[shares.argmax()])]
        keyed = [options.reverse(score) if statement.keyed == "-" else score for score in scores]
        parsed = mass >= min_mass
        rows.append(
            {
                **condition.labels,
                "item": statement.id,
                "measured_trait": statement.trait,
                "keyed": statement.keyed,
                "wording": place,
                "order": "" if order is None else " ".join(str(options.values[i]) for i in order),
                "expected": keyed[0] if parsed else np.nan,
                "chosen": keyed[1] if parsed else np.nan,
                "mass": mass,
                "parsed": parsed,
            }
        )
    return pd.DataFrame(rows)


def _tokens(model: Model, text: str) -> list[int]:
    encoded: list[int] = model.tokenizer(text, add_special_tokens=False)["input_ids"]  # type: ignore[assignment]
    return list(encoded)


def _apart(answers: Sequence[Sequence[int]], options: Options) -> None:
    """Refuse options whose probabilities overlap."""
    for i, one in enumerate(answers):
        for j, other in enumerate(answers):
            if i != j and other[: len(one)] == one:
                raise ValueError(
                    f"No option may begin another, but {options.labels[i]!r} begins {options.labels[j]!r}, and its "
                    "probability would hold the other's. End the labels with a full stop, or use marks."
                )


@contextmanager
def _conditions_edited(
    model: Model,
    conditions: Sequence[Condition],
    each: int,
    scope: Scope,
    record: Callable[[EditedRun], None] | None,
) -> Iterator[None]:
    """The model under every condition at once, each with `each` prompts."""
    edits = [condition.edit for condition in conditions if condition.edit is not None]
    place = iter(range(len(edits)))
    rows = [-1 if condition.edit is None else next(place) for condition in conditions]
    if not edits:
        yield
        return
    with edited(model, edits, scope=scope, rows=[row for row in rows for _ in range(each)]) as run:
        yield
    if record is not None:
        record(run)
