"""A judge behind an OpenAI-compatible endpoint, hosted or local."""

import os
import time
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from workbench.score.judge.address import base_address, shown, with_version, without_query
from workbench.score.judge.completion import (
    is_elsewhere,
    is_spent,
    only_choice,
    reason,
    usage_of,
    why_unconnected,
)
from workbench.score.judge.protocol import Asked, Judgement
from workbench.score.judge.refusing import without_keys
from workbench.score.judge.reply import parse_rating, text_of, without_thoughts
from workbench.score.judge.rubric import DIGIT, FLUENCY, JSON
from workbench.score.judge.streak import Streak
from workbench.score.judge.terms import LIMIT, PLAIN, SCHEMA, Agreed, Terms
from workbench.score.judge.threads import as_done
from workbench.score.judge.transport import CONNECT, http_client

MODEL, BASE_URL, API_KEY = "WORKBENCH_JUDGE_MODEL", "OPENAI_BASE_URL", "OPENAI_API_KEY"
"""The environment variables of the model's name, the endpoint and the key."""
OPENAI = "https://api.openai.com/v1"
_OWN = ("model", "messages", LIMIT, "max_completion_tokens", "temperature", "seed", "response_format", "stream", "n")
"""Parameters that `extra` does not set."""


def default_url() -> str:
    """The endpoint that the environment names, or OpenAI's own."""
    return os.environ.get(BASE_URL) or OPENAI


@dataclass(frozen=True)
class EndpointJudge:
    """A model that rates answers, asked over HTTP by the chat-completions protocol.

    A rating is requested in a JSON schema. Where the server's own error says that it does not take the schema, the
    limit, the temperature or the seed, that is renamed or left out in all further requests, and a warning reports it;
    no other error changes a request. The parameters of each request are kept with its reply.

    Attributes:
        model: the model's name at the endpoint; by default WORKBENCH_JUDGE_MODEL.
        base_url: the endpoint; by default OPENAI_BASE_URL, or OpenAI's own. Where nothing is found at it, `/v1` is
            tried behind it. Its query is sent with each request.
        api_key: by default the environment variable `key_variable`; any text for a server that needs none. It is
            never written to a file.
        name: the prefix of its columns; by default the model's name.
        revision: a label that distinguishes servers with different models under one name.
        temperature: None to leave it out, for models that accept none.
        seed: sent with each request unless None.
        max_tokens: the most tokens of a reply; reasoning models need many more.
        limit: the parameter that carries `max_tokens`, e.g. `max_completion_tokens`.
        structured: whether to request ratings in a JSON schema.
        concurrency: how many requests run at a time.
        timeout: seconds to wait for a reply.
        retries: how often a request is sent again after a timeout, a 429 or a 5xx, waiting longer each time, or as
            long as the server asks.
        extra: further parameters of each request, e.g. `{"reasoning_effort": "low"}`.
        headers: further headers of each request; a value `$NAME` is that environment variable. They are never written
            to a file.
        key_variable: the environment variable that holds the key.

    Raises:
        ValueError: if no model is named, a number is out of bounds, or an address, a header or an extra parameter
            cannot be sent.
    """

    model: str = field(default_factory=lambda: os.environ.get(MODEL, ""))
    base_url: str = field(default_factory=default_url)
    api_key: str = field(default="", repr=False, compare=False)
    name: str = ""
    revision: str = ""
    temperature: float | None = 0.0
    seed: int | None = None
    max_tokens: int = 32
    limit: str = LIMIT
    structured: bool = True
    concurrency: int = 8
    timeout: float = 60.0
    retries: int = 6
    extra: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    key_variable: str = API_KEY
    agreed: Agreed = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.model:
            raise ValueError(f"A judge needs the name of its model. Pass model=, or set {MODEL}.")
        if min(self.concurrency, self.max_tokens) < 1 or self.retries < 0 or not self.timeout > 0:
            raise ValueError(
                "A judge needs concurrency and max_tokens of at least 1, retries of 0 or more and a timeout above 0, "
                f"but {self.concurrency}, {self.max_tokens}, {self.retries} and {self.timeout} arrived."
            )
        own = sorted({self.limit, *_OWN} & set(self.extra))
        if own:
            raise ValueError(f"extra= holds parameters that a judge does not set itself, but {own} arrived.")
        key = (self.api_key or os.environ.get(self.key_variable, "")).strip()
        if not key.isascii() or len(key.split()) > 1:
            raise ValueError(f"A key is one word of ASCII characters, but that in {self.key_variable} is not.")
        object.__setattr__(self, "api_key", key)
        object.__setattr__(self, "base_url", base_address(self.base_url))
        if not self.name:
            object.__setattr__(self, "name", self.model)
        terms = Terms(self.base_url, self.limit, self.temperature, self.seed, self.structured)
        place = (self.model, terms, repr(sorted(self.extra.items(), key=str)))
        object.__setattr__(self, "agreed", _AGREED.setdefault(place, Agreed(terms)))

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
        } | ({"extra": dict(self.extra)} if self.extra else {})

    @property
    def address(self) -> str:
        """The endpoint's address without user, password or query."""
        return shown(self.agreed.terms.address)

    def client(self, address: str | None = None) -> Any:
        """A client of the package `openai`.

        Raises:
            ImportError: if `openai` is not installed.
            ValueError: if there is no key, or a header names an environment variable that is not set.
        """
        try:
            import openai
        except ImportError as error:
            raise ImportError(
                "A judge behind an endpoint needs openai. Install it with: pip install 'dpn-workbench[judge]'."
            ) from error
        if not self.api_key:
            raise ValueError(
                f"There is no key for {self.address}. Set {self.key_variable}; any text will do for a server without "
                "keys."
            )
        url, query = without_query(address or self.agreed.terms.address)
        return openai.OpenAI(
            api_key=self.api_key,
            base_url=url,
            timeout=openai.Timeout(self.timeout, connect=min(CONNECT, self.timeout)),
            max_retries=self.retries,
            default_headers=self._headers(),
            default_query=query,
            http_client=http_client(openai, url),
        )

    def _headers(self) -> dict[str, str]:
        found = {}
        for name, value in self.headers.items():
            if value.startswith("$"):
                if not os.environ.get(value[1:]):
                    raise ValueError(f"The header {name} is to hold {value}, but {value[1:]} is not set.")
                value = os.environ[value[1:]]
            if not (name + value).isascii() or "\n" in name + value:
                raise ValueError(f"The header {name!r} holds more than ASCII characters in one line.")
            found[name] = value
        return found

    def probe(self) -> None:
        """Ask for one rating that nobody needs, so that an endpoint that cannot rate is reported before long work.

        An endpoint that has answered in this process is not asked again.

        Raises:
            ConnectionError, PermissionError, ValueError: as `rate`.
        """
        if self.agreed.answered:
            return
        client, judgement = self._reach(Asked("How are you?", "I am fine.", FLUENCY))
        client.close()
        if judgement.status == "failed":
            raise ConnectionError(
                f"{self.model} at {self.address} rates nothing: {judgement.kept['error']}. Nothing was run."
            )
        self._tell()

    def rate(self, asked: Sequence[Asked]) -> Generator[tuple[int, Judgement], None, None]:
        """Each position in `asked` with its judgement, in the order of the replies.

        The first is asked alone, so that what concerns every request is found, and adapted, once.

        Raises:
            ConnectionError: if nothing answers at the endpoint, or several requests in a row get no reply.
            PermissionError: if the key is refused, or the account may ask no more.
            ValueError: if the endpoint does not know the model, there is no key, several requests in a row are
                refused, or the first replies all end before they say anything.
        """
        if not asked:
            return
        client, first = self._reach(asked[0])
        with closing(client):
            streak = Streak(f"{self.model} at {self.address}", self.max_tokens)
            done = as_done(lambda each: self._judge(client, each), asked[1:], threads=self.concurrency)
            with closing(done):
                self._tell()
                streak.check(first)
                yield 0, first
                for position, judgement in done:
                    self._tell()
                    streak.check(judgement)
                    yield position + 1, judgement

    def _tell(self) -> None:
        for change in self.agreed.news():
            told = without_keys(change, [self.api_key, *self._headers().values()])
            warnings.warn(f"{self.model} at {self.address} is asked otherwise: {told}.", stacklevel=3)

    def _reach(self, asked: Asked) -> tuple[Any, Judgement]:
        """A client of the address that answers, and the judgement that it was reached with.

        Raises:
            ConnectionError, PermissionError, ValueError: as `rate`.
        """
        client = self.client()
        try:
            found = self._reached(client, asked) or (client, self._judge(client, asked))
        except BaseException:
            client.close()
            raise
        if found[0] is not client:
            client.close()
        return found

    def _reached(self, client: Any, asked: Asked) -> tuple[Any, Judgement] | None:
        """The client of an address that answers at once, with its answer; None if none did and patience is needed."""
        import openai

        try:
            return client, self._rating(client.with_options(max_retries=0), asked)
        except openai.APIConnectionError as error:
            if not isinstance(error.__cause__, TimeoutError) and "ReadTimeout" not in repr(error.__cause__):
                raise self._unreachable(why_unconnected(error)) from None
        except (openai.OpenAIError, ValueError) as error:
            if is_elsewhere(error):
                return self._reached_at(with_version(self.agreed.terms.address), asked)
        return None

    def _reached_at(self, address: str | None, asked: Asked) -> tuple[Any, Judgement] | None:
        import openai

        if address is None:
            return None
        client = self.client(address)
        try:
            judgement = self._rating(client.with_options(max_retries=0), asked)
        except (openai.OpenAIError, ValueError):
            client.close()
            return None
        self.agreed.settle(replace(self.agreed.terms, address=address), f"requests go to {shown(address)}")
        return client, judgement

    def _unreachable(self, reason: str) -> ConnectionError:
        given = (
            f", from {BASE_URL}" if os.environ.get(BASE_URL) and self.base_url == base_address(default_url()) else ""
        )
        return ConnectionError(
            f"Nothing answers at {self.address}{given}: {reason}. Check the address, or start the server."
        )

    def _judge(self, client: Any, asked: Asked) -> Judgement:
        """One judgement; an exception only where every other request would fail in the same way."""
        import openai

        try:
            return self._rating(client, asked)
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise PermissionError(
                f"{self.address} refuses the key: {self._reason(error)}. Check {self.key_variable}."
            ) from None
        except (openai.OpenAIError, ValueError) as error:
            if is_spent(error):
                raise PermissionError(f"{self.address} gives this key no more: {self._reason(error)}.") from None
            if is_elsewhere(error):
                raise ValueError(
                    f"{self.address} does not know the model {self.model!r}, or is no such endpoint: "
                    f"{self._reason(error)}. Most end in /v1."
                ) from None
            filtered = getattr(error, "code", None) == "content_filter"
            return Judgement(
                None,
                "refused" if filtered else "failed",
                self._kept(asked)
                | {"reply": "", "error": self._reason(error), "http_status": getattr(error, "status_code", None)},
            )

    def _rating(self, client: Any, asked: Asked) -> Judgement:
        """One judgement, on the terms on which the server answers.

        Raises:
            OpenAIError, ValueError: what the client raises, if that is no refusal to which the terms can be adapted.
        """
        import openai

        while True:
            terms = self.agreed.terms
            try:
                return self._ask(client, asked, terms)
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                if getattr(error, "code", None) == "content_filter":
                    raise
                if self.agreed.adapt(terms, error.body):
                    continue
                if not terms.structured:
                    raise
                # Some servers refuse a schema without naming it.
                try:
                    judgement = self._ask(client, asked, terms.plain())
                except (openai.OpenAIError, ValueError):
                    raise error from None
                self.agreed.settle(terms.plain(), f"{PLAIN} ({self._reason(error)})")
                return judgement

    def _ask(self, client: Any, asked: Asked, terms: Terms) -> Judgement:
        messages = asked.rubric.prompt(asked.question, asked.answer, reply=JSON if terms.structured else DIGIT).messages
        parameters = terms.parameters(self.max_tokens) | dict(self.extra)
        began = time.monotonic()
        completion = client.chat.completions.create(model=self.model, messages=messages, extra_body=parameters)
        choice = only_choice(completion)
        self.agreed.answered = True
        reply, refusal = text_of(choice.message.content)
        refusal = getattr(choice.message, "refusal", None) or refusal
        cut = choice.finish_reason == "length"
        rating = None if refusal or cut else parse_rating(reply)
        declined = refusal or choice.finish_reason == "content_filter"
        return Judgement(
            None if declined or rating is None else float(rating),
            "refused" if declined else "unparsed" if rating is None else "rated",
            self._kept(asked)
            | {
                "messages": messages,
                "form": "json_schema" if terms.structured else "text",
                "parameters": {name: value for name, value in parameters.items() if name != SCHEMA},
                "reply": reply,
                "refusal": refusal,
                "finish_reason": choice.finish_reason,
                "silent": cut and not without_thoughts(reply),
                "served_model": completion.model,
                "fingerprint": getattr(completion, "system_fingerprint", None),
                "usage": usage_of(completion),
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

    def _reason(self, error: Exception) -> str:
        """The error in one line, with keys replaced by `***`."""
        text = reason(error, f"no reply within {self.timeout:g} s, {self.retries + 1} times")
        return without_keys(text, [self.api_key, *self._headers().values()])


_AGREED: dict[Any, Agreed] = {}
"""What servers have been found to take, for the life of the process."""
