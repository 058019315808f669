"""One prompt, before it is rendered and tokenised."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Prompt:
    """One input of a model.

    Attributes:
        user: the user's turn; with `chat=False` the raw text.
        system: the system prompt, if any.
        chat: whether the model's chat template renders it.
        template: variables of the chat template for this prompt alone, e.g. `{"enable_thinking": False}`; they come
            before the model's own.
        earlier: the turns of the conversation before this one, each what the user said and what was answered.

    Raises:
        ValueError: for an empty text, one with half a surrogate pair, or a raw text with a system prompt, earlier turns
            or template variables.
    """

    user: str
    system: str | None = None
    chat: bool = True
    template: Mapping[str, Any] = field(default_factory=dict, hash=False)
    earlier: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.user, str) or not self.user.strip():
            raise ValueError(f"A prompt needs a text, but {self.user!r} arrived.")
        turns = [text for turn in self.earlier for text in turn]
        half = re.search("[\ud800-\udfff]", "".join((self.user, self.system or "", *turns)))
        if half:
            raise ValueError(
                f"A prompt holds whole characters, but {half[0]!r}, half a surrogate pair, arrived. Save it as UTF-8."
            )
        if self.system and not self.chat:
            raise ValueError("A raw text takes no system prompt: put it into the text or set chat=True.")
        if turns and not (self.chat and all(text.strip() for text in turns)):
            what = "empty ones" if self.chat else "a raw text with some"
            raise ValueError(f"Earlier turns of a chat are texts, each with its answer, but {what} arrived.")
        if self.template and not self.chat:
            raise ValueError(
                f"A raw text takes no template variables, but {', '.join(self.template)} arrived. Set chat=True."
            )
        object.__setattr__(self, "template", dict(self.template or {}))

    @property
    def messages(self) -> list[dict[str, str]]:
        """The prompt as chat messages."""
        system = [{"role": "system", "content": self.system}] if self.system else []
        earlier = [
            {"role": role, "content": text}
            for turn in self.earlier
            for role, text in zip(("user", "assistant"), turn, strict=True)
        ]
        return [*system, *earlier, {"role": "user", "content": self.user}]

    def __repr__(self) -> str:
        template = f", template={self.template!r}" if self.template else ""
        earlier = f", earlier={self.earlier!r}" if self.earlier else ""
        return f"Prompt(user={self.user!r}, system={self.system!r}, chat={self.chat!r}{template}{earlier})"
