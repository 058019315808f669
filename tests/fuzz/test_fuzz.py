"""Command lines and files as people, and their mistakes, may give them: done, or refused in one line without a trace.

100 cases run with the tests; WORKBENCH_FUZZ says how many others, drawn anew, are run instead (`make fuzz`: 2,000).
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, note, settings
from hypothesis import strategies as st

import workbench as wb
from tests.fuzz.command import embedded, fresh_folder, run
from tests.fuzz.files import File, binary_files, files, text_files

ASKED = os.environ.get("WORKBENCH_FUZZ", "")
CASES = int(ASKED or 100)
NAMES = st.one_of(
    st.sampled_from(
        (
            "Extraversion", "Mut [/b]", "[bold]x[/]", ":smile:", "", " ", "-x", "--", "--help", "a/b", "../x", ".",
            "..", "~", "$HOME", "a\nb", "a\x1b[2Jb", "\udcff", "é開放性", "'\"`", "x" * 300, "%s{}{0}", "\\", "²",
            "nan",
            "-1", "9" * 40, "<b>&amp;", "a\u202eb", "NUL", "x.safetensors", "testbed",
        )
    ),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30),
)  # fmt: skip
TABLES, EDITS = (".jsonl", ".csv", ".parquet"), (".safetensors", ".gguf", ".pt", ".pth")
OUT = st.sampled_from(("out", "new/deep/out", "x [/b]", "there", "file.txt", "out.gguf", "out.pt", ".", "é\n開"))


@st.composite
def options(draw: st.DrawFn, **known: st.SearchStrategy[str]) -> list[str]:
    """Some of these options with a value each: one of their own, or any name."""
    words: list[str] = []
    for name, values in known.items():
        if draw(st.integers(0, 2)) == 0:
            value = draw(values if draw(st.integers(0, 5)) else NAMES)
            words += [f"--{name.replace('_', '-')}", value]
    return words


@st.composite
def command_lines(draw: st.DrawFn) -> tuple[list[str], list[File]]:
    """A command line, and the files that it may name."""
    command = draw(st.sampled_from(sorted(COMMANDS)))
    return COMMANDS[command](draw)


def _locate(draw: st.DrawFn) -> tuple[list[str], list[File]]:
    table = draw(files(*TABLES))
    words = ["locate", "--pairs", table.name] if draw(st.integers(0, 5)) else ["locate", "--n", "8"]
    more = options(
        trait=st.just("Extraversion"), layers=st.sampled_from(("2-3", "0,5", "7-99", "3-1")), out=OUT,
        rule=st.sampled_from(("dual", "top-k", "fdr", "d-only")), quantile=st.sampled_from(("0.9", "0.999", "1", "0")),
        by=st.just("cohens_d"), k=st.sampled_from(("1", "50", "0", "9999999")), cluster=st.just("none"),
        min_d=st.just("0"), style=st.just("explicit"), within=st.just("model"),
        template=st.sampled_from(("a=1", "a", "=", "x=[[[")),
    )  # fmt: skip
    return words + draw(more), [table]


def _capture(draw: st.DrawFn) -> tuple[list[str], list[File]]:
    table = draw(files(*TABLES))
    more = options(
        trait=st.just("Extraversion"), position=st.sampled_from(("last", "mean", "all", "-1", "500", "response")),
        site=st.sampled_from(("hook_post", "resid_post")), layers=st.just("1-2"), sample=st.sampled_from(("5", "-1")),
        max_tokens=st.sampled_from(("1", "64", "0")), cluster=st.sampled_from(("description", "question")),
    )  # fmt: skip
    flags = draw(st.lists(st.sampled_from(("--keep", "--positive", "--plan", "--json")), max_size=2))
    return ["capture", "--pairs", table.name, "--out", draw(OUT), *draw(more), *flags], [table]


def _steer(draw: st.DrawFn) -> tuple[list[str], list[File]]:
    edit = draw(files(*EDITS))
    more = options(
        gamma=st.sampled_from(("1", "-2", "nan", "1e400", "1e38")), scope=st.sampled_from(("all", "decode")),
        system=NAMES, temperature=st.sampled_from(("0", "1", "-1")),
    )  # fmt: skip
    flags = draw(st.lists(st.sampled_from(("--json", "--any-weights")), max_size=2))
    return ["steer", edit.name, draw(NAMES), "--max-new-tokens", "2", *draw(more), *flags], [edit]


def _export(draw: st.DrawFn) -> tuple[list[str], list[File]]:
    edit, to = draw(files(*EDITS)), draw(st.sampled_from(("gguf", "lm-eval", "dpn-le", "npti", "zip")))
    more = options(gamma=st.sampled_from(("1", "0", "inf")), scope=st.just("all"), capture=st.just("there"))
    return ["export", edit.name, "--to", to, "--out", draw(OUT), *draw(more)], [edit]


def _judge(draw: st.DrawFn) -> tuple[list[str], list[File]]:
    table = draw(files(".answers.jsonl", ".answers.csv", ".parquet"))
    more = options(price=st.sampled_from(("m=1/2", "m=x", "=1")), base_url=st.just("http://127.0.0.1:9/v1"))
    return ["judge", table.name, "--judge", draw(NAMES), "--out", draw(OUT), "--plan", *draw(more)], [table]


def _study(draw: st.DrawFn) -> tuple[list[str], list[File]]:
    config = draw(files(".toml"))
    return ["study", config.name, "--out", draw(OUT), *draw(st.sampled_from(([], ["--json"])))], [config]


def _folder(draw: st.DrawFn) -> tuple[list[str], list[File]]:
    held = draw(st.lists(st.builds(File, st.sampled_from(HELD), st.one_of(*map(st.just, CONTENTS))), max_size=4))
    if draw(st.booleans()):
        held = [
            *(File(f"folder/{name}", draw(st.sampled_from(STUDY[name]))) for name in STUDY),
            *held,
        ]
    command = draw(st.sampled_from(("report", "figures", "tables", "explore", "steer", "export")))
    more = {"steer": ["Hello?", "--max-new-tokens", "2"], "export": ["--to", "gguf", "--out", "out.gguf"]}
    words = draw(options(format=st.just("html"), only=NAMES, width=st.sampled_from(("85mm", "x", "²mm", "nan"))))
    tail = more.get(command, words if command in ("figures", "tables") else [])
    return [command, "folder", *tail], held


HELD = (
    "folder/manifest.json", "folder/study.toml", "folder/capture.json", "folder/layer1_T_steering_data.pt",
    "folder/layer1_T_steering_data.json", "folder/vec_layer_1_m.pt", "folder/T_reversed_dict.json",
    "folder/T_dict.json", "folder/.DS_Store", "folder/config.json", "folder/Thumbs.db",
)  # fmt: skip
CONTENTS = (
    b"", b"{}", b"[]", b"null", b"7", b'{"steps": {}, "findings": []}', b'{"steps": {}, "findings": 5, "gamma": "x"}',
    b'{"0": [[0, 1, 0.5, 0.5, 1.0]]}', b'{"0": 5}', b'{"format": 1}', b"\xff\xfe\x00", b'model = "testbed"\n',
    b"[" * 3000,
)  # fmt: skip

STUDY = {
    "manifest.json": (
        b'{"steps": {}, "findings": []}',
        b'{"steps": {}, "findings": [], "gamma": 1, "method": "DPN-LE", "model": "[/b]", "arms": [], "tables": []}',
        b'{"steps": 5, "findings": {"a": 1}, "gamma": null, "method": 7}',
        b'{"steps": {"tables": {"key": "x", "files": {"arms": {"file": "../x", "sha256": "y"}}}}, "findings": [1]}',
        b'{"steps": {}}', b"[]",
    ),
    "study.toml": (b'traits = ["Openness"]\n', b'traits = ["Openness"]\nmodel = "[/b]"\n', b"", b"x"),
}  # fmt: skip
"""What a study's folder begins with, whole and not."""

COMMANDS = {
    "capture": _capture, "export": _export, "folder": _folder, "judge": _judge, "locate": _locate, "steer": _steer,
    "study": _study,
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def one_model(model: wb.Model) -> Iterator[None]:
    binary_files()
    text_files()
    with embedded(model):
        yield


@pytest.mark.filterwarnings("default")
@settings(
    max_examples=CASES,
    deadline=None,
    derandomize=not ASKED,
    database=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
        HealthCheck.large_base_example,
    ],
)
@given(command_lines())
def test_a_command_is_done_or_refused_in_one_line_without_a_trace(case: tuple[list[str], list[File]]) -> None:
    arguments, held = case
    with fresh_folder() as place, fresh_folder() as state:
        folder = Path(place)
        (folder / "there").mkdir()
        (folder / "there" / "thesis.tex").write_text("years of work")
        for file in held:
            (folder / file.name).parent.mkdir(exist_ok=True)
            file.write(folder)
        note(f"workbench {arguments!r}")
        ended = run(arguments, folder, Path(state))
        note(f"{ended.errors}")
        kept = "".join(path.read_text() for path in Path(state).rglob("error-*.txt"))
        event(f"{arguments[0]}: {ended.status}")
        assert kept == ""
        assert ended.status in (0, 2)
        assert ended.lost == []
        assert all("\x1b" not in line for line in (*ended.errors, ended.out))
        if ended.status == 0:  # with --json the tables are there
            assert "--json" in arguments or ended.errors == []
            assert not any(line.startswith(("workbench: ", "Traceback")) for line in ended.errors)
        else:
            assert len(ended.errors) in ((1, 3) if "selects nothing" in ended.errors[0] else (1,))
            assert ended.errors[0].startswith("workbench: ")
            assert len(ended.errors[0]) > len("workbench: ") + 5
            assert ended.made == []
