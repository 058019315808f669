"""Write the table of architectures: `python -m benchmarks.architectures`; exit status 1 where anything is wrong."""

import argparse
import sys
from pathlib import Path

from transformer_lens.factories.architecture_adapter_factory import SUPPORTED_ARCHITECTURES

from benchmarks.architectures.page import Row, page
from benchmarks.architectures.running import rows_of

PAGE = Path(__file__).parents[2] / "docs" / "architectures.md"


def main() -> None:
    """Hold every architecture, or those named, against plain transformers; print what is wrong, and write the page."""
    parser = argparse.ArgumentParser(description="Every architecture held against plain transformers.")
    parser.add_argument(
        "names", nargs="*", help="classes of transformers; by default all, and only then is the page written"
    )
    parser.add_argument("--out", type=Path, help="where the page is written")
    settings = parser.parse_args()
    rows: list[Row] = []
    for row in rows_of(settings.names or sorted(SUPPORTED_ARCHITECTURES, key=str.casefold)):
        rows.append(row)
        state = row.refused or row.unbuilt or ("wrong" if row.bugs else "right")
        print(f"{row.name}: {state}", *row.bugs, sep="\n  ", flush=True)
    out = settings.out or (None if settings.names else PAGE)
    if out is not None:
        out.write_text(page(rows), encoding="utf-8")
    sys.exit(any(row.bugs for row in rows))


if __name__ == "__main__":
    main()
