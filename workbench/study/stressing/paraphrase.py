"""The same question in other words."""

from dataclasses import dataclass, replace

from workbench.contrast.prompt import Prompt
from workbench.study.stressing.stressor import StressError, Stressor, Wording
from workbench.study.stressing.texts import in_turn, read_rewordings, texts


@dataclass(frozen=True)
class Reworded(Wording):
    """Every question in other words; what stands before it, as an instruction, stays.

    Attributes:
        name: as tables call it.
        known: each question with its other words.
        system: put after the system prompt.
    """

    name: str
    known: tuple[tuple[str, str], ...]
    system: str = ""

    def put(self, prompt: Prompt) -> Prompt:
        """The prompt in other words.

        Raises:
            StressError: for a question of which no other words are known.
        """
        words = dict(self.known).get(prompt.user)
        if words is None:
            raise StressError(
                f"There are no other words for {prompt.user[:60]!r}. Give a table of questions with theirs, e.g. "
                '{ paraphrase = "mine.jsonl" }.'
            )
        system = " ".join(filter(None, (prompt.system, self.system))) or None
        return replace(prompt, user=words, system=system)


@dataclass(frozen=True)
class Paraphrase(Stressor):
    """Each question in other words that ask for the same.

    Attributes:
        file: a table with columns question and paraphrase, one row or several for each question, besides the built-in
            ones, which are of the neutral questions about oneself and about everyday matters.
    """

    file: str = ""

    name = "paraphrase"
    main = "file"

    def wordings(self, speaks: str) -> tuple[Wording, ...]:
        """As many as the question with the most paraphrases has; a question with fewer takes its own in turn."""
        known = texts(speaks)["paraphrase"] | (read_rewordings(self.file, "paraphrase") if self.file else {})
        return tuple(
            Reworded(f"paraphrase {number}", tuple(words.items())) for number, words in enumerate(in_turn(known), 1)
        )
