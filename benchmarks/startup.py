"""How long a shell and a notebook wait before anything runs. Run by `make bench`.

Whole processes are timed in interleaved turns. `workbench --help` and a mistake on the command line are compared with a
bare Python; `import workbench`, alone and with each of its names used once, with `import torch, transformer_lens`; and
`workbench locate` on the embedded model with the import of all modules that it imports. `workbench doctor` has a limit.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.capture import RESULTS

ROOT = RESULTS.parents[1]
_ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
PYTHON, LIBRARIES, OWN = "bare Python", "torch and transformer_lens", "its own imports"
_LOCATE = ("locate", "--model", "testbed", "--trait", "Extraversion", "--json")
COMMANDS: dict[str, tuple[str, ...]] = {
    PYTHON: ("-c", "pass"),
    "workbench --help": ("-m", "workbench.cli", "--help"),
    "a mistake": ("-m", "workbench.cli", "locate", "--trait", "Charm"),
    LIBRARIES: ("-c", "import torch, transformer_lens"),
    "workbench doctor": ("-m", "workbench.cli", "doctor"),
    "workbench locate": ("-m", "workbench.cli", *_LOCATE),
    "import workbench": ("-c", "import workbench"),
    "all root names": (
        "-c",
        "import torch, transformer_lens, workbench as w; [getattr(w, name) for name in w.__all__]",
    ),
}
"""The arguments of Python for each command."""
BESIDE = {
    "workbench --help": PYTHON,
    "a mistake": PYTHON,
    "workbench locate": OWN,
    "import workbench": LIBRARIES,
    "all root names": LIBRARIES,
}
"""The command that each command's time is divided by."""


def imports_of(arguments: Sequence[str], folder: Path) -> tuple[str, ...]:
    """Arguments of a Python that imports what a command imports, in its order, and does nothing else."""
    run = (
        f"import runpy, sys; sys.argv = {['workbench', *arguments]!r}\n"
        "try: runpy.run_module('workbench.cli', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print(*sys.modules, sep='\\n', file=open('modules', 'w'))"
    )
    subprocess.run([sys.executable, "-c", run], cwd=folder, capture_output=True, check=True, env=_ENVIRONMENT)
    (folder / "import_all.py").write_text(
        "import importlib, contextlib\n"
        f"for name in {(folder / 'modules').read_text().split()!r}:\n"
        "    with contextlib.suppress(Exception):\n"
        "        importlib.import_module(name)\n"
    )
    return (str(folder / "import_all.py"),)


def seconds_of(arguments: tuple[str, ...], folder: Path) -> float:
    """Seconds of one process, from its start to its end."""
    started = time.perf_counter()
    command = [sys.executable, *arguments]
    ended = subprocess.run(command, cwd=folder, capture_output=True, check=False, env=_ENVIRONMENT)
    seconds = time.perf_counter() - started
    if b"Traceback" in ended.stderr:
        raise RuntimeError(f"{' '.join(arguments)} failed: {ended.stderr.decode(errors='replace')}")
    return seconds


def startup(turns: int) -> dict:
    """The median time of each command over turns, each of which runs all once, and its ratio to the one in `BESIDE`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        commands = {**COMMANDS, OWN: imports_of(_LOCATE, folder)}
        for arguments in commands.values():
            seconds_of(arguments, folder)  # compiles what is not compiled yet
        measured: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(turns):
            for name, arguments in commands.items():
                measured[name].append(seconds_of(arguments, folder))
    medians = {name: statistics.median(seconds) for name, seconds in measured.items()}
    ratios = {name: medians[name] / medians[beside] for name, beside in BESIDE.items()}
    return {"turns": turns, "seconds": medians, "times": ratios}


def table(results: dict) -> str:
    """The results as lines to print."""
    lines = [f"whole processes, medians of {results['turns']} interleaved turns"]
    for name, seconds in results["seconds"].items():
        beside = f"   {results['times'][name]:.2f} × {BESIDE[name]}" if name in BESIDE else ""
        lines.append(f"  {name:<28}{seconds:8.3f} s{beside}")
    return "\n".join(lines)


def main() -> None:
    """Measure, add to `results.json` and print a table."""
    parser = argparse.ArgumentParser(description="How long a shell and a notebook wait before anything runs.")
    parser.add_argument("--turns", type=int, default=11)
    parser.add_argument("--out", type=Path, default=RESULTS)
    settings = parser.parse_args()
    results = json.loads(settings.out.read_text(encoding="utf-8")) if settings.out.is_file() else {}
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    versions = f"torch {version('torch')}, transformer-lens {version('transformer-lens')}"
    results["startup"] = {
        "machine": f"{machine}, {versions}, Python {platform.python_version()}",
        **startup(settings.turns),
    }
    settings.out.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(table(results["startup"]))


if __name__ == "__main__":
    main()
