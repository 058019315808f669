"""The same question under another system prompt."""

from dataclasses import dataclass, replace

from workbench.contrast.prompt import Prompt
from workbench.study.stressing.stressor import Stressor, Wording
from workbench.study.stressing.texts import texts


@dataclass(frozen=True)
class Role(Wording):
    """Another role of the model.

    Attributes:
        name: as tables call it.
        text: the system prompt; it follows one that is there already, as an instruction is.
    """

    name: str
    text: str

    def put(self, prompt: Prompt) -> Prompt:
        """The prompt under this role."""
        return replace(prompt, system=" ".join(filter(None, (prompt.system, self.text))))


@dataclass(frozen=True)
class System(Stressor):
    """Another system prompt: that of a plain assistant, and roles that say nothing of a trait.

    Attributes:
        roles: system prompts of your own, instead of the built-in ones.
    """

    roles: tuple[str, ...] = ()

    name = "system"
    main = "roles"

    def wordings(self, speaks: str) -> tuple[Wording, ...]:
        """One for each role."""
        return tuple(Role(text, text) for text in self.roles or texts(speaks)["system"])
