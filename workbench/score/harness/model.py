"""A hooked model as lm-evaluation-harness wants it: texts in, log-likelihoods and continuations out, edits counted."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from workbench.edit.applying import EditedRun
from workbench.model.generation import Sampling, Until, generate
from workbench.model.likelihood import judge_answers
from workbench.model.model import Model
from workbench.model.rendering import render_conversation
from workbench.score.harness.requests import Asked, Ledger, Wishes, require_harness, wishes_of

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance
else:  # the extra may be missing
    Instance = Any


class HookedRequests:
    """The requests of the harness, answered by a hooked model; `harness_model` makes it one of its models.

    Attributes:
        hooked: the model.
        chat: whether contexts come from the chat template, so that no special token is added to them.
        run: the edited run that the requests are part of, if any.
        ledger: what was edited and what did not fit.
        max_length: positions that the model has.
    """

    def __init__(
        self, model: Model, *, chat: bool, run: EditedRun | None, seed: int, max_tokens: int, max_rows: int
    ) -> None:
        super().__init__()
        if chat and not model.tokenizer.chat_template:
            raise ValueError(f"{model.name} has no chat template. Use chat=False.")
        self.hooked, self.chat, self.run, self.seed = model, chat, run, seed
        self.batches = {"max_tokens": max_tokens, "max_rows": max_rows}
        self.ledger = Ledger()
        self.tokenizer: Any = model.tokenizer
        self.max_length = room_of(model)
        self._context = lru_cache(maxsize=64)(self.encode)  # the choices of a question come one after another

    @property
    def eot_token_id(self) -> int | None:
        """What ends a text."""
        return self.tokenizer.eos_token_id

    @property
    def prefix_token_id(self) -> int:
        """What a text without context is conditioned on.

        Raises:
            ValueError: if the tokenizer has no token for it.
        """
        for token in (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id):
            if token is not None:
                return token
        raise ValueError(f"A text without context needs a first token, but {self.hooked.name} has none to begin with.")

    @property
    def tokenizer_name(self) -> str:
        """What the harness calls the tokenizer."""
        return str(self.tokenizer.name_or_path).replace("/", "__")

    def chat_template(self, chat_template: bool | str = False) -> str | None:
        """The template as text, where it is used."""
        return self.tokenizer.chat_template if chat_template else None

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """A conversation as the model's template writes it.

        Raises:
            ValueError: if the model was not made for conversations.
        """
        if not self.chat:
            raise ValueError("The harness applies a chat template, but the model was made without. Use chat=True.")
        return render_conversation(self.tokenizer, chat_history, open_turn=add_generation_prompt)

    def encode(self, text: str) -> list[int]:
        """Tokens of a context: a rendered conversation brings its own special tokens, as may a raw text."""
        begun = self.tokenizer.bos_token is not None and text.startswith(self.tokenizer.bos_token)
        return list(self.tokenizer(text, add_special_tokens=not (self.chat or begun))["input_ids"])

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = True) -> list[tuple[float, bool]]:
        """Log-likelihood of each continuation, and whether greedy decoding would say it."""
        asked = [self._noted(request, self._pair(*request.args).fitting(self.max_length)) for request in requests]
        return self._by_task(requests, lambda chosen: self._judge([asked[i] for i in chosen]))

    def loglikelihood_rolling(self, requests: list[Instance], disable_tqdm: bool = True) -> list[float]:
        """Log-likelihood of each whole text, in windows of as many positions as the model has.

        A text begins with the model's first token, once, which is not judged: the harness's own `hf` model doubles
        it where the tokenizer adds it too. As the whole text is judged, an edit reaches all of it.
        """

        def judge(chosen: Sequence[int]) -> list[float]:
            windows = [(place, one) for place in chosen for one in self._windows(requests[place].args[0])]
            totals = dict.fromkeys(chosen, 0.0)
            for (place, _), (total, _) in zip(windows, self._judge([one for _, one in windows]), strict=True):
                totals[place] += total
            return list(totals.values())

        return self._by_task(requests, judge)

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = True) -> list[str]:
        """What the model says to each context, up to the first of its stops.

        Raises:
            ValueError: for settings that are not offered, or more new tokens than the model has positions.
        """
        wanted = [wishes_of(request.arguments[1]) for request in requests]
        prompts = [self._prompt(request, wish) for request, wish in zip(requests, wanted, strict=True)]

        def speak(chosen: Sequence[int]) -> list[str]:
            said: dict[int, str] = {}
            for wish in dict.fromkeys(wanted[place] for place in chosen):
                alike = [place for place in chosen if wanted[place] == wish]
                tokens = generate(
                    self.hooked.decoder,
                    [prompts[place] for place in alike],
                    Sampling(wish.max_new_tokens, wish.temperature, self.seed),
                    streams=alike,
                    until=Until(wish.until, self.tokenizer) if wish.until else None,
                    **self.batches,
                )
                texts = self.tokenizer.batch_decode(tokens, skip_special_tokens=True)
                said |= {place: wish.cut(text) for place, text in zip(alike, texts, strict=True)}
            return [said[place] for place in chosen]

        return self._by_task(requests, speak)

    def _by_task(self, requests: Sequence[Instance], answer: Callable[[Sequence[int]], list[Any]]) -> list[Any]:
        """Answers in the requests' order, found task by task so that each has a count of what was edited."""
        found: list[Any] = [None] * len(requests)
        for task in dict.fromkeys(request.task_name or "" for request in requests):
            own = [place for place, request in enumerate(requests) if (request.task_name or "") == task]
            with self._counted(task):
                for place, value in zip(own, answer(own), strict=True):
                    found[place] = value
        return found

    @contextmanager
    def _counted(self, task: str) -> Iterator[None]:
        """Count what is edited for a task, and refuse a task that an edit never reached."""
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

    def _noted(self, request: Instance, asked: Asked) -> Asked:
        self.ledger.drop(request, asked.dropped)
        return asked

    def _pair(self, context: str, continuation: str) -> Asked:
        """Context and continuation in tokens, by the harness's rule: spaces between them belong to the continuation.

        An edit takes the answer to begin where the context does end, as it is when the model speaks for itself.
        """
        bare = context.rstrip()
        if not bare:
            continuation = context + continuation
            answer = list(self.tokenizer(continuation, add_special_tokens=False)["input_ids"])
            prefix = self.prefix_token_id
            tokens = answer if answer[:1] == [prefix] else [prefix, *answer]
            return Asked(tuple(tokens[:1]), self._some(tokens[1:], continuation), 0)
        prompt, whole = self._context(bare), self.encode(context + continuation)
        answer = self._some(whole[len(prompt) :], continuation)
        full = prompt if bare == context else self._context(context)
        as_is = full[: len(prompt)] == prompt and whole[: len(full)] == full and len(full) < len(whole)
        return Asked(tuple(prompt), answer, (len(full) if as_is else len(prompt)) - 1)

    def _some(self, answer: Sequence[int], text: str) -> tuple[int, ...]:
        if not answer:
            raise ValueError(f"A continuation to judge needs tokens, but {text!r} has none.")
        return tuple(answer)

    def _windows(self, text: str) -> list[Asked]:
        """A text in windows, each token judged once."""
        from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

        tokens = list(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        prefix = self.prefix_token_id
        rolled = get_rolling_token_windows(tokens, prefix_token=prefix, max_seq_len=self.max_length, context_len=1)
        windows = [make_disjoint_window(window) for window in rolled]
        # In the first window alone the prompt is no part of the text.
        return [Asked(tuple(a), tuple(b), 0 if place == 0 else -1) for place, (a, b) in enumerate(windows)]

    def _judge(self, asked: Sequence[Asked]) -> list[tuple[float, bool]]:
        """Continuations of one context share what they can."""
        alike: dict[tuple[tuple[int, ...], int], list[int]] = {}
        for place, one in enumerate(asked):
            alike.setdefault((one.prompt, one.end), []).append(place)
        judged = judge_answers(
            self.hooked,
            [prompt for prompt, _ in alike],
            [[asked[place].answer for place in places] for places in alike.values()],
            ends=[end for _, end in alike],
            **self.batches,
        )
        found: list[tuple[float, bool]] = [(0.0, False)] * len(asked)
        for places, several in zip(alike.values(), judged, strict=True):
            for place, one in zip(places, several, strict=True):
                found[place] = (float(one.logs.double().sum()), bool(one.likeliest.all()))
        return found

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


def room_of(model: Model) -> int:
    """How many positions a model has, as the harness reads it."""
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

    What holds of the model holds of it: inside `edited` its answers are the edited model's. Log-likelihoods are
    those of the harness's own `hf` model on the same weights, tokens split by the same rule, but that a text's first
    token is never doubled.

    Args:
        chat: whether the harness is to apply the chat template; give it the same `apply_chat_template`.
        run: what `edited` yields. Each task then needs a position in its scope, and is counted in `ledger`.
        seed: seeds sampled answers, those of one request the same under every edit.
        max_tokens, max_rows: bounds of one batch, padding counted.

    Raises:
        ImportError: if lm-evaluation-harness is not installed.
        ValueError: if a chat template is wanted of a model without one.

    Reference:
        Biderman et al. (2024), Lessons from the Trenches on Reproducible Evaluation of Language Models.
    """
    base = require_harness().api.model.LM

    class HookedHarnessModel(HookedRequests, base):
        """The requests, as the harness knows its models by their class."""

    return HookedHarnessModel(model, chat=chat, run=run, seed=seed, max_tokens=max_tokens, max_rows=max_rows)
