"""Files that people bring, whole and spoilt: in every encoding, cut off, altered, and under each other's names."""

import io
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import gguf
import numpy as np
import pandas as pd
import torch
from hypothesis import strategies as st

import workbench as wb

ROWS = [
    {"high": "I talk all day.", "low": "I keep quiet.", "question": "How are you?", "trait": "Extraversion"},
    {"high": "What a party!", "low": "What a noise.", "question": "Where do you eat?", "trait": "Extraversion"},
    {"high": "I draw “é”, 開放性.", "low": 'I "count", alone', "question": "What do you do?", "trait": "Extraversion"},
]
ANSWERS = [{"question": "Hi?", "answer": "Hi.", "trait": "Openness"}, {"question": "Ho?", "answer": "", "trait": "x"}]
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "utf-7")


@cache
def binary_files() -> dict[str, bytes]:
    """Files that are no text, by the ending that they belong under."""
    delta = torch.zeros(768)
    delta[:5] = 1.0
    edit = wb.Edit.of({2: delta, 5: delta}, trait="T", method="m", direction="increase", site="hook_post")
    parquet, persona, caa = io.BytesIO(), io.BytesIO(), io.BytesIO()
    pd.DataFrame(ROWS).to_parquet(parquet)
    torch.save(torch.ones(9, 128), persona)
    torch.save(torch.ones(128), caa)
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        edit.save(Path(folder) / "edit.safetensors")
        writer = gguf.GGUFWriter(Path(folder) / "v.gguf", "controlvector")
        writer.add_string("controlvector.model_hint", "llama")
        writer.add_tensor("direction.1", np.ones(128, dtype=np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        saved = {path.suffix: path.read_bytes() for path in Path(folder).iterdir()}
    return {
        ".safetensors": saved[".safetensors"],
        ".gguf": saved[".gguf"],
        ".parquet": parquet.getvalue(),
        ".pt": persona.getvalue(),
        ".pth": caa.getvalue(),
    }


@cache
def text_files() -> dict[str, str]:
    """Files of text, by the ending that they belong under."""
    return {
        ".jsonl": "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS),
        ".csv": pd.DataFrame(ROWS).to_csv(index=False),
        ".json": json.dumps(ROWS),
        ".tsv": pd.DataFrame(ROWS).to_csv(index=False, sep="\t"),
        ".toml": wb.StudyConfig.example().toml(explained=True),
        ".answers.jsonl": "".join(json.dumps(row) + "\n" for row in ANSWERS),
        ".answers.csv": pd.DataFrame(ANSWERS).to_csv(index=False),
        ".yaml": "task: mine\ndataset_path: json\n",
        ".txt": "plain words\n",
    }


HOSTILE = (
    "",
    "\n\n",
    "[" * 5000,
    '{"a":' * 3000,
    "high,low\n" + "a,b\n" * 3 + '"open',
    "high,low,high\na,b,c\n",
    "high;low\na;b\n",
    'sep=,\nhigh,low\n"a\nb",c\nd,e\n',
    '{"high": "a", "low": "b"}\n{"high": "\\ud800", "low": "c"}\n',
    '{"high": {"a": 1}, "low": ["b"]}\n{"high": 1, "low": null}\n',
    '{"high": "a", "low": "b", "trait": 1e999}\n',
    'traits = ["Openness"]\nmodel = 5\n',
    "traits = 1979-05-27\n",
    'model = "[/b]\\u0007"\n',
    "judge = 1\n",
    'outcomes = [{ a = 1, b = 2 }, "answers"]\n',
    "traits = []\nseed = 99999999999999999999999\n",
    'contrast = "none [/b].jsonl"\n',
    "gammas = [nan, inf]\n",
    "<html>[/b]</html>",
)


@dataclass(frozen=True)
class File:
    """A file's name and content."""

    name: str
    content: bytes

    def write(self, folder: Path) -> None:
        (folder / self.name).write_bytes(self.content)


@st.composite
def spoilt(draw: st.DrawFn, content: bytes) -> bytes:
    """The content: whole, cut off, with a byte altered, with bytes put in, or twice."""
    how = draw(st.sampled_from((*("whole",) * 6, "cut", "altered", "inserted", "twice")))
    at = draw(st.integers(0, max(0, len(content) - 1)))
    if how == "cut":
        return content[:at]
    if how == "altered" and content:
        return content[:at] + bytes([content[at] ^ (1 << draw(st.integers(0, 7)))]) + content[at + 1 :]
    if how == "inserted":
        return content[:at] + draw(st.binary(min_size=1, max_size=8)) + content[at:]
    return content * 2 if how == "twice" else content


@st.composite
def files(draw: st.DrawFn, *endings: str) -> File:
    """A file that mostly belongs under one of these endings, and in one case of six under none of them."""
    every = {**text_files(), **binary_files()}
    kind = draw(st.sampled_from(endings if draw(st.integers(0, 5)) else tuple(every)))
    suffix = "." + kind.rpartition(".")[2]
    stem = draw(st.sampled_from(("x", "x y", "[bold]x", "é開", "-x", ".x", "x'\"")))
    text = every.get(kind) if kind in every else HOSTILE[0]
    if draw(st.integers(0, 4)) == 0:
        text = draw(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=200)))
    if isinstance(text, bytes):
        content = text
    else:
        ends = draw(st.sampled_from(("\n", "\r\n", "\r")))
        encoding = draw(st.sampled_from(ENCODINGS)) if draw(st.booleans()) else "utf-8"
        content = (
            str(text).replace("\n", ends).encode(encoding, "replace" if encoding == "latin-1" else "surrogatepass")
        )
    asked = draw(st.sampled_from(endings)) if draw(st.integers(0, 7)) == 0 else suffix
    return File(stem + "." + asked.rpartition(".")[2], draw(spoilt(content)))
