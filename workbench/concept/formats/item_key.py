"""Item keys of published questionnaires in IPIP's layout: which item measures which trait, and in which direction."""

import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.concept.formats.records import LOG
from workbench.concept.formats.wording import chosen, poles_of
from workbench.textfile import read_text
from workbench.vocabulary import BIG_FIVE

_SIGN = re.compile(r"(?P<sign>[+-])\s*(?P<letter>[OCEAN])(?P<facet>\d*)")
_TRAIT = {trait[0]: trait for trait in BIG_FIVE}
_COLUMNS = {
    "number": ("full#", "number", "no", "id", "item_number", "#"),
    "sign": ("sign", "keyed", "key_sign"),
    "text": ("item", "text", "statement"),
    "facet": ("facet", "scale"),
}


def read_keys(path: str | Path) -> pd.DataFrame:
    """Read an item key in IPIP's layout from CSV or, with the `ipip` extra, from xls or xlsx.

    Columns are found by name, in any capitals: the item's number (`Full#`), its sign (`Sign`, e.g. `+N1`: keyed +,
    Neuroticism, facet 1), its text (`Item`) and, optionally, the facet's name (`Facet`).

    Returns:
        A row for each item: item (`i1`, `i2`, …), number, trait, facet (e.g. `N1`), keyed (`+` or `-`), text, and
        facet_name where the file has it.

    Raises:
        FileNotFoundError: if there is no such file.
        ImportError: if the `ipip` extra is needed and not installed.
        ValueError: if the file cannot be read, a column is missing, a sign cannot be read, or two items share a
            number.

    Reference:
        Johnson (2014), the IPIP-NEO's item key.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no item key {path.name}.")
    raw = _read(path)
    names = {str(name).strip().casefold(): name for name in raw.columns}
    columns = {field: next((names[name] for name in known if name in names), None) for field, known in _COLUMNS.items()}
    missing = [field for field in ("sign", "text") if columns[field] is None]
    if missing:
        raise ValueError(f"An item key needs columns Sign and Item; missing {missing} from {list(raw.columns)}.")
    raw = raw[raw[columns["sign"]].notna()]
    signs = [parse_sign(str(text)) for text in raw[columns["sign"]]]
    numbers = range(1, len(raw) + 1) if columns["number"] is None else _numbers(path, raw[columns["number"]])
    if len(set(numbers)) < len(raw):
        twice = next(number for number in numbers if list(numbers).count(number) > 1)
        raise ValueError(f"An item key numbers each item once, but {path.name} has number {twice} twice.")
    table = pd.DataFrame(
        {
            "item": [f"i{number}" for number in numbers],
            "number": list(numbers),
            "trait": [trait for _, trait, _ in signs],
            "facet": [facet for _, _, facet in signs],
            "keyed": [keyed for keyed, _, _ in signs],
            "text": [str(text).strip() for text in raw[columns["text"]]],
        }
    )
    if columns["facet"] is not None:
        table["facet_name"] = [str(name).strip() for name in raw[columns["facet"]]]
    return table.sort_values("number", ignore_index=True)


def _numbers(path: Path, cells: pd.Series) -> list[int]:
    numbers = pd.to_numeric(cells, errors="coerce")
    strange = cells[~(numbers % 1 == 0)].tolist()
    if strange:
        raise ValueError(f"An item key numbers its items, but {path.name} has the number {str(strange[0])[:40]!r}.")
    return numbers.astype(int).tolist()


def _read(path: Path) -> pd.DataFrame:
    kind = path.suffix.casefold()
    try:
        if kind == ".xls":
            return _read_xls(path)
        return pd.read_excel(path) if kind == ".xlsx" else pd.read_csv(StringIO(read_text(path)))
    except ImportError as error:
        needed = "xlrd" if kind == ".xls" else "openpyxl"
        raise ImportError(
            f"{path.name} needs {needed} to be read. Install it with: pip install 'dpn-workbench[ipip]', or save the "
            "key as CSV."
        ) from error
    except (OSError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{path.name} could not be read as {kind or 'CSV'}: {reason}") from None


def _read_xls(path: Path) -> pd.DataFrame:
    """The first sheet, with its first row as column names; pandas has deprecated reading through xlrd."""
    from xlrd import open_workbook
    from xlrd.biffh import XLRDError

    try:
        sheet = open_workbook(str(path)).sheet_by_index(0)
    except XLRDError as error:
        raise ValueError(str(error)) from None
    rows = [[None if cell == "" else cell for cell in sheet.row_values(row)] for row in range(sheet.nrows)]
    return pd.DataFrame(rows[1:], columns=rows[0] if rows else None)


def parse_sign(text: str) -> tuple[str, str, str]:
    """Read (keyed, trait, facet) from a sign such as `+N1`.

    Raises:
        ValueError: if the text is no such sign.

    Example:
        >>> parse_sign("-A2")
        ('-', 'Agreeableness', 'A2')
    """
    match = _SIGN.fullmatch(text.strip().replace("−", "-"))
    if match is None:
        raise ValueError(f"A sign reads like +N1 or -A2, but {text!r} arrived. Check the key's Sign column.")
    return match["sign"], _TRAIT[match["letter"]], match["letter"] + match["facet"]


_FIRST = re.compile(r"(I|My)\b")
_THIRD = re.compile(r"(?!always|sometimes)[a-z]*[^s\W]s\b", re.IGNORECASE)


def entries_of(path: Path, name: str | None = None) -> dict[str, Any]:
    """The entries of a concept from an item key: items keyed + are high statements, those keyed - low ones.

    An item such as "Worry about things." becomes "I worry about things.", one such as "Is talkative" becomes "I am
    someone who is talkative." The i-th + and the i-th - item of a facet are a pair, then those that are left over from
    all facets; they are not matched in wording. What the larger pole has beyond is left out, and a warning counts it.
    The format has no personas and no questions.

    Args:
        name: which trait.

    Raises:
        FileNotFoundError: if there is no such file.
        ImportError: if the `ipip` extra is needed and not installed.
        ValueError: if `read_keys` cannot read it, or the trait is not in it or not named.
    """
    keys = read_keys(path)
    trait = chosen(name, list(dict.fromkeys(keys["trait"])), path.name)
    pairs = list(_pairs(keys[keys["trait"] == trait], path.name))
    return {
        "name": trait,
        "source": f"item key {path.name}",
        **({"license": "public domain"} if "ipip" in path.name.casefold() else {}),
        "poles": poles_of(trait),
        "statements": {
            pole: [{"text": pair[which], "facet": pair[2]} if pair[2] else {"text": pair[which]} for pair in pairs]
            for which, pole in enumerate(("high", "low"))
        },
    }


def _pairs(keys: pd.DataFrame, file: str) -> Iterator[tuple[str, str, str]]:
    """High and low statements and their facet, which is empty for those that are paired across facets."""
    over: dict[str, list[str]] = {"+": [], "-": []}
    facets = "facet_name" if "facet_name" in keys else "facet"
    for facet, rows in keys.groupby(facets, sort=False):
        sides = {keyed: [said_by_oneself(text) for text in rows["text"][rows["keyed"] == keyed]] for keyed in over}
        count = min(map(len, sides.values()))
        yield from ((high, low, str(facet)) for high, low in zip(sides["+"][:count], sides["-"][:count], strict=True))
        for keyed, texts in sides.items():
            over[keyed] += texts[count:]
    count = min(map(len, over.values()))
    yield from ((high, low, "") for high, low in zip(over["+"][:count], over["-"][:count], strict=True))
    spare = sum(map(len, over.values())) - 2 * count
    if spare:
        LOG.warning("%s has no partner for %d items, which are left out.", file, spare)


def said_by_oneself(item: str) -> str:
    """An item as a sentence in the first person.

    Example:
        >>> said_by_oneself("Worry about things."), said_by_oneself("Is talkative")
        ('I worry about things.', 'I am someone who is talkative.')
    """
    text = item.strip().rstrip(".").lstrip("…. ")
    if _FIRST.match(text):
        return f"{text}."
    stem = "I am someone who" if _THIRD.match(text) else "I"
    return f"{stem} {text[:1].lower()}{text[1:]}."
