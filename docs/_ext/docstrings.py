"""Translate the project's docstrings for Sphinx.

The docstrings have Google's sections. Single backticks mark code, signs such as `|s|` and `*` are plain characters,
several names may share an entry (`high, low: ...`), and Returns gives no type, because the signature does.
"""

import inspect
import re
from typing import Any

from sphinx.application import Sphinx
from sphinx.ext.napoleon import Config
from sphinx.ext.napoleon.docstring import GoogleDocstring

_NAME = re.compile(r"[A-Za-z_][\w.]*(\(\))?")
_CODE = re.compile(r"(`[^`]+`)", re.DOTALL)
_DOCTEST = re.compile(r"^ *>>> .*?(?=^\s*$|\Z)", re.DOTALL | re.MULTILINE)
_BACKSLASH = chr(92)
_LISTED = {"args": "Arguments", "attributes": "Attributes", "raises": "Raises", "rules": "Rules"}
_PROSE = {"returns": "Returns", "yields": "Yields", "reference": "Reference"}


class Docstring(GoogleDocstring):
    """Writes sections as field lists: entries become bullets, whatever they are called, and Returns becomes prose."""

    def __init__(self, text: str, what: Any) -> None:
        settings: Any = Config(napoleon_custom_sections=["Rules", "Reference"])
        super().__init__(text, settings, what=what)

    def _load_custom_sections(self) -> None:
        super()._load_custom_sections()
        for section, label in _LISTED.items():
            self._sections[section] = lambda _, label=label: self._entries(label)
        for section, label in _PROSE.items():
            self._sections[section] = lambda _, label=label: self._paragraphs(label)

    def _entries(self, label: str) -> list[str]:
        lines = self._dedent(self._consume_to_next_section())
        out: list[str] = []
        for line in lines:
            names, colon, text = line.partition(": ")
            if not line.startswith(" ") and colon:
                out += ["", f"   * {_names(names)} – {text}"]
            elif not line.startswith(" ") and line.endswith(":"):
                out += ["", f"   * {_names(line[:-1])} –"]
            else:
                out.append(f"     {line.strip()}" if line.strip() else "")
        return [f":{label}:", *out, ""]

    def _paragraphs(self, label: str) -> list[str]:
        lines = self._dedent(self._consume_to_next_section())
        return [f":{label}:", *(f"   {line}" if line.strip() else "" for line in lines), ""]


def _names(names: str) -> str:
    return f"``{names.strip().replace(_BACKSLASH, '')}``"


def as_rst(text: str) -> str:
    """Prose with code in single backticks, translated into reStructuredText."""
    held: list[str] = []

    def hold(match: re.Match[str]) -> str:
        held.append(match[0])
        return f"\0{len(held) - 1}\0"

    parts = _CODE.split(_DOCTEST.sub(hold, text))
    for at, part in enumerate(parts):
        if at % 2:
            code = " ".join(part[1:-1].split())
            span = f":py:obj:`{code}`" if _NAME.fullmatch(code) else f"``{code}``"
            before, after = parts[at - 1][-1:], parts[at + 1][:1]
            joined = "\\ " if before and (before.isalnum() or before in "-–/") else ""
            parts[at] = joined + span + ("\\ " if after.isalnum() else "")
        else:
            plain = re.sub(r"([|*])", r"\\\1", part)
            parts[at] = re.sub(r"(?<=\w)_(?!\w)", r"\\_", plain)
    return re.sub(r"\0(\d+)\0", lambda match: held[int(match[1])], "".join(parts))


def read_docstring(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Autodoc's event: replace a docstring's lines by reStructuredText."""
    text = as_rst(inspect.cleandoc("\n".join(lines)))
    lines[:] = [*Docstring(text, what).lines(), ""]
