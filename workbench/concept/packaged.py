"""The files of the package's own concepts."""

from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from workbench.concept.reading import toml_entries
from workbench.concept.texts import Text, Texts
from workbench.vocabulary import BIG_FIVE

OTHERS = ("Formality", "Mood", "Politeness", "Certainty")
"""The built-in concepts besides the Big Five."""

BUILT_IN: tuple[str, ...] = (*BIG_FIVE, *OTHERS)
"""Every built-in concept."""

_BANK = files("workbench.concept") / "bank"
_NEUTRAL = "neutral.toml"


def builtin_file(name: str) -> Traversable:
    """The file of the built-in concept of this name, whatever its capitals.

    Raises:
        ValueError: if there is none.
    """
    for known in BUILT_IN:
        if known.casefold() == name.strip().casefold():
            return _BANK / f"{known.lower()}.toml"
    raise ValueError(
        f"There is no built-in concept {name!r}. Choose one of {', '.join(BUILT_IN)}, or give a concept's TOML file."
    )


@cache
def builtin_neutral() -> Texts:
    """The package's neutral personas, a fixed fifth of them held out."""
    text = (_BANK / _NEUTRAL).read_text(encoding="utf-8")
    return Texts.divided([Text(each) for each in toml_entries(text, _NEUTRAL)["neutral"]])
