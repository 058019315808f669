"""What judging will take, told before it starts: requests, tokens, and money where prices are known."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from workbench.score.judge.endpoint import EndpointJudge
from workbench.score.judge.journal import Journal
from workbench.score.judge.judging import Judges, Rubrics, as_judges, keyed, wanted_ratings
from workbench.score.judge.protocol import Asked, CountsTokens, Judge
from workbench.score.judge.reply import RATING_SCHEMA
from workbench.score.judge.rubric import DIGIT, JSON

CHARACTERS, FRAME = 4, 4
"""Characters of a token, and tokens around each message, where no tokenizer is at hand: rough, for English."""


@dataclass(frozen=True)
class Price:
    """What an endpoint charges, in any currency, for a million tokens."""

    prompt: float
    answer: float


@dataclass(frozen=True, eq=False)
class JudgingPlan:
    """What is to be asked, and what it will take; printed, it says so.

    Attributes:
        table: a row a judge: judge, ratings (distinct ones wanted), kept (of them, there already), requests (still to
            be made), prompt_tokens, answer_tokens (the most that replies can hold), price (missing where none is
            known), counted (how prompt tokens were found).
        rows: answers in the frame.
        answers: distinct questions and answers among them.
    """

    table: pd.DataFrame
    rows: int
    answers: int

    def __str__(self) -> str:
        lines = [f"{self.rows} answers, {self.answers} of them distinct; trait and fluency asked for apart."]
        for row in self.table.to_dict("records"):
            price = "" if math.isnan(row["price"]) else f"; at most {row['price']:,.2f} at the prices given"
            lines.append(
                f"{row['judge']}: {row['requests']:,} requests ({row['kept']:,} of {row['ratings']:,} ratings are kept "
                f"already), {row['prompt_tokens']:,} prompt tokens ({row['counted']}), at most "
                f"{row['answer_tokens']:,} answer tokens{price}. Requests sent again after an error come on top."
            )
        return "\n".join(lines)

    __repr__ = __str__


def plan_judging(
    frame: pd.DataFrame,
    judges: Judges,
    *,
    folder: str | Path | None = None,
    rubrics: Rubrics | None = None,
    prices: Mapping[str, Price] | None = None,
    count_tokens: Callable[[str], int] | None = None,
) -> JudgingPlan:
    """What `judge_answers` would ask and what it would take. Nothing is asked, and no key is needed.

    Prompt tokens are counted with the tokenizer of a local judge, or with `count_tokens`; otherwise they are taken as
    a quarter of the characters, the reply's schema included, and four more for each message, which is rough.

    Args:
        frame, folder, rubrics: as in `judge_answers`; what the folder holds is not asked again.
        prices: by judge, what a million tokens costs.
        count_tokens: how many tokens a text has.

    Raises:
        ValueError: as `judge_answers`, or for a price of a judge that is not there.

    Example:
        >>> frame = pd.DataFrame({"question": ["Hi?"], "answer": ["Hi."], "trait": ["Openness"]})
        >>> plan = plan_judging(frame, EndpointJudge("m"), prices={"m": Price(1.0, 2.0)})
        >>> plan.table["requests"].item(), plan.table["answer_tokens"].item()
        (2, 64)
    """
    several = as_judges(judges)
    unknown = set(prices or {}) - {judge.name for judge in several}
    if unknown:
        raise ValueError(f"Prices are by judge, but there is no judge {sorted(unknown)}. Use the judges' names.")
    wanted = wanted_ratings(frame, rubrics)
    known = Journal(Path(folder)).read() if folder is not None else {}
    rows = []
    for judge in several:
        by_key = keyed(judge, wanted)
        todo = [asked for key, asked in by_key.items() if key not in known]
        tokens, counted = _prompt_tokens(judge, todo, count_tokens)
        answer_tokens = len(todo) * (judge.max_tokens if isinstance(judge, EndpointJudge) else 1)
        price = (prices or {}).get(judge.name)
        cost = math.nan if price is None else (tokens * price.prompt + answer_tokens * price.answer) / 1e6
        rows.append(
            {"judge": judge.name, "ratings": len(by_key), "kept": len(by_key) - len(todo), "requests": len(todo)}
            | {"prompt_tokens": tokens, "answer_tokens": answer_tokens, "price": cost, "counted": counted}
        )
    pairs = frame[["question", "answer"]].drop_duplicates()
    return JudgingPlan(pd.DataFrame(rows), len(frame), len(pairs))


def _prompt_tokens(judge: Judge, todo: list[Asked], count: Callable[[str], int] | None) -> tuple[int, str]:
    if isinstance(judge, CountsTokens):
        return judge.count_tokens(todo), "counted by its tokenizer"
    structured = isinstance(judge, EndpointJudge) and judge.structured
    schema = str(RATING_SCHEMA) if structured else ""
    messages = [asked.rubric.prompt(asked.question, asked.answer, reply=JSON if structured else DIGIT).messages
                for asked in todo]  # fmt: skip
    if count is not None:
        total = sum(count(message["content"]) + FRAME for several in messages for message in several)
        return total + len(todo) * (count(schema) if schema else 0), "counted by count_tokens"
    characters = sum(len(message["content"]) for several in messages for message in several) + len(todo) * len(schema)
    framing = FRAME * sum(len(several) for several in messages)
    return math.ceil(characters / CHARACTERS) + framing, "a rough count: characters / 4"
