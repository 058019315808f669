"""A forecast counts what the study computes, judges its time by a clock, and leaves model and disk as they were."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import workbench as wb
from workbench.cli.application import app
from workbench.model.counted import CountingRunner, Shape, counting
from workbench.model.pace import Pace, features_of, kind_of, pace_of
from workbench.study.asking import ask_jobs
from workbench.study.config import StudyConfig
from workbench.study.forecast import forecast_study
from workbench.study.meter import Meter
from workbench.study.plan import Plan
from workbench.study.rehearsal import rehearse, stages_of
from workbench.study.store import Store

SMALL = StudyConfig(
    traits=("Extraversion",),
    pairs=8,
    arms=("DPN-LE", "random", "simple prompt"),
    outcomes=("answers", {"statements": "testbed", "n": 4}, "questionnaire"),  # pyright: ignore[reportArgumentType]
    quantiles=(),
    gammas=(0.5, 1.0),
    broad_gammas=(0.2,),
    draws=2,
    test_questions=3,
    search_questions=2,
    max_new_tokens=5,
    permutations=20,
    resamples=100,
)


@pytest.fixture
def model() -> Iterator[wb.Model]:
    """The embedded model, whose answers no token ends, so that their length is known."""
    model = wb.load_model("testbed")
    stops = model.stop_tokens
    model.stop_tokens = frozenset()
    yield model
    model.stop_tokens = stops


@contextmanager
def watched(model: wb.Model) -> Iterator[list[tuple[str, int]]]:
    """The phase and the tokens of every pass that the model really runs."""
    seen: list[tuple[str, int]] = []
    runner = model.runner
    names = ("run", "last_logits", "branching_logits")

    def seeing(run):
        def ran(tokens: torch.Tensor, *given, **more):
            under_way = model.current
            assert under_way is not None
            seen.append((under_way.phase, max(int(under_way.real.sum()), 1)))
            if seen[-1][1] == 1:
                seen[-1] = (under_way.phase, tokens.numel())
            return run(tokens, *given, **more)

        return ran

    for name in names:
        setattr(runner, name, seeing(getattr(runner, name)))
    try:
        yield seen
    finally:
        for name in names:
            delattr(runner, name)


def test_what_is_counted_is_what_the_study_computes(model: wb.Model, tmp_path: Path) -> None:
    plan = Plan.of(SMALL)
    asked, _ = rehearse(plan, model, seconds=1e9, sample=False)
    assert {each.share for each in asked} == {1.0}
    counted = {
        phase: sum(s.tokens * count for each in asked for s, count in each.shapes if s.phase == phase)
        for phase in ("prompt", "decode")
    }
    passes = sum(count for each in asked for _, count in each.shapes)
    store, meter = Store(tmp_path), Meter(1.0, None)
    with watched(model) as seen, model.sharing():
        for jobs in stages_of(plan, model):
            ask_jobs(model, plan.config, store, jobs, meter)
    assert passes == len(seen)
    for phase, tokens in counted.items():
        assert tokens == sum(count for of, count in seen if of == phase)
    assert counted["decode"] > 0


def test_counting_leaves_no_trace(model: wb.Model) -> None:
    prompts = ["What do you do at parties?", "What is 2 + 3?"]
    runner, before = model.runner, model.generate_tokens(prompts, max_new_tokens=4)
    with pytest.raises(RuntimeError, match="stopped"), counting(model, sample=False) as counted:
        answers = model.generate_tokens(prompts, max_new_tokens=4)
        assert [len(answer) for answer in answers] == [4, 4]
        assert isinstance(model.runner, CountingRunner)
        raise RuntimeError("stopped")
    assert [shape.phase for shape in counted.shapes] == ["prompt", "decode", "decode", "decode"]
    assert model.runner is runner
    assert model.generate_tokens(prompts, max_new_tokens=4) == before


def test_answers_end_where_those_that_were_sampled_do() -> None:
    model = wb.load_model("testbed")
    prompts = [f"What is {a} + {a + 1}?" for a in range(2, 14)]
    with counting(model) as counted:
        lengths = [len(answer) for answer in model.generate_tokens(prompts, max_new_tokens=40)]
    sampled = [len(answer) for answer in model.generate_tokens(prompts[::2], max_new_tokens=40)]
    assert sorted(set(lengths)) == sorted(set(sampled))
    assert max(lengths) < 40
    decoded = sum(shape.tokens for shape in counted.shapes if shape.phase == "decode")
    assert sum(lengths) <= decoded <= max(lengths) * len(prompts)


class Ticks:
    """A clock that every reading moves on by as much."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def test_seconds_are_passes_times_what_each_takes(model: wb.Model) -> None:
    shapes = [Shape(2, 6, 0, 1, 12, "prompt")] * 3 + [Shape(2, 1, 6, 1, 2, "decode")] * 5
    with counting(model, sample=False) as counted:
        pass
    pace = pace_of(model, counted, shapes, seconds=1e9, clock=Ticks(0.25))
    assert pace.share == 1.0
    assert pace.total(shapes) == pytest.approx(8 * 0.25)  # from reading to reading
    known = Shape(4, 10, 0, 1, 40, "prompt")
    other = Pace({kind_of(known): 2.0}, (0.5, 0.01, 0.0, 0.1), 0.5)
    assert other.seconds(known) == 2.0
    assert features_of(Shape(4, 100, 20, 3, 400, "prompt")) == (1.0, 400.0, 48_000.0, 12.0)
    assert other.seconds(Shape(4, 100, 20, 3, 400, "prompt")) == pytest.approx(0.5 + 4.0 + 1.2)


def test_passes_that_were_not_timed_are_fitted(model: wb.Model) -> None:
    """The time of a pass is a sum of its positions; sizes beyond those that there was time for lie on the same line."""
    shapes = [Shape(1, 2**n, 0, 1, 2**n, "prompt") for n in range(1, 8)]
    with counting(model, sample=False) as counted:
        pass
    pace = pace_of(model, counted, shapes, seconds=0.0, clock=Ticks(1.0))
    assert len(pace.timed) == 4
    assert 0 < pace.share < 1
    assert pace.seconds(shapes[0]) == pytest.approx(1.0, rel=0.05)  # each of those timed took one tick


def test_a_forecast_writes_nothing_and_says_what_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: wb.Model
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = SMALL.model_copy(update={"outcomes": ("answers",), "arms": ("DPN-LE", "random")})
    forecast = forecast_study(settings, model=model, seconds=2.0)
    assert list(tmp_path.iterdir()) == []
    parts = forecast.parts.set_index(["part", "split"])
    # 2 ways at 2 doses and the model as it is; at the chosen dose 1 more draw of the random arm; 3 questions each.
    assert parts.loc[("answers", "test"), "conditions"] == 1 + 2 * 2 + 2 * 2 + 2
    assert parts.loc[("answers", "search"), "conditions"] == 1 + 2 * 2
    assert parts.loc[("answers", "test"), "answer_tokens"] == 11 * 3 * 4  # the first of 5 tokens comes from the prompt
    assert (parts["seconds"] >= 0).all()
    assert forecast.seconds == pytest.approx(parts["seconds"].sum())
    weights = sum(each.numel() * each.element_size() for each in model.network.parameters())
    assert forecast.memory["weights"] == weights
    assert forecast.bytes > weights
    plan = Plan.of(settings)
    assert forecast.memory["activations"] == 4 * 2 * plan.config.pairs * model.n_layers * model.d_mlp


def test_the_command_prints_a_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.study.forecast.CALIBRATION", 1.0)
    file = tmp_path / "study.toml"
    file.write_text(SMALL.model_copy(update={"outcomes": ("answers",)}).toml(), encoding="utf-8")
    ran = CliRunner().invoke(app, ["study", str(file), "--plan", "--json"])
    assert ran.exit_code == 0, ran.output
    said = " ".join(ran.output.split())
    assert "Time: about" in said
    assert "Memory: about" in said
    assert '"tokens": ' in said
    assert [path.name for path in tmp_path.iterdir()] == ["study.toml"]


def test_what_there_is_no_time_for_is_in_proportion(model: wb.Model) -> None:
    plan = Plan.of(SMALL.model_copy(update={"outcomes": ("questionnaire",), "target": "questionnaire"}))
    asked, _ = rehearse(plan, model, seconds=1e9, sample=False)
    late, _ = rehearse(plan, model, seconds=0.0, clock=Ticks(1.0), sample=False)
    assert [each.conditions for each in late] == [each.conditions for each in asked]
    test = next(each for each in late if each.split == "test")
    # The model as it is, with one condition, and one cell with two; the rest is as that cell.
    assert test.share == 3 / test.conditions
    tokens = sum(shape.tokens * count for shape, count in test.shapes)
    whole = sum(shape.tokens * count for each in asked if each.split == "test" for shape, count in each.shapes)
    assert whole / 2 < tokens < 2 * whole
