import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import workbench as wb
from workbench.capture import Activations, plan
from workbench.vocabulary import Pole

SETTINGS = wb.CaptureSettings(keep=True, clusters=("description", "question"), positive=True, sample=16)


@pytest.fixture(autouse=True)
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "GROUP_PROMPTS", 12)


@pytest.fixture(scope="module")
def small(checkpoint: Path) -> wb.Model:
    return wb.load_model(checkpoint)


@pytest.fixture(scope="module")
def pairs() -> wb.Contrast:
    return wb.Contrast.testbed("Extraversion", n=20, seed=5)


def captured(model: wb.Model, contrast: wb.Contrast, folder: Path | None, **more) -> Activations:
    found = wb.capture_sites(model, contrast, sites=["hook_post"], settings=SETTINGS, folder=folder, **more)
    tally = found["hook_post"]
    assert isinstance(tally, Activations)
    return tally


def same(a: Activations, b: Activations) -> None:
    assert list(a.moments) == list(b.moments)
    for pole, moments in a.moments.items():
        assert moments.equal(b.moments[pole])
        assert torch.equal(a.positive[pole], b.positive[pole])
        assert torch.equal(a.activations[pole], b.activations[pole])
        assert torch.equal(a.samples[pole].rows, b.samples[pole].rows)
        for kind in ("description", "question"):
            assert list(a.clusters[kind][pole]) == list(b.clusters[kind][pole])
            assert all(m.equal(b.clusters[kind][pole][name]) for name, m in a.clusters[kind][pole].items())


class Stopped(Exception):
    pass


def stop_after(prompts: int, error: type[BaseException] = Stopped):
    def progress(done: int, total: int) -> None:
        if done >= prompts:
            raise error

    return progress


def test_a_stopped_capture_continues_and_ends_the_same(small: wb.Model, pairs: wb.Contrast, tmp_path: Path) -> None:
    expected = captured(small, pairs, None)
    counts: list[int] = []
    for stop in (10, 30, 50):
        with pytest.raises(Stopped):
            captured(small, pairs, tmp_path / "c", progress=stop_after(stop))
        ledger = json.loads((tmp_path / "c" / "capture.json").read_text())
        counts.append(len(ledger["done"]))
        assert ledger["finished"] is None
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]
    with pytest.raises(ValueError, match=r"is not finished \(\d of \d groups\)"):
        wb.load_capture(tmp_path / "c")
    same(captured(small, pairs, tmp_path / "c"), expected)
    assert not (tmp_path / "c" / "parts").exists()
    seen: list[tuple[int, int]] = []
    again = captured(small, pairs, tmp_path / "c", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(60, 60)]  # nothing is computed again
    same(again, expected)
    loaded = wb.load_capture(tmp_path / "c")["hook_post"]
    assert isinstance(loaded, Activations)
    same(loaded, expected)


def test_stray_files_neither_stop_a_capture_nor_are_lost(small: wb.Model, pairs: wb.Contrast, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    folder.mkdir()
    (folder / ".DS_Store").write_bytes(b"\0")
    with pytest.raises(Stopped):
        captured(small, pairs, folder, progress=stop_after(10))
    for name in (".git", ".ipynb_checkpoints", "__pycache__"):
        (folder / name).mkdir()
        (folder / name / "kept").write_text("mine")
    for name in ("parts/.DS_Store", "notes.txt~", ".env"):
        (folder / name).write_text("mine")
    same(captured(small, pairs, folder), captured(small, pairs, None))
    assert not (folder / "parts").exists()
    assert all((folder / name / "kept").is_file() for name in (".git", ".ipynb_checkpoints", "__pycache__"))
    assert {".env", "notes.txt~", ".DS_Store"} <= {path.name for path in folder.iterdir()}
    loaded = wb.load_capture(folder)["hook_post"]
    assert isinstance(loaded, Activations)


def test_ctrl_c_says_how_to_continue(small: wb.Model, pairs: wb.Contrast, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt, match="Capture into the same folder again to continue"):
        captured(small, pairs, tmp_path / "c", progress=stop_after(20, KeyboardInterrupt))
    assert not any(point.fwd_hooks for point in small.hooked.hook_dict.values())


KILLED = """
import sys, workbench as wb
from workbench.capture import plan
plan.GROUP_PROMPTS = 12
model = wb.load_model(sys.argv[1])
contrast = wb.Contrast.testbed("Extraversion", n=20, seed=5)
settings = wb.CaptureSettings(keep=True, clusters=("description", "question"), positive=True, sample=16)
print("started", flush=True)
while True:
    wb.capture_sites(model, contrast, sites=["hook_post"], settings=settings, folder=sys.argv[2],
                     progress=lambda done, total: print(done, flush=True))
    break
print("finished", flush=True)
"""


def test_a_killed_capture_loses_one_group_at_most(
    small: wb.Model, checkpoint: Path, pairs: wb.Contrast, tmp_path: Path
) -> None:
    expected = captured(small, pairs, None)
    folder = tmp_path / "c"
    for kill_at in (5, 25, 45):
        child = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(checkpoint), str(folder)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        for line in child.stdout:
            if line.strip().isdigit() and int(line) >= kill_at:
                time.sleep(0.004 * kill_at / 5)  # at another moment of a group, a commit or the end
                os.kill(child.pid, signal.SIGKILL)
                break
        child.stdout.close()
        child.wait()
    same(captured(small, pairs, folder), expected)
    assert not list(folder.rglob(".*"))


@pytest.mark.parametrize("harm", ["cut", "altered"])
@pytest.mark.parametrize("which", ["part", "rows", "ledger"])
def test_a_harmed_file_is_refused_by_name(
    which: str, harm: str, small: wb.Model, pairs: wb.Contrast, tmp_path: Path
) -> None:
    with pytest.raises(Stopped):
        captured(small, pairs, tmp_path / "c", progress=stop_after(40))
    path = {
        "part": next((tmp_path / "c" / "parts").glob("*.safetensors")),
        "rows": tmp_path / "c" / "activations" / "hook_post.high.safetensors",
        "ledger": tmp_path / "c" / "capture.json",
    }[which]
    content = bytearray(path.read_bytes())
    if harm == "cut":
        content = content[: len(content) // 3]
    else:
        for byte in range(len(content) // 4, len(content)):
            content[byte] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match=path.name.replace(".", r"\.")):
        captured(small, pairs, tmp_path / "c")


def test_a_harmed_result_is_refused_by_name(small: wb.Model, pairs: wb.Contrast, tmp_path: Path) -> None:
    captured(small, pairs, tmp_path / "c")
    path = tmp_path / "c" / "tally.hook_post.safetensors"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ValueError, match=r"tally\.hook_post\.safetensors is not as the capture wrote it"):
        wb.load_capture(tmp_path / "c")


def test_another_capture_is_never_mixed_in(small: wb.Model, pairs: wb.Contrast, tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        captured(small, pairs, tmp_path / "c", progress=stop_after(20))
    with pytest.raises(ValueError, match=r"holds another capture \(contrast: .* there, .* here; tokens"):
        captured(small, pairs.rows(range(19, -1, -1)), tmp_path / "c")
    before = small.tokenizer.chat_template
    try:
        small.tokenizer.chat_template = str(before).replace("\n", "\n ") + " "
        with pytest.raises(ValueError, match="holds another capture .*template"):
            captured(small, pairs, tmp_path / "c")
    finally:
        small.tokenizer.chat_template = before
    with torch.no_grad():
        small.network.model.layers[0].mlp.down_proj.weight[0, 0] += 1
    try:
        del small.fingerprint
        with pytest.raises(ValueError, match=r"holds another capture \(model:"):
            captured(small, pairs, tmp_path / "c")
    finally:
        with torch.no_grad():
            small.network.model.layers[0].mlp.down_proj.weight[0, 0] -= 1
        del small.fingerprint
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="exists already and holds no capture"):
        captured(small, pairs, tmp_path / "other")
    with pytest.raises(FileNotFoundError, match="holds no capture"):
        wb.load_capture(tmp_path / "other")


def test_kept_rows_are_mapped_from_their_file(small: wb.Model, pairs: wb.Contrast, tmp_path: Path) -> None:
    for dtype, expected in (("float32", torch.float32), ("model", torch.bfloat16)):
        narrow = wb.load_model(small.name, dtype=torch.bfloat16)
        found = wb.capture(narrow, pairs, keep=True, keep_dtype=dtype, folder=tmp_path / dtype)
        assert isinstance(found, Activations)
        rows = found.activations[Pole.HIGH]
        assert rows.dtype == expected
        assert rows.shape == (20, 2, 48)
        maps = Path("/proc/self/maps")
        if maps.exists():
            assert str(tmp_path / dtype / "activations" / "hook_post.high.safetensors") in maps.read_text()
        torch.testing.assert_close(rows.double().mean(0), found.moments[Pole.HIGH].mean, atol=2e-3, rtol=1e-2)


def test_temporary_rows_go_with_the_result(small: wb.Model, pairs: wb.Contrast) -> None:
    found = wb.capture(small, pairs, keep=True)
    assert isinstance(found, Activations)
    folder = found.keeps.path
    assert folder.is_dir()
    del found
    assert not folder.exists()
