"""The same question after a conversation about other matters."""

from dataclasses import dataclass, replace

from workbench.contrast.prompt import Prompt
from workbench.study.stressing.stressor import Stressor, Wording
from workbench.study.stressing.texts import texts


@dataclass(frozen=True)
class Later(Wording):
    """A question that comes after others.

    Attributes:
        name: as tables call it.
        turns: what was said and answered before it.
    """

    name: str
    turns: tuple[tuple[str, str], ...]

    def put(self, prompt: Prompt) -> Prompt:
        """The prompt after these turns."""
        return replace(prompt, earlier=(*self.turns, *prompt.earlier))


@dataclass(frozen=True)
class Conversation(Stressor):
    """Turns about other matters before the question.

    Attributes:
        turns: how many, a condition each; where there are fewer, the last condition has all.
    """

    turns: tuple[int, ...] = (2, 6)

    name = "conversation"
    main = "turns"

    def __post_init__(self) -> None:
        if not self.turns or min(self.turns) < 1:
            raise ValueError(f"A conversation has 1 turn or more before the question, but {list(self.turns)} arrived.")

    def wordings(self, speaks: str) -> tuple[Wording, ...]:
        """One for each number of turns."""
        known = [(said, answered) for said, answered in texts(speaks)["conversation"]]
        counts = sorted({min(count, len(known)) for count in self.turns})
        return tuple(Later(f"after {count} turn{'s' * (count > 1)}", tuple(known[:count])) for count in counts)
