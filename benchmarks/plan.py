"""Whether a study's forecast is right: `python -m benchmarks.plan`.

Three studies of the embedded model with different outcomes, arms and sizes are forecast, then run, in one process; each
line is the forecast, what it took, and the ratio of the two, which is to lie between 1 / 1.5 and 1.5. Seconds are the
processor's, on one thread, so that other work on the machine changes little.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import torch

import workbench as wb
from benchmarks.capture import RESULTS
from workbench.report.forecast import WITHIN, duration

_SMALL = {
    "traits": ("Extraversion",),
    "quantiles": (),
    "gammas": (0.5, 1.0),
    "broad_gammas": (0.2,),
    "temperature": 1.0,
}
STUDIES: dict[str, dict] = {
    "answers and tasks": {
        **_SMALL,
        "pairs": 120,
        "arms": ("DPN-LE", "random", "description prompt"),
        "draws": 4,
        "test_questions": 20,
        "patching_pairs": 10,
        "permutations": 200,
    },
    "likelihoods alone": {
        **_SMALL,
        "pairs": 200,
        "arms": ("DPN-LE", "broad", "residual", "shuffled"),
        "outcomes": ({"statements": "testbed"}, "questionnaire"),
        "permutations": 100,
        "resamples": 500,
    },
    "two traits": {
        **_SMALL,
        "traits": ("Extraversion", "Neuroticism"),
        "pairs": 100,
        "gammas": (0.5, 1.0, 1.5),
        "arms": ("DPN-LE", "magnitude only", "random"),
        "outcomes": ("answers", "capability", "off-target"),
        "test_questions": 12,
        "permutations": 50,
    },
}


def compared(config: wb.StudyConfig, model: wb.Model) -> dict[str, float]:
    """Seconds of the forecast, of its calibration and of the study, and tokens."""
    forecast = wb.study.forecast_study(config, model=model, clock=time.process_time)
    print(forecast.parts.to_string(index=False), file=sys.stderr)
    started = time.process_time()

    def told(label: str, share: float) -> None:
        print(f"    {time.process_time() - started:6.1f} s  {share:4.0%}  {label}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as folder:
        wb.run_study(config, folder, model=model, progress=told)
    took = time.process_time() - started
    return {
        "forecast": forecast.seconds,
        "took": took,
        "ratio": forecast.seconds / took,
        "calibrated": forecast.calibrated,
        "tokens": forecast.tokens,
    }


def main() -> int:
    """Measure, add to `results.json` and print a table; 1 if a forecast is wrong."""
    parser = argparse.ArgumentParser(description="Whether a study's forecast is right.")
    parser.add_argument("--only", choices=list(STUDIES), action="append")
    parser.add_argument("--out", type=Path, default=RESULTS)
    settings = parser.parse_args()
    torch.set_num_threads(1)
    model = wb.load_model("testbed")
    model.generate(["What is 2 + 3?"], max_new_tokens=4)
    found = {}
    for name in settings.only or STUDIES:
        print(f"  {name} ...", file=sys.stderr, flush=True)
        found[name] = compared(wb.StudyConfig(**STUDIES[name]), model)
        print(f"    {found[name]}", file=sys.stderr, flush=True)
    results = json.loads(settings.out.read_text(encoding="utf-8")) if settings.out.is_file() else {}
    results["plan"] = found
    settings.out.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for name, each in found.items():
        print(
            f"{name:<20} forecast {duration(each['forecast'])} from {each['calibrated']:.0f} s, took "
            f"{duration(each['took'])}: {each['ratio']:.2f} times (goal: {1 / WITHIN:.2f} to {WITHIN:.2f})"
        )
    return int(any(not 1 / WITHIN <= each["ratio"] <= WITHIN for each in found.values()))


if __name__ == "__main__":
    sys.exit(main())
