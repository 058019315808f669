"""What is released: the distributions hold what they need, run without extras, and say one version everywhere."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, distribution, requires
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import workbench as wb

ROOT = Path(__file__).parents[1]
MOST_BYTES = 15e6
with (ROOT / "pyproject.toml").open("rb") as opened:
    PROJECT = tomllib.load(opened)["project"]
BUILD = "from setuptools import build_meta; build_meta.build_sdist({0!r}); build_meta.build_wheel({0!r})"


def data_files(root: Path) -> set[str]:
    """The package's files that are no code."""
    files = (path for path in (root / "workbench").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(root).as_posix() for path in files if path.suffix != ".py"}


def asked_for(name: str) -> set[str]:
    """The installed distributions that one asks for without extras, and those that these ask for."""
    found: set[str] = set()
    waiting = [Requirement(name)]
    seen: set[str] = set()
    while waiting:
        one = waiting.pop()
        if str(one) in seen:
            continue
        seen.add(str(one))
        try:
            needed = requires(one.name) or []
        except PackageNotFoundError:  # for another system or another Python
            continue
        found.add(re.sub(r"[-_.]+", "-", one.name).lower())
        extras = ("", *one.extras)
        every = map(Requirement, needed)
        waiting += [
            each for each in every if each.marker is None or any(each.marker.evaluate({"extra": x}) for x in extras)
        ]
    return found


def link_installed(names: set[str], folder: Path) -> None:
    """Make a folder of installed packages that holds these distributions and no other."""
    for name in names:
        held = distribution(name)
        for top in {file.parts[0] for file in held.files or () if file.parts[0] not in ("..", "__pycache__")}:
            link, real = folder / top, Path(str(held.locate_file(top)))
            if not link.exists() and not top.endswith(".pth"):
                link.symlink_to(real)


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both distributions, built from a copy of what they need."""
    source, dist = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    shutil.copytree(ROOT / "workbench", source / "workbench", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    ran = subprocess.run([sys.executable, "-c", BUILD.format(str(dist))], cwd=source, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return dist


def test_distributions_are_small_and_whole(dist: Path) -> None:
    [wheel], [sdist] = dist.glob("*.whl"), dist.glob("*.tar.gz")
    assert wheel.stat().st_size < MOST_BYTES
    assert sdist.stat().st_size < MOST_BYTES
    assert f"-{wb.__version__}-" in wheel.name
    held = set(zipfile.ZipFile(wheel).namelist())
    assert data_files(ROOT) <= held
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert data_files(ROOT) | {"LICENSE", "README.md", "pyproject.toml"} <= inside
    assert not any(name.startswith(("tests/", "benchmarks/", "notebooks/")) for name in held)


def test_the_wheel_runs_the_ten_lines_without_extras(dist: Path, tmp_path: Path) -> None:
    [wheel], site = dist.glob("*.whl"), tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)  # what an installer does with a wheel of pure Python
    needed = asked_for("dpn-workbench") - {"dpn-workbench"}
    assert {"torch", "transformers", "transformer-lens"} <= needed
    assert not needed & {"kaleido", "ray", "openpyxl", "peft", "openai", "dash", "gguf", "pytest", "sphinx"}
    link_installed(needed, site)
    environment = os.environ | {"PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-S", str(ROOT / "tests" / "ten_lines.py")]  # without any other installed package
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert lines[0].startswith("Selection('Extraversion', dual,")
    assert lines[-1] == f"workbench {wb.__version__} in {site / 'workbench'}"


def test_every_place_says_one_version() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", wb.__version__)
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == wb.__version__
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert next(each for each in headings if each != "Unreleased").split()[0] == wb.__version__


def test_all_holds_every_extra_of_a_user() -> None:
    extras = PROJECT["optional-dependencies"]
    [everything] = extras["all"]
    named = set(re.fullmatch(r"dpn-workbench\[(.*)\]", everything)[1].split(","))  # type: ignore[index]
    assert named == set(extras) - {"all", "docs", "dev"}
    asked = {name for path in (ROOT / "workbench").rglob("*.py") for name in re.findall(
        r"dpn-workbench\[([a-z,]+)\]", path.read_text(encoding="utf-8"))}  # fmt: skip
    assert asked <= named


def test_classifiers_begin_at_the_least_python() -> None:
    versions = [each.rpartition(" ")[2] for each in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", each)]
    assert PROJECT["requires-python"] == f">={versions[0]}"
    assert versions == [f"3.{minor}" for minor in range(11, 11 + len(versions))]


def test_the_guide_to_contributing_names_what_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for path in re.findall(r"`((?:workbench|tests|docs)/[\w./]*)`", text):
        assert (ROOT / path).exists(), path
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make (\w+)", text):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
