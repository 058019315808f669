"""GSM8K: word problems whose answer is a number, which is read from the model's answer and compared as a number."""

from dataclasses import dataclass
from pathlib import Path

from workbench.score.capability import Grade
from workbench.score.items.numbers import final_number
from workbench.score.items.rows import drawn, read_rows, text_of

INSTRUCTION = "Work it out step by step. Then write the final number alone on a last line, after ####."


@dataclass(frozen=True)
class NumberItem:
    """A question whose right answer is a number; 18, 18.0 and $18 are the same answer.

    Attributes:
        answer: the number as the file writes it.
    """

    task: str
    question: str
    answer: str

    def __post_init__(self) -> None:
        if final_number(self.answer) is None:
            raise ValueError(f"The answer of a NumberItem is a number, but {self.answer!r} arrived.")

    def correct(self, text: str) -> bool:
        """Whether the number that `text` ends with is the answer."""
        return self.grade(text).correct

    def grade(self, text: str) -> Grade:
        """Right or wrong; an answer without a final number is not parsed."""
        number = final_number(text)
        right = number is not None and number == final_number(self.answer)
        return Grade(right, float(right), number is not None)


def read_gsm8k(
    path: str | Path, *, n: int | None = None, seed: int = 0, instruction: str = INSTRUCTION
) -> list[NumberItem]:
    """Read the problems of a file in GSM8K's format: `question`, and `answer`, which ends in `#### n`.

    Args:
        path: JSON lines, or a JSON list.
        n: how many to draw, each at most once; by default all of them in the file's order.
        instruction: text after each question, e.g. how to end the answer.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a row has no question or no final number, which it names, or the file has fewer than `n`.

    Reference:
        Cobbe et al. (2021), Training Verifiers to Solve Math Word Problems.
    """
    items = []
    for number, row in enumerate(read_rows(path), start=1):
        question, worked = (text_of(path, number, row, key) for key in ("question", "answer"))
        _, marked, final = worked.rpartition("####")
        if not marked or final_number(final) is None:
            raise ValueError(f"{Path(path).name}, row {number}: the answer does not end in #### and a number.")
        items.append(NumberItem("gsm8k", f"{question}\n\n{instruction}".strip(), final.strip()))
    return drawn(items, n=n, seed=seed)
