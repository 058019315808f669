"""Figures as files: HTML by itself, images through kaleido and a Chromium on the machine."""

import os
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go

IMAGES = (".svg", ".pdf", ".png")
_PIXELS_PER_MM = 96 / 25.4
_SCALE = 2.0  # raster images at 192 dots per inch of their size on paper
_SCREEN_WIDTH = 760  # pixels that figures are laid out for; on paper they shrink with their text


def save_figure(
    figure: go.Figure,
    path: str | Path,
    *,
    width_mm: float = 170.0,
    height_mm: float | None = None,
    data: pd.DataFrame | None = None,
) -> Path:
    """Write a figure as html, svg, pdf or png, whole or not at all.

    Args:
        path: its ending names the format; folders that are missing are made.
        width_mm, height_mm: the width of the column that an image is laid out for, and the height in proportion to
            it; by default the figure's own height. Narrow columns get larger text relative to the drawing.
        data: the table it draws, written beside it as parquet under the same name, and like it whole or not at all.

    Returns:
        the path of the figure.

    Raises:
        ValueError: for another ending.
        RuntimeError: if an image is asked for and there is no kaleido or no Chromium.
    """
    path = Path(path)
    if path.suffix not in (".html", *IMAGES):
        raise ValueError(f"Figures are saved as .html, {', '.join(IMAGES)}, but {path.name} ends in {path.suffix!r}.")
    content = _html(figure) if path.suffix == ".html" else _image(figure, path.suffix[1:], width_mm, height_mm)
    path.parent.mkdir(parents=True, exist_ok=True)
    if data is not None:
        _write(path.with_suffix(".parquet"), data.to_parquet(index=False))
    _write(path, content)
    return path


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all: to a temporary name beside `path`, then renamed."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _html(figure: go.Figure) -> bytes:
    return figure.to_html(include_plotlyjs=True, full_html=True).encode()


def _image(figure: go.Figure, format: str, width_mm: float, height_mm: float | None) -> bytes:
    if find_spec("kaleido") is None:
        raise RuntimeError(
            "Images need kaleido: pip install 'dpn-workbench[images]'. Without it, figures are saved as .html."
        )
    # Narrow columns get narrower pages, down to a width at which labels still fit.
    width = max(380.0, min(_SCREEN_WIDTH, width_mm * _PIXELS_PER_MM * 1.2))
    height = width * height_mm / width_mm if height_mm else float(figure.layout.height or 400)
    try:
        return figure.to_image(format=format, width=round(width), height=round(height), scale=_SCALE)
    except (RuntimeError, ValueError, OSError) as error:
        words = next((part.strip() for part in error.args if isinstance(part, str)), "") or type(error).__name__
        told = words.splitlines()[0].rstrip(".")
        raise RuntimeError(
            f"Images need a Chromium on this machine (or BROWSER_PATH pointing to one): {told}. "
            "Without it, figures are saved as .html."
        ) from error
