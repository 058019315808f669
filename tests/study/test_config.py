from pathlib import Path

import pytest
from typer.testing import CliRunner

import workbench as wb
from workbench.cli import app
from workbench.study.config import ARMS


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
        ('traits = ["Charm"]', "traits: .*There is no Big Five trait 'Charm'"),
        ('arms = ["broad"]', "arms: .*arms are DPN-LE and any of"),
        ("gammas = [0.0, 1.0]", "gammas: .*finite numbers above 0"),
        ("gammas = [nan]", "gammas: "),
        ("doses = [1]", "doses: Extra inputs are not permitted"),
        ('scopes = ["prompt"]', "scopes"),
        ("scopes = []", "scopes: .*at least one scope"),
        ('outcomes = ["answers"]', "outcomes: .*answers, capability and any of"),
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
    for name in wb.StudyConfig.model_fields:
        assert f"\n{name} = " in "\n" + text or f"\n# {name} =" in text
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    assert wb.StudyConfig.read(tmp_path / "study.toml") == wb.StudyConfig.example()


def test_doses_of_every_kind_of_arm() -> None:
    config = wb.StudyConfig(gammas=(0.5, 1.0), broad_gammas=(0.1,), control_gammas=(2.0,))
    assert config.doses("DPN-LE", 0.5) == (0.5, 1.0)
    assert config.doses("broad", 0.5) == (0.1, 0.5)
    assert config.doses("shuffled", 0.5) == (0.5, 2.0)
    assert config.doses("random", 0.5) == (0.5, 1.0)
    assert config.doses("simple prompt", 0.5) == (1.0,)


def test_the_command_line_prints_the_example() -> None:
    printed = CliRunner().invoke(app, ["study", "--example"])
    assert printed.exit_code == 0
    assert printed.stdout == wb.StudyConfig.example().toml(explained=True)
