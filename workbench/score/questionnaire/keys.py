"""Item keys of published questionnaires in IPIP's layout, trait scores of a model, and Cronbach's alpha."""

import re
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from workbench.score.questionnaire.asking import Statement
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


def statements_of(keys: pd.DataFrame) -> list[Statement]:
    """The items of a key as statements for `ask_questionnaire`."""
    rows = zip(keys["text"], keys["trait"], keys["keyed"], keys["item"], strict=True)
    return [Statement(text, trait, keyed, item) for text, trait, keyed, item in rows]


def trait_profile(frame: pd.DataFrame) -> pd.DataFrame:
    """Each condition's score of each trait.

    A statement's score is the mean over its parsed wordings and orders; a trait's is the mean over its statements.

    Args:
        frame: from `ask_questionnaire`.

    Returns:
        Columns arm, trait, direction, gamma, measured_trait, score (1 to 5, missing where nothing was parsed),
        statements (how many have a score), asked (rows), unparsed (rows).
    """
    names = ["arm", "trait", "direction", "gamma", "measured_trait"]
    table = []
    for labels, rows in frame.groupby(names, sort=False):
        per_item = rows.groupby("item", sort=False)["expected"].mean().dropna()
        table.append(
            dict(zip(names, labels, strict=True))
            | {"score": float(per_item.mean()) if len(per_item) else np.nan, "statements": len(per_item)}
            | {"asked": len(rows), "unparsed": int((~rows["parsed"]).sum())}
        )
    return pd.DataFrame(table)


def cronbach_alpha(items: ArrayLike) -> float:
    """Cronbach's alpha of a scale of k items: k / (k - 1) * (1 - sum of item variances / variance of the sum).

    Args:
        items: `(respondent, item)` scores, reversed where keyed -.

    Returns:
        1 where all items agree, 0 where they are unrelated, below 0 where they contradict each other.

    Raises:
        ValueError: with fewer than 2 respondents or items, missing scores, or sums that do not vary.

    Reference:
        Cronbach (1951), equation 2.

    Example:
        >>> cronbach_alpha([[1, 2], [2, 3], [3, 4]])
        1.0
    """
    scores = np.asarray(items, dtype=np.float64)
    if scores.ndim != 2 or min(scores.shape) < 2:
        raise ValueError(f"alpha needs at least 2 respondents and 2 items, but got shape {scores.shape}. Ask more.")
    if not np.isfinite(scores).all():
        raise ValueError("alpha needs every score, but some are missing. Leave out respondents with gaps.")
    total = scores.sum(axis=1).var(ddof=1)
    if not total > 0:
        raise ValueError("alpha needs sums that vary, but all respondents have the same. Ask respondents who differ.")
    k = scores.shape[1]
    return float(k / (k - 1) * (1 - scores.var(axis=0, ddof=1).sum() / total))
