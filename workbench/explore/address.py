"""What a page shows, as the query of its address, so that a link shows the same."""

import math
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs, urlencode

from workbench.explore.settings import Settings

KEYS = ("trait", "layers", "q", "d", "rule", "gamma", "scope", "t", "seed", "layer", "neuron", "ask")
"""The query's names, in the order of the page's controls; assets/explore.js writes them."""


def controls_of(query: str, start: Settings, picked: tuple[int, int]) -> list[object]:
    """The value of each control that an address asks for; what it lacks, or gives no sense, is as at the start.

    Args:
        query: with or without its question mark.
        start: the settings to begin with.
        picked: the layer and neuron to begin with.
    """
    entries = {name: values[-1] for name, values in parse_qs(query.lstrip("?"), max_num_fields=50).items()}
    return [
        entries.get("trait", start.trait),
        _range(entries.get("layers"), start.layers),
        _number(entries, "q", start.quantile),
        _number(entries, "d", start.min_d),
        entries.get("rule", start.rule),
        _number(entries, "gamma", start.gamma),
        entries.get("scope", start.scope),
        _number(entries, "t", start.temperature),
        _whole(entries.get("seed"), start.seed),
        _whole(entries.get("layer"), picked[0]),
        _whole(entries.get("neuron"), picked[1]),
        entries.get("ask", ""),
    ]


def query_of(values: Sequence[object]) -> str:
    """The query that stands for these values of the controls.

    Example:
        >>> query_of(["Openness", [0, 7], 0.995, 0.8, "dual", 1.0, "generated", 0.0, 0, 4, 17, ""])[:27]
        'trait=Openness&layers=0-7&q'
    """
    written: Mapping[str, object] = dict(zip(KEYS, values, strict=True))
    texts = {name: "-".join(map(str, v)) if isinstance(v, list | tuple) else v for name, v in written.items()}
    return urlencode({name: value for name, value in texts.items() if value not in ("", None)})


def _range(text: str | None, start: tuple[int, int]) -> list[int]:
    first, _, last = (text or "").partition("-")
    if not (first.isascii() and first.isdigit() and last.isascii() and last.isdigit()):
        return list(start)
    return [int(first[:6]), int(last[:6])]


def _number(entries: Mapping[str, str], name: str, start: float) -> float:
    try:
        number = float(entries[name])
    except (KeyError, ValueError):
        return start
    return number if math.isfinite(number) else start


def _whole(text: str | None, start: int) -> int:
    return int(text[:10]) if text is not None and text.isascii() and text.isdigit() else start
