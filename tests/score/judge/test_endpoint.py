"""Judging over HTTP, against a server that behaves, and one that does not."""

import json
import socket
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

pytest.importorskip("openai")

from workbench.score.judge.endpoint import EndpointJudge
from workbench.score.judge.journal import Journal
from workbench.score.judge.judging import judge_answers, judgement_counts
from workbench.score.judge.streak import PATIENCE

SECRET = "sk-very-secret-1234567890"


def judge(server: Any, **settings: Any) -> EndpointJudge:
    given = {"model": "m", "base_url": server.url, "api_key": SECRET, "concurrency": 4, "retries": 2}
    return EndpointJudge(**given | settings)


def replies(tmp_path: Path) -> list[dict[str, Any]]:
    return list(Journal(tmp_path).read().values())


def test_planted_ratings_come_back_to_their_rows(server: Any, answers: pd.DataFrame, tmp_path: Path) -> None:
    rated = judge_answers(answers, judge(server), folder=tmp_path)
    words = {"always": 5.0, "often": 4.0, "sometimes": 3.0, "rarely": 2.0, "never": 1.0}
    assert rated["m_score"].tolist() == [words[answer.split()[1]] for answer in answers["answer"]]
    assert rated["m_fluency"].tolist() == [5.0 if answer.endswith(".") else 2.0 for answer in answers["answer"]]
    pd.testing.assert_frame_equal(rated[list(answers.columns)], answers)
    assert rated["judge_score"].equals(rated["m_score"])
    assert set(rated["m_score_status"]) == {"rated"}


def test_a_judge_sees_question_answer_and_rubric_alone(server: Any, answers: pd.DataFrame, tmp_path: Path) -> None:
    judge_answers(answers, judge(server), folder=tmp_path)
    # 30 rows, one of them the same in both arms; trait and fluency apart.
    assert len(server.seen) == 2 * 29
    assert sum(seen.about_fluency for seen in server.seen) == 29
    assert len({seen.text for seen in server.seen}) == 58
    for seen in server.seen:
        assert set(seen.body) == {"model", "messages", "max_tokens", "temperature", "response_format"}
        told = json.dumps(seen.body)
        for word in ("planted-arm", "none", "increase", "gamma", "0.8125", "arm", "edit", "dose"):
            assert f'"{word}"' not in told
            assert f" {word} " not in told
        assert seen.headers["authorization"] == f"Bearer {SECRET}"
        if seen.about_fluency:
            assert "Extraversion" not in told


def test_the_order_is_random_by_seed(server: Any, answers: pd.DataFrame, tmp_path: Path) -> None:
    orders = []
    for place, seed in enumerate((0, 0, 1)):
        server.seen.clear()
        judge_answers(answers, judge(server, concurrency=1), folder=tmp_path / str(place), seed=seed)
        orders.append([seen.text for seen in server.seen])
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2])
    in_frame = [answer for answer in answers["answer"] if answer.endswith(".")]
    of_one_arm = [seen.answer for seen in server.seen if seen.answer.endswith(".") and not seen.about_fluency]
    assert sorted(of_one_arm) == sorted(set(in_frame))
    assert of_one_arm != in_frame
    # Arms, and trait and fluency, are interleaved.
    kinds = [seen.about_fluency for seen in server.seen]
    assert sum(a != b for a, b in pairwise(kinds)) > 10


def test_what_is_no_rating_is_missing_and_counted(server: Any, answers: pd.DataFrame, tmp_path: Path) -> None:
    odd = {
        "party 0": lambda: server.completion('{"rating": 6}'),
        "always talk at party 1": lambda: server.completion('{"rating": '),
        "never talk at party 1": lambda: server.completion("I would say 4 or 5."),
        "often talk at party 1": lambda: server.completion(None, refusal="I will not rate people."),
        "rarely talk at party 1": lambda: server.completion('{"rating": 3}', finish_reason="content_filter"),
        "sometimes talk at party 1": lambda: server.completion("3", finish_reason="length"),
        "sometimes talk at party 2": lambda: server.failure(400, "filtered", code="content_filter"),
    }

    def reply(seen: Any) -> Any:
        found = next((made for part, made in odd.items() if part in seen.answer and not seen.about_fluency), None)
        return server.planted(seen) if found is None else found()

    server.reply = reply
    rated = judge_answers(answers, judge(server), folder=tmp_path)
    missing = rated["m_score"].isna()
    touched = [any(part in answer for part in odd) for answer in answers["answer"]]
    assert missing.tolist() == touched
    assert rated["judge_score"].isna().tolist() == touched
    assert rated["m_fluency"].notna().all()
    counts = judgement_counts(rated).to_dict("records")[0]
    wanted = {"answers": 30, "rated": 8, "unparsed": 16, "refused": 6, "failed": 0}
    assert counts == {"judge": "m", "quantity": "score"} | wanted
    by_arm = judgement_counts(rated, by=["arm"])
    assert by_arm.groupby("arm")["answers"].sum().tolist() == [30, 30]
    # They are kept as they came, and not asked for again.
    server.seen.clear()
    again = judge_answers(answers, judge(server), folder=tmp_path)
    assert not server.seen
    pd.testing.assert_frame_equal(again, rated)
    assert "I would say 4 or 5." in {kept["reply"] for kept in replies(tmp_path)}


def test_a_busy_server_is_asked_again(server: Any, answers: pd.DataFrame, tmp_path: Path) -> None:
    times: dict[str, int] = {}

    def reply(seen: Any) -> Any:
        times[seen.text] = times.get(seen.text, 0) + 1
        return [server.failure(429), server.failure(503), server.planted(seen)][min(times[seen.text], 3) - 1]

    server.reply = reply
    rated = judge_answers(answers.head(4), judge(server), folder=tmp_path)
    assert rated["m_score"].tolist() == [5.0, 4.0, 3.0, 2.0]
    assert set(times.values()) == {3}
    assert len(replies(tmp_path)) == 8


def test_a_server_that_only_fails_is_given_up_and_nothing_kept(
    server: Any, answers: pd.DataFrame, tmp_path: Path
) -> None:
    server.reply = lambda seen: server.failure(500, f"broken, key {SECRET}")
    with pytest.raises(
        ConnectionError, match=f"{PATIENCE} requests in a row to m at http.*broken.*run again"
    ) as caught:
        judge_answers(answers, judge(server, retries=1), folder=tmp_path)
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)
    assert not replies(tmp_path)
    few = answers.head(2)
    with pytest.raises(RuntimeError, match="4 requests failed, the last to m: .*run again"):
        judge_answers(few, judge(server, retries=0), folder=tmp_path)
    left = judge_answers(few, judge(server, retries=0), folder=tmp_path, on_failure="missing")
    assert left["m_score"].isna().all()
    assert set(left["m_score_status"]) == {"failed"}
    assert not replies(tmp_path)


def test_a_slow_reply_is_not_waited_for_and_asked_for_by_the_next_run(
    server: Any, answers: pd.DataFrame, tmp_path: Path
) -> None:
    def slow(seen: Any) -> Any:
        found = server.planted(seen)
        found.delay = 1.5 if "never talk at party 0." in seen.answer else 0.0
        return found

    server.reply = slow
    hasty = judge(server, timeout=0.3, retries=0)
    with pytest.raises(RuntimeError, match=r"2 requests failed, the last to m: no reply within 0.3 s, 1 times"):
        judge_answers(answers, hasty, folder=tmp_path)
    assert len(replies(tmp_path)) == 56
    server.reply = server.planted
    server.seen.clear()
    rated = judge_answers(answers, hasty, folder=tmp_path)
    assert {seen.answer for seen in server.seen} == {"I never talk at party 0."}
    assert rated["m_score"].notna().all()


def test_a_body_that_is_no_completion_fails(server: Any, answers: pd.DataFrame, tmp_path: Path) -> None:
    for body in (b"{not json", {"choices": []}, {"hello": 1}, b'"text"'):
        server.reply = lambda seen, body=body: server.Reply(body)
        rated = judge_answers(answers.head(1), judge(server), folder=tmp_path, on_failure="missing")
        assert rated["m_score_status"].item() == "failed"
    assert not replies(tmp_path)


def test_a_server_without_schemas_is_asked_in_plain_text(server: Any, answers: pd.DataFrame, tmp_path: Path) -> None:
    def reply(seen: Any) -> Any:
        if "response_format" in seen.body:
            return server.failure(400, "response_format is not supported")
        assert "one digit" in seen.text
        assert "JSON" not in seen.text
        return server.completion("4." if seen.planted == 4 else f"Rating: {seen.planted}/5")

    server.reply = reply
    with pytest.warns(UserWarning, match="ratings are requested as plain text .*not supported") as told:
        rated = judge_answers(answers, judge(server, concurrency=1), folder=tmp_path)
    assert len(told) == 1
    assert rated["m_score"].tolist()[:5] == [5, 4, 3, 2, 1]
    assert sum("response_format" in seen.body for seen in server.seen) == 1
    assert {kept["form"] for kept in replies(tmp_path)} == {"text"}
    server.seen.clear()
    judge_answers(answers, judge(server, structured=False), folder=tmp_path)  # another way to ask is another key
    assert len(server.seen) == 58
    assert not any("response_format" in seen.body for seen in server.seen)


def test_parameters_are_the_users_own(server: Any, answers: pd.DataFrame, tmp_path: Path) -> None:
    other = judge(server, temperature=None, limit="max_completion_tokens", seed=3)
    rated = judge_answers(answers.head(2), other, folder=tmp_path)
    assert rated["m_score"].tolist() == [5, 4]
    sent = [seen.body for seen in server.seen if "max_completion_tokens" in seen.body]
    assert len(sent) == 4
    assert {body["seed"] for body in sent} == {3}
    assert not any("temperature" in body or "max_tokens" in body for body in sent)


def test_mistakes_are_one_line(
    server: Any, answers: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "WORKBENCH_JUDGE_MODEL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match="Pass model=, or set WORKBENCH_JUDGE_MODEL"):
        EndpointJudge()
    with pytest.raises(ValueError, match=r"There is no key for https://api.openai.com/v1. Set OPENAI_API_KEY"):
        judge_answers(answers, EndpointJudge("m"), folder=tmp_path)
    with pytest.raises(ValueError, match="but 0, 32, 6 and 60.0 arrived"):
        EndpointJudge("m", concurrency=0)
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("WORKBENCH_JUDGE_MODEL", "from-environment")
    assert judge_answers(answers.head(1), EndpointJudge(), folder=tmp_path)["from-environment_score"].item() == 5
    for status, error, message in (
        (401, PermissionError, "refuses the key: .*Check OPENAI_API_KEY"),
        (404, ValueError, "does not know the model 'm'"),
    ):
        server.reply = lambda seen, status=status: server.failure(status, f"no {SECRET}")
        with pytest.raises(error, match=message) as caught:
            judge_answers(answers, judge(server), folder=tmp_path)
        assert SECRET not in str(caught.value)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began = time.monotonic()
    with pytest.raises(
        ConnectionError, match=f"Nothing answers at http://127.0.0.1:{port}/v1: no connection"
    ) as caught:
        judge_answers(answers, judge(server, base_url=f"http://u:p@127.0.0.1:{port}/v1", retries=0), folder=tmp_path)
    assert "u:p" not in str(caught.value)
    assert time.monotonic() - began < 5


def test_a_missing_client_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(ImportError, match=r"needs openai. Install it with: pip install 'dpn-workbench\[judge\]'"):
        EndpointJudge("m", api_key="k").client()


def test_the_key_is_neither_shown_nor_kept(server: Any, answers: pd.DataFrame, tmp_path: Path) -> None:
    own = judge(server, base_url=server.url.replace("http://", "http://user:word@"))
    judge_answers(answers.head(1), own, folder=tmp_path)
    assert SECRET not in repr(own)
    content = Journal(tmp_path).path.read_text(encoding="utf-8")
    assert SECRET not in content
    assert "user:word" not in content
    kept = replies(tmp_path)[0]
    assert {"messages", "reply", "rating", "usage", "served_model", "form", "endpoint"} <= set(kept)
    assert kept["usage"] == {"prompt_tokens": 7, "completion_tokens": 3}
