"""The command line in a process of its own, and which large libraries it imported."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import workbench as wb

LARGE = ("torch", "transformers", "transformer_lens", "plotly", "dash", "sklearn", "scipy", "statsmodels")
_CODE = f"""
import sys
from workbench.cli import main
try:
    main()
finally:
    sys.stdout.flush()
    print("imported:", *(name for name in {LARGE} if name in sys.modules), file=sys.stderr)
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        status: its exit status.
        out, err: what it printed.
        imported: the large libraries that it had imported by then.
    """

    status: int
    out: str
    err: str
    imported: tuple[str, ...]


def run_alone(*arguments: str, cwd: Path) -> Ended:
    """`workbench ARGUMENTS` in a fresh process."""
    path = str(Path(wb.__file__).parents[1])
    code = f"import sys\nsys.path.insert(0, {path!r})\n{_CODE}"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )
    *lines, last = done.stderr.splitlines()
    assert last.startswith("imported:"), done.stderr
    return Ended(done.returncode, done.stdout, "\n".join(lines), tuple(last.split()[1:]))
