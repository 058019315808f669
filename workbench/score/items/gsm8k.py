"""GSM8K: word problems whose answer is a number, read from what a model says and compared as a number."""

import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from workbench.score.capability import Grade
from workbench.score.items.rows import drawn, read_rows, text_of

INSTRUCTION = "Work it out step by step. Then write the final number alone on a last line, after ####."

_DIGITS = r"(?:[0-9]+(?:,[0-9]+)*(?:\.[0-9]+)*|\.[0-9]+)"
_SIGNED = rf"(?:[-+−])?(?:[$€£]\s?[-−]?)?{_DIGITS}"
# What joins numbers to something that is yet to be worked out, or to a range, a ratio, a time or a date.
_JOIN = r"(?:%?\)?[^\S\n]*[-+−–*×x÷/^][^\S\n]*\(?|:)"
_PIECE = re.compile(
    rf"(?<![\w.,])(?<!\w[-−])(?P<first>{_SIGNED})(?P<rest>(?:{_JOIN}{_SIGNED})*+)(?P<unit>[^\W\d_]*)(?!\w)"
)
_WELL_FORMED = re.compile(r"-?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]*)(?:\.[0-9]+)?")
_ORDINALS = ("st", "nd", "rd", "th")


def final_number(text: str) -> Decimal | None:
    """The number that an answer ends on; None where it ends on none.

    Where `####` stands, the first number after the last of them; otherwise the last number of the text. A number
    may have a sign, a currency, commas by thousands, decimals, and a unit after it. Numbers joined by an operator,
    such as 20-2, are no number and are passed over, as are ordinals, and commas that do not part thousands.

    Example:
        >>> final_number("20-2 = $1,018.50."), final_number("It is -3 degrees"), final_number("20-2")
        (Decimal('1018.50'), Decimal('-3'), None)
    """
    _, marked, said = text.rpartition("####")
    found = []
    for piece in _PIECE.finditer(said):
        digits = re.sub(r"[$€£+\s]", "", piece["first"]).replace("−", "-")
        if not piece["rest"] and piece["unit"] not in _ORDINALS and _WELL_FORMED.fullmatch(digits):
            found.append(Decimal(digits.replace(",", "")))
    return None if not found else found[0 if marked else -1]


@dataclass(frozen=True)
class NumberItem:
    """A question whose only right answer is a number; 18, 18.0 and $18 are the same.

    Attributes:
        answer: the number, as the file has it.
    """

    task: str
    question: str
    answer: str

    def __post_init__(self) -> None:
        if final_number(self.answer) is None:
            raise ValueError(f"A number is wanted as the answer, but {self.answer!r} arrived.")

    def correct(self, text: str) -> bool:
        """Whether the number that `text` ends on is the answer."""
        return self.grade(text).correct

    def grade(self, text: str) -> Grade:
        """Right or not; an answer that ends on no number is told as not parsed."""
        number = final_number(text)
        right = number is not None and number == final_number(self.answer)
        return Grade(right, float(right), number is not None)


def read_gsm8k(
    path: str | Path, *, n: int | None = None, seed: int = 0, instruction: str = INSTRUCTION
) -> list[NumberItem]:
    """The problems of a file in GSM8K's format, `question` and `answer`, the answer ending in `#### n`.

    Args:
        path: JSON lines, or a JSON list.
        n: how many to draw without repeats; all of them in the file's order by default.
        instruction: what is said after each question, e.g. how to end the answer.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the row that has no question or no final number, or if the file has fewer than `n`.

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
