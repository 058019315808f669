"""`import workbench as wb`: few names at the root, the rest in packages, each imported when it is first used."""

import importlib
import pickle
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import workbench as wb

ROOT = Path(wb.__file__).parents[1]
PACKAGES = sorted(name for name in wb.__all__ if isinstance(getattr(wb, name), ModuleType))
NAMES = sorted(set(wb.__all__) - set(PACKAGES))
HEAVY = ("torch", "transformers", "transformer_lens", "plotly", "dash", "sklearn", "scipy", "pandas", "pydantic")


def printed(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def loaded_after(code: str) -> set[str]:
    """Which of the heavy libraries a fresh interpreter has imported after some code."""
    return set(printed(f"{code}\nimport sys\nprint(*(name for name in {HEAVY} if name in sys.modules))").split())


def test_the_root_is_short() -> None:
    assert 30 <= len(NAMES) <= 42


@pytest.mark.parametrize("package", ["", *PACKAGES, "capture"])
def test_every_name_is_there_and_listed(package: str) -> None:
    module = importlib.import_module(f"workbench.{package}".rstrip("."))
    assert module.__all__ == sorted(module.__all__)
    assert set(module.__all__) <= set(dir(module))
    for name in module.__all__:
        assert getattr(module, name) is getattr(module, name)


@pytest.mark.parametrize("name", NAMES)
def test_a_root_name_is_its_package_s(name: str) -> None:
    """What stands at the root is the same object that its package offers, where that lists it."""
    packages = [importlib.import_module(f"workbench.{package}") for package in (*PACKAGES, "capture")]
    homes = [getattr(package, name) for package in packages if name in package.__all__]
    assert len(homes) == 1
    assert homes[0] is getattr(wb, name)


def test_importing_the_front_door_imports_no_library() -> None:
    assert loaded_after("import workbench") == set()
    assert loaded_after("import workbench.vocabulary, workbench.plots, workbench.study, workbench.cli") == set()


SLOW = ("transformer_lens.model_bridge", "scipy.stats", "statsmodels", "sklearn", "plotly", "dash")
"""What takes longer to import than the whole package, and what few calls need."""


def test_a_name_imports_what_it_needs_and_no_more() -> None:
    assert loaded_after("import workbench as wb; wb.BIG_FIVE, wb.Prompt, wb.ArmSpec, wb.CaptureSettings") == set()
    touched = "import workbench as wb\nnames = [getattr(wb, name) for name in wb.__all__]\nimport sys"
    assert printed(f"{touched}\nprint(*(name for name in {SLOW} if name in sys.modules))") == ""


@pytest.mark.parametrize(
    "first",
    [
        "import workbench.capture.tally",
        "from workbench.capture.tally import Tally",
        "import workbench.capture",
        "from workbench.capture import load_capture",
        "import workbench; workbench.Tally",
        "import workbench; workbench.measure.overlap",
        "import workbench.measure.overlap, workbench.select.stability, workbench.edit.attribution",
    ],
)
def test_functions_named_like_their_module_stay_functions(first: str) -> None:
    """Importing `workbench.capture.tally` would set `workbench.capture` to the package."""
    then = (
        "import workbench as wb\n"
        "from workbench.capture.tally import Tally\n"
        "import workbench.capture.folder, workbench.measure.overlap\n"
        "from workbench import capture\n"
        "functions = [wb.capture, capture, wb.overlap, wb.measure.overlap, wb.stability, wb.edit.attribution]\n"
        "assert wb.Tally is Tally\n"
        "print(*(type(each).__name__ for each in functions))"
    )
    assert printed(f"{first}\n{then}") == " ".join(["function"] * 6)


def test_a_name_of_a_package_says_where_it_lives() -> None:
    with pytest.raises(AttributeError) as caught:
        wb.random_control  # type: ignore[attr-defined]  # noqa: B018
    assert str(caught.value) == (
        "workbench has no name 'random_control' at its root. It lives in workbench.edit: "
        "from workbench.edit import random_control."
    )
    with pytest.raises(AttributeError, match="from workbench.capture import top_prompts"):
        wb.top_prompts  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'random_control' from 'workbench'"):
        from workbench import random_control  # type: ignore[attr-defined]  # noqa: F401


def test_a_name_that_is_nowhere_is_refused() -> None:
    with pytest.raises(AttributeError, match=r"^workbench has no name 'steer'\.$"):
        wb.steer  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(AttributeError, match="workbench has no name '_load_all'"):
        wb._load_all  # type: ignore[attr-defined]  # noqa: B018
    assert not hasattr(wb, "__wrapped__")


def test_values_of_lazy_names_are_pickled_by_their_home() -> None:
    neurons = wb.NeuronSet.of([(1, 2)])
    assert pickle.loads(pickle.dumps(neurons)) == neurons
    assert pickle.loads(pickle.dumps(wb.capture)) is wb.capture


def test_stars_and_packages_can_be_imported() -> None:
    assert printed("from workbench import *; print(effect_sizes.__name__, plots.__name__)") == (
        "effect_sizes workbench.plots"
    )
    assert printed("import workbench.plots; print(workbench.plots.effect_map.__name__)") == "effect_map"


def test_the_version_is_the_distribution_s() -> None:
    from importlib.metadata import version

    assert wb.__version__ == version("dpn-workbench")
