"""Ask a questionnaire: statements to agree or disagree with, answered by the probability of each option."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import permutations
from random import Random
from typing import Literal

import numpy as np
import pandas as pd

from workbench.concept.named import big_five_of
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
        text: the statement; a wording adds the full stop.
        trait: the trait that it measures.
        keyed: `+` where agreement shows the trait, `-` where it shows the opposite.
        id: its name in a table.
    """

    text: str
    trait: str
    keyed: str
    id: str

    def __post_init__(self) -> None:
        if self.keyed not in ("+", "-"):
            raise ValueError(f"A statement is keyed + or -, but {self.id!r} is keyed {self.keyed!r}. Correct its key.")


@dataclass(frozen=True)
class Options:
    """The answers to choose from, and the wordings in which a statement is put.

    Attributes:
        labels: the options' texts, from least to most agreement, as whole answers, e.g. with a full stop.
        values: the score of each label on a statement keyed `+`.
        wordings: templates for a question, each with `{statement}`; where one has `{options}` too, the options are
            listed there, one on a line, in varying orders.
        marks: e.g. letters, printed before the listed options from first to last; the model then answers with the
            mark instead of the label.
    """

    labels: tuple[str, ...]
    values: tuple[int, ...] = (1, 2, 3, 4, 5)
    wordings: tuple[str, ...] = ("{statement}\n{options}",)
    marks: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if len(self.labels) != len(self.values) or len(set(self.labels)) < 2:
            raise ValueError(f"Each option needs a value, but {self.labels} came with {self.values}.")
        if self.marks is not None and len(set(self.marks)) != len(self.labels):
            raise ValueError(f"Each option needs a mark of its own, but {self.labels} came with {self.marks}.")
        for wording in self.wordings:
            if "{statement}" not in wording:
                raise ValueError(f"A wording contains {{statement}}, but {wording!r} does not. Add it.")
            if self.marks is not None and "{options}" not in wording:
                raise ValueError(f"With marks a wording contains {{options}}, but {wording!r} does not. Add it.")

    def reverse(self, value: float) -> float:
        """The score of a value on a statement keyed `-`: six minus the value on a scale of 1 to 5."""
        return min(self.values) + max(self.values) - value

    def put(self, statement: Statement, wording: str, order: tuple[int, ...]) -> str:
        """The question: the statement in a wording, with the options in `order` if the wording lists them."""
        marks = [f"{mark}. " for mark in self.marks] if self.marks is not None else [""] * len(order)
        lines = "\n".join(mark + self.labels[label] for mark, label in zip(marks, order, strict=True))
        return wording.replace("{options}", lines).replace("{statement}", statement.text.rstrip("."))

    def answers(self, order: tuple[int, ...]) -> list[str]:
        """The text that gives each answer, in the order of the labels: the label, or the mark that precedes it."""
        return [self.marks[order.index(i)] if self.marks else label for i, label in enumerate(self.labels)]

    def orders(self, count: int, seed: int) -> list[tuple[int, ...]]:
        """`count` different orders of the options: that of the labels, its reverse, then random ones."""
        ascending = tuple(range(len(self.labels)))
        orders = [ascending, ascending[::-1]][:count]
        if count > 2:
            others = [order for order in permutations(ascending) if order not in orders]
            orders += Random(seed).sample(others, count - 2)
        return orders


TESTBED_OPTIONS = Options(
    labels=tuple(lexicon.LIKERT_OPTIONS[level] for level in (-2, -1, 0, 1, 2)),
    wordings=tuple(question.replace("I {statement}", "{statement}") for question in lexicon.LIKERT_QUESTIONS),
)
"""The answers that the embedded model was taught; its wordings list no options."""

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
"""Ratings of accuracy as in IPIP inventories, answered with a letter."""


def testbed_statements(trait: str, split: Literal["train", "test"] = "test") -> list[Statement]:  # noqa: PT028
    """Statements about a trait for the embedded model, as many keyed + as -.

    Args:
        split: `train` for phrases and adjectives that the statements and personas of training used; `test` for the
            others, which the model has seen in open answers alone.
    """
    trait = big_five_of(trait, "the embedded model's questionnaire")
    words = lexicon.TRAITS[trait]
    statements: list[Statement] = []
    for pole, keyed in (("high", "+"), ("low", "-")):
        pole_words = words.pole(pole)
        taught = {*pole_words.taught_phrases, *pole_words.taught_adjectives}
        texts = [*pole_words.phrases, *(f"am {adjective}" for adjective in pole_words.adjectives)]
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
    """Ask every condition every statement, and read the answer from the probability of each option.

    Each statement is put in every wording and, where a wording lists the options, in several orders of them, so that
    a preference for one letter or one position averages out. The probability of an option is that of its tokens, with
    the edit active as in generation.

    Args:
        orders: how many orders to list the options in: that of the labels, its reverse, then random ones drawn with
            `seed`.
        system: a system prompt before every statement.
        normalise: `total` compares the options' probabilities; `length` compares their mean log-probability per token,
            for labels of different lengths.
        min_mass: the least probability of all options together with which an answer counts as parsed.
        record: as in `run_conditions`.

    Returns:
        A row for each condition, statement, wording and order: arm, trait, direction, gamma, item, measured_trait,
        keyed, wording (its number), order (values as listed; empty where the wording lists none), expected (the mean
        value weighted by probability, reversed on statements keyed -, so that a higher score means more of the
        trait), chosen (the value of the likeliest option, reversed likewise), mass (0 to 1, probability of all options
        together), parsed. Where `parsed` is false, expected and chosen are missing.

    Raises:
        ValueError: if there is nothing to ask, more orders are asked for than there are, or one option begins with
            another.
        RuntimeError: if the scope leaves an edit without a position, e.g. `decode` with options of one token.

    Reference:
        Johnson (2014), for reversed keys.
    """
    if not conditions or not statements:
        raise ValueError(
            f"A questionnaire needs conditions and statements, but {len(conditions)} and {len(statements)} arrived."
        )
    possible = int(np.prod(np.arange(1, len(options.labels) + 1)))
    if not 1 <= orders <= possible:
        raise ValueError(f"{len(options.labels)} options have 1 to {possible} orders, but {orders} arrived.")
    questions = [
        (statement, number, order if "{options}" in wording else None)
        for statement in statements
        for number, wording in enumerate(options.wordings)
        for order in options.orders(orders if "{options}" in wording else 1, seed)
    ]
    ascending = tuple(range(len(options.labels)))
    put = [
        Prompt(options.put(statement, options.wordings[number], order or ascending), system)
        for statement, number, order in questions
    ]
    prompts = model.tokens([condition.put(prompt) for condition in conditions for prompt in put])
    answers = [model.answer_tokens(options.answers(order or ascending)) for _, _, order in questions]
    _refuse_overlap(answers[0], options)
    with _conditions_edited(model, conditions, len(questions), scope, record):
        likelihoods = log_likelihoods(model, prompts, answers * len(conditions))
    rows = []
    values = np.array(options.values, dtype=float)
    for row, logs in enumerate(likelihoods):
        condition, (statement, number, order) = conditions[row // len(questions)], questions[row % len(questions)]
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
                "wording": number,
                "order": "" if order is None else " ".join(str(options.values[i]) for i in order),
                "expected": keyed[0] if parsed else np.nan,
                "chosen": keyed[1] if parsed else np.nan,
                "mass": mass,
                "parsed": parsed,
            }
        )
    return pd.DataFrame(rows)


def _refuse_overlap(answers: Sequence[Sequence[int]], options: Options) -> None:
    """Refuse an option that begins another, as its probability would include the other's."""
    for i, shorter in enumerate(answers):
        for j, longer in enumerate(answers):
            if i != j and longer[: len(shorter)] == shorter:
                raise ValueError(
                    f"No option may begin another, but {options.labels[i]!r} begins {options.labels[j]!r}, and its "
                    "probability would include the other's. End the labels with a full stop, or use marks."
                )


@contextmanager
def _conditions_edited(
    model: Model,
    conditions: Sequence[Condition],
    prompts_each: int,
    scope: Scope,
    record: Callable[[EditedRun], None] | None,
) -> Iterator[None]:
    """The model with the edits of all conditions at once, each on its own `prompts_each` prompts."""
    edits = [condition.edit for condition in conditions if condition.edit is not None]
    numbers = iter(range(len(edits)))
    edit_numbers = [-1 if condition.edit is None else next(numbers) for condition in conditions]
    if not edits:
        yield
        return
    with edited(
        model, edits, scope=scope, rows=[number for number in edit_numbers for _ in range(prompts_each)]
    ) as run:
        yield
    if record is not None:
        record(run)
