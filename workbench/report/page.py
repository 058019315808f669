"""One self-contained HTML page: claims, figures, steered answers and tables, readable without a network."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from workbench.measure.summarising import ALL
from workbench.plots import narrowed
from workbench.report.cells import table_cells
from workbench.report.contents import Report
from workbench.report.packing import Pool, compressed, figure_block
from workbench.whole import write_whole

_SCRIPTS = ("packed.js", "figures.js", "tables.js", "report.js")
_FEW_ROWS = 12  # of a long table that are shown at first, as in tables.js
_PHONE = 358  # pixels of text on a phone
_FLAT = 12  # entries of a manifest's map that are read at a glance; longer ones are folded


def render_report(report: Report) -> str:
    """The page as HTML; equal reports give equal pages."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    pool = Pool()
    environment.globals.update(
        packed_figure=lambda figure: Markup(compressed(figure_block(_stored(figure), pool))),
        packed_pool=lambda: Markup(compressed(pool.content())),
        packed=lambda text: Markup(compressed(str(text))),
        packed_plotly=lambda: Markup(_plotly()[1]),
        table_cells=table_cells,
    )
    scripts = [Markup(_script(_part(name))) for name in _SCRIPTS]
    drawing = [_plotly()[0]] if report.figures else []
    page = environment.from_string(_part("template.html.jinja")).render(
        report=report,
        all=ALL,
        groups=report.groups,
        numbers=report.numbers,
        methods=Markup(report.methods),
        manifest=_manifest_parts(report.manifest),
        style=Markup(_part("report.css")),
        few=_FEW_ROWS,
        scripts=scripts,
        draws=bool(drawing),
        script_hashes=Markup(" ".join(map(_hash, [*scripts, *drawing]))),
    )
    # A generated answer may hold half a surrogate pair, which no file can.
    return page.encode("utf-8", "replace").decode("utf-8")


def write_report(report: Report, path: str | Path) -> Path:
    """Write the page to `path`, whole or not at all, and make its folder where that is missing.

    Raises:
        OSError: naming `path`, if it cannot be written.
    """
    page = render_report(report)
    try:
        return write_whole(path, page)
    except OSError as error:
        why = f"The report cannot be written ({error.strerror}); choose another path"
        raise OSError(error.errno, why, str(path)) from error


@cache
def _plotly() -> tuple[str, str]:
    """Plotly's script as the page runs it, and compressed."""
    source = _script(get_plotlyjs())
    return source, compressed(source)


def _part(name: str) -> str:
    return resources.files("workbench.report").joinpath(name).read_text(encoding="utf-8")


def _script(source: str) -> str:
    """Source that neither ends its element early nor changes when a browser reads it, so that its hash holds."""
    return "\n" + source.replace("\r\n", "\n").replace("</script", "<\\/script").strip() + "\n"


def _hash(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def _stored(figure: go.Figure) -> dict[str, Any]:
    """A figure's JSON, and what differs of it on a phone."""
    return json.loads(str(figure.to_json())) | {"narrow": _narrow(figure)}


def _narrow(figure: go.Figure) -> dict[str, Any]:
    """What differs of a figure on a phone: its layout, without the template, and where its colour scales lie."""
    drawn = json.loads(str(narrowed(figure, width=_PHONE).update_layout(template=None).to_json()))
    drawn["layout"].pop("template", None)
    return {"layout": drawn["layout"], "colorbars": [trace.get("colorbar") for trace in drawn["data"]]}


def _manifest_parts(manifest: dict[str, Any]) -> tuple[list[tuple[str, str]], list[tuple[str, int, str]]]:
    """What is read at a glance, by name; and the rest: name, number of entries, and JSON."""
    glance: list[tuple[str, str]] = []
    folded: list[tuple[str, int, str]] = []
    for name, value in manifest.items():
        title = str(name).replace("_", " ")
        if not isinstance(value, dict | list | tuple):
            glance.append((title, str(value)))
        elif not value:
            glance.append((title, "none"))
        elif isinstance(value, dict) and len(value) <= _FLAT and not any(map(_holds_others, value.values())):
            glance.append((title, "; ".join(f"{key}: {entry}" for key, entry in value.items())))
        else:
            folded.append((title, len(value), json.dumps(value, indent=1, ensure_ascii=False, default=str)))
    return glance, folded


def _holds_others(value: Any) -> bool:
    return isinstance(value, dict | list | tuple)
