"""A clock for chat templates that stands still: it gives one day, whatever format a template asks it for."""

import json
from datetime import date
from functools import lru_cache

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_PADDED = "dmyjHIMSeklUWV"  # directives that "-" writes without zeros or spaces in front


@lru_cache(maxsize=32)
def clock_macro(name: str, day: date) -> str:
    """A Jinja macro that answers as `strftime_now` does, at a day's midnight, in English on any machine.

    The line break after it belongs to its end, so that the template after it is read as it stands.
    """
    spelt = {"%%": "\0", **directives(day), "\0": "%"}
    chain = "".join(f" | replace({json.dumps(mark)}, {json.dumps(text)})" for mark, text in spelt.items())
    return f"{{%- macro {name}(format) -%}}{{{{ format{chain} }}}}{{%- endmacro %}}\n"


def directives(day: date) -> dict[str, str]:
    """What each directive of strftime gives at a day's midnight, whatever the machine's language.

    Example:
        >>> directives(date(2024, 7, 6))["%-d"]
        '6'
    """
    weekday, month = _DAYS[day.weekday()], _MONTHS[day.month - 1]
    numeric = {key: day.strftime(f"%{key}") for key in "dmYyjUWVGwuHIMSf"}
    short, spaced = f"{day:%m/%d/%y}", f"{day.day:2}"
    dates = {"F": day.isoformat(), "D": short, "x": short, "e": spaced, "C": f"{day.year // 100:02}"}
    names = {"a": weekday[:3], "A": weekday, "b": month[:3], "h": month[:3], "B": month, "p": "AM", "P": "am"}
    times = {"k": " 0", "l": "12", "R": "00:00", "T": "00:00:00", "X": "00:00:00", "r": "12:00:00 AM"}
    others = {"c": f"{weekday[:3]} {month[:3]} {spaced} 00:00:00 {day.year}", "z": "", "Z": "", "n": "\n", "t": "\t"}
    plain = numeric | dates | names | times | others
    unpadded = {f"%-{key}": plain[key].lstrip("0 ") or "0" for key in _PADDED}
    return unpadded | {f"%{key}": text for key, text in plain.items()}
