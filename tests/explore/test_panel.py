"""The notebook panel: moving a control changes the figures, the counts and the answers."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import plotly.graph_objects as go
import pytest

import workbench as wb

pytest.importorskip("ipywidgets", reason="the panel needs the extra notebooks")
pytest.importorskip("anywidget", reason="the panel needs the extra notebooks")

from workbench.explore.panel import trait_panel
from workbench.explore.steering import Answer, Answers
from workbench.explore.widgets import TraitPanel

QUESTION = "How do you spend your time at the office party?"


@pytest.fixture
def panel(model: wb.Model, effects: wb.Effects) -> Iterator[TraitPanel]:
    made = trait_panel(model, effects, question=QUESTION)
    yield made
    made.close()


def traces(drawn: go.FigureWidget) -> list[Any]:
    return list(drawn.data)


def marks(panel: TraitPanel) -> int:
    return sum(len(trace.x) for trace in traces(panel.map)[1:])


def test_it_begins_with_the_defaults(panel: TraitPanel, effects: wb.Effects) -> None:
    chosen = wb.select_neurons(effects)
    assert marks(panel) == len(chosen)
    assert traces(panel.map)[0].z.shape == (8, 768)
    counted = {trace.name: sum(abs(trace.y)) for trace in traces(panel.counts)}
    assert counted == {"High neurons": len(chosen.high), "Low neurons": len(chosen.low)}
    assert f"<b>{len(chosen.high)}</b> High" in panel.summary.value
    assert "Unedited" in panel.base.value
    assert "Increased" in panel.steered.value
    assert panel.message.value == ""


def test_a_lower_quantile_marks_and_counts_more(panel: TraitPanel, effects: wb.Effects) -> None:
    panel.quantile.value = 0.97
    chosen = wb.select_neurons(effects, quantile=0.97)
    assert marks(panel) == len(chosen)
    assert sum(sum(abs(trace.y)) for trace in traces(panel.counts)) == len(chosen)
    assert f"{len(chosen)} neurons" in panel.steered.value


def test_a_range_of_layers_draws_these_alone(panel: TraitPanel) -> None:
    panel.layers.value = (2, 4)
    assert list(traces(panel.map)[0].y) == [2, 3, 4]
    assert traces(panel.map)[0].z.shape == (3, 768)
    assert list(traces(panel.counts)[0].x) == [2, 3, 4]


def test_dose_and_direction_change_the_steered_answer_alone(
    panel: TraitPanel, model: wb.Model, effects: wb.Effects
) -> None:
    base, before = panel.base.value, panel.steered.value
    panel.gamma.value = 1.5
    panel.direction.value = "decrease"
    with wb.edited(model, wb.dpn_edit(effects, wb.select_neurons(effects), gamma=1.5, direction="decrease")) as run:
        text = model.generate(QUESTION, max_new_tokens=56)[0]
    assert text in panel.steered.value
    assert f"{run.edited:,} (position, layer) pairs" in panel.steered.value
    assert panel.steered.value != before
    assert panel.base.value == base


def test_a_question_changes_both_answers(panel: TraitPanel) -> None:
    panel.question.value = "What do you do when a friend is late?"
    assert "Unedited" in panel.base.value
    panel.question.value = ""
    assert panel.base.value == panel.steered.value == ""


def test_a_choice_of_nothing_is_said_and_mended(panel: TraitPanel) -> None:
    panel.min_d.max = 100
    panel.min_d.value = 100
    assert marks(panel) == 0
    assert "selects nothing" in panel.summary.value
    assert "selects nothing" in panel.message.value
    panel.min_d.value = 0.8
    assert panel.message.value == ""
    assert marks(panel) > 0


def test_traits_are_chosen_by_name(model: wb.Model, effects: wb.Effects) -> None:
    other = wb.effect_sizes(wb.capture(model, wb.Contrast.testbed("Openness", n=30)))
    panel = trait_panel(model, {"Extraversion": effects, "Openness": other})
    assert panel.base.value == ""
    assert panel.trait.options == ("Extraversion", "Openness")
    before = traces(panel.map)[0].z.copy()
    panel.trait.value = "Openness"
    assert (traces(panel.map)[0].z != before).any()
    assert marks(panel) == len(wb.select_neurons(other))
    panel.close()


def test_answers_wait_until_the_sliders_rest(panel: TraitPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an event loop runs, as in a notebook."""
    monkeypatch.setattr("workbench.explore.widgets._REST", 0.05)
    asked: list[float] = []
    answers = panel.explorer.answers
    monkeypatch.setattr(
        panel.explorer, "answers", lambda *a, **k: (asked.append(panel.gamma.value), answers(*a, **k))[1]
    )

    async def drag() -> None:
        for gamma in (0.2, 0.4, 0.6):
            panel.gamma.value = gamma
        assert asked == []
        await asyncio.sleep(0.2)

    asyncio.run(drag())
    assert asked == [0.6]
    assert "gamma 0.6" in panel.steered.value


def test_answers_are_shown_as_text(panel: TraitPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = "<script>alert(1)</script>"
    told = Answers("?", 1, Answer("base", 0.0, bad), (Answer("increase", 1.0, bad, 3),))
    monkeypatch.setattr(panel.explorer, "answers", lambda *a, **k: told)
    panel.question.value = "What else?"
    for shown in (panel.base.value, panel.steered.value):
        assert "<script>" not in shown
        assert "&lt;script&gt;" in shown


def test_mistakes_are_named(model: wb.Model, effects: wb.Effects) -> None:
    with pytest.raises(ValueError, match="What is given for Openness is of Extraversion"):
        trait_panel(model, {"Openness": effects})
    with pytest.raises(ValueError, match="at most 2,000 characters"):
        trait_panel(model, effects, question="a" * 3000)


def test_without_the_extra_one_line_names_it() -> None:
    script = (
        "import sys; sys.modules['ipywidgets'] = None\n"
        "from workbench.explore.panel import trait_panel\n"
        "try:\n    trait_panel(None, {})\nexcept ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "pip install 'dpn-workbench[notebooks]'" in done.stdout
    assert len(done.stdout.splitlines()) == 1
