"""The interface of a judge, which gets questions, answers and a rubric, and not the arm that answered."""

import hashlib
import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from workbench.score.judge.rubric import Rubric

Status = Literal["rated", "unparsed", "refused", "failed"]
"""`rated`; `unparsed`, a reply that is no rating; `refused`; or `failed`, no reply: the next run asks again."""
STATUSES: tuple[Status, ...] = ("rated", "unparsed", "refused", "failed")


@dataclass(frozen=True)
class Asked:
    """One rating to ask for. It holds no arm, dose or direction, so that no judge can see them."""

    question: str
    answer: str
    rubric: Rubric


@dataclass(frozen=True)
class Judgement:
    """A judge's rating of one answer, or the reason why there is none.

    Attributes:
        rating: 1 to 5, None unless `status` is `rated`.
        status: see `Status`.
        kept: the request and the reply, for the journal.
    """

    rating: float | None
    status: Status
    kept: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.rating is None) == (self.status == "rated") or not 1 <= (self.rating or 1) <= 5:
            raise ValueError(
                f"A judgement has a rating from 1 to 5 where its status is 'rated' and none elsewhere, but rating "
                f"{self.rating} came with status {self.status!r}."
            )


@runtime_checkable
class Judge(Protocol):
    """Rates answers by a rubric.

    Attributes:
        name: the prefix of its columns.
        settings: all that its ratings depend on besides what it is asked; equal for judges with equal ratings.
    """

    @property
    def name(self) -> str: ...

    @property
    def settings(self) -> Mapping[str, Any]: ...

    def rate(self, asked: Sequence[Asked]) -> Generator[tuple[int, Judgement], None, None]:
        """Each position in `asked` with its judgement, once, in any order."""
        ...


@runtime_checkable
class CountsTokens(Protocol):
    """A judge that counts tokens with its own tokenizer."""

    def count_tokens(self, asked: Sequence[Asked]) -> int:
        """The number of prompt tokens of all ratings together."""
        ...


def judgement_key(judge: Judge, asked: Asked) -> str:
    """SHA-256 of the judge's settings and the prompt's text."""
    prompt = asked.rubric.prompt(asked.question, asked.answer)
    content = {"settings": dict(judge.settings), "messages": prompt.messages}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
