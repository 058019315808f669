"""Figures of several panels, and how a figure is laid out anew for a narrow column."""

import textwrap
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from workbench.plots.theme import figure

_TITLE_LINE = 16  # pixels
_LEGEND_ROW = 19
_CHARACTER = 6.6  # pixels of a character of an axis title, on average; of a small one in narrow panels
_SMALL = 5.8
_BESIDE = 76  # pixels that numbers at ticks, a title and margins take beside a plot


def panels(
    titles: Sequence[str],
    *,
    alt: str,
    template: go.layout.Template,
    x_titles: Sequence[str],
    y_titles: Sequence[str],
    across: int,
    narrow: int = 1,
    height: int = 260,
    gap: float = 0.05,
    shared_x: bool = False,
    shared_y: bool = True,
    labelled: bool = True,
    foot: int = 52,
) -> go.Figure:
    """An empty figure of panels row by row, that `narrowed` can lay out anew.

    Args:
        titles: one for each panel, above it; may be empty.
        x_titles, y_titles: one for each panel. Of panels above each other with one x title the lowest shows it, and of
            an odd number beside each other the middle one.
        across: panels in a row; `narrow` those in a row of a narrow column.
        height: pixels of each panel.
        gap: between columns, as a share of the width.
        shared_x, shared_y: whether all panels have one range, labelled once a column, or once a row.
        labelled: whether axes have tick labels at all.
        foot: pixels below the panels.
    """
    drawn = figure(alt=alt, template=template)
    for panel, title in enumerate(titles):
        number = str(panel + 1) if panel else ""
        matched = {"x": shared_x and panel > 0, "y": shared_y and panel > 0}
        for which, other in ("xy", "yx"):
            drawn.layout[f"{which}axis{number}"] = {
                "anchor": f"{other}{number}",
                "showticklabels": labelled,
                "ticks": "outside" if labelled else "",
            } | ({"matches": which} if matched[which] else {})
        drawn.add_annotation(
            text=title,
            x=0.5,
            y=1,
            xref=f"x{number} domain",
            yref=f"y{number} domain",
            yanchor="bottom",
            yshift=2,
            showarrow=False,
            font={"size": 12},
        )
    plan = {
        "x_titles": list(x_titles),
        "y_titles": list(y_titles),
        "narrow": narrow,
        "height": height,
        "gap": gap,
        "shared_x": shared_x,
        "shared_y": shared_y,
        "labelled": labelled,
        "foot": foot,
        "title_lines": max((title.count("<br>") + 1 for title in titles if title), default=0),
    }
    drawn.update_layout(meta={"alt": alt, "panels": plan})
    _arrange(drawn, across)
    return drawn


def axes(panel: int) -> dict[str, str]:
    """The axes of a panel, as a trace names them.

    Example:
        >>> axes(0), axes(1)
        ({'xaxis': 'x', 'yaxis': 'y'}, {'xaxis': 'x2', 'yaxis': 'y2'})
    """
    number = "" if panel == 0 else str(panel + 1)
    return {"xaxis": f"x{number}", "yaxis": f"y{number}"}


def axis(drawn: go.Figure, which: str, panel: int) -> Any:
    """The `x` or `y` axis of a panel."""
    return drawn.layout[f"{which}axis{panel + 1 if panel else ''}"]


def rule(
    drawn: go.Figure, panel: int, *, line: dict[str, object], x: float | None = None, y: float | None = None
) -> None:
    """A line across one panel at `x` or at `y`."""
    names = axes(panel)
    ends = {"x0": x, "x1": x, "y0": 0, "y1": 1} if y is None else {"x0": 0, "x1": 1, "y0": y, "y1": y}
    spans = {"xref": names["xaxis"], "yref": names["yaxis"]}
    spans["yref" if y is None else "xref"] += " domain"
    drawn.add_shape(type="line", line=line, **ends, **spans)


def _arrange(drawn: go.Figure, across: int) -> None:
    """Place the panels, `across` in a row, and show each title and label once where that is enough."""
    layout: Any = drawn.layout
    plan: dict[str, Any] = layout.meta["panels"]
    x_titles, height = plan["x_titles"], plan["height"]
    count = len(x_titles)
    across = min(across, count)
    down = -(-count // across)
    title = plan["title_lines"] * _TITLE_LINE + 6
    between = title + 10
    if plan["labelled"] and not plan["shared_x"]:
        shown = [text for panel, text in enumerate(x_titles) if _below(x_titles, panel, across) not in (None, text)]
        between += 20 + max((8 + _TITLE_LINE * (text.count("<br>") + 1) for text in shown), default=0)
    total = down * height + (down - 1) * between
    one = _one_title(x_titles, across)
    foot = plan["foot"] + _TITLE_LINE * max(0, *(text.count("<br>") - 1 for text in x_titles))
    wide = (1 - plan["gap"] * (across - 1)) / across
    for panel in range(count):
        row, column = divmod(panel, across)
        left, top = column * (wide + plan["gap"]), 1 - row * (height + between) / total
        lowest = _below(x_titles, panel, across) != x_titles[panel]
        leftmost = column == 0 or not plan["shared_y"]
        axis(drawn, "x", panel).update(
            domain=[left, left + wide],
            title_text=x_titles[panel] if lowest and (not one or column == across // 2) else "",
            showticklabels=plan["labelled"] and (lowest or not plan["shared_x"]),
        )
        axis(drawn, "y", panel).update(
            domain=[max(0.0, top - height / total), top],
            title_text=plan["y_titles"][panel] if leftmost else "",
            showticklabels=plan["labelled"] and leftmost,
        )
    drawn.update_layout(
        height=total + title + foot + 34,
        margin={"t": title + 34, "b": foot},
        legend={"y": 1 + (title + 2) / total},
    )


def _one_title(titles: list[str], across: int) -> bool:
    """Whether the middle panel of a row can say what all its x axes show."""
    return len(set(titles)) == 1 and across % 2 == 1 and len(titles) % across == 0


def _below(titles: list[str], panel: int, across: int) -> str | None:
    return titles[panel + across] if panel + across < len(titles) else None


def narrowed(drawn: go.Figure, *, width: int = 385) -> go.Figure:
    """A figure laid out anew for a column of a page: panels above each other, titles in more lines.

    `save_figure` does this by itself where the column is narrow. Where there is no legend, the colour scale lies
    above the drawing, in its place.

    Args:
        width: pixels of the page, to which titles of axes are broken.

    Returns:
        a copy; the figure stays as it is, and one that has been laid out so is copied as it is.
    """
    drawn = go.Figure(drawn)
    layout: Any = drawn.layout
    meta: dict[str, Any] = dict(layout.meta) if isinstance(layout.meta, dict) else {"of": layout.meta}
    if meta.get("narrowed"):
        return drawn
    meta["narrowed"] = True
    plan: dict[str, Any] = dict(meta.get("panels", {}))
    room = width - max(_BESIDE, 40 + _CHARACTER * _longest_label(drawn))
    if plan:
        across = min(plan["narrow"], len(plan["x_titles"]))
        width_of_panel = room if _one_title(plan["x_titles"], across) else room / across * _CHARACTER / _SMALL
        plan["x_titles"] = [_broken(title, width_of_panel) for title in plan["x_titles"]]
        plan["y_titles"] = [_broken(title, plan["height"]) for title in plan["y_titles"]]
        layout.meta = {**meta, "panels": plan}
        _arrange(drawn, across)
        if across > 1:
            drawn.update_xaxes(tickfont={"size": 10}, title={"font": {"size": 11}})
    else:
        layout.meta = meta
        margin = (layout.margin.t or 28) + (layout.margin.b or 52)
        for each in _axes_of(drawn, "x"):
            each.title.text = _broken(each.title.text, room + 16)
        for each in _axes_of(drawn, "y"):
            each.title.text = _broken(each.title.text, (layout.height or 400) - margin)
    give_room(drawn, width=width)
    if not any(trace.type == "scatter" for trace in _traces(drawn)):
        drawn.update_traces(
            colorbar={"orientation": "h", "x": 0.5, "y": layout.legend.y or 1.02, "yanchor": "bottom"}
            | {"thickness": 10, "len": 1, "title": {"side": "top"}},
            selector={"type": "heatmap"},
        )
        for each in (trace for trace in _traces(drawn) if trace.type == "heatmap"):
            each.colorbar.title.text = (each.colorbar.title.text or "").replace("<br>", " ")
    return drawn


def give_room(drawn: go.Figure, *, width: int = 760) -> None:
    """Make a figure as much higher as its legend has rows beyond the first, so that the drawing keeps its height."""
    layout: Any = drawn.layout
    heading = layout.legend.title.text
    names = [trace.name for trace in _traces(drawn) if trace.showlegend is not False and trace.name]
    named = list(dict.fromkeys([*names, *(shape.name for shape in layout.shapes if shape.showlegend)]))
    if layout.showlegend is False or len(named) < 2:
        return
    room, rows, used = width - _BESIDE, 1, 0.0
    for name in named:
        entry = 46 + _CHARACTER * len(name)
        rows, used = (rows + 1, entry) if used and used + entry > room else (rows, used + entry)
    rows += (heading.count("<br>") + 1 if heading else 0) * 0.8
    layout.height = round((layout.height or 400) + _LEGEND_ROW * max(0.0, rows - 1.5))


def _traces(drawn: go.Figure) -> list[Any]:
    return list(drawn.data)


def _axes_of(drawn: go.Figure, which: str) -> list[Any]:
    return list(drawn.select_xaxes() if which == "x" else drawn.select_yaxes())


def _longest_label(drawn: go.Figure) -> int:
    """Characters of the longest label of a y axis that names things."""
    labels = [label for each in _axes_of(drawn, "y") for label in each.ticktext or ()]
    labels += [label for trace in _traces(drawn) if "y" in trace and trace.y is not None for label in trace.y]
    return max((len(label) for label in labels if isinstance(label, str)), default=0)


def _broken(title: str | None, room: int | float) -> str:
    """A title in as many lines as it needs, its unit in a line of its own; one that fits stays as it is."""
    lines = (title or "").split("<br>")
    most = max(8, int(room / _CHARACTER))
    if all(len(line) <= most for line in lines):
        return "<br>".join(lines)
    words, bracket, unit = " ".join(lines).partition(" (")
    parts = [words, f"({unit}"] if bracket else [words]
    wrapper = textwrap.TextWrapper(most, break_long_words=False, break_on_hyphens=False)
    return "<br>".join(line for part in parts for line in wrapper.wrap(part))
