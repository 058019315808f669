"""Questions with short answers, with or without contexts, graded by exact match and F1 on normalised words."""

import string
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.score.capability import Grade
from workbench.score.items.rows import drawn, read_rows, text_of

INSTRUCTION = "Answer with a few words and nothing else."

_ARTICLES = {"a", "an", "the"}
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_CLOSED = {"yes", "no", "noanswer"}


def normalise(text: str) -> str:
    """An answer in lower case, without punctuation, articles and repeated spaces, as it is compared.

    An answer of articles alone, e.g. the letter A, keeps them: otherwise all such answers would be equal.

    Reference:
        Rajpurkar et al. (2016), SQuAD's evaluation script, except that it removes every article.

    Example:
        >>> normalise("The  Beatles!"), normalise("A."), normalise("another theory")
        ('beatles', 'a', 'another theory')
    """
    words = text.lower().translate(_PUNCTUATION).split()
    return " ".join([word for word in words if word not in _ARTICLES] or words)


def exact_match(text: str, answers: Iterable[str]) -> bool:
    """Whether the text equals one of the answers, both normalised; an empty text equals none.

    Example:
        >>> exact_match("The Blue Nile.", ["Blue Nile"]), exact_match("not the Blue Nile", ["Blue Nile"])
        (True, False)
    """
    words = normalise(text)
    return bool(words) and any(words == normalise(answer) for answer in answers)


def f1(text: str, answers: Iterable[str]) -> float:
    """The greatest F1 of the text's words with an answer's, both normalised: 0 to 1.

    Where one of the two is yes or no, F1 is 1 if the other is the same and 0 otherwise.

    Reference:
        Yang et al. (2018), HotpotQA's evaluation script.

    Example:
        >>> f1("the Blue Nile river", ["Blue Nile"]), f1("yes it is", ["yes"])
        (0.8, 0.0)
    """
    normalised = normalise(text)
    return max((_f1(normalised, normalise(answer)) for answer in answers), default=0.0)


def _f1(text: str, right: str) -> float:
    if text != right and (text in _CLOSED or right in _CLOSED):
        return 0.0
    words, wanted = text.split(), right.split()
    shared = (Counter(words) & Counter(wanted)).total()
    return 2 * shared / (len(words) + len(wanted)) if shared else 0.0


@dataclass(frozen=True)
class QuestionItem:
    """A question and its right answers, any of which counts.

    Attributes:
        question: the text that the model is given: the context, if there is one, and the question.
    """

    task: str
    question: str
    answers: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.answers or not all(normalise(answer) for answer in self.answers):
            raise ValueError(f"A question needs answers with words in them, but {list(self.answers)} arrived.")

    def correct(self, text: str) -> bool:
        """Exact match of the answer's first line."""
        return self.grade(text).correct

    def grade(self, text: str) -> Grade:
        """Exact match and F1 of the answer's first line; a line without a word is not parsed."""
        line = first_line(text)
        return Grade(exact_match(line, self.answers), f1(line, self.answers), bool(normalise(line)))


def first_line(text: str) -> str:
    """The first line that is not blank, which is the short answer."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def read_questions(
    path: str | Path,
    *,
    task: str | None = None,
    closed_book: bool = False,
    n: int | None = None,
    seed: int = 0,
    instruction: str = INSTRUCTION,
) -> list[QuestionItem]:
    """Read the questions of a file in the form of HotpotQA or TriviaQA.

    Each row has `question`; `answer` or `answers`, a text, a list, or an object with `value` and `aliases`; and
    `context`, a text or a list of texts, of [title, sentences], or `{"title": [...], "sentences": [...]}`.

    Args:
        path: JSON lines, or a JSON list.
        task: the task's name in a frame; by default the file's stem. `closed_book` adds ` (closed book)` to it.
        closed_book: ask without contexts; required where the file has none, as the two are different tasks.
        n: how many to draw, each at most once; by default all of them in the file's order.
        instruction: text after each question.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a row, which it names, has no question, no answer or, unless `closed_book`, no context; or the
            file has fewer than `n`.
    """
    path = Path(path)
    rows = read_rows(path)
    contexts = [_context(path, number, row) for number, row in enumerate(rows, start=1)]
    empty = [number for number, context in enumerate(contexts, start=1) if not context]
    if empty and not closed_book:
        raise ValueError(
            f"{path.name} has no context in {len(empty)} of {len(rows)} rows, the first of them row {empty[0]}. To "
            "ask without contexts pass closed_book=True."
        )
    name = (task or path.stem) + (" (closed book)" if closed_book else "")
    items = []
    for number, (row, context) in enumerate(zip(rows, contexts, strict=True), start=1):
        question = text_of(path, number, row, "question")
        answers = tuple(dict.fromkeys(_answers(row.get("answers", row.get("answer")))))
        if not answers or not all(normalise(answer) for answer in answers):
            raise ValueError(f"{path.name}, row {number} has no answer with words in it; it has {sorted(row)[:8]}.")
        parts = [question, instruction] if closed_book else [context, question, instruction]
        items.append(QuestionItem(name, "\n\n".join(filter(None, parts)), answers))
    return drawn(items, n=n, seed=seed)


def _answers(entry: Any) -> list[str]:
    if isinstance(entry, dict):
        entry = [entry.get("value"), *(entry.get("aliases") or [])]
    answers = entry if isinstance(entry, list) else [entry]
    return [answer.strip() for answer in answers if isinstance(answer, str) and answer.strip()]


def _context(path: Path, number: int, row: dict) -> str:
    """The paragraphs of a row's context, each on a line; empty where there is none."""
    context, paragraphs = row.get("context"), []
    try:
        if isinstance(context, dict):
            context = list(zip(context["title"], context["sentences"], strict=True))
        for part in [context] if isinstance(context, str) else context or ():
            title, sentences = ("", part) if isinstance(part, str) else part
            text = " ".join("".join(sentences).split())
            paragraphs.append(f"{title}: {text}" if title and text else text)
    except (TypeError, ValueError, KeyError):
        raise ValueError(
            f"{path.name}, row {number}: a context is a text, or a list of texts or of [title, sentences], but a "
            f"{type(row['context']).__name__} of another form arrived."
        ) from None
    return "\n".join(filter(None, paragraphs))
