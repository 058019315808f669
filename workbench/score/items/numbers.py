"""The number that an answer ends with, in the ways in which numbers are written."""

import re
import unicodedata
from decimal import Decimal

_DASHES = "-−–‐‑﹣"
_SPACE = "[ \u00a0\u2007\u2009\u202f]"
_EXPONENT = rf"(?:[eE][{_DASHES}+]?[0-9]{{1,3}}(?!\w))?"
# Thousands apart by spaces, otherwise digits with any marks between them, which `_value` then checks.
_DIGITS = (
    rf"(?:[1-9][0-9]{{0,2}}(?:{_SPACE}[0-9]{{3}}(?![0-9]))+(?:[.,][0-9]+)?|[0-9]+(?:[.,'’][0-9]+)*|\.[0-9]+){_EXPONENT}"
)
_SIGNED = rf"(?:[{_DASHES}+])?(?:[$€£]\s?[{_DASHES}]?)?{_DIGITS}"
# Signs that join numbers into an unfinished calculation, a range, a ratio, a time, a date or a mixed fraction.
_JOIN = rf"(?:%?\)?[^\S\n]*[{_DASHES}+—*×x÷/^][^\S\n]*\(?|:|[^\S\n]+(?=[0-9]+/[0-9]))"
_PIECE = re.compile(
    rf"(?<![\w.,])(?<!\w[{_DASHES}])(?P<first>{_SIGNED})(?P<rest>(?:{_JOIN}{_SIGNED})*+)"
    rf"(?P<unit>[^\W\d_¹²³⁰-⁹₀-₉]*)(?!\w)(?:[^\S\n]+(?P<scale>hundred|thousand|million|billion|trillion)\b)?",
    re.IGNORECASE,
)
_ORDINALS = ("st", "nd", "rd", "th")
_SCALES = {
    "": 1,
    "k": 10**3,
    "hundred": 100,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}
_LEADING = "[1-9][0-9]{0,2}"
_FORMS = [
    (re.compile(pattern), thousands, decimal)
    for pattern, thousands, decimal in (
        (rf"(?:{_LEADING}(?:,[0-9]{{3}})+|[0-9]*)(?:\.[0-9]+)?", ",", "."),
        (r"[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}(?:\.[0-9]+)?", ",", "."),
        (rf"{_LEADING}(?:{_SPACE}[0-9]{{3}})+(?:\.[0-9]+)?", " ", "."),
        (rf"{_LEADING}(?:{_SPACE}[0-9]{{3}})+,[0-9]{{1,2}}", " ", ","),
        (rf"{_LEADING}(?:['’][0-9]{{3}})+(?:\.[0-9]+)?", "'", "."),
        (rf"{_LEADING}(?:\.[0-9]{{3}}){{2,}}(?:,[0-9]+)?", ".", ","),
        (rf"{_LEADING}(?:\.[0-9]{{3}})+,[0-9]{{1,2}}", ".", ","),
    )
]
_LATEX_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_LATEX_THOUSANDS = re.compile(r"(?<=[0-9])(?:\{,\}|,\\!|\\[,;: ]|~)(?=[0-9]{3}(?![0-9]))")
_SPLIT_THOUSANDS = re.compile(r"(?<=[0-9]), (?=000(?![0-9]))")


def final_number(text: str) -> Decimal | None:
    """The number that an answer ends with; None where there is none, or where it can be read in two ways.

    It is the first number after the last `####`, or the last number of a text without `####`. A number may have a
    sign, a currency, decimals, an exponent (1e3), and after it a unit, `k` or a word from hundred to trillion; per cent
    is a unit. Thousands may be apart by commas, spaces of any width or apostrophes; by points, where there are two or a
    decimal comma follows: one point is a decimal point, as in GSM8K. Digits of any script count. Not counted are
    numbers joined by an operator, such as 20-2, mixed fractions, ordinals, and numbers with commas in other places.

    Example:
        >>> final_number("20-2 = $1,018.50."), final_number("It is -3 degrees"), final_number("20-2")
        (Decimal('1018.50'), Decimal('-3'), None)
        >>> final_number("42 000"), final_number("1.000.000"), final_number("3,4")
        (Decimal('42000'), Decimal('1000000'), None)
    """
    _, marked, ending = text.rpartition("####")
    numbers = [value for piece in _PIECE.finditer(plain_digits(_without_latex(ending))) for value in _values(piece)]
    return None if not numbers else numbers[0 if marked else -1]


def plain_digits(text: str) -> str:
    """The text with the digits of every script, and full-width signs, as in ASCII.

    Example:
        >>> plain_digits("４．５ ٣ ²")
        '4.5 3 ²'
    """
    return "".join(map(_plain, text)) if not text.isascii() else text


def _plain(character: str) -> str:
    if unicodedata.category(character) == "Nd":
        return str(unicodedata.decimal(character))
    return chr(ord(character) - 0xFEE0) if "！" <= character <= "～" else character


def _without_latex(text: str) -> str:
    text = _LATEX_FRACTION.sub(r"\1/\2", text)
    return _SPLIT_THOUSANDS.sub(",", _LATEX_THOUSANDS.sub(",", text))


def _values(piece: re.Match[str]) -> list[Decimal]:
    """The value of a number that stands alone; none of another piece."""
    unit, scale = piece["unit"].lower(), (piece["scale"] or "").lower()
    value = _value(piece["first"])
    if piece["rest"] or unit in _ORDINALS or value is None or (unit and scale):
        return []
    return [value * _SCALES[scale or (unit if unit == "k" else "")]]


def _value(written: str) -> Decimal | None:
    negative = any(dash in re.split("[0-9]", written, maxsplit=1)[0] for dash in _DASHES)
    number, _, exponent = re.sub(r"^[^0-9.]*", "", written).lower().partition("e")
    for form, thousands, decimal in _FORMS:
        if form.fullmatch(number):
            marks = _SPACE if thousands == " " else "['’]" if thousands == "'" else re.escape(thousands)
            digits = re.sub(marks, "", number).replace(decimal, ".")
            power = int(re.sub(f"[{_DASHES}]", "-", exponent)) if exponent else 0
            return (-1 if negative else 1) * Decimal(digits) * (Decimal(10) ** power if power else 1)
    return None
