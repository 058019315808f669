"""A trait as data: the words, personas, questions and statements of its two poles."""

import hashlib
import json
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.concept.entries import BUILTIN, parts_of
from workbench.concept.packaged import builtin_file, builtin_neutral
from workbench.concept.reading import concept_path, is_own, read_parts, toml_entries
from workbench.concept.texts import EXPLICIT, NONE, Personas, Statement, Texts
from workbench.concept.writing import toml_of_concept
from workbench.vocabulary import Pole

if TYPE_CHECKING:
    from workbench.score.concept_check import ConceptCheck

_CHECK = "workbench.score.concept_check:check_concept"
"""What checks a concept on a model stands on a floor above, and is found by its name when it is asked for."""

_PUBLISHED = "workbench.concept.formats.sniffing:published_parts"
"""The readers of published formats load pandas, which a concept's own file does not need."""


@dataclass(frozen=True, repr=False)
class Concept:
    """A trait: what tells its two poles apart, in texts.

    Attributes:
        name: as tables and figures call it.
        high, low: a word or phrase for each pole that could follow "You are".
        personas: system prompts of both poles, one entry a style; none where only statements are known.
        neutral: system prompts that show nothing of it; they may be none.
        questions: asked under every persona.
        statements: what somebody at each pole says of themselves, in pairs; they may be none.
        rubric: what an answer at the high and at the low pole looks like, for a judge.
        desirable: the pole that people would rather have, `high` or `low`; empty where that is neither.
        source, license: where the texts come from, and under which terms.
    """

    name: str
    high: str
    low: str
    personas: tuple[Personas, ...] = ()
    neutral: Texts = NONE
    questions: Texts = NONE
    statements: tuple[Statement, ...] = ()
    rubric: tuple[str, str] | None = None
    desirable: str = ""
    source: str = field(default="", compare=False)
    license: str = field(default="", compare=False)

    @classmethod
    def of(cls, entries: Mapping[str, Any]) -> "Concept":
        """The concept with these entries, nested as in a concept's file.

        Raises:
            ValueError: for the first mistake: the entry, what is wrong and what to do.

        Example:
            >>> you = [f"You are {word}." for word in ("calm", "slow", "kind", "quiet", "loud", "fast", "rude", "wild")]
            >>> concept = Concept.of(
            ...     {
            ...         "name": "Calm",
            ...         "poles": {"high": "calm", "low": "wild"},
            ...         "personas": {"high": you[:4], "low": you[4:]},
            ...         "questions": {"all": [f"What of {each}?" for each in ("tea", "rain", "work", "fish", "art")]},
            ...     }
            ... )
            >>> concept
            Concept('Calm', wild to calm, personas 4 and 4, neutral 0, questions 5, statement pairs 0, no rubric)
        """
        return cls._of_parts(parts_of(entries))

    @classmethod
    def read(cls, path: str | Path, *, name: str | None = None, form: str | None = None) -> "Concept":
        """The concept in a TOML file, in a folder with a file concept.toml, or in a format that others publish.

        The formats, each with what it lacks in `workbench.concept.formats`: trait files of persona_vectors, statements
        of the model-written evaluations, A/B questions (CAA), PersonalityBench's folder, TRAIT, and item keys in IPIP's
        layout.

        Args:
            path: a file or folder; `TRAIT.json#Openness` says which concept of several.
            name: which concept of a file that holds several; of a published file that holds one, how it is called.
            form: the format, e.g. `choices`, where it should not be found out.

        Raises:
            FileNotFoundError: if there is no such file.
            ImportError: if an item key in a spreadsheet needs the `ipip` extra.
            ValueError: for the first mistake: the file, the line or row, what is wrong and what to do.
        """
        path, name = concept_path(path, name)
        if form is None and is_own(path):
            concept = cls._of_parts(read_parts(path))
            if name is not None and name.casefold() != concept.name.casefold():
                raise ValueError(f"{path.name} holds {concept.name}, but {name!r} is asked for. Leave the name out.")
            return concept
        return cls._of_parts(pkgutil.resolve_name(_PUBLISHED)(path, name, form))

    @classmethod
    def builtin(cls, name: str) -> "Concept":
        """The built-in concept of this name, whatever its capitals.

        Raises:
            ValueError: if there is none.

        Example:
            >>> Concept.builtin("extraversion").high
            'extraverted'
        """
        file = builtin_file(name)
        return cls._of_parts(parts_of(toml_entries(file.read_text(encoding="utf-8"), file.name)))

    @classmethod
    def _of_parts(cls, parts: Mapping[str, Any]) -> "Concept":
        neutral = builtin_neutral() if parts["neutral"] == BUILTIN else parts["neutral"]
        return cls(**{**parts, "neutral": neutral})

    def word(self, pole: Pole | str) -> str:
        """The word or phrase for the high or the low pole."""
        return self.high if Pole(pole) is Pole.HIGH else self.low

    @property
    def styles(self) -> tuple[str, ...]:
        """The styles in which there are personas; the first is `explicit`."""
        return tuple(each.style for each in self.personas)

    def in_style(self, style: str = EXPLICIT) -> Personas:
        """The personas of a style.

        Raises:
            ValueError: if there are none.
        """
        for each in self.personas:
            if each.style == style:
                return each
        if not self.personas:
            raise ValueError(f"{self.name} has no personas, from which pairs are made. Add [personas] and [questions].")
        come = f"the style {self.styles[0]}" if len(self.styles) == 1 else f"the styles {' and '.join(self.styles)}"
        raise ValueError(f"The personas of {self.name} come in {come}, but {style!r} arrived.")

    def require_statements(self) -> tuple[Statement, ...]:
        """Its statements.

        Raises:
            ValueError: if there are none.
        """
        if not self.statements:
            raise ValueError(f"{self.name} has no statements to measure it by. Add [statements], or use a judge.")
        return self.statements

    @property
    def digest(self) -> str:
        """SHA-256 over everything that a result can depend on: all but where the texts come from."""
        content = {each.name: getattr(self, each.name) for each in fields(self) if each.compare}
        return hashlib.sha256(json.dumps(content, default=vars, ensure_ascii=False).encode()).hexdigest()

    @property
    def record(self) -> dict[str, str]:
        """What a manifest says of it: the digest, and where the texts come from and under which terms."""
        return {"sha256": self.digest, "source": self.source, "license": self.license}

    def toml(self) -> str:
        """The concept as the text of a file; `Concept.read` gives an equal one back."""
        return toml_of_concept(self)

    def check(self, model: Any, *, seed: int = 0) -> "ConceptCheck":
        """Whether the concept is fit to be studied on a model, and what it lacks; see `workbench.score.check_concept`.

        Args:
            model: a loaded model.
            seed: of the pairs that are drawn, and of the intervals.
        """
        return pkgutil.resolve_name(_CHECK)(self, model, seed=seed)

    def __repr__(self) -> str:
        explicit = self.personas[0] if self.personas else Personas(NONE, NONE)
        return (
            f"Concept({self.name!r}, {self.low} to {self.high}, personas {len(explicit.high)} and {len(explicit.low)}, "
            f"neutral {len(self.neutral)}, questions {len(self.questions)}, statement pairs {len(self.statements)}, "
            f"{'a' if self.rubric else 'no'} rubric)"
        )
