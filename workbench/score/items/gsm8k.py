"""GSM8K: word problems whose answer is a number, which is read from the model's answer and compared as a number."""

import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from workbench.score.capability import Grade
from workbench.score.items.rows import drawn, read_rows, text_of

INSTRUCTION = "Work it out step by step. Then write the final number alone on a last line, after ####."

_DIGITS = r"(?:[0-9]+(?:,[0-9]+)*(?:\.[0-9]+)*|\.[0-9]+)"
_SIGNED = rf"(?:[-+−])?(?:[$€£]\s?[-−]?)?{_DIGITS}"
# Signs that join numbers into an unfinished calculation, a range, a ratio, a time or a date.
_JOIN = r"(?:%?\)?[^\S\n]*[-+−–*×x÷/^][^\S\n]*\(?|:)"
_PIECE = re.compile(
    rf"(?<![\w.,])(?<!\w[-−])(?P<first>{_SIGNED})(?P<rest>(?:{_JOIN}{_SIGNED})*+)(?P<unit>[^\W\d_]*)(?!\w)"
)
_WELL_FORMED = re.compile(r"-?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]*)(?:\.[0-9]+)?")
_ORDINALS = ("st", "nd", "rd", "th")


def final_number(text: str) -> Decimal | None:
    """The number that an answer ends with; None where there is none.

    It is the first number after the last `####`, or the last number of a text without `####`. A number may have a
    sign, a currency, commas between thousands, decimals, and a unit after it. Not counted are numbers joined by an
    operator, such as 20-2, ordinals, and numbers with commas in other places.

    Example:
        >>> final_number("20-2 = $1,018.50."), final_number("It is -3 degrees"), final_number("20-2")
        (Decimal('1018.50'), Decimal('-3'), None)
    """
    _, marked, ending = text.rpartition("####")
    numbers = []
    for piece in _PIECE.finditer(ending):
        digits = re.sub(r"[$€£+\s]", "", piece["first"]).replace("−", "-")
        if not piece["rest"] and piece["unit"] not in _ORDINALS and _WELL_FORMED.fullmatch(digits):
            numbers.append(Decimal(digits.replace(",", "")))
    return None if not numbers else numbers[0 if marked else -1]


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
