"""How likely a model finds each statement as its own answer to a question about itself."""

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from workbench.contrast.prompt import Prompt
from workbench.edit.prompting import Instruction
from workbench.model.likelihood import log_likelihoods
from workbench.model.model import Model
from workbench.score.statements.reading import TraitStatement
from workbench.vocabulary import Pole

QUESTIONS = (
    "Tell me about yourself.",
    "What kind of person are you?",
    "How would those who know you describe you?",
    "What should people know about the way you are?",
)
"""The neutral questions that statements answer."""

_SIGN = {"high": 1.0, "low": -1.0}


def statement_scores(
    model: Model,
    statements: Sequence[TraitStatement],
    *,
    questions_each: int = 1,
    system: str | None = None,
    instruction: Instruction | None = None,
) -> pd.DataFrame:
    """How likely a model finds each statement as its own answer; inside `edited`, the edited model.

    Each statement answers `questions_each` of four neutral questions, dealt in rotation within each pole, so that
    the same statement always meets the same questions. A question is a prompt with all of its statements as possible
    answers. A statement with a question of its own answers that one alone.

    Args:
        system: a system prompt before each question, e.g. a persona.
        instruction: put before each question, as an arm that is a prompt does it.

    Returns:
        A row for each statement and question: trait, facet, pole, pair (see `pair_numbers`), item (the statement),
        question, tokens (of the statement) and logprob (its mean natural log-probability per token, nats, 0 at most).

    Raises:
        ValueError: if `questions_each` is not 1 to 4, or there are no statements.

    Example:
        >>> import workbench as wb
        >>> from workbench.score import read_statements, statement_scores
        >>> scores = statement_scores(wb.load_model("testbed"), read_statements("testbed", "Extraversion"))
        >>> sorted(set(scores["pole"]))
        ['high', 'low']
    """
    if not 1 <= questions_each <= len(QUESTIONS):
        raise ValueError(f"A statement answers 1 to {len(QUESTIONS)} questions, but {questions_each} arrived.")
    if not statements:
        raise ValueError("Statements are scored, but none arrived.")
    dealt = _dealt(statements, questions_each)
    prompts = [Prompt(question, system) for question in dealt]
    if instruction is not None:
        prompts = [instruction.apply(prompt) for prompt in prompts]
    tokens = model.answer_tokens([each.text for each in statements])
    likelihoods = log_likelihoods(
        model, model.tokens(prompts), [[tokens[which] for which in answers] for answers in dealt.values()]
    )
    pairs = pair_numbers(statements)
    rows = [
        {
            "trait": statements[which].trait,
            "facet": statements[which].facet,
            "pole": str(statements[which].pole),
            "pair": f"{pairs[which]:03d}",
            "item": statements[which].text,
            "question": question,
            "tokens": len(tokens[which]),
            "logprob": float(logs.double().mean()),
        }
        for (question, answers), of_prompt in zip(dealt.items(), likelihoods, strict=True)
        for which, logs in zip(answers, of_prompt, strict=True)
    ]
    return pd.DataFrame(rows).sort_values(["pair", "pole"], kind="stable", ignore_index=True)


def pair_numbers(statements: Sequence[TraitStatement]) -> list[int]:
    """The pair of each statement: the i-th high statement and the i-th low one are pair i.

    There are as many pairs as the smaller pole has statements; what the larger has beyond is dealt to them in turn.
    Pairs are what is resampled, so that a resample always holds both poles, and a change that all statements share
    cancels in each.
    """
    counts = {pole: sum(each.pole == pole for each in statements) for pole in (Pole.HIGH, Pole.LOW)}
    pairs = max(1, min(counts.values()))
    seen = dict.fromkeys(counts, 0)
    numbers = []
    for each in statements:
        numbers.append(seen[each.pole] % pairs)
        seen[each.pole] += 1
    return numbers


def high_minus_low(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean log-probability of high statements minus that of low ones, pair by pair.

    A pair's number is weighted so that the mean over pairs is the mean over high statements minus the mean over low
    ones, also where one pole has more of them.

    Args:
        scores: as `statement_scores` returns them, with any columns that tell conditions apart.

    Returns:
        A row for each condition, trait and pair: the columns that tell them apart, pair, and score (nats per token;
        nan where any of the pair's log-probabilities is).
    """
    own = ["facet", "pole", "item", "question", "tokens", "logprob"]
    # How many statements of a pole were asked, each under each of its questions, and how many pairs they make.
    every = scores[["trait", "pole", "item", "question"]].drop_duplicates()
    asked = Counter(zip(every["trait"], every["pole"], strict=True))
    pairs = scores.groupby("trait")["pair"].nunique().to_dict()
    weights = {(trait, pole): _SIGN[pole] * pairs[trait] / count for (trait, pole), count in asked.items()}
    weight = [weights[labels] for labels in zip(scores["trait"], scores["pole"], strict=True)]
    keys = [column for column in scores.columns if column not in own]
    weighed = scores[keys].assign(score=scores["logprob"] * weight, lost=scores["logprob"].isna())
    sums = weighed.groupby(keys, sort=False, dropna=False)[["score", "lost"]].sum()
    return sums.assign(score=sums["score"].where(sums["lost"] == 0)).drop(columns="lost").reset_index()


def _dealt(statements: Sequence[TraitStatement], questions_each: int) -> dict[str, list[int]]:
    """Each question that is asked, the neutral ones first, with the numbers of the statements that answer it."""
    dealt: dict[str, list[int]] = {question: [] for question in QUESTIONS}
    seen = dict.fromkeys(Pole, 0)
    for which, each in enumerate(statements):
        if each.question:
            dealt.setdefault(each.question, []).append(which)
            continue
        for beyond in range(questions_each):
            dealt[QUESTIONS[(seen[each.pole] + beyond) % len(QUESTIONS)]].append(which)
        seen[each.pole] += 1
    return {question: answers for question, answers in dealt.items() if answers}
