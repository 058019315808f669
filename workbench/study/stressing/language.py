"""The same question in another language."""

from dataclasses import dataclass
from pathlib import Path

from workbench.study.stressing.paraphrase import Reworded
from workbench.study.stressing.stressor import Stressor, Wording, not_its_words
from workbench.study.stressing.texts import in_turn, read_rewordings, texts


@dataclass(frozen=True)
class Language(Stressor):
    """The questions in French and in Spanish, with a line in that language that asks for an answer in English.

    Answers, as statements are, stay in English, so that the same texts are scored.

    Attributes:
        file: a table with columns question and translation, instead of these two languages; tables call it by the
            file's name.
    """

    file: str = ""

    name = "language"
    main = "file"

    def wordings(self, speaks: str) -> tuple[Wording, ...]:
        """One for each language.

        Raises:
            StressError: for the embedded model, which has no second language.
        """
        if self.file:
            known = read_rewordings(self.file, "translation")
            return tuple(
                Reworded(Path(self.file).stem + (f" {number}" if number > 1 else ""), tuple(words.items()))
                for number, words in enumerate(in_turn(known), 1)
            )
        languages = texts(speaks).get("language")
        if languages is None:
            raise not_its_words("has no second language")
        return tuple(
            Reworded(name, tuple(each["questions"].items()), each["system"]) for name, each in languages.items()
        )
