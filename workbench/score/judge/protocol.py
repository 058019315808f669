"""What a judge of answers is: it gets questions, answers and a rubric, and nothing of where they come from."""

import hashlib
import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from workbench.score.judge.rubric import Rubric

Status = Literal["rated", "unparsed", "refused", "failed"]
"""`rated`; a reply that is no rating; a refusal; or no reply at all, which is asked for again by the next run."""
STATUSES: tuple[Status, ...] = ("rated", "unparsed", "refused", "failed")


@dataclass(frozen=True)
class Asked:
    """One rating that is wanted. It says nothing of arm, dose or direction, so that no judge can see them."""

    question: str
    answer: str
    rubric: Rubric


@dataclass(frozen=True)
class Judgement:
    """What a judge made of one answer.

    Attributes:
        rating: 1 to 5, None unless `status` is `rated`.
        status: whether there is a rating, and if not, why.
        kept: what was sent and what came back, to be written down.
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
    """Whatever rates answers by a rubric.

    Attributes:
        name: what its columns are called after.
        settings: all that its ratings depend on beside what it is asked; equal for judges that would say the same.
    """

    @property
    def name(self) -> str: ...

    @property
    def settings(self) -> Mapping[str, Any]: ...

    def rate(self, asked: Sequence[Asked]) -> Generator[tuple[int, Judgement], None, None]:
        """Each place in `asked` with its judgement, once, in whatever order they are done."""
        ...


@runtime_checkable
class CountsTokens(Protocol):
    """A judge that knows its own tokenizer."""

    def count_tokens(self, asked: Sequence[Asked]) -> int:
        """The prompt tokens of all that is asked."""
        ...


def judgement_key(judge: Judge, asked: Asked) -> str:
    """SHA-256 over the judge's settings and the words of the prompt: another rubric or model is another key."""
    prompt = asked.rubric.prompt(asked.question, asked.answer)
    told = {"settings": dict(judge.settings), "messages": prompt.messages}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
