"""The same question in another template than the model's chat template."""

from dataclasses import dataclass

from workbench.contrast.prompt import Prompt
from workbench.study.stressing.stressor import Stressor, Wording, not_its_words

TEMPLATES = {
    "question and answer": "Question: {user}\nAnswer:\n",
    "instruction and response": "### Instruction:\n{user}\n\n### Response:\n",
}
"""Plain text in which models without a chat template are asked; an answer begins on a line of its own."""


@dataclass(frozen=True)
class PlainText(Wording):
    """A prompt as plain text, without the model's chat template.

    Attributes:
        name: as tables call it.
        text: holds `{user}`; a system prompt stands before it, a blank line between.
    """

    name: str
    text: str

    def put(self, prompt: Prompt) -> Prompt:
        """The prompt as raw text."""
        turns = [self.text.replace("{user}", said) + answer for said, answer in prompt.earlier]
        whole = [*filter(None, (prompt.system,)), *turns, self.text.replace("{user}", prompt.user)]
        return Prompt("\n\n".join(whole), chat=False)


@dataclass(frozen=True)
class Template(Stressor):
    """Another template.

    Attributes:
        texts: templates of your own, each with `{user}`, instead of the built-in ones.
    """

    texts: tuple[str, ...] = ()

    name = "template"
    main = "texts"

    def __post_init__(self) -> None:
        without = [text for text in self.texts if "{user}" not in text]
        if without:
            raise ValueError(f"A template of stress holds {{user}}, but {without[0]!r} does not. Add it.")

    def wordings(self, speaks: str) -> tuple[Wording, ...]:
        """One for each template.

        Raises:
            StressError: for the embedded model, which knows one template.
        """
        if self.texts:
            return tuple(PlainText(f"template {number}", text) for number, text in enumerate(self.texts, 1))
        if speaks == "testbed":
            raise not_its_words("other templates are written in others")
        return tuple(PlainText(name, text) for name, text in TEMPLATES.items())
