"""The prompts that everything downstream contrasts: a trait's high and low pole, and perhaps a neutral arm."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from jaxtyping import Float64
from torch import Tensor

from workbench.concept.named import AnyConcept, name_of
from workbench.concept.texts import EXPLICIT
from workbench.contrast.balance import MEASURES, Balance, Tokenizes, balance_of, confounds
from workbench.contrast.banks import builtin_pairs, neutral_ids, testbed_pairs
from workbench.contrast.embedding import Embedder
from workbench.contrast.matching import matching_rows
from workbench.contrast.pairs import Pairs
from workbench.contrast.personalitybench import personalitybench_pairs
from workbench.contrast.prompt import Prompt
from workbench.contrast.splitting import LEAST, split_rows
from workbench.contrast.tables import pairs_from_table
from workbench.vocabulary import Pole

_MOSTLY_DISTINCT = 0.9  # below this share of distinct prompts a contrast says how many there are


@dataclass(frozen=True, repr=False)
class Contrast(Pairs):
    """Rows of prompts that share a question and differ in their pole.

    Row `i` of every pole asks the model the same question. The ids of questions and descriptions are kept, so that
    intervals can be clustered by them and a split leaves no question on both sides.

    Attributes:
        trait: the trait's name.
        high, low: the two poles, row by row.
        neutral: the third arm: the question without a persona, or with one that shows nothing of the trait; None
            where there is none.
        questions: each row's question id.
        descriptions: each pole's description id by row.
        source: where the prompts come from.
        responses: by pole and row, the answers along which activations are read; empty where there are none.
    """

    @classmethod
    def of(cls, pairs: Pairs, *, template: Mapping[str, Any] | None = None) -> "Contrast":
        """Pairs that were read already, with all that a contrast offers.

        Args:
            template: variables of the chat template, here and in the ways below; see `with_template`.
        """
        made = cls(**_fields_of(pairs))
        return made.with_template(template) if template else made

    @classmethod
    def testbed(
        cls,
        trait: AnyConcept,
        *,
        n: int = 500,
        seed: int = 0,
        held_out: bool = False,
        template: Mapping[str, Any] | None = None,
    ) -> "Contrast":
        """Personas of the embedded model, asked the questions of its training topics; `held_out` takes unseen ones.

        The neutral arm has one of many personas that show no trait, or, in every fourth row, no system prompt.
        """
        return cls.of(testbed_pairs(trait, n=n, seed=seed, held_out=held_out), template=template)

    @classmethod
    def builtin(
        cls,
        trait: AnyConcept,
        *,
        n: int = 500,
        seed: int = 0,
        style: str = EXPLICIT,
        held_out: bool | None = None,
        template: Mapping[str, Any] | None = None,
    ) -> "Contrast":
        """Personas and questions of a concept, for real models: of a built-in one, or of one's own file.

        The neutral arm has one of the concept's neutral personas, or, in every fourth row, no system prompt; a concept
        without neutral personas has no neutral arm.

        Args:
            trait: a built-in concept's name, e.g. one of the Big Five; a concept's file or folder; or a `Concept`.
            style: `explicit` personas name what they show; a row's high and low one are drawn independently of each
                other, each in rounds in which every persona comes once. The Big Five's `behavioural` ones tell a
                situation, and a row's two are written as a pair (same facet, same situation, similar length); small
                models hardly follow them.
            held_out: True takes the held-out questions and personas, False all others, so that the two share neither;
                None takes all. Held out is what the concept's file says, else a fixed fifth of the questions, of the
                neutral personas and of each facet's personas (at least one).

        Raises:
            FileNotFoundError: if a concept's file is not there.
            ValueError: for an unknown concept or style, or a mistake in a concept's file.
        """
        return cls.of(builtin_pairs(trait, n=n, seed=seed, style=style, held_out=held_out), template=template)

    @classmethod
    def personalitybench(
        cls,
        folder: str | Path,
        trait: AnyConcept,
        *,
        n: int = 1000,
        seed: int = 42,
        split: str = "search",
        held_out: bool | None = None,
        template: Mapping[str, Any] | None = None,
    ) -> "Contrast":
        """PersonalityBench files: `description.json` and `<split>/<trait>.json`, JSON lines each.

        As published, each row's high and low description are drawn independently, with replacement, so that a pair
        shares its question only. Descriptions that the file holds twice share an id. A search question that the
        test split asks too is left out, and `source` says how many were. Where the folder has no search split, half of
        the test split's distinct questions, the same ones each time, stand for it and the others for the test split;
        `source` and a warning say so.

        Args:
            held_out: True takes a fifth of the descriptions, False the others, so that the two share none; None takes
                all, as published, in every split.

        Raises:
            FileNotFoundError: naming the file that is not there.
            ValueError: for a line that does not have the expected format, or an unknown trait.

        Reference:
            Deng et al. (2025), Neuron-based Personality Trait Induction in Large Language Models.
        """
        pairs = personalitybench_pairs(Path(folder), trait, n=n, seed=seed, split=split, held_out=held_out)
        return cls.of(pairs, template=template)

    @classmethod
    def from_table(
        cls, path: str | Path, *, trait: AnyConcept | None = None, template: Mapping[str, Any] | None = None
    ) -> "Contrast":
        """Pairs from a jsonl, csv or parquet file.

        Columns: `high` and `low`, and optionally `neutral`, `question`, `trait`, `high_id`, `low_id`, `neutral_id`,
        and the answers along which activations are read: `high_response`, `low_response`, `neutral_response`. With
        a `question` column the poles' texts are system prompts and the question is the user's turn; without one the
        texts are the user's turn.
        """
        named = trait if trait is None or isinstance(trait, str) else name_of(trait)
        return cls.of(pairs_from_table(Path(path), trait=named), template=template)

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
        """The prompts by pole; without the neutral pole where there is none."""
        return self._poles

    @property
    def distinct(self) -> dict[Pole, int]:
        """How many different prompts each pole has, responses counted; equal ones are no independent rows."""
        return {pole: len(set(self._texts(pole, prompts))) for pole, prompts in self.poles.items()}

    @property
    def repeats(self) -> bool:
        """Whether the high or the low pole says prompts several times: fewer than 9 in 10 of them differ."""
        distinct = self.distinct
        return min(distinct[Pole.HIGH], distinct[Pole.LOW]) < _MOSTLY_DISTINCT * len(self)

    @property
    def said(self) -> str:
        """How many prompts each pole has and how many of them differ, in words; empty where all do.

        Example:
            >>> Contrast.from_texts("calm", high=["I rest."] * 3, low=["I run.", "I run.", "I jump."]).said
            'high: 3 prompts, 1 distinct; low: 3 prompts, 2 distinct'
        """
        distinct = self.distinct
        if min(distinct.values()) == len(self):
            return ""
        return "; ".join(f"{pole}: {len(self)} prompts, {count} distinct" for pole, count in distinct.items())

    @property
    def digest(self) -> str:
        """SHA-256 over every prompt and id, in order."""
        templates = {pole: [dict(prompt.template) for prompt in prompts] for pole, prompts in self.poles.items()}
        content = {
            "trait": self.trait,
            "questions": self.questions,
            "descriptions": dict(sorted(self.descriptions.items())),
            **({"responses": dict(sorted(self.responses.items()))} if self.responses else {}),
            "poles": {pole: [(p.system, p.user, p.chat) for p in prompts] for pole, prompts in self.poles.items()},
            **({"template": templates} if any(map(any, templates.values())) else {}),
        }
        return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()

    def with_template(self, template: Mapping[str, Any]) -> "Contrast":
        """The contrast with variables of the chat template for each of its prompts, e.g. `{"enable_thinking": False}`.

        They come before the model's own wherever these prompts are rendered. Raw texts have no template.

        Raises:
            ValueError: if the contrast holds raw texts.
        """

        def give(prompts: tuple[Prompt, ...]) -> tuple[Prompt, ...]:
            return tuple(replace(prompt, template={**prompt.template, **template}) for prompt in prompts)

        neutral = None if self.neutral is None else give(self.neutral)
        return replace(self, high=give(self.high), low=give(self.low), neutral=neutral)

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
        """The contrast with a neutral arm that asks each row's question without a persona.

        A contrast that has a neutral arm already is returned as it is. No persona is one condition: it shows that a
        verdict on exclusivity holds against it too, but decides none by itself.

        Raises:
            ValueError: if the rows have no personas to leave out, or have responses, which the new arm would lack.
        """
        if self.neutral is not None:
            return self
        if self.responses or not all(prompt.system and prompt.chat for prompt in self.high):
            raise ValueError(
                "A neutral arm asks the question without its persona, but the rows from "
                f"{self.source} {'have responses' if self.responses else 'have no persona to leave out'}. Give each "
                "row a neutral text, e.g. in a column neutral."
            )
        neutral = tuple(Prompt(prompt.user, template=prompt.template) for prompt in self.high)
        ids = {**self.descriptions, Pole.NEUTRAL: neutral_ids(self.questions)} if self.descriptions else {}
        return replace(self, neutral=neutral, descriptions=ids)

    def with_responses(
        self, *, high: Sequence[str], low: Sequence[str], neutral: Sequence[str] | None = None
    ) -> "Contrast":
        """The contrast with a response to each prompt, row by row, along which activations can be read.

        Raises:
            ValueError: if a pole does not get as many responses as it has prompts, or gets none.
        """
        if (neutral is None) != (self.neutral is None):
            raise ValueError(
                f"Every pole needs responses: the contrast has {'no' if self.neutral is None else 'a'} neutral arm, "
                f"but {'none' if neutral is None else len(neutral)} arrived for it."
            )
        responses = {Pole.HIGH: tuple(high), Pole.LOW: tuple(low)}
        return replace(self, responses=responses if neutral is None else {**responses, Pole.NEUTRAL: tuple(neutral)})

    def split(
        self, *, holdout: float = 0.2, seed: int = 0, by: Literal["both", "question"] = "both"
    ) -> tuple["Contrast", "Contrast"]:
        """Two contrasts that share neither question nor description: the larger, then the one that is held out.

        Where the pairs fall into groups that share nothing, about `holdout` of the pairs are held out. Where questions
        and descriptions are crossed, `holdout` of each are (at least one), and pairs that mix held-out ones with others
        are left out of both parts, so that few may remain. Descriptions without ids are told apart by their text.

        Args:
            by: `both`; or `question`, which leaves the descriptions shared and no pair out.

        Raises:
            ValueError: if `holdout` is outside (0, 1), or a part would hold fewer than two rows.
        """
        if not 0 < holdout < 1:
            raise ValueError(f"holdout is a share between 0 and 1, but {holdout} arrived.")
        poles = [self._described(pole) for pole in (Pole.HIGH, Pole.LOW)] if by == "both" else []
        kept, out = split_rows([self.questions, *poles], holdout=holdout, seed=seed)
        if min(len(kept), len(out)) < LEAST:
            counts = " and ".join(
                f"{len(set(labels))} {name}"
                for name, labels in zip(
                    ("questions", "high", "low descriptions"), [self.questions, *poles], strict=False
                )
            )
            raise ValueError(
                f"The {len(self)} pairs from {self.source} have {counts}, which leave {len(kept)} pairs and "
                f"{len(out)} held-out ones that share none, but each part needs {LEAST}. Change holdout={holdout:g}, "
                "add pairs, or share the descriptions with by='question'."
            )
        return self.rows(kept), self.rows(out)

    def _described(self, pole: Pole) -> tuple[str, ...]:
        """Each row's description: its id, or its text where it has none."""
        texts = tuple(prompt.system or prompt.user for prompt in self.poles[pole])
        return self.descriptions.get(pole, texts)

    def balance(self, model: Tokenizes, *, embedder: Embedder | None = None, seed: int = 0) -> Balance:
        """What differs between the poles besides the trait, and how well these differences alone predict the pole.

        Args:
            model: its tokenizer and template are used to count lengths.
            embedder: anything with `encode(texts)`; adds how similar the two texts of a pair are in meaning.
                `SentenceEmbedder()` is one, from the `embedding` extra.
        """
        return balance_of(self, model, embedder=embedder, seed=seed)

    def matched(
        self,
        model: Tokenizes,
        *,
        max_length_ratio: float = 1.1,
        min_cosine: float | None = 0.85,
        embedder: Embedder | None = None,
    ) -> "MatchedContrast":
        """The pairs whose texts are similar in length and in meaning; `.dropped` lists the others, with the reasons.

        Args:
            model: its tokenizer is used to count the texts' tokens.
            max_length_ratio: the most that the longer text may have over the shorter, in tokens.
            min_cosine: the least cosine of the two texts' sentence embeddings. With None meaning is not compared and
                no embedding model is needed.
            embedder: anything with `encode(texts)`; by default a packaged sentence-transformers model.

        Raises:
            ValueError: for limits out of range, or if fewer than 2 pairs keep within them.
            ImportError: if embeddings are needed and the `embedding` extra is not installed.
        """
        kept, dropped = matching_rows(
            self, model, max_length_ratio=max_length_ratio, min_cosine=min_cosine, embedder=embedder
        )
        return MatchedContrast(**_fields_of(self.rows(kept)), dropped=dropped)

    def covariates(
        self, model: Tokenizes, names: Sequence[str] = ("tokens",)
    ) -> dict[Pole, Float64[Tensor, "n covariates"]]:
        """Confounds of every prompt by pole, `(n, len(names))`, to regress out with `partial_d`.

        Args:
            names: some of the measures that `balance` reports.

        Raises:
            ValueError: for a name that is not measured.
        """
        unknown = [name for name in names if name not in MEASURES]
        if unknown:
            raise ValueError(f"There is no confound {unknown[0]!r}. Choose among {', '.join(MEASURES)}.")
        columns = [list(MEASURES).index(name) for name in names]
        return {
            pole: confounds(model, prompts, self.descriptions.get(pole))[:, columns]
            for pole, prompts in self.poles.items()
        }

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

    def __repr__(self) -> str:
        said = f"{self.trait!r}, {len(self)} rows, poles {', '.join(self.poles)}, from {self.source}"
        if self.repeats:
            said += f", distinct prompts: {', '.join(f'{count} {pole}' for pole, count in self.distinct.items())}"
        return f"Contrast({said})"


@dataclass(frozen=True, repr=False)
class MatchedContrast(Contrast):
    """A contrast whose pairs are similar in length and in meaning.

    Attributes:
        dropped: a row for each pair that was left out: its `row` in the original contrast, `length_ratio`, `cosine`
            (nan where meaning was not compared), `why`, and both texts.
    """

    dropped: pd.DataFrame = field(default_factory=pd.DataFrame, compare=False)

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, {len(self.dropped)} pairs dropped)"


def _fields_of(pairs: Pairs) -> dict[str, Any]:
    """The arguments that make a contrast of the same prompts."""
    return {each.name: getattr(pairs, each.name) for each in fields(Pairs)}
