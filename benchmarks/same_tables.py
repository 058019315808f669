"""Compare the tables of two studies to the last bit: `python -m benchmarks.same_tables BEFORE AFTER`."""

import sys
from pathlib import Path

import pandas as pd

RENAMED = {"dpn_gamma": "method_gamma"}


def differences(before: Path, after: Path) -> list[str]:
    """Each difference as a line; columns and tables that only the second study has are not counted."""
    lines = []
    for path in sorted((before / "tables").glob("*.parquet")):
        other = after / "tables" / path.name
        if not other.is_file():
            lines.append(f"{path.stem}: missing")
            continue
        a, b = pd.read_parquet(path).rename(columns=RENAMED), pd.read_parquet(other)
        missing = [name for name in a.columns if name not in b]
        if missing or len(a) != len(b):
            lines.append(f"{path.stem}: {len(a)} rows before, {len(b)} after; columns missing after: {missing}")
            continue
        try:
            pd.testing.assert_frame_equal(a, b[list(a.columns)], check_exact=True)
        except AssertionError as error:
            lines.append(f"{path.stem}: {' '.join(str(error).split())[:200]}")
    return lines


def main() -> None:
    """Print what differs; the exit status is 1 where anything does."""
    lines = differences(Path(sys.argv[1]), Path(sys.argv[2]))
    print("\n".join(lines) or "equal to the last bit")
    sys.exit(bool(lines))


if __name__ == "__main__":
    main()
