"""Steps of a study: kept, made again where what they depend on has changed, refused where they were tampered with."""

import json
from pathlib import Path

import pandas as pd
import pytest

from workbench.study import store as storing
from workbench.study.store import Store
from workbench.study.study import load_study

TABLE = pd.DataFrame({"a": [1.0, 2.5], "b": ["x", None]})


class Counted:
    """Makes a step's parts, and counts how often."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> dict[str, pd.DataFrame]:
        self.calls += 1
        return {"first": TABLE, "second": TABLE.head(1)}


def test_a_step_is_made_once_for_a_key(tmp_path: Path) -> None:
    make = Counted()
    made = Store(tmp_path).frames("outcomes/one", "key", make)
    again = Store(tmp_path).frames("outcomes/one", "key", make)
    assert make.calls == 1
    pd.testing.assert_frame_equal(made["first"], TABLE)
    pd.testing.assert_frame_equal(again["second"], made["second"])
    assert (tmp_path / "outcomes" / "one.first.parquet").is_file()
    Store(tmp_path).frames("outcomes/one", "another key", make)
    assert make.calls == 2


def test_files_are_named_by_step_and_part(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.step("tables/", "k", lambda: {"dose": TABLE})["dose"] == tmp_path / "tables" / "dose.parquet"
    assert store.step("edits/x", "k", lambda: {"": TABLE})[""] == tmp_path / "edits" / "x.parquet"


def test_another_version_of_the_package_answers_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = Counted()
    Store(tmp_path).step("one", "key", make)
    monkeypatch.setattr(storing, "VERSION", "0.0.0")
    assert Store(tmp_path).kept("one", "key") is None
    Store(tmp_path).step("one", "key", make)
    assert make.calls == 2


def test_a_changed_file_is_refused_by_name(tmp_path: Path) -> None:
    store = Store(tmp_path)
    path = store.step("one", "key", Counted())["first"]
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ValueError, match=r"one.first.parquet is not as the study wrote it \(its hash differs\)"):
        Store(tmp_path).kept("one", "key")
    path.unlink()
    assert Store(tmp_path).kept("one", "key") is None


def test_a_stopped_step_leaves_nothing_that_is_used(tmp_path: Path) -> None:
    store = Store(tmp_path)

    class Stopped:
        def save(self, path: Path) -> None:
            path.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.step("one", "key", lambda: {"whole": TABLE, "half": Stopped()})
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".") or "half" in path.name]
    assert Store(tmp_path).kept("one", "key") is None


def test_a_damaged_manifest_is_reported(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"steps": ')
    with pytest.raises(ValueError, match="is damaged"):
        Store(tmp_path)
    Store(tmp_path / "new").describe(model="m")
    assert json.loads((tmp_path / "new" / "manifest.json").read_text())["model"] == "m"


WHOLE = {
    "steps": {"tables/": {"key": "k", "files": {}}},
    "findings": [],
    "quantities": [],
    "model": "m",
    "method": "DPN-LE",
    "target": "trait_score",
    "gamma": 1.0,
    "twins": {},
    "left_out": {},
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"steps": 5}, "is no study's manifest: it has no steps"),
        ({"gamma": None}, "manifest.json is damaged: gamma is None"),
        ({"findings": {"a": 1}}, "manifest.json is damaged: findings is {'a': 1}"),
        ({"findings": [1]}, "a finding or a quantity is none"),
        ({"quantities": [{"name": "x"}]}, "a finding or a quantity is none"),
        ({"steps": {}}, "lacks tables. Run it again"),
        ({"steps": {"tables/": {"files": {"arms": {"file": "tables/arms.parquet", "sha256": "0"}}}}}, "lacks tables"),
        ({"steps": {"tables/": {"files": {"arms": 7}}}}, "the step 'tables/' names no files"),
    ],
)
def test_a_manifest_that_no_study_wrote_is_refused_with_what_is_wrong(tmp_path: Path, change: dict, said: str) -> None:
    (tmp_path / "study.toml").write_text('traits = ["Openness"]\n')
    (tmp_path / "manifest.json").write_text(json.dumps(WHOLE))
    load_study(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps(WHOLE | change))
    with pytest.raises((ValueError, FileNotFoundError), match=said) as told:
        load_study(tmp_path)
    assert "\n" not in str(told.value)
