"""Checks names that become part of a file's name, so that none can lead out of its folder."""

MOST_BYTES = 120
_RESERVED = frozenset('/\\:*?"<>|')


def file_part(name: str, *, what: str) -> str:
    """`name`, checked to be allowed in a file's name on every system.

    Raises:
        ValueError: if it is empty or too long, begins with a dot, begins or ends with a space, or holds a character
            that separates paths, is reserved or does not print.

    Example:
        >>> file_part("self control", what="trait")
        'self control'
    """
    size = len(name.encode("utf-8", errors="replace"))
    if not 1 <= size <= MOST_BYTES:
        raise ValueError(
            f"A {what} in a file name takes 1 to {MOST_BYTES} bytes, but this one takes {size}. Rename it."
        )
    bad = sorted({letter for letter in name if letter in _RESERVED or not letter.isprintable()})
    if bad:
        raise ValueError(f"A {what} in a file name is no path, but {name!r} has {bad}. Rename it.")
    if name != name.strip() or name.startswith("."):
        raise ValueError(f"A {what} in a file name begins with no dot and no space, but {name!r} arrived. Rename it.")
    return name
