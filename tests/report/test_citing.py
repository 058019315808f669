"""What `cite` writes: nothing that the study's folder does not say, and every lack of the study."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import workbench as wb
from workbench.report.citing import Citation
from workbench.report.references import ARMS, ENTRIES, STATISTICS, bibtex, statistics_of
from workbench.score.judge.settings import JudgeConfig
from workbench.study.study import Study

HASH = "0123456789abcdef" * 4
CONFIG = wb.StudyConfig(
    model="someone/model",
    traits=("Openness",),
    contrast="my_pairs.csv",
    questions="builtin",
    pairs=37,
    quantile=0.97,
    min_d=0.6,
    layers=(3, 4, 5),
    gammas=(0.5, 2.0),
    draws=7,
    resamples=150,
    permutations=23,
    scorer="none",
    arms=("DPN-LE", "NPTI", "random"),
    seed=11,
)
COST = {"outcome": "perplexity", "cluster": "item", "compared": True, "name": "text_likelihood", "role": "cost"}
MANIFEST: dict[str, Any] = {
    "model": "someone/model",
    "model_fingerprint": HASH[::-1],
    "weights": "as the checkpoint has them",
    "dtype": "torch.float32",
    "template": {"enable_thinking": False},
    "rendering": "the chat template, system prompts included",
    "rendering_remarks": ["it says | so"],
    "preset": None,
    "method": "DPN-LE",
    "target": "statements",
    "gamma": 2.0,
    "seed": 11,
    "quantities": [
        COST | {"label": "log-likelihood of neutral text", "unit": "nats per token", "margin": None},
        COST
        | {"outcome": "statements", "name": "statements", "role": "trait"}
        | {"label": "likelihood of its own statements", "unit": "nats per token", "margin": None},
    ],
    "stand_ins": {},
    "twins": {"magnitude only": "DPN-LE"},
    "left_out": {"NPTI": "No gate could be read."},
    "warnings": ["Few <b>descriptions</b> | here."],
    "concepts": {"Openness": {"sha256": HASH, "source": "our own", "license": "MIT"}},
    "machine": {"system": "Linux", "threads": 2},
    "versions": {"workbench": "9.8.7", "python": "3.11.1", "torch": "2.0"},
    "findings": [
        {"id": "moves", "claim": "It moves", "verdict": "supported", "numbers": {}, "evidence": []}
        | {"trait": "all", "sentence": "It does."},
        {"id": "costs", "claim": "It costs less", "verdict": "undecided", "numbers": {}, "evidence": []}
        | {"trait": "all", "sentence": "No equal shift_exists at 5 %."},
        {"id": "costs", "claim": "It costs less", "verdict": "undecided", "numbers": {}, "evidence": []}
        | {"trait": "Openness", "sentence": "Of one trait."},
    ],
    "steps": {
        "tally/Openness": {"key": "k", "files": {"hook_post": {"file": "f", "sha256": HASH}}},
        "answers/one": {"key": "k", "files": {"": {"file": "g", "sha256": HASH[::-1]}}},
    },
}  # fmt: skip


def made(manifest: dict[str, Any] = MANIFEST, config: wb.StudyConfig = CONFIG, **tables: pd.DataFrame) -> Study:
    study = Study(Path("nowhere"), config, manifest)
    arms = {"arm": ["DPN-LE", "NPTI", "random"], "role": ["method", "rival", "control"], "has_dose": True}
    held = {"effects": 1, "shifts": 1, "shifts_statements": 1, "minimal_pairs_tests": 1}
    study.__dict__["tables"] = {"arms": pd.DataFrame(arms)} | {name: pd.DataFrame() for name in held} | tables
    return study


@pytest.fixture(scope="module")
def cited() -> Citation:
    return wb.cite(made())


def test_every_number_and_name_is_the_studys_own(cited: Citation) -> None:
    known = json.dumps([MANIFEST, CONFIG.model_dump(mode="json")])
    for text in cited.methods:
        plain = re.sub(r"\[@[^\]]*\]", "", text)
        for number in re.findall(r"\d+(?:\.\d+)*", plain):
            assert re.search(rf"(?<![\d.]){re.escape(number)}(?:\.0)?(?![\d.])", known), number
    whole = " ".join(cited.methods)
    for said in (
        "someone/model",
        "9.8.7",
        "Openness",
        "37 contrast pairs",
        "my_pairs.csv",
        "layers 3 to 5",
        "tau_d = 0.6",
    ):
        assert said in whole
    for said in ("gamma 2,", "0.5 and 2", "150 bootstrap", "23 shuffled", "drawn 7 times", "NPTI [@deng2025npti]"):
        assert said in whole
    assert "judge" not in whole
    assert "open questions" not in whole  # none were asked
    settings = cited.settings.to_numpy().tolist()
    assert ["tally/Openness hook_post", f"SHA-256 {HASH}"] in settings
    assert ["version of torch", "2.0"] in settings
    assert ["dtype", "torch.float32"] in settings
    assert ["concept", f"Openness: sha256 {HASH}, source our own, license MIT"] in settings
    assert not any("answers/one" in row[0] for row in settings)


@pytest.mark.parametrize("entry", ["model", "model_fingerprint", "seed", "gamma", "versions", "rendering", "warnings"])
def test_what_the_manifest_says_otherwise_is_written_otherwise(cited: Citation, entry: str) -> None:
    other = {"seed": 12, "gamma": 0.5, "versions": {"workbench": "1.2.3"}, "warnings": []}.get(entry, "another")
    assert wb.cite(made(MANIFEST | {entry: other})).markdown() != cited.markdown()


def test_every_lack_is_a_limit(cited: Citation) -> None:
    limits = dict(cited.limits.to_numpy().tolist())
    for name in (
        "one model",
        "no judge",
        "one measure of the trait",
        "no margin",
        "one seed",
        "one trait",
        "few draws",
    ):
        assert name in limits
    assert "0.12" in limits["few draws"]
    assert limits["left out: NPTI"] == "No gate could be read."
    assert limits["undecided: It costs less"] == "No equal shift_exists at 5 %."
    assert not any("It moves" in name for name in limits)
    assert {"no prompts that ask for the trait", "few resamples", "no comparison: magnitude only", "warning"} <= set(
        limits
    )
    assert "no controls" not in limits
    assert "a toy model's language" not in limits
    more = CONFIG.model_copy(update={"draws": 20, "resamples": 1000, "traits": ("Openness", "Extraversion")})
    kept = {"weights": "dequantised from Q4_0", "warnings": [], "twins": {}, "left_out": {}}
    other = set(wb.cite(made(MANIFEST | kept, more, kept=pd.DataFrame({"a": [1]}))).limits["limit"])
    assert "weights that are not the checkpoint's own" in other
    assert not other & {"few draws", "few resamples", "one trait", "no margin", "warning", "left out: NPTI"}
    toy = CONFIG.model_copy(update={"contrast": "testbed"})
    assert "a toy model's language" in set(wb.cite(made(config=toy)).limits["limit"])


def test_sources_follow_the_arms_and_tables(cited: Citation) -> None:
    assert {"zheng2026dpnle", "deng2025npti", "cohen1988", "holm1979", "tango1998"} <= set(cited.keys)
    assert not {"rimsky2024caa", "wilson1927", "vig2020"} & set(cited.keys)
    assert re.findall(r"@\w+\{(\w+),", cited.references)[0] == "workbench"
    assert set(re.findall(r"@\w+\{(\w+),", cited.references)) == set(cited.keys)
    assert {key for keys in ARMS.values() for key in keys} | {k for *_, keys in STATISTICS for k in keys} == set(
        ENTRIES
    )
    [(tables, _, _)] = [row for row in statistics_of(["shifts", "shifts_own", "shifted"]) if "shifts" in row[0]]
    assert tables == "shifts, shifts_own"
    with pytest.raises(KeyError, match="nobody"):
        bibtex(["nobody"])


def test_both_formats_show_words_literally(cited: Citation) -> None:
    text = cited.markdown()
    assert r"Few \<b\>descriptions\</b\> \| here." in text
    assert "[@zheng2026dpnle]" in text
    for line in text.split("## References")[0].splitlines():
        if line.startswith("| "):
            assert len(re.findall(r"(?<!\\)\|", line)) in (3, 4)
    assert text == str(cited)
    latex = cited.latex()
    assert r"\cite{zheng2026dpnle}" in latex
    assert "shift\\_exists at 5 \\%" in latex
    assert latex.count("\\begin{filecontents*}") == 1
    assert HASH not in latex.split("\\begin{filecontents*}")[0]
    assert "@zheng" not in latex.split("\\begin{filecontents*}")[0]


def test_a_method_without_a_dose_and_a_judge() -> None:
    arms = pd.DataFrame({"arm": ["simple prompt"], "role": ["method"], "has_dose": [False]})
    judged = CONFIG.model_copy(update={"judge": JudgeConfig(model="a-judge"), "scorer": "judge"})
    found = wb.cite(replace_tables(made(MANIFEST | {"method": "simple prompt"}, judged), arms))
    assert "gamma" not in found.methods[1]
    assert "the judge a-judge" in found.methods[1]
    assert "compared with the unedited model alone" in found.methods[1]
    assert "no controls" in set(found.limits["limit"])


def replace_tables(study: Study, arms: pd.DataFrame) -> Study:
    other = replace(study)
    other.__dict__["tables"] = study.tables | {"arms": arms}
    return other
