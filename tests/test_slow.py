"""Whatever `slow.txt` names is there, so that no line of it is dead."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_line_names_a_file_or_a_test_that_is_there() -> None:
    lines = (ROOT / "tests" / "slow.txt").read_text(encoding="utf-8").splitlines()
    named = [line for line in lines if line and not line.startswith("#")]
    assert len(named) == len(set(named)) > 20
    for line in named:
        file, _, test = line.partition("::")
        text = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"^def {re.escape(test.partition('[')[0] or 'test_')}", text, re.MULTILINE), line
