"""Figures as files: pages by themselves or with one plotly beside them, images through kaleido and a Chromium."""

import html
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from workbench.plots.panels import narrowed
from workbench.plots.theme import Look
from workbench.whole import write_whole

IMAGES = (".svg", ".pdf", ".png")
DATA_FORMATS = ("parquet", "csv")
NARROW_MM = 120.0
"""Columns narrower than this get figures that are laid out anew, see `narrowed`."""

_PIXELS_PER_MM = 96 / 25.4
_SCALE = 2.0  # of raster images: about 230 dots per inch of their size on paper
_SCREEN_WIDTH = 760  # pixels that figures are laid out for; on paper they shrink with their text
_LEAST_WIDTH = 380  # pixels at which labels still fit
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ margin: 0; background: {paper}; }}
figure {{ margin: 0; }}
h1 {{ position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<figure aria-label="{alt}">
{drawing}
</figure>
</main>
</body>
</html>
"""


def save_figure(
    figure: go.Figure,
    path: str | Path,
    *,
    width_mm: float = 170.0,
    height_mm: float | None = None,
    data: pd.DataFrame | None = None,
    data_format: str = "parquet",
) -> Path:
    """Write a figure as html, svg, pdf or png, whole or not at all. A page is self-contained.

    Args:
        path: its ending names the format; folders that are missing are made.
        width_mm, height_mm: the width of the column that an image is laid out for, and the height in proportion to
            it; by default the figure's own height. SVG and PDF are as wide as that on paper. Narrow columns get larger
            text relative to the drawing, panels above each other instead of side by side, and titles of axes in more
            lines.
        data: the table it draws, written beside it under the same name, and like it whole or not at all.
        data_format: `parquet` or `csv`.

    Returns:
        the path of the figure.

    Raises:
        ValueError: for another ending or format of data.
        RuntimeError: if an image is asked for and there is no kaleido or no Chromium.
    """
    path = Path(path)
    _check_format(data_format)
    (content,) = _contents([(figure, path)], width_mm=width_mm, height_mm=height_mm, share_plotlyjs=False)
    if data is not None:
        save_data(data, path.with_suffix(f".{data_format}"))
    return write_whole(path, content)


def save_figures(
    figures: Mapping[Path, go.Figure] | Sequence[tuple[go.Figure, str | Path]],
    *,
    width_mm: float = 170.0,
    share_plotlyjs: bool = False,
) -> list[Path]:
    """Write many figures, the images among them with one start of the browser.

    Args:
        figures: by path, or each with its path, as `save_figure` takes them.
        width_mm: as in `save_figure`, for all.
        share_plotlyjs: whether pages load one `plotly.min.js` that is written beside them, instead of 5 MB in each.

    Returns:
        the paths, in the order of the figures. Each file is written whole or not at all; if an image cannot be drawn,
        none of the files is written.

    Raises:
        ValueError: for an ending that is none of a figure, or two figures for one path.
        RuntimeError: if an image is asked for and there is no kaleido or no Chromium.
    """
    if isinstance(figures, Mapping):
        wanted = [(figure, Path(path)) for path, figure in figures.items()]
    else:
        wanted = [(figure, Path(path)) for figure, path in figures]
    paths = [path for _, path in wanted]
    twice = next((path for place, path in enumerate(paths) if path in paths[:place]), None)
    if twice is not None:
        raise ValueError(f"Each figure needs a path of its own, but {twice} was given twice.")
    contents = _contents(wanted, width_mm=width_mm, height_mm=None, share_plotlyjs=share_plotlyjs)
    if share_plotlyjs:
        for folder in dict.fromkeys(path.parent for path in paths if path.suffix == ".html"):
            write_whole(folder / "plotly.min.js", get_plotlyjs())
    for path, content in zip(paths, contents, strict=True):
        write_whole(path, content)
    return paths


def save_data(data: pd.DataFrame, path: str | Path) -> Path:
    """Write a figure's table as parquet or csv, whole or not at all.

    Raises:
        ValueError: for another ending.
    """
    path = Path(path)
    _check_format(path.suffix[1:])
    return write_whole(path, data.to_csv(index=False) if path.suffix == ".csv" else data.to_parquet(index=False))


def _check_format(name: str) -> None:
    if name not in DATA_FORMATS:
        raise ValueError(f"A figure's data are saved as {' or '.join(DATA_FORMATS)}, but {name!r} was asked for.")


def _contents(
    wanted: list[tuple[go.Figure, Path]], *, width_mm: float, height_mm: float | None, share_plotlyjs: bool
) -> list[bytes]:
    """What is to be written for each figure; the images are drawn together."""
    for _, path in wanted:
        if path.suffix not in (".html", *IMAGES):
            raise ValueError(
                f"Figures are saved as .html, {', '.join(IMAGES)}, but {path.name} ends in {path.suffix!r}."
            )
    specs = [_spec(figure, path.suffix[1:], width_mm, height_mm) for figure, path in wanted if path.suffix in IMAGES]
    names = [path.name for _, path in wanted if path.suffix in IMAGES]
    images = iter(_images(specs, names) if specs else [])
    return [
        next(images) if path.suffix in IMAGES else _page(figure, share_plotlyjs=share_plotlyjs)
        for figure, path in wanted
    ]


def _page(figure: go.Figure, *, share_plotlyjs: bool) -> bytes:
    layout: Any = figure.layout
    alt = html.escape(str(layout.meta.get("alt", "A figure.") if isinstance(layout.meta, dict) else "A figure."))
    drawing = figure.to_html(include_plotlyjs="directory" if share_plotlyjs else True, full_html=False)
    paper = Look.of(layout.template).paper
    return _PAGE.format(title=alt.partition(":")[0].rstrip("."), alt=alt, paper=paper, drawing=drawing).encode()


def _spec(figure: go.Figure, format: str, width_mm: float, height_mm: float | None) -> dict[str, Any]:
    """A figure as kaleido takes it, laid out for its column."""
    # Narrow columns get narrower pages, down to a width at which labels still fit.
    width = round(max(_LEAST_WIDTH, min(_SCREEN_WIDTH, width_mm * _PIXELS_PER_MM * 1.2)))
    drawn = narrowed(figure, width=width) if width_mm < NARROW_MM else figure
    layout: Any = drawn.layout
    height = round(width * height_mm / width_mm if height_mm else layout.height or 400)
    # What is drawn in lines is as wide on paper as it was asked to be.
    scale = _SCALE if format == "png" else width_mm * _PIXELS_PER_MM / width
    return {
        "fig": drawn.to_dict(),
        "opts": {"format": format, "width": width, "height": height, "scale": scale},
    }


def _images(specs: list[dict[str, Any]], names: list[str]) -> list[bytes]:
    """Images of one browser. MathJax is left out: no figure needs it, and it would be fetched from the web."""
    if find_spec("kaleido") is None:
        raise RuntimeError(
            "Images need kaleido: pip install 'dpn-workbench[images]'. Without it no image is written; choose .html."
        )
    import kaleido

    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{place}.{spec['opts']['format']}" for place, spec in enumerate(specs)]
        try:
            failed = kaleido.write_fig_from_object_sync(
                [{**spec, "path": path} for spec, path in zip(specs, paths, strict=True)], kopts={"mathjax": False}
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise RuntimeError(
                f"Images need a Chromium on this machine (or BROWSER_PATH pointing to one): {_reason(error)}. "
                "Without it no image is written: get one with plotly_get_chrome, or choose .html."
            ) from error
        lacking = [name for name, path in zip(names, paths, strict=True) if not path.is_file()]
        if lacking:
            reason = f": {_reason(failed[0])}" if failed else ""
            raise RuntimeError(f"The browser could not draw {lacking[0]}{reason}. Save it as .html to look at it.")
        return [path.read_bytes() for path in paths]


def _reason(error: BaseException) -> str:
    """The first line of what an error says."""
    words = next((part.strip() for part in error.args if isinstance(part, str) and part.strip()), type(error).__name__)
    return words.splitlines()[0].rstrip(".")
