"""How likely a model still finds neutral text, and its own unedited answers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench.arm.spec import UNEDITED
from workbench.contrast.prompt import Prompt
from workbench.digest import key_of
from workbench.measure.summarising import clustered_mean
from workbench.model.model import Model
from workbench.outcome.outcome import Asking, Outcome, Split
from workbench.outcome.quantity import Quantity
from workbench.outcome.results import Results
from workbench.score.answers import Condition
from workbench.score.perplexity.neutral import neutral_passages, neutral_questions
from workbench.score.perplexity.scoring import own_answers, own_reading, text_reading
from workbench.score.side_by_side import read_side_by_side
from workbench.score.spelling import require_spelling

_LOSSES = (0.02, 0.05, 0.1)  # nats per token: perplexity is greater by 2, 5 and 11 %
_MARGIN = 0.05
_NATS = "nats per token"
_SOURCES = {"text_likelihood": "text", "own_likelihood": "own answer"}


@dataclass(frozen=True)
class Perplexity(Outcome):
    """Mean log-likelihood per token of neutral passages and of the unedited model's own answers.

    Higher is better, so that a loss is a fall; perplexity is exp of minus it.

    Passages are read as plain text without a chat template: arms that speak to the model have no place in it and read
    them as the unedited model does. The answers are the unedited model's likeliest ones to neutral questions in a
    chat. They are made where they are needed, from the weights alone, so that they are the same on every machine of a
    study and when it continues. Every condition is asked how likely it finds them, its instruction included.

    Attributes:
        passages: how many are reported; as many others choose the dose.
        answers: how many answers are reported; as many others choose the dose.
        answer_tokens: how many tokens an answer has at most.
    """

    passages: int = 20
    answers: int = 12
    answer_tokens: int = 40

    name = "perplexity"
    cluster = "item"
    side_by_side = True
    pairing = ("source", "item")
    main = "passages"
    quantities = (
        Quantity("text_likelihood", "cost", "log-likelihood of neutral text", _NATS, losses=_LOSSES, margin=_MARGIN),
        Quantity("own_likelihood", "cost", "log-likelihood of its own answers", _NATS, losses=_LOSSES, margin=_MARGIN),
    )

    def texts_of(self, split: Split) -> tuple[list[str], list[str]]:
        """The passages and the questions of a split."""
        return neutral_passages(split, n=self.passages), neutral_questions(split, n=self.answers)

    def check(self) -> None:
        """There are as many passages and questions."""
        self.texts_of("test")

    def prepare(self, model: Model) -> None:
        """The model's tokenizer knows every word."""
        for split in ("test", "search"):
            require_spelling(model, (text for texts in self.texts_of(split) for text in texts), by=self.name)

    def key(self, split: Split) -> str:
        """The texts are part of it."""
        return key_of(own=super().key(split), texts=self.texts_of(split))

    def work(self, split: Split) -> float:
        """Some 50 tokens a passage, and a question with its answer."""
        return 1.0 * self.passages + 1.5 * self.answers

    def ask(self, model: Model, asking: Asking) -> pd.DataFrame:
        """A row per condition and text: source (`text` or `own answer`), item (the passage or the question),
        log_likelihood (nats per token), tokens and perplexity.
        """
        passages, questions = self.texts_of(asking.split)
        answers = own_answers(model, questions, max_new_tokens=self.answer_tokens)
        text = text_reading(model, passages)
        own = [own_reading(model, _asked(condition, questions), answers) for condition in asking.conditions]
        edits = [condition.edit for condition in asking.conditions]
        readings = [*((edit, text) for edit in edits), *zip(edits, own, strict=True)]
        found = read_side_by_side(model, readings, scope=asking.scope, record=asking.record)
        tables = []
        for number, condition in enumerate(asking.conditions):
            passage, answer = found[number], found[len(edits) + number].assign(item=questions)
            both = pd.concat([passage.assign(source="text"), answer.assign(source="own answer")], ignore_index=True)
            tables.append(both.assign(perplexity=np.exp(-both["log_likelihood"]), **condition.labels))
        return pd.concat(tables, ignore_index=True)

    def measured(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows with text_likelihood, of passages, and own_likelihood, of answers; each missing in the others."""
        likelihood = frame["log_likelihood"].astype(float)
        return frame.assign(**{name: likelihood.where(frame["source"] == of) for name, of in _SOURCES.items()})

    def tables(self, results: Results) -> dict[str, pd.DataFrame]:
        """Every text, and `perplexity_changes` by arm and dose."""
        frame = results.frames[self.name]
        return {self.name: frame, "perplexity_changes": perplexity_changes(frame, resamples=results.resamples)}


def _asked(condition: Condition, questions: Sequence[str]) -> list[Prompt]:
    return [condition.put(Prompt(question)) for question in questions]


def perplexity_changes(rows: pd.DataFrame, *, resamples: int) -> pd.DataFrame:
    """Log-likelihood and perplexity by arm, dose and source, all traits together, beside the unedited model's.

    Returns:
        Columns arm, gamma, source, log_likelihood (mean over texts, nats per token), perplexity (exp of minus it),
        change (of log_likelihood against the unedited model's on the same text, below 0 where text is less likely)
        with low and high (95 %, clustered by text), ratio (perplexity divided by the unedited model's: exp of minus
        the change), n (rows).
    """
    keys = ["trait", "source", "item"]
    base = rows.loc[rows["arm"] == UNEDITED, [*keys, "log_likelihood"]].rename(columns={"log_likelihood": "base"})
    paired = rows[rows["arm"] != UNEDITED].merge(base, on=keys, validate="many_to_one")
    paired = paired.assign(change=paired["log_likelihood"] - paired["base"])
    table = []
    for (arm, gamma, source), part in paired.groupby(["arm", "gamma", "source"], sort=False):
        mean = float(part["log_likelihood"].mean())
        interval = clustered_mean(part, "change", "item", resamples=resamples)
        change = interval.pop("estimate")
        entry = {"arm": arm, "gamma": gamma, "source": source, "log_likelihood": mean, "perplexity": np.exp(-mean)}
        table.append(entry | {"change": change} | interval | {"ratio": np.exp(-change)})
    return pd.DataFrame(table)
