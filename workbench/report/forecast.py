"""What a study will cost, as a terminal shows it."""

from rich.console import Console
from rich.table import Table

from workbench.printable import printable
from workbench.study.forecast import Forecast

WITHIN = 1.5
"""The factor within which a study's time is expected to be that of its forecast."""


def print_forecast(forecast: Forecast, console: Console) -> None:
    """A row for each part of the study, and a total; then its time and its memory in a line each."""
    table = Table(box=None, pad_edge=False)
    for name in ("part", "split", "conditions", "prompt tokens", "answer tokens", "passes", "time"):
        table.add_column(name, justify="left" if name in ("part", "split") else "right")
    numbers = ["conditions", "prompt_tokens", "answer_tokens", "passes"]
    for row in forecast.parts.to_dict("records"):
        counts = [f"{int(row[name]):,}" if row[name] else "" for name in numbers]
        table.add_row(printable(row["part"]), row["split"], *counts, duration(row["seconds"]))
    sums = [f"{int(forecast.parts[name].sum()):,}" for name in numbers[1:]]
    table.add_row("all", "", "", *sums, duration(forecast.seconds), style="bold")
    console.print(table)
    for line in lines_of(forecast):
        console.print(line, soft_wrap=True)


def lines_of(forecast: Forecast) -> list[str]:
    """Time, memory and what is left out, a sentence each."""
    low, high = duration(forecast.seconds / WITHIN), duration(forecast.seconds * WITHIN)
    memory = ", ".join(f"{name} {_size(size)}" for name, size in forecast.memory.items() if size)
    lines = [
        f"Time: about {duration(forecast.seconds)} ({low} to {high}), the model loaded; judged by "
        f"{forecast.calibrated:.0f} s of it on this machine.",
        f"Memory: about {_size(forecast.bytes)} ({memory}), besides what Python and its packages take.",
    ]
    return [*lines, *(f"Not counted: {remark}." for remark in forecast.remarks)]


def duration(seconds: int | float) -> str:
    """Seconds as a reader takes them in.

    Example:
        >>> duration(0.4), duration(65), duration(7260)
        ('0.4 s', '1 min 5 s', '2 h 1 min')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, left = divmod(whole, 60)
    return f"{minutes} min {left} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _size(size: int | float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
