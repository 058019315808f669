"""The form in which a server takes requests: what was asked for, adapted to what its own errors say."""

from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

from workbench.score.judge.refusing import message_in, other_limit, refused_parameter
from workbench.score.judge.reply import RATING_SCHEMA

LIMIT, TEMPERATURE, SEED, SCHEMA = "max_tokens", "temperature", "seed", "response_format"
"""Parameters of the chat-completions protocol that a server may refuse."""
_OTHER_LIMIT = {LIMIT: "max_completion_tokens", "max_completion_tokens": LIMIT}


@dataclass(frozen=True)
class Terms:
    """How a rating is requested.

    Attributes:
        address: the base URL.
        limit: the parameter that carries the most tokens of a reply; None to leave it out.
        temperature, seed: sent unless None.
        structured: whether the reply is to follow a JSON schema.
        tried: names of the limit that the server refused.
    """

    address: str
    limit: str | None
    temperature: float | None
    seed: int | None
    structured: bool
    tried: tuple[str, ...] = ()

    def parameters(self, max_tokens: int) -> dict[str, Any]:
        """The parameters of a request, besides the model and the messages."""
        sent: dict[str, Any] = {} if self.limit is None else {self.limit: max_tokens}
        optional = {TEMPERATURE: self.temperature, SEED: self.seed}
        sent |= {name: value for name, value in optional.items() if value is not None}
        return sent | ({SCHEMA: RATING_SCHEMA} if self.structured else {})

    def adapted(self, body: Any) -> tuple["Terms", str] | None:
        """Other terms, and what they change in words, for a server that refuses a parameter of these; else None.

        A limit is renamed to what the server names, or to the protocol's other name, and left out where that is refused
        too. A temperature, a seed or a schema is left out. An error about anything else adapts nothing.
        """
        refused = refused_parameter(body, [name for name in (self.limit, *self.parameters(1)) if name])
        if refused is None:
            return None
        if refused == self.limit:
            tried = (*self.tried, refused)
            wanted = other_limit(body, refused) or _OTHER_LIMIT.get(refused)
            if wanted is None or wanted in tried:
                return replace(self, limit=None, tried=tried), f"no limit is sent instead of {refused}"
            return replace(self, limit=wanted, tried=tried), f"{wanted} is sent instead of {refused}"
        if refused == SCHEMA:
            return self.plain(), PLAIN
        return replace(self, **{refused: None}), f"{refused} is left out"

    def plain(self) -> "Terms":
        """The same without a schema."""
        return replace(self, structured=False)


PLAIN = "ratings are requested as plain text"


@dataclass
class Agreed:
    """The terms on which a server answers, shared by all requests to it; changes are told once.

    `answered` says whether it has answered at all.
    """

    terms: Terms
    answered: bool = False
    told: list[str] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock, repr=False)

    def adapt(self, used: Terms, body: Any) -> bool:
        """Whether a request that was refused on the terms `used` is to be sent again, on those that now hold."""
        with self.lock:
            if used != self.terms:
                return True  # another request has adapted them meanwhile
            found = used.adapted(body)
            if found is None:
                return False
            self.terms, change = found
            self.told.append(f"{change} ({message_in(body)})")
            return True

    def settle(self, terms: Terms, change: str) -> None:
        """Take other terms, on which the server has answered."""
        with self.lock:
            if terms != self.terms:
                self.terms = terms
                self.told.append(change)

    def news(self) -> list[str]:
        """Changes that nobody has been told of yet."""
        with self.lock:
            told, self.told = self.told, []
        return told
