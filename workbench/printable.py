"""A user's text where it is printed: what would move the cursor, change colours or end a line is written out."""

import re
import unicodedata

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
"""Unicode's categories of what a terminal does not show as it stands: controls, formats, surrogates, separators."""

_JOINERS = {"\u200c", "\u200d", "\u00ad"}
"""Formats that belong to words and to emoji."""

_PLAIN = re.compile(r"[ -~]*")
_BREAK = re.compile(r" *[\t\r\n]\s*")


def printable(text: object, *, keep: str = "\n") -> str:
    """The text with control characters, bidirectional overrides and lone surrogates as escapes, e.g. `\\x1b`.

    Args:
        keep: characters that stay although they are such.

    Example:
        >>> print(printable("a\\x1b[31mb"))
        a\\x1b[31mb
    """
    text = str(text)
    if _PLAIN.fullmatch(text):
        return text
    return "".join(each if each in keep or not _hidden(each) else _escape(each) for each in text)


def one_line(text: object, *, most: int | None = None) -> str:
    """The text in one line: tabs and line breaks, with blanks about them, become one blank, other controls escapes.

    Args:
        most: characters after which it is cut, with an ellipsis.

    Example:
        >>> print(one_line("two\\n lines", most=5))
        two …
    """
    line = printable(_BREAK.sub(" ", str(text)).strip(), keep="")
    return line if most is None or len(line) <= most else f"{line[: most - 1]}…"


def _hidden(sign: str) -> bool:
    return unicodedata.category(sign) in _HIDDEN and sign not in _JOINERS


def _escape(sign: str) -> str:
    code = ord(sign)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
