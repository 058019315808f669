"""In which line of a TOML text each value stands, which the standard library's reader does not tell."""

import re
import tomllib
from typing import Any

Place = tuple[str | int, ...]
"""The keys and indices that lead to a value."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_SPACES = re.compile(r"[ \t]*")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'",
    re.DOTALL,
)
_OTHER = re.compile(r"[^,\]}\n#]*")


def lines_of(text: str) -> dict[Place, int]:
    """The line of each key, table and element of a TOML text that `tomllib` can read, the first line being 1.

    Example:
        >>> lines_of('a = 1\\n[b]\\nc = [\\n  "x",\\n]\\n')[("b", "c", 0)]
        4
    """
    return _Walk(text).lines


class _Walk:
    """A pass over a TOML text that is known to be well formed."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.lines: dict[Place, int] = {}
        self.rows: dict[Place, int] = {}
        table: Place = ()
        while self._skip(_BLANK) < len(text):
            if text[self.at] == "[":
                table = self._header()
            else:
                self._entry(table)

    def _skip(self, pattern: re.Pattern[str]) -> int:
        found = pattern.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.at

    def _note(self, place: Place) -> None:
        self.lines.setdefault(place, self.text.count("\n", 0, self.at) + 1)

    def _header(self) -> Place:
        double = self.text.startswith("[[", self.at)
        self.at += 2 if double else 1
        start = self.at
        keys = self._keys()
        place: Place = ()
        for number, key in enumerate(keys):
            place = (*place, key)
            last = number == len(keys) - 1
            end, self.at = self.at, start
            if last and double:
                self._note(place)
                self.rows[place] = self.rows.get(place, -1) + 1
            if place in self.rows:
                place = (*place, self.rows[place])
            self._note(place)
            self.at = end
        self.at += 2 if double else 1
        return place

    def _keys(self) -> list[str]:
        keys = []
        while True:
            self._skip(_SPACES)
            if self.text[self.at] in "\"'":
                start = self.at
                quoted = self.text[start : self._skip(_STRING)]
                keys.append(next(iter(tomllib.loads(f"{quoted} = 0"))))
            else:
                start = self.at
                keys.append(self.text[start : self._skip(_BARE)])
            self._skip(_SPACES)
            if self.text[self.at] != ".":
                return keys
            self.at += 1

    def _entry(self, table: Place) -> None:
        start = self.at
        place = table
        keys = self._keys()
        end, self.at = self.at, start
        for key in keys:
            place = (*place, key)
            self._note(place)
        self.at = end + 1  # behind the equals sign
        self._value(place)

    def _value(self, place: Place) -> None:
        self._skip(_SPACES)
        sign = self.text[self.at]
        if sign in "\"'":
            self._skip(_STRING)
        elif sign == "[":
            self._inside("]", lambda number: self._element((*place, number)))
        elif sign == "{":
            self._inside("}", lambda _: self._entry(place))
        else:
            self._skip(_OTHER)

    def _element(self, place: Place) -> None:
        self._note(place)
        self._value(place)

    def _inside(self, closing: str, each: Any) -> None:
        self.at += 1
        number = 0
        while True:
            self._skip(_BLANK)
            if self.text[self.at] == closing:
                self.at += 1
                return
            if self.text[self.at] == ",":
                self.at += 1
                continue
            each(number)
            number += 1
