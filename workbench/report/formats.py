"""The formats in which figures and tables are written."""

from collections.abc import Sequence

FIGURE_FORMATS = ("html", "svg", "pdf", "png")
CITATION_FORMATS = ("markdown", "latex")
TABLE_FORMATS = ("csv", "tex")


def in_order(what: str, asked: Sequence[str], known: Sequence[str]) -> list[str]:
    """The formats asked for, in the order of `known`.

    Args:
        what: what comes in these formats, for the message.

    Raises:
        ValueError: for an unknown format, or none.

    Example:
        >>> in_order("Figures", ["png", "html"], FIGURE_FORMATS)
        ['html', 'png']
    """
    asked = [asked] if isinstance(asked, str) else list(asked)
    unknown = [format for format in asked if format not in known]
    if unknown or not asked:
        arrived = repr(unknown[0]) if unknown else "none"
        raise ValueError(f"{what} come as {', '.join(known)}, but {arrived} was asked for.")
    return [format for format in known if format in asked]
