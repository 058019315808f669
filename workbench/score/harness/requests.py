"""Requests of lm-evaluation-harness as tokens, its settings for generation, and counts of what was cut and edited."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance
else:  # the extra may be missing
    Instance = Any

NEW_TOKENS = 256  # the harness's limit where a task sets none
_GREEDY_IGNORES = {"temperature", "top_p", "top_k", "min_p", "num_beams", "early_stopping"}


def require_harness() -> Any:
    """The module `lm_eval`.

    Raises:
        ImportError: if it is not installed.
    """
    try:
        import lm_eval.api.model
        import lm_eval.evaluator
    except ImportError as error:
        raise ImportError(
            "Harness tasks need lm-evaluation-harness. Install it with: pip install 'dpn-workbench[harness]'."
        ) from error
    return lm_eval


@dataclass(frozen=True)
class Asked:
    """A request for a log-likelihood, as tokens.

    Attributes:
        prompt: the tokens before the answer.
        answer: the tokens whose log-likelihood is asked for.
        end: the position at which the prompt ends for an edit; see `judge_answers`.
        dropped: how many tokens were cut off at the beginning because the model has too few positions.
    """

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    end: int
    dropped: int = 0

    def fitting(self, room: int) -> "Asked":
        """The request cut at the beginning, so that all tokens but the answer's last fit into `room` positions.

        Raises:
            ValueError: if the answer alone does not fit.
        """
        over = len(self.prompt) + len(self.answer) - 1 - room
        if over <= 0:
            return self
        if over >= len(self.prompt):
            raise ValueError(
                f"An answer fits into the model's {room} positions, but one has {len(self.answer)} tokens."
            )
        return Asked(self.prompt[over:], self.answer, self.end - over, over)


@dataclass
class Ledger:
    """Counts of what was cut and edited, kept as requests are answered.

    Attributes:
        dropped: by task and document, the most tokens that were cut off a prompt.
        edited: by task, the number of edited (position, layer) pairs in each phase.
    """

    dropped: dict[tuple[str, int], int] = field(default_factory=dict)
    edited: dict[str, Counter[str]] = field(default_factory=dict)

    def drop(self, request: Instance, tokens: int) -> None:
        """Record that the first `tokens` of a request were cut off."""
        document = (request.task_name or "", request.doc_id or 0)
        if tokens > 0:
            self.dropped[document] = max(tokens, self.dropped.get(document, 0))


@dataclass(frozen=True)
class Wishes:
    """A task's settings for the generation of answers."""

    max_new_tokens: int
    temperature: float
    until: tuple[str, ...]

    def cut(self, text: str) -> str:
        """The text before the first stop string."""
        for stop in self.until:
            text = text.split(stop)[0]
        return text


def wishes_of(settings: Mapping[str, Any]) -> Wishes:
    """Read a task's generation settings, under any of the harness's names for them.

    Raises:
        ValueError: if the task has a setting that is not supported; names it.
    """
    from lm_eval.models.utils import normalize_gen_kwargs

    known: dict[str, Any] = dict(normalize_gen_kwargs(dict(settings), NEW_TOKENS))
    tokens, until, sampled = known.pop("max_gen_toks"), known.pop("until"), known.pop("do_sample")
    temperature = float(known.pop("temperature", 0.0) or 0.0)
    others = sorted(name for name in known if sampled or name not in _GREEDY_IGNORES)
    if others:
        raise ValueError(
            f"Answers are generated greedily or sampled at a temperature, but the task also sets {', '.join(others)}. "
            "Set the task's generation_kwargs to until, max_gen_toks, do_sample and temperature."
        )
    return Wishes(int(tokens), temperature if sampled else 0.0, tuple(stop for stop in until if stop))
