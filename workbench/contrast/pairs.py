"""Pairs of prompts that differ in their pole: the plain value, without the ways to make it and to look at it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from workbench.contrast.prompt import Prompt
from workbench.vocabulary import Pole


@dataclass(frozen=True)
class Pairs:
    """The fields of a `Contrast`, which explains them, checked when it is made.

    Prompts that are equal are no independent ones. Where no ids were given, rows whose prompts are all equal get one
    question id, and, if a prompt occurs twice in a pole, prompts are the descriptions. Descriptions whose ids differ
    but which a pole has in equal prompts share the id of the first.

    Raises:
        ValueError: if the poles differ in length, there are fewer than 2 pairs, or a row lacks its question id or
            its response.
    """

    trait: str
    high: tuple[Prompt, ...]
    low: tuple[Prompt, ...]
    neutral: tuple[Prompt, ...] | None = None
    questions: tuple[str, ...] = ()
    descriptions: dict[Pole, tuple[str, ...]] = field(default_factory=dict)
    source: str = "texts"
    responses: dict[Pole, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rows = len(self.high)
        if len(self.low) != rows or (self.neutral is not None and len(self.neutral) != rows):
            neutral = "none" if self.neutral is None else len(self.neutral)
            raise ValueError(
                f"Poles pair row by row and need equal lengths, but high has {rows}, low {len(self.low)}, "
                f"neutral {neutral}."
            )
        if rows < 2:
            raise ValueError(f"A contrast needs at least 2 pairs, but {rows} arrived. Add pairs.")
        texts = {pole: self._texts(pole, prompts) for pole, prompts in self._poles.items()}
        if not self.questions:
            first: dict[tuple[str, ...], int] = {}
            of_rows = [first.setdefault(row, i) for i, row in enumerate(zip(*texts.values(), strict=True))]
            object.__setattr__(self, "questions", tuple(map(str, of_rows)))
        if not self.descriptions and any(len(set(each)) < rows for each in texts.values()):
            object.__setattr__(self, "descriptions", texts)
        elif self.descriptions:
            same = {pole: _merged(ids, texts[pole]) for pole, ids in self.descriptions.items() if pole in texts}
            object.__setattr__(self, "descriptions", {**self.descriptions, **same})
        if len(self.questions) != rows:
            raise ValueError(f"Each of {rows} rows needs a question id, but {len(self.questions)} arrived.")
        for pole, answers in self.responses.items():
            if len(answers) != rows:
                raise ValueError(f"Each of {rows} {pole} prompts needs a response, but {len(answers)} arrived.")

    @property
    def _poles(self) -> dict[Pole, tuple[Prompt, ...]]:
        poles = {Pole.HIGH: self.high, Pole.LOW: self.low}
        return poles if self.neutral is None else {**poles, Pole.NEUTRAL: self.neutral}

    def _texts(self, pole: Pole, prompts: tuple[Prompt, ...]) -> tuple[str, ...]:
        """Everything of each prompt that a model reads, its response too."""
        answers = self.responses.get(pole, ("",) * len(prompts))
        parts = [(prompt.system or "", prompt.user, answer) for prompt, answer in zip(prompts, answers, strict=False)]
        return tuple("\n".join(filter(None, each)) for each in parts)

    @property
    def matched_descriptions(self) -> bool:
        """Whether each high description always stands beside one low one that is made for it, and some do so twice.

        Such descriptions vary together, so that dealing them out to the poles singly makes more of their differences
        than the poles do, and a selection by true labels may come out smaller than by chance.
        """
        high, low = (self.descriptions.get(pole, ()) for pole in (Pole.HIGH, Pole.LOW))
        beside = set(zip(high, low, strict=False))
        return 0 < len(beside) < len(high) and len(beside) == len(set(high)) == len(set(low))

    def __len__(self) -> int:
        return len(self.high)


def _merged(ids: Sequence[str], texts: Sequence[str]) -> tuple[str, ...]:
    """Ids of which all that stand beside one text, through however many rows, are the first of them."""
    if len(ids) != len(texts) or len(set(texts)) == len(texts):
        return tuple(ids)
    stands_for: dict[str, str] = {}

    def first(name: str) -> str:
        while name in stands_for:
            name = stands_for[name]
        return name

    seen: dict[str, str] = {}
    for name, text in zip(ids, texts, strict=True):
        earlier, here = first(seen.setdefault(text, name)), first(name)
        if earlier != here:
            stands_for[here] = earlier
    return tuple(map(first, ids))
