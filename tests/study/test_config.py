from pathlib import Path

import pytest

import workbench as wb
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
        ('scope = "prompt"', "scope: "),
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
