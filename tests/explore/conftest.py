"""A small finished study, and explorers of it."""

import shutil
from pathlib import Path

import pytest

import workbench as wb
from workbench.explore.explorer import Explorer


@pytest.fixture(scope="session")
def study(model: wb.Model, tmp_path_factory: pytest.TempPathFactory) -> wb.Study:
    """A study of two traits, made in a few seconds. Tests leave its folder as they find it."""
    config = wb.StudyConfig(
        traits=("Extraversion", "Openness"),
        pairs=30,
        quantile=0.99,
        quantiles=(),
        arms=("DPN-LE", "random"),
        gammas=(1.0,),
        outcomes=("answers", "capability"),
        search_questions=1,
        draws=2,
        test_questions=2,
        items_per_task=1,
        patching_pairs=6,
        permutations=19,
        resamples=100,
    )
    return wb.run_study(config, tmp_path_factory.mktemp("explore") / "study", model=model)


@pytest.fixture(scope="session")
def explorer(study: wb.Study, model: wb.Model) -> Explorer:
    return Explorer.of_study(study, model)


@pytest.fixture
def copied(study: wb.Study, tmp_path: Path) -> Path:
    """The study's folder again, to be damaged."""
    return Path(shutil.copytree(study.folder, tmp_path / "copied"))
