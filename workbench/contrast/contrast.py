"""A trait told in matched poles: the prompts that everything downstream contrasts."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pandas as pd
from torch import Tensor

from workbench.contrast.prompt import Prompt
from workbench.vocabulary import Pole

if TYPE_CHECKING:
    from workbench.contrast.balance import Balance
    from workbench.contrast.matching import MatchedContrast


@dataclass(frozen=True)
class Contrast:
    """Rows of prompts that share a question and differ in their pole.

    Row `i` of every pole is put to the model with the same question; which question, and which description,
    is kept so that intervals can be clustered and splits leave no question on both sides.

    Attributes:
        trait: the trait's name.
        high, low: the two poles, row by row.
        neutral: the third arm, without a persona or with one that tells nothing of the trait; may be absent.
        questions: each row's question id.
        descriptions: each pole's description id by row.
        source: where the prompts come from.
        responses: answers to each pole's prompts, row by row, to read activations along; may be absent.
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
        if not self.questions:
            object.__setattr__(self, "questions", tuple(str(i) for i in range(rows)))
        if len(self.questions) != rows:
            raise ValueError(f"Each of {rows} rows needs a question id, but {len(self.questions)} arrived.")
        for pole, answers in self.responses.items():
            if len(answers) != rows:
                raise ValueError(f"Each of {rows} {pole} prompts needs a response, but {len(answers)} arrived.")

    @classmethod
    def testbed(cls, trait: str, *, n: int = 500, seed: int = 0, held_out: bool = False) -> "Contrast":
        """Personas of the embedded model put to questions of its training topics; `held_out` takes unseen ones.

        The neutral arm has a persona that tells no trait.
        """
        from workbench.contrast.banks import testbed_contrast

        return testbed_contrast(trait, n=n, seed=seed, held_out=held_out)

    @classmethod
    def builtin(cls, trait: str, *, n: int = 500, seed: int = 0) -> "Contrast":
        """The workbench's own Big Five bank for real models: six facets, matched descriptions, a neutral arm.

        The high and the low description of a row are written as a pair (same facet, same situation, like
        length), so that a row differs in the trait and in little else.
        """
        from workbench.contrast.banks import builtin_contrast

        return builtin_contrast(trait, n=n, seed=seed)

    @classmethod
    def personalitybench(
        cls, folder: str | Path, trait: str, *, n: int = 1000, seed: int = 42, split: str = "search"
    ) -> "Contrast":
        """PersonalityBench files: `description.json` and `<split>/<trait>.json`, JSON lines each.

        As published, each row's high and low description are drawn on their own, with replacement, so that a pair
        shares its question only. Descriptions that the file holds twice share an id, and a search question that
        the test split asks too is left out, which `source` says.

        Raises:
            FileNotFoundError: naming the file that is not there.
            ValueError: for a line that is not as the format says, or an unknown trait.

        Reference:
            Deng et al. (2025), Neuron-based Personality Trait Induction in Large Language Models.
        """
        from workbench.contrast.banks import personalitybench_contrast

        return personalitybench_contrast(Path(folder), trait, n=n, seed=seed, split=split)

    @classmethod
    def from_table(cls, path: str | Path, *, trait: str | None = None) -> "Contrast":
        """Pairs from a jsonl, csv or parquet file.

        Columns: `high` and `low`, and where known `neutral`, `question`, `trait`, `high_id`, `low_id`,
        `neutral_id`, and answers to read along: `high_response`, `low_response`, `neutral_response`. With a
        `question` column the poles' texts are system prompts put to that question; without one they are the
        user's turn.
        """
        from workbench.contrast.tables import contrast_from_table

        return contrast_from_table(Path(path), trait=trait)

    @classmethod
    def from_texts(
        cls, trait: str, *, high: Sequence[str], low: Sequence[str], neutral: Sequence[str] | None = None
    ) -> "Contrast":
        """Raw texts, tokenised as they stand: no chat template, no system prompt."""

        def raw(texts: Sequence[str]) -> tuple[Prompt, ...]:
            return tuple(Prompt(text, chat=False) for text in texts)

        return cls(trait, raw(high), raw(low), None if neutral is None else raw(neutral))

    @property
    def poles(self) -> dict[Pole, tuple[Prompt, ...]]:
        """The prompts of each pole that there is."""
        poles = {Pole.HIGH: self.high, Pole.LOW: self.low}
        return poles if self.neutral is None else {**poles, Pole.NEUTRAL: self.neutral}

    @property
    def digest(self) -> str:
        """SHA-256 over every prompt and id, in order."""
        content = {
            "trait": self.trait,
            "questions": self.questions,
            "descriptions": dict(sorted(self.descriptions.items())),
            **({"responses": dict(sorted(self.responses.items()))} if self.responses else {}),
            "poles": {pole: [(p.system, p.user, p.chat) for p in prompts] for pole, prompts in self.poles.items()},
        }
        return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()

    def rows(self, indices: Sequence[int]) -> "Contrast":
        """The contrast of these rows alone, in this order."""

        def take(items: tuple) -> tuple:
            return tuple(items[i] for i in indices)

        return Contrast(
            self.trait,
            take(self.high),
            take(self.low),
            None if self.neutral is None else take(self.neutral),
            take(self.questions),
            {pole: take(ids) for pole, ids in self.descriptions.items()},
            self.source,
            {pole: take(answers) for pole, answers in self.responses.items()},
        )

    def with_neutral(self) -> "Contrast":
        """The contrast with a neutral arm: each row's question put without a persona. One that it has is kept.

        Raises:
            ValueError: if the rows hold no personas to leave out, or answers to read along, which the arm lacks.
        """
        if self.neutral is not None:
            return self
        if self.responses or not all(prompt.system and prompt.chat for prompt in self.high):
            raise ValueError(
                f"A neutral arm is the question without its persona, but the rows from {self.source} "
                f"{'are read along answers' if self.responses else 'are no questions put to personas'}. Give them a "
                "neutral text each, e.g. a column neutral."
            )
        asked = tuple(Prompt(prompt.user) for prompt in self.high)
        ids = {**self.descriptions, Pole.NEUTRAL: ("none",) * len(self)} if self.descriptions else {}
        return replace(self, neutral=asked, descriptions=ids)

    def with_responses(
        self, *, high: Sequence[str], low: Sequence[str], neutral: Sequence[str] | None = None
    ) -> "Contrast":
        """The contrast with answers to its prompts, row by row, to read activations along.

        Raises:
            ValueError: if a pole has not as many answers as prompts, or one that exists gets none.
        """
        if (neutral is None) != (self.neutral is None):
            raise ValueError(
                f"Every pole needs responses: the contrast has {'no' if self.neutral is None else 'a'} neutral arm, "
                f"but {'none' if neutral is None else len(neutral)} arrived for it."
            )
        answers = {Pole.HIGH: tuple(high), Pole.LOW: tuple(low)}
        return replace(self, responses=answers if neutral is None else {**answers, Pole.NEUTRAL: tuple(neutral)})

    def split(self, *, holdout: float = 0.2, seed: int = 0) -> tuple["Contrast", "Contrast"]:
        """Two contrasts that share no question: the larger, then `holdout` of the questions (at least one).

        Raises:
            ValueError: if `holdout` is outside (0, 1), or a part would hold fewer than two rows.
        """
        if not 0 < holdout < 1:
            raise ValueError(f"holdout is a share between 0 and 1, but {holdout} arrived.")
        asked = sorted(set(self.questions))
        Random(seed).shuffle(asked)
        held = set(asked[: max(1, round(holdout * len(asked)))])
        kept = [i for i, question in enumerate(self.questions) if question not in held]
        return self.rows(kept), self.rows([i for i, question in enumerate(self.questions) if question in held])

    def balance(self, model: Any, *, embedder: Any = None, seed: int = 0) -> "Balance":
        """What differs between the poles besides the trait, and how well that alone tells them apart.

        Args:
            model: whose tokenizer and template count lengths.
            embedder: anything with `encode(texts)`; adds the likeness of meaning within pairs. `SentenceEmbedder()`
                is one, from the `embedding` extra.
        """
        from workbench.contrast.balance import balance_of

        return balance_of(self, model, embedder=embedder, seed=seed)

    def matched(
        self,
        model: Any,
        *,
        max_length_ratio: float = 1.1,
        min_cosine: float | None = 0.85,
        embedder: Any = None,
    ) -> "MatchedContrast":
        """The pairs whose texts are alike in length and in meaning; `.dropped` says which were left out, and why.

        Args:
            model: whose tokenizer counts the texts' tokens.
            max_length_ratio: longer text over shorter, in tokens.
            min_cosine: of both texts' sentence embeddings; None does not ask, and needs no embedding model.
            embedder: anything with `encode(texts)`; by default a packaged sentence-transformers model.

        Raises:
            ValueError: for limits out of range, or if fewer than 2 pairs keep within them.
            ImportError: if embeddings are asked for and the `embedding` extra is not installed.
        """
        from workbench.contrast.matching import match_pairs

        return match_pairs(self, model, max_length_ratio=max_length_ratio, min_cosine=min_cosine, embedder=embedder)

    def covariates(self, model: Any, names: Sequence[str] = ("tokens",)) -> dict[Pole, Tensor]:
        """Confounds of every prompt by pole, `(n, len(names))`, to regress out with `partial_d`.

        Raises:
            ValueError: for a name that is not measured.
        """
        from workbench.contrast.balance import MEASURES, confounds

        unknown = [name for name in names if name not in MEASURES]
        if unknown:
            raise ValueError(f"There is no confound {unknown[0]!r}. Choose among {', '.join(MEASURES)}.")
        places = [list(MEASURES).index(name) for name in names]
        return {pole: confounds(self, model, pole)[:, places] for pole in self.poles}

    def frame(self) -> pd.DataFrame:
        """A row per prompt: trait, pole, row, question, description, system, user."""
        return pd.DataFrame(
            [
                {
                    "trait": self.trait,
                    "pole": str(pole),
                    "row": row,
                    "question": self.questions[row],
                    "description": self.descriptions[pole][row] if pole in self.descriptions else None,
                    "system": prompt.system,
                    "user": prompt.user,
                }
                for pole, prompts in self.poles.items()
                for row, prompt in enumerate(prompts)
            ]
        )

    def __len__(self) -> int:
        return len(self.high)

    def __repr__(self) -> str:
        return f"Contrast({self.trait!r}, {len(self)} rows, poles {', '.join(self.poles)}, from {self.source})"
