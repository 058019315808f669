"""What the notebook on a concept of one's own says of the real model is so."""

from collections.abc import Callable
from typing import Any

import pytest

from workbench.model.gguf import PACKAGED

Executed = Callable[..., dict[str, Any]]


def test_your_own_concept(executed: Executed) -> None:
    try:
        PACKAGED["smollm2"].file()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    said = executed(
        "08_your_own_concept",
        counts="[len(concept.in_style().high), len(concept.statements)]",
        told="told",
        follows="checked.follows",
        edited="len(chosen.both)",
        rows="list(table.index)",
        both="list(table['both'])",
        ways="table[['increase', 'decrease']].values.tolist()",
    )
    assert said["counts"] == [6, 12]
    assert said["told"].startswith("wrong.toml, line ")
    assert "this one has no partner" in said["told"]
    assert said["follows"] is True
    persona, edit, *random = said["both"]
    assert said["rows"][0] == "persona"
    assert said["rows"][1] == f"edit of {said['edited']} neurons"
    assert persona > 0.2
    assert edit > max(random)
    assert said["ways"][1][0] > 0 > said["ways"][1][1]
