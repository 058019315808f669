"""Requests of lm-evaluation-harness in tokens, its wishes for an answer, and the book kept of what became of them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance
else:  # the extra may be missing
    Instance = Any

NEW_TOKENS = 256  # what the harness generates at most where a task does not say
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
    """A request in tokens: what is given, what is judged, and where the prompt ends as an edit sees it.

    Attributes:
        prompt: tokens up to what is judged.
        answer: the tokens to judge.
        end: the place of the prompt's last position; see `judge_answers`.
        dropped: tokens left out at the beginning, for want of room.
    """

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    end: int
    dropped: int = 0

    def fitting(self, room: int) -> "Asked":
        """The same with the beginning left out where prompt and answer, but for its last token, exceed `room`.

        Raises:
            ValueError: if the answer alone does not fit.
        """
        over = len(self.prompt) + len(self.answer) - 1 - room
        if over <= 0:
            return self
        if over >= len(self.prompt):
            raise ValueError(f"An answer to judge has {len(self.answer)} tokens, but the model has room for {room}.")
        return Asked(self.prompt[over:], self.answer, self.end - over, over)


@dataclass
class Ledger:
    """What became of the requests, kept as they are answered.

    Attributes:
        dropped: by task and document, the most tokens that were left out of a prompt for want of room.
        edited: by task, edited (position, layer) pairs by phase.
    """

    dropped: dict[tuple[str, int], int] = field(default_factory=dict)
    edited: dict[str, Counter[str]] = field(default_factory=dict)

    def drop(self, request: Instance, tokens: int) -> None:
        """Note that a request lost its first `tokens`."""
        place = (request.task_name or "", request.doc_id or 0)
        if tokens > 0:
            self.dropped[place] = max(tokens, self.dropped.get(place, 0))


@dataclass(frozen=True)
class Wishes:
    """How a task wants its answers generated."""

    max_new_tokens: int
    temperature: float
    until: tuple[str, ...]

    def cut(self, text: str) -> str:
        """The text before the first of the stops."""
        for stop in self.until:
            text = text.split(stop)[0]
        return text


def wishes_of(settings: Mapping[str, Any]) -> Wishes:
    """A task's generation settings, under any of the harness's names for them.

    Raises:
        ValueError: naming settings that are not offered.
    """
    from lm_eval.models.utils import normalize_gen_kwargs

    known: dict[str, Any] = dict(normalize_gen_kwargs(dict(settings), NEW_TOKENS))
    tokens, until, sampled = known.pop("max_gen_toks"), known.pop("until"), known.pop("do_sample")
    temperature = float(known.pop("temperature", 0.0) or 0.0)
    others = sorted(name for name in known if sampled or name not in _GREEDY_IGNORES)
    if others:
        raise ValueError(
            f"Answers are decoded greedily or sampled at a temperature, but the task also sets {', '.join(others)}. "
            "Set the task's generation_kwargs to until, max_gen_toks, do_sample and temperature."
        )
    return Wishes(int(tokens), temperature if sampled else 0.0, tuple(stop for stop in until if stop))
