"""What judging will take, before it starts: requests, tokens, and the price where prices are known."""

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
"""Without a tokenizer: characters for each token, and extra tokens for each message; a rough estimate for English."""


@dataclass(frozen=True)
class Price:
    """The price of a million tokens at an endpoint, in any currency."""

    prompt: float
    answer: float


@dataclass(frozen=True, eq=False)
class JudgingPlan:
    """What will be asked and what it will take; its text is a summary.

    Attributes:
        table: a row for each judge: judge, ratings (distinct ones wanted), kept (how many of them are there already),
            requests (still to be made), prompt_tokens, answer_tokens (the most that replies can have), price (missing
            where none is known), counted (how prompt tokens were counted).
        rows: answers in the frame.
        answers: distinct pairs of question and answer among them.
    """

    table: pd.DataFrame
    rows: int
    answers: int

    def __str__(self) -> str:
        lines = [f"{self.rows} answers, {self.answers} of them distinct; trait and fluency in separate requests."]
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
    """What `judge_answers` would ask and what it would take. Nothing is sent, and no key is needed.

    Prompt tokens are counted with the tokenizer of a local judge or with `count_tokens`. Otherwise they are estimated
    as a quarter of the characters, including the reply's schema, and four more for each message.

    Args:
        frame, folder, rubrics: as in `judge_answers`; what the folder holds is not asked again.
        prices: by judge, the price of a million tokens.
        count_tokens: how many tokens a text has.

    Raises:
        ValueError: as `judge_answers`; or if a price is of a judge that is not among the judges.

    Example:
        >>> frame = pd.DataFrame({"question": ["Hi?"], "answer": ["Hi."], "trait": ["Openness"]})
        >>> plan = plan_judging(frame, EndpointJudge("m"), prices={"m": Price(1.0, 2.0)})
        >>> plan.table["requests"].item(), plan.table["answer_tokens"].item()
        (2, 64)
    """
    judge_list = as_judges(judges)
    unknown = set(prices or {}) - {judge.name for judge in judge_list}
    if unknown:
        raise ValueError(
            f"Prices are by the judges' names, but {sorted(unknown)} arrived. The judges are "
            f"{', '.join(judge.name for judge in judge_list)}."
        )
    wanted = wanted_ratings(frame, rubrics)
    known = Journal(Path(folder)).read() if folder is not None else {}
    rows = []
    for judge in judge_list:
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
        total = sum(count(message["content"]) + FRAME for prompt in messages for message in prompt)
        return total + len(todo) * (count(schema) if schema else 0), "counted by count_tokens"
    characters = sum(len(message["content"]) for prompt in messages for message in prompt) + len(todo) * len(schema)
    framing = FRAME * sum(len(prompt) for prompt in messages)
    return math.ceil(characters / CHARACTERS) + framing, "a rough count: characters / 4"
