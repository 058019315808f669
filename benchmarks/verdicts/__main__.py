"""How often the workbench's own verdicts are wrong, in simulated studies whose truth is known.

Every claim that a study can judge is judged in a world without the effect, in one with it and in one with its opposite,
at the demo's size and at a small one, through the tables and judges that a study uses. Run by `make bench`.
"""

import argparse
import json
import os
import sys
import time

from benchmarks.capture import RESULTS
from benchmarks.verdicts.running import rates, told, verdicts

STUDIES, QUICK = 200, 80
"""Simulated studies for each claim, world and size."""


def main() -> None:
    """Simulate, print, and keep the table in `benchmarks/results.json` unless it is a quick run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} studies of a kind instead of {STUDIES}")
    parser.add_argument("--json", action="store_true", help="print one object and nothing else")
    parser.add_argument("--studies", type=int, help="studies for each claim, world and size")
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # a worker is a process
    started = time.perf_counter()
    table = rates(verdicts(options.studies or (QUICK if options.quick else STUDIES), workers=options.workers))
    if options.json:
        json.dump({"claims": table}, sys.stdout)
        print()
    else:
        print(told(table))
        print(f"{time.perf_counter() - started:.0f} s")
    if not options.quick and options.studies is None:
        kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
        RESULTS.write_text(json.dumps(kept | {"verdicts": table}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
