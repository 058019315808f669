"""A judge behind an OpenAI-compatible endpoint, hosted or local."""

import os
import time
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from workbench.score.judge.protocol import Asked, Judgement
from workbench.score.judge.reply import RATING_SCHEMA, parse_rating
from workbench.score.judge.rubric import DIGIT, JSON
from workbench.score.judge.threads import as_done

MODEL, BASE_URL, API_KEY = "WORKBENCH_JUDGE_MODEL", "OPENAI_BASE_URL", "OPENAI_API_KEY"
"""The environment variables of the model's name, the endpoint and the key."""
OPENAI = "https://api.openai.com/v1"
PATIENCE = 5
"""After this many requests in a row without a reply, no more are sent."""


def default_url() -> str:
    """The endpoint that the environment names, or OpenAI's own."""
    return os.environ.get(BASE_URL) or OPENAI


@dataclass(frozen=True)
class EndpointJudge:
    """A model that rates answers, asked over HTTP by the chat-completions protocol.

    A rating is requested in a JSON schema. If the server refuses the schema, the request is sent once more without it;
    if the server then replies, all further ratings are requested as plain text, and a warning reports it. The form of
    each request is kept with its reply.

    Attributes:
        model: the model's name at the endpoint; by default WORKBENCH_JUDGE_MODEL.
        base_url: the endpoint; by default OPENAI_BASE_URL, or OpenAI's own.
        api_key: by default OPENAI_API_KEY; any text for a server that needs none. It is never written to a file.
        name: the prefix of its columns; by default the model's name.
        revision: a label that distinguishes servers with different models under one name.
        temperature: None to leave it out, for models that accept none.
        seed: sent with each request unless None.
        max_tokens: the most tokens of a reply; reasoning models need many more.
        limit: the parameter that carries `max_tokens`.
        structured: whether to request ratings in a JSON schema.
        concurrency: how many requests run at a time.
        timeout: seconds to wait for a reply.
        retries: how often a request is sent again after a timeout, a 429 or a 5xx, waiting longer each time.

    Raises:
        ValueError: if no model is named, or a number is out of bounds.
    """

    model: str = field(default_factory=lambda: os.environ.get(MODEL, ""))
    base_url: str = field(default_factory=default_url)
    api_key: str = field(default_factory=lambda: os.environ.get(API_KEY, ""), repr=False, compare=False)
    name: str = ""
    revision: str = ""
    temperature: float | None = 0.0
    seed: int | None = None
    max_tokens: int = 32
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    structured: bool = True
    concurrency: int = 8
    timeout: float = 60.0
    retries: int = 6

    def __post_init__(self) -> None:
        if not self.model:
            raise ValueError(f"A judge needs the name of its model. Pass model=, or set {MODEL}.")
        if min(self.concurrency, self.max_tokens) < 1 or self.retries < 0 or not self.timeout > 0:
            raise ValueError(
                "A judge needs concurrency and max_tokens of at least 1, retries of 0 or more and a timeout above 0, "
                f"but {self.concurrency}, {self.max_tokens}, {self.retries} and {self.timeout} arrived."
            )
        if not self.name:
            object.__setattr__(self, "name", self.model)

    @property
    def settings(self) -> Mapping[str, Any]:
        """All that its ratings depend on; not the endpoint's address, as a server may move."""
        return {
            "judge": "endpoint",
            "model": self.model,
            "revision": self.revision,
            "temperature": self.temperature,
            "seed": self.seed,
            "max_tokens": self.max_tokens,
            "structured": self.structured,
            "replies": [JSON, DIGIT] if self.structured else [DIGIT],
        }

    @property
    def address(self) -> str:
        """The endpoint's address without user, password or query."""
        parts = urlsplit(self.base_url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

    def client(self) -> Any:
        """A client of the package `openai`.

        Raises:
            ImportError: if `openai` is not installed.
            ValueError: if there is no key.
        """
        try:
            import openai
        except ImportError as error:
            raise ImportError(
                "A judge behind an endpoint needs openai. Install it with: pip install 'dpn-workbench[judge]'."
            ) from error
        if not self.api_key:
            raise ValueError(
                f"There is no key for {self.address}. Set {API_KEY}; any text will do for a server without keys."
            )
        return openai.OpenAI(
            api_key=self.api_key, base_url=self.base_url, timeout=self.timeout, max_retries=self.retries
        )

    def rate(self, asked: Sequence[Asked]) -> Generator[tuple[int, Judgement], None, None]:
        """Each position in `asked` with its judgement, in the order of the replies.

        Raises:
            ConnectionError: if nothing answers at the endpoint, or several requests in a row get no reply.
            PermissionError: if the key is refused.
            ValueError: if the endpoint does not know the model, or there is no key.
        """
        if not asked:
            return
        client, form = self.client(), _Form(self.structured)
        answered, failures = False, 0
        done = as_done(lambda each: self._judge(client, each, form), asked, threads=self.concurrency)
        with closing(client), closing(done):
            for position, judgement in done:
                failures = failures + 1 if judgement.status == "failed" else 0
                answered = answered or not failures
                self._check_reached(judgement, answered, failures)
                if form.refused and not form.warned:
                    form.warned = True
                    warnings.warn(
                        f"{self.address} accepts no JSON schema ({form.refused}): ratings are requested as plain text.",
                        stacklevel=2,
                    )
                yield position, judgement

    def _check_reached(self, judgement: Judgement, answered: bool, failures: int) -> None:
        error = str(judgement.kept.get("error", ""))
        if failures and not answered and error.startswith(_NO_CONNECTION):
            raise ConnectionError(
                f"Nothing answers at {self.address}: {error}. Check the address, or start the server."
            )
        if failures >= PATIENCE:
            raise ConnectionError(
                f"{failures} requests in a row to {self.model} at {self.address} got no reply, the last: {error}. "
                "What was judged is kept; run again to ask for the rest."
            )

    def _judge(self, client: Any, asked: Asked, form: "_Form") -> Judgement:
        """One judgement; an exception only where every other request would fail in the same way."""
        import openai

        structured = form.structured
        try:
            return self._ask(client, asked, structured=structured)
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            refused = self._failure(error, asked)
            if refused.status == "refused" or not structured:
                return refused
            try:
                judgement = self._ask(client, asked, structured=False)
            except (openai.OpenAIError, ValueError):
                return refused
            form.refused, form.structured = refused.kept["error"], False
            return judgement
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise PermissionError(f"{self.address} refuses the key: {self._reason(error)}. Check {API_KEY}.") from None
        except openai.NotFoundError as error:
            raise ValueError(
                f"{self.address} does not know the model {self.model!r}, or is no such endpoint: {self._reason(error)}."
            ) from None
        except (openai.OpenAIError, ValueError) as error:
            return self._failure(error, asked)

    def _ask(self, client: Any, asked: Asked, *, structured: bool) -> Judgement:
        messages = asked.rubric.prompt(asked.question, asked.answer, reply=JSON if structured else DIGIT).messages
        sent: dict[str, Any] = {"model": self.model, "messages": messages, self.limit: self.max_tokens}
        optional = {"temperature": self.temperature, "seed": self.seed}
        sent |= {name: value for name, value in optional.items() if value is not None}
        if structured:
            sent["response_format"] = RATING_SCHEMA
        began = time.monotonic()
        completion = client.chat.completions.create(**sent)
        choice = _only_choice(completion)
        reply, refusal = choice.message.content or "", getattr(choice.message, "refusal", None)
        rating = None if refusal or choice.finish_reason == "length" else parse_rating(reply)
        declined = refusal or choice.finish_reason == "content_filter"
        return Judgement(
            None if declined or rating is None else float(rating),
            "refused" if declined else "unparsed" if rating is None else "rated",
            self._kept(asked)
            | {
                "messages": messages,
                "form": "json_schema" if structured else "text",
                "reply": reply,
                "refusal": refusal,
                "finish_reason": choice.finish_reason,
                "served_model": completion.model,
                "fingerprint": getattr(completion, "system_fingerprint", None),
                "usage": _usage(completion),
                "seconds": round(time.monotonic() - began, 3),
            },
        )

    def _kept(self, asked: Asked) -> dict[str, Any]:
        return {
            "judge": self.name,
            "settings": dict(self.settings),
            "endpoint": self.address,
            "rubric": asked.rubric.name,
            "question": asked.question,
            "answer": asked.answer,
        }

    def _failure(self, error: Exception, asked: Asked) -> Judgement:
        filtered = getattr(error, "code", None) == "content_filter"
        return Judgement(
            None,
            "refused" if filtered else "failed",
            self._kept(asked) | {"reply": "", "error": self._reason(error)},
        )

    def _reason(self, error: Exception) -> str:
        """The error in one line, with the key replaced by `***`."""
        import openai

        if isinstance(error, openai.APITimeoutError):
            return f"no reply within {self.timeout:g} s, {self.retries + 1} times"
        text = " ".join(str(error).split()).replace(self.api_key, "***")[:200].rstrip(".")
        if isinstance(error, openai.APIConnectionError):
            return f"{_NO_CONNECTION} ({text})"
        if not isinstance(error, openai.APIStatusError):
            return f"a reply that is no chat completion ({text})"
        return text


_NO_CONNECTION = "no connection"


@dataclass
class _Form:
    """The form in which ratings are requested, and the server's error about the schema, if any."""

    structured: bool
    refused: str = ""
    warned: bool = False


def _only_choice(completion: Any) -> Any:
    """The reply in a completion.

    Raises:
        ValueError: if the completion holds none.
    """
    choices = getattr(completion, "choices", None)
    if not choices or getattr(choices[0], "message", None) is None:
        raise ValueError(repr(completion))
    return choices[0]


def _usage(completion: Any) -> dict[str, int] | None:
    usage = getattr(completion, "usage", None)
    if usage is None:
        return None
    return {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens}
