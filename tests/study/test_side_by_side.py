"""Cells that are asked together give what each gives alone, draws among them, and are kept at once or not at all."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

import workbench as wb
from workbench.arm.building import Arm
from workbench.arm.spec import ArmSpec
from workbench.edit.prompting import Instruction
from workbench.outcome.answers import Answers
from workbench.outcome.fluency import Fluency
from workbench.outcome.minimal_pairs import MinimalPairs
from workbench.outcome.outcome import Outcome
from workbench.outcome.perplexity import Perplexity
from workbench.outcome.questionnaire import Questionnaire
from workbench.outcome.statements import Statements
from workbench.study.asking import Job, ask_jobs
from workbench.study.cells import EDITED, ROWS, Cell, ask_cells, cell_of, unedited_cell
from workbench.study.config import StudyConfig
from workbench.study.groups import groups_of
from workbench.study.meter import Meter
from workbench.study.store import Store

TRAIT = "Extraversion"
WAYS = ("increase", "decrease")
OUTCOMES: dict[str, Outcome] = {
    each.name: each
    for each in (
        Answers((TRAIT,), "testbed", "grammar", None, "testbed", 1.0, 8, 2, 2, 0),
        Fluency(),
        Statements((TRAIT,), "testbed", n=4),
        MinimalPairs(n=4),
        Perplexity(passages=2, answers=2, answer_tokens=4),
        Questionnaire((TRAIT,), 0),
    )
}
DRAWS = 3


def edit_of(model: wb.Model, seed: int, sign: float) -> wb.Edit:
    units = wb.NeuronSet.of((layer, 7 * seed + unit) for layer in (1, 3, 5) for unit in range(20))
    values = sign * (1.0 + 0.1 * torch.arange(float(len(units))))
    return wb.Edit.on(
        units, values, operation="add", width=model.d_mlp, trait=TRAIT, method=f"m{seed}", direction="increase",
        site="hook_post",
    )  # fmt: skip


@pytest.fixture(scope="module")
def cells(model: wb.Model) -> dict[str, list[Cell]]:
    """By scope: the unedited model, an arm at two doses, a random arm with draws, and one that speaks."""

    def arm(name: str, seeds: Sequence[int]) -> Arm:
        draws = tuple({(TRAIT, way): edit_of(model, seed, sign) for way, sign in zip(WAYS, (1, -1), strict=True)}
                      for seed in seeds)  # fmt: skip
        return Arm(ArmSpec(name, "rival", "graded", lambda context: context.reference()), draws)

    speaks = ArmSpec("persona", "rival", "graded", lambda context: context.reference())
    told = Arm(speaks, ({(TRAIT, way): Instruction(TRAIT, way, "persona", f"You are {way}d.") for way in WAYS},))

    def of(scope: Any) -> list[Cell]:
        settings: dict[str, Any] = {"scope": scope, "split": "test"}
        drawn = cell_of(arm("random", range(1, 1 + DRAWS)), 1.0, **settings, drawn_by=frozenset(OUTCOMES) - {"fluency"})
        doses = [cell_of(arm("method", [0]), dose, **settings) for dose in (0.5, 1.0)]
        return [unedited_cell((TRAIT,), **settings), *doses, drawn, cell_of(told, 1.0, **settings)]

    return {scope: of(scope) for scope in ("generated", "decode", "all")}


def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(one, other, check_exact=False, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("scope", ["generated", "decode", "all"])
@pytest.mark.parametrize("name", list(OUTCOMES))
def test_cells_side_by_side_give_what_each_gives_alone(
    model: wb.Model, cells: dict[str, list[Cell]], name: str, scope: str
) -> None:
    outcome, asked = OUTCOMES[name], cells[scope]
    assert outcome.side_by_side
    known: list[dict[str, pd.DataFrame]] = [{} for _ in asked]
    if outcome.needs:
        known = [{"answers": ask_cells(model, [cell], OUTCOMES["answers"], [{}])[0][ROWS]} for cell in asked]
    if scope == "decode" and name == "questionnaire":
        asked, known = asked[:1], known[:1]  # options of one token leave an edit without a position
    alone = [ask_cells(model, [cell], outcome, [rows])[0] for cell, rows in zip(asked, known, strict=True)]
    with model.sharing():
        together = ask_cells(model, asked, outcome, known)
    for cell, one, both in zip(asked, alone, together, strict=True):
        same(both[ROWS], one[ROWS])
        pairs = ["outcome", "phase", "edited_pairs", "arm", "gamma", "scope"]
        same(both[EDITED][pairs], one[EDITED][pairs])
        assert set(both[ROWS]["draw"]) == (set(range(DRAWS)) if name in cell.drawn_by else {0})
        if name != "fluency" and cell.arm in ("method", "random"):
            assert both[EDITED]["edited_pairs"].sum() > 0


@pytest.mark.parametrize("name", ["answers", "statements"])
def test_a_draw_gives_what_it_gives_alone(model: wb.Model, cells: dict[str, list[Cell]], name: str) -> None:
    outcome, cell = OUTCOMES[name], cells["generated"][3]
    rows = ask_cells(model, [cell], outcome, [{}])[0][ROWS]
    for number in range(DRAWS):
        own = tuple(each for each in cell.asked_by(outcome) if each.draw == number)
        alone = replace(cell, conditions=own, by_direction=own, further=())
        wanted = ask_cells(model, [alone], outcome, [{}])[0][ROWS]
        same(rows[rows["draw"] == number].reset_index(drop=True), wanted[list(rows.columns)])
    if name == "statements":
        assert rows.drop_duplicates([column for column in rows if column != "draw"]).shape == rows.shape


def test_draws_are_read_in_one_pass(
    model: wb.Model, cells: dict[str, list[Cell]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many draws there are, their statements take as many passes as one draw's."""
    outcome, cell = OUTCOMES["statements"], cells["generated"][3]
    passes = []
    for number in (1, DRAWS):
        own = tuple(each for each in cell.asked_by(outcome) if each.draw < number)
        before = model.begun
        ask_cells(model, [replace(cell, conditions=own, by_direction=own, further=())], outcome, [{}])
        passes.append(model.begun - before)
    assert passes[0] == passes[1]


def test_groups_are_of_one_split_and_scope_and_bounded(cells: dict[str, list[Cell]]) -> None:
    every = [Job(cell, ()) for scope in ("generated", "decode") for cell in cells[scope]]
    groups = list(groups_of(every, 6))
    assert [job for group in groups for job in group] == every
    assert all(len({job.cell.scope for job in group}) == 1 for group in groups)
    assert [[job.cell.arm for job in group] for group in groups[:3]] == [
        ["none", "method", "method"], ["random"], ["persona"]
    ]  # fmt: skip
    again = list(groups_of([every[1], every[1]], 100))
    assert [len(group) for group in again] == [1, 1]  # rows of equal arms and doses could not be told apart


def test_a_group_is_kept_at_once(
    model: wb.Model, cells: dict[str, list[Cell]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between two files of a group, a study asks the whole group again, so that its rows have equal company."""
    jobs = [Job(cell, (OUTCOMES["answers"],)) for cell in cells["generated"][:3]]
    frames, _ = ask_jobs(model, StudyConfig(), Store(tmp_path / "whole"), jobs, Meter(1.0, None))
    write, written = Store._write, []

    def killed(self: Store, file: str, value: Any) -> Path:
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(file)
        return write(self, file, value)

    monkeypatch.setattr(Store, "_write", killed)
    with pytest.raises(KeyboardInterrupt):
        ask_jobs(model, StudyConfig(), Store(tmp_path / "killed"), jobs, Meter(1.0, None))
    monkeypatch.setattr(Store, "_write", write)
    store = Store(tmp_path / "killed")
    assert len(written) == 3
    assert not store.manifest["steps"]
    again, _ = ask_jobs(model, StudyConfig(), store, jobs, Meter(1.0, None))
    pd.testing.assert_frame_equal(again["answers"], frames["answers"], check_exact=True)
    one, other = (sorted(Store(tmp_path / name).manifest["steps"].items()) for name in ("whole", "killed"))
    assert one == other  # keys and hashes of files
