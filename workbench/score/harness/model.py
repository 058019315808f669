"""A hooked model with the interface of lm-evaluation-harness, which counts what is edited for each task."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from workbench.edit.applying import EditedRun
from workbench.model.generation import Sampling, Until, generate
from workbench.model.likelihood import judge_answers
from workbench.model.model import Model
from workbench.model.text import rendered_tokens, text_tokens
from workbench.score.harness.requests import Asked, Ledger, Wishes, require_harness, wishes_of

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance
else:  # the extra may be missing
    Instance = Any


class HookedRequests:
    """Answers the requests of the harness with a hooked model; `harness_model` makes a subclass of the harness's `LM`.

    Attributes:
        hooked: the model.
        chat: whether contexts are rendered by the chat template, so that no special token is added to them.
        run: the edited run that the requests are part of, if any.
        ledger: counts of what was edited and what was cut.
        max_length: how many positions the model has.
    """

    def __init__(
        self, model: Model, *, chat: bool, run: EditedRun | None, seed: int, max_tokens: int, max_rows: int
    ) -> None:
        super().__init__()
        if chat and not model.tokenizer.chat_template:
            raise ValueError(f"chat=True needs a chat template, but {model.name} has none. Use chat=False.")
        self.hooked, self.chat, self.run, self.seed = model, chat, run, seed
        self.batches = {"max_tokens": max_tokens, "max_rows": max_rows}
        self.ledger = Ledger()
        self.tokenizer: Any = model.tokenizer
        self.max_length = positions_of(model)
        self._context = lru_cache(maxsize=64)(self.encode)  # the choices of one question come in a row and share it

    @property
    def eot_token_id(self) -> int | None:
        """The token that ends a text."""
        return self.tokenizer.eos_token_id

    @property
    def prefix_token_id(self) -> int:
        """The token before a text without context.

        Raises:
            ValueError: if the tokenizer has neither a first nor a last token.
        """
        for token in (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id):
            if token is not None:
                return token
        raise ValueError(
            f"A text without context needs a token before it, but {self.hooked.name} has no first or last one."
        )

    @property
    def tokenizer_name(self) -> str:
        """The tokenizer's name for the harness."""
        return str(self.tokenizer.name_or_path).replace("/", "__")

    def chat_template(self, chat_template: bool | str = False) -> str | None:
        """The text of the template, if the harness uses it."""
        return self.tokenizer.chat_template if chat_template else None

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """Render a conversation with the model's template.

        Raises:
            ValueError: if this was made with chat=False.
        """
        if not self.chat:
            raise ValueError("The harness applies a chat template, but harness_model got chat=False. Use chat=True.")
        return self.hooked.conversation(chat_history, open_turn=add_generation_prompt)

    def encode(self, text: str) -> list[int]:
        """Tokens of a context, of a conversation as the template wrote it or of raw text; BOS begins it once."""
        return (rendered_tokens if self.chat else text_tokens)(self.tokenizer, [text])[0]

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = True) -> list[tuple[float, bool]]:
        """The log-likelihood of each continuation, and whether greedy decoding would produce it."""
        asked = [self._recorded(request, self._pair(*request.args).fitting(self.max_length)) for request in requests]
        return self._by_task(requests, lambda chosen: self._judge([asked[i] for i in chosen]))

    def loglikelihood_rolling(self, requests: list[Instance], disable_tqdm: bool = True) -> list[float]:
        """The log-likelihood of each whole text, in windows of as many positions as the model has.

        A text begins with the model's first token, which is not scored. It stands there once; the harness's own `hf`
        model repeats it where the tokenizer adds it too. As the whole text is scored, an edit acts on all of it.
        """

        def judge(chosen: Sequence[int]) -> list[float]:
            windows = [(number, window) for number in chosen for window in self._windows(requests[number].args[0])]
            totals = dict.fromkeys(chosen, 0.0)
            for (number, _), (total, _) in zip(windows, self._judge([window for _, window in windows]), strict=True):
                totals[number] += total
            return list(totals.values())

        return self._by_task(requests, judge)

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = True) -> list[str]:
        """The model's answer to each context, up to the first stop string.

        Raises:
            ValueError: for settings that are not supported, or more new tokens than the model has positions.
        """
        wanted = [wishes_of(request.arguments[1]) for request in requests]
        prompts = [self._prompt(request, wish) for request, wish in zip(requests, wanted, strict=True)]

        def answer(chosen: Sequence[int]) -> list[str]:
            answers: dict[int, str] = {}
            for wish in dict.fromkeys(wanted[number] for number in chosen):
                alike = [number for number in chosen if wanted[number] == wish]
                tokens = generate(
                    self.hooked.decoder,
                    [prompts[number] for number in alike],
                    Sampling(wish.max_new_tokens, wish.temperature, self.seed),
                    streams=alike,
                    until=Until(wish.until, self.tokenizer) if wish.until else None,
                    **self.batches,
                )
                texts = self.tokenizer.batch_decode(tokens, skip_special_tokens=True)
                answers |= {number: wish.cut(text) for number, text in zip(alike, texts, strict=True)}
            return [answers[number] for number in chosen]

        return self._by_task(requests, answer)

    def _by_task(self, requests: Sequence[Instance], answer: Callable[[Sequence[int]], list[Any]]) -> list[Any]:
        """Answers in the requests' order, computed task by task so that each task gets a count of what was edited."""
        answers: list[Any] = [None] * len(requests)
        for task in dict.fromkeys(request.task_name or "" for request in requests):
            numbers = [number for number, request in enumerate(requests) if (request.task_name or "") == task]
            with self._counted(task):
                for number, value in zip(numbers, answer(numbers), strict=True):
                    answers[number] = value
        return answers

    @contextmanager
    def _counted(self, task: str) -> Iterator[None]:
        """Count what is edited for a task, and refuse a task for which the edit never fired."""
        if self.run is None:
            yield
            return
        before = Counter(self.run.pairs)
        yield
        pairs = Counter(self.run.pairs)
        pairs.subtract(before)
        self.ledger.edited[task] = self.ledger.edited.get(task, Counter()) + pairs
        if self.run.places and not pairs.total():
            raise RuntimeError(
                f"The edit never fired on {task}: no position of its requests is in scope {self.run.scope!r}. Answers "
                "of one token have no decode step; choose scope 'generated' or 'all', or another task."
            )

    def _recorded(self, request: Instance, asked: Asked) -> Asked:
        self.ledger.drop(request, asked.dropped)
        return asked

    def _pair(self, context: str, continuation: str) -> Asked:
        """Context and continuation as tokens, by the harness's rule: spaces between them belong to the continuation.

        For an edit the prompt ends where the context's own tokens end, as in generation.
        """
        bare = context.rstrip()
        if not bare:
            continuation = context + continuation
            [answer] = self.hooked.answer_tokens([continuation])
            prefix = self.prefix_token_id
            tokens = answer if answer[:1] == [prefix] else [prefix, *answer]
            return Asked(tuple(tokens[:1]), self._nonempty(tokens[1:], continuation), 0)
        prompt, whole = self._context(bare), self.encode(context + continuation)
        answer = self._nonempty(whole[len(prompt) :], continuation)
        full = prompt if bare == context else self._context(context)
        as_is = full[: len(prompt)] == prompt and whole[: len(full)] == full and len(full) < len(whole)
        return Asked(tuple(prompt), answer, (len(full) if as_is else len(prompt)) - 1)

    def _nonempty(self, answer: Sequence[int], text: str) -> tuple[int, ...]:
        if not answer:
            raise ValueError(
                f"A continuation needs at least one token, but {text!r} has none. Correct the task's choices."
            )
        return tuple(answer)

    def _windows(self, text: str) -> list[Asked]:
        """A text in windows, such that each token is scored once."""
        from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

        [tokens] = self.hooked.answer_tokens([text])
        prefix = self.prefix_token_id
        tokens = tokens[1:] if tokens[:1] == [prefix] else tokens
        rolled = get_rolling_token_windows(tokens, prefix_token=prefix, max_seq_len=self.max_length, context_len=1)
        windows = [make_disjoint_window(window) for window in rolled]
        # The prompt of the first window is the token before the text; that of the others is text.
        return [Asked(tuple(a), tuple(b), 0 if number == 0 else -1) for number, (a, b) in enumerate(windows)]

    def _judge(self, asked: Sequence[Asked]) -> list[tuple[float, bool]]:
        """Log-likelihoods of requests; those of one context are computed together."""
        alike: dict[tuple[tuple[int, ...], int], list[int]] = {}
        for number, request in enumerate(asked):
            alike.setdefault((request.prompt, request.end), []).append(number)
        judged = judge_answers(
            self.hooked,
            [prompt for prompt, _ in alike],
            [[asked[number].answer for number in numbers] for numbers in alike.values()],
            ends=[end for _, end in alike],
            **self.batches,
        )
        results: list[tuple[float, bool]] = [(0.0, False)] * len(asked)
        for numbers, answers in zip(alike.values(), judged, strict=True):
            for number, answer in zip(numbers, answers, strict=True):
                results[number] = (float(answer.logs.double().sum()), bool(answer.likeliest.all()))
        return results

    def _prompt(self, request: Instance, wish: Wishes) -> list[int]:
        room = self.max_length - wish.max_new_tokens
        if room < 1:
            raise ValueError(
                f"{request.task_name} asks for up to {wish.max_new_tokens} new tokens, but {self.hooked.name} has "
                f"{self.max_length} positions for prompt and answer. Lower it with max_new_tokens=."
            )
        tokens = self.encode(request.args[0])
        self.ledger.drop(request, len(tokens) - room)
        return tokens[-room:]


def positions_of(model: Model) -> int:
    """How many positions a model has, by the harness's own rule."""
    config = getattr(model.network, "config", None)
    if config is None:
        return int(model.hooked.cfg.n_ctx)
    from lm_eval.models.utils import resolve_max_length

    return resolve_max_length(config, model.tokenizer)


def harness_model(
    model: Model,
    *,
    chat: bool = False,
    run: EditedRun | None = None,
    seed: int = 0,
    max_tokens: int = 16_384,
    max_rows: int = 256,
) -> HookedRequests:
    """A hooked model as a model of lm-evaluation-harness (its `LM`), for `lm_eval.simple_evaluate(model=...)`.

    Inside `edited` it answers as the edited model. Its log-likelihoods are those of the harness's own `hf` model on
    the same weights, with tokens split by the same rule, except that the first token of a text is never repeated.

    Args:
        chat: whether the harness applies the chat template; pass the harness the same `apply_chat_template`.
        run: what `edited` yields. Each task then needs a position in the run's scope, and its edits are counted in
            `ledger`.
        seed: of sampled answers; a request gets the same draws under every edit.
        max_tokens, max_rows: bounds of one batch, padding included.

    Raises:
        ImportError: if lm-evaluation-harness is not installed.
        ValueError: if `chat` is true and the model has no chat template.

    Reference:
        Biderman et al. (2024), Lessons from the Trenches on Reproducible Evaluation of Language Models.
    """
    base = require_harness().api.model.LM

    class HookedHarnessModel(HookedRequests, base):
        """The same requests in a subclass of `LM`, which the harness requires of its models."""

    return HookedHarnessModel(model, chat=chat, run=run, seed=seed, max_tokens=max_tokens, max_rows=max_rows)
