"""A study that has been run, read from its folder."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from workbench import edit as edits
from workbench.arm.spec import Role
from workbench.measure.summarising import ALL
from workbench.outcome.finding import Finding
from workbench.study.config import StudyConfig
from workbench.study.store import MANIFEST, Store
from workbench.textfile import read_json

TABLES = "tables/"
"""The step that makes a study's tables."""

_ENTRIES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("model", "method", "target"), str),
    **dict.fromkeys(("findings", "quantities"), list),
    **dict.fromkeys(("twins", "left_out"), dict),
    "gamma": (int, float),
}
"""What the manifest of a finished study holds."""


@dataclass(frozen=True)
class Study:
    """What a study's folder holds.

    Attributes:
        folder: the folder.
        config: what was asked.
        manifest: what was used and made: hashes, versions, machine, findings.
    """

    folder: Path
    config: StudyConfig
    manifest: dict[str, Any]

    @property
    def gamma(self) -> float:
        """The dose at which all is reported: chosen on search questions, or given by the configuration."""
        return float(self.manifest["gamma"])

    @property
    def method(self) -> str:
        """The arm under test, or what stands for it where it selects nothing of any trait; see `stand_ins`."""
        return str(self.manifest["method"])

    @property
    def preset(self) -> str:
        """What was published for a model of this architecture and size, where the study used it; else empty."""
        return self.manifest.get("preset") or ""

    @property
    def stand_ins(self) -> dict[str, dict[str, Any]]:
        """By trait of which the method selects nothing: method, arm, min_d, high, low, why.

        `arm` stands for `method` there: the same rule at `min_d`, where it selects `high` and `low` neurons. Controls
        and rivals are matched to it, and no claim about the method is judged.
        """
        return self.manifest.get("stand_ins", {})

    @property
    def stands_for(self) -> str:
        """The method that selects nothing of any of the study's traits, so that another stands for it; else empty."""
        wholly = set(self.stand_ins) == set(self.config.traits)
        return str(next(iter(self.stand_ins.values()))["method"]) if wholly else ""

    @property
    def target(self) -> str:
        """The quantity that chose the dose, and at which arms are compared."""
        return str(self.manifest["target"])

    @property
    def quantities(self) -> pd.DataFrame:
        """What was measured: columns outcome, cluster, compared, name, role, label, unit and margin, a row each."""
        return pd.DataFrame(self.manifest["quantities"])

    @property
    def roles(self) -> dict[str, Role]:
        """The role of each arm that ran, in the tables' order."""
        arms = self.tables["arms"]
        return dict(zip(arms["arm"], arms["role"], strict=True))

    @property
    def twins(self) -> dict[str, str]:
        """Arms whose edits turned out to be another arm's, value by value."""
        return self.manifest["twins"]

    @property
    def left_out(self) -> dict[str, str]:
        """Arms that could not be built, or not for all traits, and why."""
        return self.manifest["left_out"]

    @property
    def warnings(self) -> list[str]:
        """What was warned of while it ran."""
        return self.manifest.get("warnings", [])

    @property
    def findings(self) -> list[Finding]:
        """What the data say of each claim, all traits together."""
        return [finding for finding in self._all_findings if finding.trait == ALL]

    def verdict(self) -> pd.DataFrame:
        """What the data say of each claim, over all traits (`all`) and for each.

        Returns:
            Columns id, claim, trait, verdict (`supported`, `refuted` or `undecided` at this n) and text, the numbers
            in a sentence.
        """
        rows = [(each.id, each.claim, each.trait, each.verdict, each.sentence) for each in self._all_findings]
        return pd.DataFrame(rows, columns=["id", "claim", "trait", "verdict", "text"])

    @cached_property
    def _all_findings(self) -> list[Finding]:
        return [Finding.of_entry(entry) for entry in self.manifest["findings"]]

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table by name; a table that is not as it was written is refused."""
        paths = Store(self.folder).files_of(TABLES) or {}
        return {name: pd.read_parquet(path) for name, path in paths.items()}

    def edit(self, trait: str, direction: str) -> "edits.Edit | edits.Composite":
        """The edit under test of a trait at the chosen dose.

        Raises:
            FileNotFoundError: if the arm under test edits nothing, or the study has no such trait.
        """
        return edits.load_edit(self.folder / "edits" / f"{trait}-{direction}.safetensors")


def load_study(folder: str | Path) -> Study:
    """The study in a folder.

    Raises:
        FileNotFoundError: if there is none, or its tables are gone.
        ValueError: if it was never finished, or its manifest is damaged.
    """
    folder = Path(folder)
    path = folder / MANIFEST
    if not path.is_file() or not (folder / "study.toml").is_file():
        raise FileNotFoundError(f"There is no study in {folder}: it has no {MANIFEST} and study.toml.")
    manifest = read_json(path)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("steps"), dict):
        raise ValueError(f"{path} is no study's manifest: it has no steps. Give the folder of a study.")
    if "findings" not in manifest:
        raise ValueError(f"The study in {folder} was not finished. Run it again: it continues where it stopped.")
    config = StudyConfig.read(folder / "study.toml")
    _check_manifest(path, manifest)
    _check_concepts(folder, config, manifest)
    if Store(folder).files_of(TABLES) is None:
        raise FileNotFoundError(f"The study in {folder} lacks tables. Run it again: it makes what is not there.")
    return Study(folder, config, manifest)


def _check_concepts(folder: Path, config: StudyConfig, manifest: dict[str, Any]) -> None:
    """Refuse a concept's file that is not what the study was run with."""
    kept = manifest.get("concepts", {})
    for file, concept in config.concept_files.items():
        if concept.name in kept and kept[concept.name].get("sha256") != concept.digest:
            raise ValueError(
                f"{folder / file} is not as the study wrote it (its hash differs). Copy the study's folder again, or "
                "run the study again with the changed concept."
            )


def _check_manifest(path: Path, manifest: dict[str, Any]) -> None:
    """Refuse a manifest that no finished study wrote, with what is wrong in it."""
    for name, kind in _ENTRIES.items():
        if not isinstance(manifest.get(name), kind):
            found = f"is {manifest[name]!r:.40}" if name in manifest else "is missing"
            raise ValueError(f"{path} is damaged: {name} {found}. Copy the study's folder again.")
    try:
        for entry in manifest["findings"]:
            Finding.of_entry(dict(entry))
        for entry in manifest["quantities"]:
            _ = [dict(entry)[name] for name in ("outcome", "cluster", "name", "role", "label", "unit")]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} is damaged: a finding or a quantity is none ({error}). Copy it again.") from None
