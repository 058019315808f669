from pathlib import Path

import pytest
from typer.testing import CliRunner

import workbench as wb
from workbench.arm.registry import ARMS, arm_named
from workbench.arm.spec import ArmSpec
from workbench.cli import app


def test_a_configuration_is_read_back_as_it_was(tmp_path: Path) -> None:
    config = wb.StudyConfig(traits=("openness", "Extraversion"), layers=(2, 3), gammas=(1.0, 0.5, 0.5))
    assert config.traits == ("Openness", "Extraversion")
    assert config.gammas == (0.5, 1.0)
    (tmp_path / "study.toml").write_text(config.toml(), encoding="utf-8")
    assert wb.StudyConfig.read(tmp_path / "study.toml") == config


def test_defaults_are_the_whole_claim() -> None:
    config = wb.StudyConfig()
    assert config.traits == wb.BIG_FIVE
    assert config.arms == ARMS
    assert (config.quantile, config.min_d) == (0.995, 0.8)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pairs = ", "study.toml is no TOML"),
        ("pairs = 1", "study.toml, pairs: Input should be greater than or equal to 2"),
        ("quantile = 1.0", "quantile: Input should be less than 1"),
        ("traits = []", "traits: .*at least one trait"),
        ('traits = ["Charm"]', "traits: .*There is no built-in concept 'Charm'"),
        ('arms = ["broad"]', "the whole: .*the arm under test, 'DPN-LE', is not among the arms: \\['broad'\\]"),
        ('arms = ["wide"]', "arms: .*There is no arm 'wide'. Choose among DPN-LE, "),
        ("gammas = [0.0, 1.0]", "gammas: .*finite numbers above 0"),
        ("gammas = [nan]", "gammas: "),
        ("gammas = []", "the whole: .*gammas or broad_gammas holds none"),
        ("doses = [1]", "doses: Extra inputs are not permitted"),
        ('scopes = ["prompt"]', "scopes"),
        ("scopes = []", "scopes: .*at least one scope"),
        ('outcomes = ["smiles"]', "outcomes: .*any of answers, .*, but 'smiles' arrived"),
        ("workers = 2", "the whole: .*go with engine = 'ray'"),
        ('engine = "cloud"', "engine: "),
    ],
)
def test_mistakes_name_their_entry(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "study.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        wb.StudyConfig.read(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no file"):
        wb.StudyConfig.read(tmp_path / "none.toml")


def test_the_example_explains_every_entry_and_reads_back(tmp_path: Path) -> None:
    text = wb.StudyConfig.example().toml(explained=True)
    for name in set(wb.StudyConfig.model_fields) - {"concepts"}:  # which traits fills
        assert f"\n{name} = " in "\n" + text or f"\n# {name} =" in text
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    assert wb.StudyConfig.read(tmp_path / "study.toml") == wb.StudyConfig.example()


def test_doses_follow_from_the_arm() -> None:
    config = wb.StudyConfig(gammas=(0.5, 1.0), broad_gammas=(0.1,), control_gammas=(2.0,))
    for name, doses in (
        ("DPN-LE", (0.5, 1.0)),
        ("broad", (0.1, 0.5)),
        ("shuffled", (0.5, 2.0)),
        ("random", (0.5, 1.0)),
        ("simple prompt", (1.0,)),
    ):
        assert config.doses(arm_named(name), 0.5) == doses
    assert config.doses(ArmSpec("mine", "rival", (0.3,), str), 0.5) == (0.3, 0.5)
    # Before a dose is chosen, those among which it is.
    assert config.doses(arm_named("broad")) == (0.1,)
    assert config.doses(arm_named("flipped")) == (2.0,)


def test_tables_of_outcomes_and_bounds_are_read_back(tmp_path: Path) -> None:
    entries = ("answers", {"minimal-pairs": "pairs.jsonl", "n": 60})
    config = wb.StudyConfig(outcomes=entries, max_loss={"minimal_pairs": 0.1}, min_level={})
    (tmp_path / "study.toml").write_text(config.toml(explained=True), encoding="utf-8")
    assert wb.StudyConfig.read(tmp_path / "study.toml") == config


def test_the_command_line_prints_the_example() -> None:
    printed = CliRunner().invoke(app, ["study", "--example"])
    assert printed.exit_code == 0
    assert printed.stdout == wb.StudyConfig.example().toml(explained=True)
