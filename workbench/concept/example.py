"""A commented concept's file to begin with."""

from importlib.resources import files

from workbench.concept.entries import parts_of
from workbench.concept.reading import toml_entries

_FILE = "example.toml"
_NAME = '"NAME"'


def example_toml(name: str) -> str:
    """The text of a complete concept's file that is called `name`, each entry explained.

    Raises:
        ValueError: if a concept cannot be called so.
    """
    text = (files("workbench.concept") / _FILE).read_text(encoding="utf-8")
    parts_of({**toml_entries(text, _FILE), "name": name})
    return text.replace(_NAME, f'"{name}"')
