"""Questions with short answers: exact match and F1 on normalised words, with contexts or declared to be without."""

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
    """An answer as it is compared: lower case, without punctuation, articles and surplus blanks.

    An answer that is nothing but articles, e.g. the letter A, keeps them: as nothing at all it would equal every
    other such answer.

    Reference:
        Rajpurkar et al. (2016), SQuAD's evaluation script; the articles kept are ours.

    Example:
        >>> normalise("The  Beatles!"), normalise("A."), normalise("another theory")
        ('beatles', 'a', 'another theory')
    """
    words = text.lower().translate(_PUNCTUATION).split()
    return " ".join([word for word in words if word not in _ARTICLES] or words)


def exact_match(text: str, answers: Iterable[str]) -> bool:
    """Whether the text is one of the answers, both normalised; a text that says nothing is none.

    Example:
        >>> exact_match("The Blue Nile.", ["Blue Nile"]), exact_match("not the Blue Nile", ["Blue Nile"])
        (True, False)
    """
    said = normalise(text)
    return bool(said) and any(said == normalise(answer) for answer in answers)


def f1(text: str, answers: Iterable[str]) -> float:
    """The greatest F1 of the text's words with an answer's, both normalised: 0 to 1.

    Where one of the two is yes or no, the other must be the same: words beside it are no part of it.

    Reference:
        Yang et al. (2018), HotpotQA's evaluation script.

    Example:
        >>> f1("the Blue Nile river", ["Blue Nile"]), f1("yes it is", ["yes"])
        (0.8, 0.0)
    """
    said = normalise(text)
    return max((_f1(said, normalise(answer)) for answer in answers), default=0.0)


def _f1(said: str, right: str) -> float:
    if said != right and (said in _CLOSED or right in _CLOSED):
        return 0.0
    words, wanted = said.split(), right.split()
    shared = (Counter(words) & Counter(wanted)).total()
    return 2 * shared / (len(words) + len(wanted)) if shared else 0.0


@dataclass(frozen=True)
class QuestionItem:
    """A question and its right answers, any of which will do.

    Attributes:
        question: what is put to the model, the context before it where there is one.
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
        """Exact match and F1 of the answer's first line; one without a word is told as not parsed."""
        said = first_line(text)
        return Grade(exact_match(said, self.answers), f1(said, self.answers), bool(normalise(said)))


def first_line(text: str) -> str:
    """The first line that is not blank; what a model goes on to say is no part of a short answer."""
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
    """The questions of a file in the manner of HotpotQA or TriviaQA.

    Each row has `question`; `answer` or `answers`, a text, a list, or an object with `value` and `aliases`; and
    `context`, a text or a list of texts, of [title, sentences], or `{"title": [...], "sentences": [...]}`.

    Args:
        path: JSON lines, or a JSON list.
        task: the task's name in a frame; by default the file's stem. `closed_book` adds ` (closed book)` to it.
        closed_book: ask without contexts. Must be said where the file has none, as the two are different tasks.
        n: how many to draw without repeats; all of them in the file's order by default.
        instruction: what is said after each question.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming a row without question, answer or, unless `closed_book`, context; or if the file has
            fewer than `n`.
    """
    path = Path(path)
    rows = read_rows(path)
    contexts = [_context(path, number, row) for number, row in enumerate(rows, start=1)]
    empty = [number for number, context in enumerate(contexts, start=1) if not context]
    if empty and not closed_book:
        raise ValueError(
            f"{path.name} has no context in {len(empty)} of {len(rows)} rows, the first of them row {empty[0]}. To "
            "ask without contexts, say so: closed_book=True."
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


def _answers(found: Any) -> list[str]:
    if isinstance(found, dict):
        found = [found.get("value"), *(found.get("aliases") or [])]
    several = found if isinstance(found, list) else [found]
    return [answer.strip() for answer in several if isinstance(answer, str) and answer.strip()]


def _context(path: Path, number: int, row: dict) -> str:
    """The paragraphs of a row's context, one a line; empty where there is none."""
    found, paragraphs = row.get("context"), []
    try:
        if isinstance(found, dict):
            found = list(zip(found["title"], found["sentences"], strict=True))
        for part in [found] if isinstance(found, str) else found or ():
            title, sentences = ("", part) if isinstance(part, str) else part
            told = " ".join("".join(sentences).split())
            paragraphs.append(f"{title}: {told}" if title and told else told)
    except (TypeError, ValueError, KeyError):
        raise ValueError(
            f"{path.name}, row {number}: a context is a text, or a list of texts or of [title, sentences], but a "
            f"{type(row['context']).__name__} of another form arrived."
        ) from None
    return "\n".join(filter(None, paragraphs))
