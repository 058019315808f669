"""A study whose answers a judge scores: against a server that rates as the grammar would, and a local judge."""

import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.outcome.answers import Answers
from workbench.outcome.judged import build_judge, reach_judge
from workbench.report.study_page import study_report
from workbench.score.judge.endpoint import EndpointJudge
from workbench.score.judge.local import LocalJudge
from workbench.score.judge.protocol import Judgement
from workbench.score.judge.settings import JudgeConfig
from workbench.study import asking
from workbench.study.frames import first_draws
from workbench.study.jobs import unedited_job
from workbench.study.meter import Meter
from workbench.study.plan import Plan
from workbench.study.store import Store
from workbench.testbed.scorer import trait_score, wellformed

SMALL = wb.StudyConfig(
    traits=("Extraversion", "Openness"),
    arms=("DPN-LE", "random"),
    outcomes=("answers", "capability", "off-target"),
    pairs=20,
    quantile=0.99,
    gammas=(1.0,),
    search_questions=1,
    draws=2,
    test_questions=3,
    items_per_task=1,
    permutations=19,
    resamples=100,
)


def rated(answer: str, trait: str | None) -> int | None:
    """What the server says: the grammar's score in whole levels, fluency by well-formed sentences."""
    if trait is None:
        return 1 + round(4 * wellformed(answer))
    score = trait_score(answer, trait)
    return None if score is None else round(score)


@pytest.fixture(scope="module")
def asked() -> list[str]:
    return []


@pytest.fixture(scope="module")
def endpoint(asked: list[str]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            system, user = (message["content"] for message in body["messages"])
            asked.append(json.dumps(body))
            answer = re.search(r"<answer>\n(.*)\n</answer>", user, re.DOTALL)
            trait = re.search(r"shows the trait (\w+)", system)
            assert answer
            rating = rated(answer[1], trait[1] if trait else None)
            message = {"role": "assistant", "content": json.dumps({"rating": rating})}
            made: dict[str, Any] = {"id": "c", "object": "chat.completion", "created": 0, "model": "served"}
            made["choices"] = [{"index": 0, "message": message, "finish_reason": "stop"}]
            content = json.dumps(made).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def config(endpoint: str) -> wb.StudyConfig:
    judge = JudgeConfig(model="stub", base_url=endpoint, retries=0)
    return wb.StudyConfig(**SMALL.model_dump() | {"scorer": "judge", "judge": judge})


@pytest.fixture(scope="module")
def study(config: wb.StudyConfig, model: wb.Model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[wb.Study]:
    pytest.importorskip("openai")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", "k")
        yield wb.run_study(config, tmp_path_factory.mktemp("judged"), model=model)


def test_the_judges_ratings_are_the_studys_scores(study: wb.Study, asked: list[str]) -> None:
    for table in (study.tables["answers"], study.tables["off_target"]):
        truth = [rated(a, t) for a, t in zip(table["answer"], table["trait"], strict=True)]
        np.testing.assert_array_equal(table["score"], np.array(truth, dtype=float))
        formed = [(rated(answer, None) or 0) - 1 for answer in table["answer"]]
        np.testing.assert_allclose(table["wellformed"], np.array(formed) / 4)
    shifts = study.tables["shifts"].set_index(["arm", "trait", "direction"])
    assert shifts["shift"].loc[("DPN-LE", "all", "both")] > 0.3
    for body in asked:
        assert not re.search(r"DPN-LE|gamma|broad|random|increase|decrease", body)
    assert len(asked) == len(set(asked))


def test_words_say_who_scored(study: wb.Study) -> None:
    sentences = " ".join(finding.sentence for finding in study.findings)
    assert "rated fluency (of its range)" in sentences
    assert "well-formed" not in sentences
    assert "scored by the judge stub" in study_report(study).warnings[0]
    assert "\n[judge]\n" in (study.folder / "study.toml").read_text(encoding="utf-8")


def test_a_second_run_asks_nothing_and_another_judge_no_model(
    study: wb.Study, model: wb.Model, config: wb.StudyConfig, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")

    def never(*arguments: object) -> None:
        raise AssertionError("answers were generated again")

    monkeypatch.setattr(asking, "ask_cells", never)
    before = len(asked)
    table = unedited_answers(config, study.folder, model)
    assert len(asked) == before
    known = study.tables["answers"]
    pd.testing.assert_frame_equal(table, known[known["arm"] == "none"].reset_index(drop=True))
    assert config.judge is not None
    other = config.model_copy(update={"judge": config.judge.model_copy(update={"revision": "2"})})
    again = unedited_answers(other, study.folder, model)
    pd.testing.assert_frame_equal(again, table)
    assert len(asked) == before + 2 * len(table.drop_duplicates(["question", "answer"]))


def unedited_answers(config: wb.StudyConfig, folder: Path, model: wb.Model) -> pd.DataFrame:
    """The unedited model's answers as the folder keeps them, rated."""
    job = unedited_job(Plan.of(config))
    frames, _ = asking.ask_jobs(model, config, Store(folder), [job], Meter(1.0, None))
    return first_draws(frames["answers"])


def test_a_judge_that_rates_little_is_told_early(
    config: wb.StudyConfig, model: wb.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unlikely(self: LocalJudge, asked: Any) -> Any:
        return ((place, Judgement(None, "unparsed")) for place in range(len(asked)))

    monkeypatch.setattr(LocalJudge, "rate", unlikely)
    local = config.model_copy(
        update={"judge": JudgeConfig(model="testbed", kind="local"), "traits": ("Extraversion",), "pairs": 10}
    )
    with pytest.raises(ValueError, match="The judge testbed gave a trait rating to only 0% of testbed's unedited"):
        wb.run_study(local, tmp_path, model=model)


def test_a_local_judge_is_the_studys_own_model_or_another(model: wb.Model, checkpoint: Path) -> None:
    same = build_judge(JudgeConfig(model="testbed", kind="local", min_mass=0.2), model, "testbed")
    assert isinstance(same, LocalJudge)
    assert same.model is model
    assert same.min_mass == 0.2
    other = build_judge(JudgeConfig(model=str(checkpoint), kind="local"), model, "testbed")
    assert isinstance(other, LocalJudge)
    assert other.model is not model


def test_a_missing_key_is_told_before_any_work(
    config: wb.StudyConfig, model: wb.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openai")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ValueError, match=r"There is no key for http.*Set OPENAI_API_KEY"):
        wb.run_study(config, tmp_path, model=model)
    assert not list(tmp_path.rglob("*.parquet"))
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_judge_that_does_not_answer_is_told_before_any_work(
    config: wb.StudyConfig, model: wb.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openai")
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    dead = JudgeConfig(model="stub", base_url="http://127.0.0.1:1/v1")
    with pytest.raises(ConnectionError, match="Nothing answers at http://127.0.0.1:1/v1: no connection"):
        wb.run_study(config.model_copy(update={"judge": dead}), tmp_path, model=model)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_judge_whose_ratings_are_kept_is_not_asked_first(study: wb.Study) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", "k")
        judge = EndpointJudge("stub", base_url="http://127.0.0.1:1/v1", retries=0)
        reach_judge(judge, study.folder)
        with pytest.raises(ConnectionError, match="Nothing answers"):
            reach_judge(judge, study.folder / "elsewhere")


def test_a_judge_is_read_back_as_it_was(config: wb.StudyConfig, tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    more = {"extra": {"effort": {"level": 1}, "stop": ["."]}, "headers": {"x-gate": "$GATE"}, "seed": 3}
    assert config.judge is not None
    own = config.judge.model_copy(update={**more, "limit": "max_output", "key_variable": "OTHER"})
    path.write_text(config.model_copy(update={"judge": own}).toml(), encoding="utf-8")
    assert wb.StudyConfig.read(path).judge == own
    for explained in (False, True):
        path.write_text(config.toml(explained=explained), encoding="utf-8")
        assert wb.StudyConfig.read(path) == config
    for text, message in (
        ('scorer = "judge"', "the whole: .*go together, but without a table"),
        ('[judge]\nmodel = "m"', r"the whole: .*but \[judge\] came with scorer = 'grammar'"),
        ('scorer = "judge"\n[judge]\nmodel = "m"\nurl = "u"', "judge.url: Extra inputs are not permitted"),
        ('scorer = "judge"\n[judge]\nkind = "local"', "judge.model: Field required"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=message):
            wb.StudyConfig.read(path)


def test_a_judge_is_no_part_of_what_was_answered(config: wb.StudyConfig) -> None:
    keys = []
    for one in (config, config.model_copy(update={"max_new_tokens": 57})):
        for judge in (one.judge, None):
            [answers] = [
                each for each in Plan.of(one.model_copy(update={"judge": judge})).outcomes if type(each) is Answers
            ]
            keys.append(answers.key("test"))
    assert keys[0] == keys[1] != keys[2] == keys[3]
