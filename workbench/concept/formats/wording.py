"""A concept's name and the words for its poles, where a format has none."""

import re
from collections.abc import Sequence

from workbench.concept.packaged import BUILT_IN, builtin_file
from workbench.concept.reading import toml_entries

_MOST = 40


def titled(stem: str) -> str:
    """A concept's name from a file's: words apart, the first with a capital, 40 characters at most.

    Example:
        >>> titled("power-seeking_inclination")
        'Power seeking inclination'
    """
    words = re.sub(r"[^\w'’]|_", " ", stem).split()
    said = ""
    for word in words:
        if len(said) + 1 + len(word) > _MOST:
            break
        said = f"{said} {word}".strip()
    return said[:1].upper() + said[1:]


def poles_of(name: str) -> dict[str, str]:
    """The words for both poles: a built-in concept's own, else that somebody is high or low in it.

    Example:
        >>> poles_of("extraversion")["low"], poles_of("Psychopathy")["low"]
        ('introverted', 'low in psychopathy')
    """
    if name.casefold() in {each.casefold() for each in BUILT_IN}:
        file = builtin_file(name)
        return toml_entries(file.read_text(encoding="utf-8"), file.name)["poles"]
    said = name if name.isupper() else name[:1].lower() + name[1:]
    return {"high": f"high in {said}", "low": f"low in {said}"}


def chosen(asked: str | None, names: Sequence[str], file: str) -> str:
    """The concept that is meant, of those that a file holds.

    Args:
        asked: its name, whatever its capitals, or None where the file holds one.

    Raises:
        ValueError: if it is not among them, or there are several and none is named.
    """
    if asked is None and len(names) == 1:
        return names[0]
    held = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    if asked is None:
        raise ValueError(f"{file} holds {held}: say which, with name= or as {file}#{names[0]}.")
    for name in names:
        if name.casefold() == asked.strip().casefold():
            return name
    raise ValueError(f"{file} holds {held}, but {asked!r} is asked for. Choose one of them.")
