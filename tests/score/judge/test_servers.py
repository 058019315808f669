"""Judges behind servers that speak the protocol in ways of their own."""

import json
import re
import socket
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

pytest.importorskip("openai")

from workbench import cli
from workbench.score.judge import endpoint
from workbench.score.judge.endpoint import EndpointJudge
from workbench.score.judge.journal import Journal
from workbench.score.judge.judging import judge_answers
from workbench.score.judge.refusing import is_key, refused_parameter
from workbench.score.judge.streak import PATIENCE
from workbench.score.judge.transport import seconds_to_reset, status_within

UNSUPPORTED = (
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
)


@pytest.fixture(autouse=True)
def nothing_agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "_AGREED", {})


def judge(server: Any, **settings: Any) -> EndpointJudge:
    given = {"model": "m", "base_url": server.url, "api_key": "x", "concurrency": 4, "retries": 1}
    return EndpointJudge(**given | settings)


def reasoning_model(server: Any) -> Any:
    """Replies as hosted reasoning models do: another limit, one temperature, no seed."""

    def reply(seen: Any) -> Any:
        if "max_tokens" in seen.body:
            return server.failure(400, UNSUPPORTED, code="unsupported_parameter", param="max_tokens")
        if "temperature" in seen.body:
            message = (
                "Unsupported value: 'temperature' does not support 0.0 with this model. Only the default (1) value"
            )
            return server.failure(400, message, code="unsupported_value", param="temperature")
        if "seed" in seen.body:
            detail = [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]
            return server.Reply({"detail": detail}, 422)
        return server.planted(seen)

    return reply


def test_parameters_follow_the_servers_own_errors_once(server: Any, answers: pd.DataFrame, tmp_path: Path) -> None:
    server.reply = reasoning_model(server)
    with pytest.warns(UserWarning, match="asked otherwise") as told:
        rated = judge_answers(answers, judge(server, seed=3), folder=tmp_path)
    assert rated["m_score"].tolist()[:5] == [5, 4, 3, 2, 1]
    assert len(server.seen) == 58 + 3  # each of three was refused once
    changes = [str(each.message) for each in told]
    assert [re.findall(r"otherwise: (.*?) \(", each)[0] for each in changes] == [
        "max_completion_tokens is sent instead of max_tokens",
        "temperature is left out",
        "seed is left out",
    ]
    assert all("***" not in each for each in changes)
    assert "max_tokens" in changes[0]  # the key "x" is no key
    assert set(server.seen[-1].body) == {"model", "messages", "max_completion_tokens", "response_format"}
    kept = list(Journal(tmp_path).read().values())
    assert all(each["parameters"] == {"max_completion_tokens": 32} for each in kept)
    # Another judge of the same settings knows it, as a study makes one for each step.
    server.seen.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        judge_answers(answers, judge(server, seed=3), folder=tmp_path / "again")
    assert len(server.seen) == 58


def test_a_limit_that_no_name_suits_is_left_out(server: Any, answers: pd.DataFrame, tmp_path: Path) -> None:
    def reply(seen: Any) -> Any:
        for name in ("max_tokens", "max_completion_tokens"):
            if name in seen.body:
                return server.failure(400, f"Unrecognized request argument supplied: {name}")
        return server.planted(seen)

    server.reply = reply
    with pytest.warns(UserWarning, match="asked otherwise") as told:
        rated = judge_answers(answers.head(2), judge(server), folder=tmp_path)
    assert "no limit is sent instead of max_completion_tokens" in str(told[-1].message)
    assert rated["m_score"].tolist() == [5, 4]


def test_other_refusals_end_in_the_servers_own_words(server: Any, answers: pd.DataFrame, tmp_path: Path) -> None:
    for message in ("max_tokens is too small: 32, at least 64", "temperature must be between 0.1 and 2"):
        server.reply = lambda seen, message=message: server.failure(400, message)
        with pytest.raises(ValueError, match=f"m at http.* refused {PATIENCE} requests in a row.*{message}") as caught:
            judge_answers(answers, judge(server), folder=tmp_path)
        assert "\n" not in str(caught.value)
        assert "run again" not in str(caught.value)
    server.reply = lambda seen: server.failure(400, "Unknown parameter: 'effort'", param="effort")
    with pytest.raises(ValueError, match="refused .*Unknown parameter: 'effort'.*extra"):
        judge_answers(answers, judge(server, extra={"effort": "low"}), folder=tmp_path)
    assert not Journal(tmp_path).read()


def test_extra_parameters_and_headers_are_sent_and_not_kept_where_secret(
    server: Any, answers: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATE", "gate-secret-12345")
    monkeypatch.setenv("OTHER_KEY", " sk-of-another-name \n")
    given = {"extra": {"reasoning_effort": "low"}, "headers": {"x-gate": "$GATE"}, "key_variable": "OTHER_KEY"}
    own = judge(server, api_key="", **given)
    judge_answers(answers.head(1), own, folder=tmp_path)
    seen = server.seen[-1]
    assert seen.body["reasoning_effort"] == "low"
    assert seen.headers["x-gate"] == "gate-secret-12345"
    assert seen.headers["authorization"] == "Bearer sk-of-another-name"
    text = Journal(tmp_path).path.read_text(encoding="utf-8")
    assert "gate-secret" not in text + repr(own)
    assert '"reasoning_effort": "low"' in text
    assert own.settings != judge(server).settings
    server.reply = lambda seen: server.failure(401, "gate-secret-12345 and sk-of-another-name are unknown")
    with pytest.raises(PermissionError, match=r"\*\*\* and \*\*\* are unknown. Check OTHER_KEY"):
        judge_answers(answers.head(2), own, folder=tmp_path)
    for settings, message in (
        ({"extra": {"temperature": 1}}, r"does not set itself, but \['temperature'\]"),
        ({"api_key": "two words"}, "one word of ASCII"),
        ({"base_url": "ftp://host"}, "written like http://localhost:8000/v1, but 'ftp://host'"),
    ):
        with pytest.raises(ValueError, match=message):
            judge(server, **settings)
    with pytest.raises(ValueError, match=r"x-gate is to hold \$NONE, but NONE is not set"):
        judge(server, headers={"x-gate": "$NONE"}).client()


@pytest.mark.parametrize("dummy", ["x", "EMPTY", "none", "ollama", "sk-no-key-required", "xxxxxxxxxx"])
def test_words_that_are_no_keys_are_left(server: Any, answers: pd.DataFrame, tmp_path: Path, dummy: str) -> None:
    message = f"max tokens exceeded, none of {dummy}"
    server.reply = lambda seen: server.failure(403, message)
    with pytest.raises(PermissionError, match=f"HTTP 403, {message}. Check"):
        judge_answers(answers.head(1), judge(server, api_key=dummy), folder=tmp_path)
    assert not is_key(dummy)


def test_waits_are_the_servers_own(server: Any, answers: pd.DataFrame, tmp_path: Path) -> None:
    times: dict[str, list[float]] = {}

    def reply(seen: Any) -> Any:
        tried = times.setdefault(seen.text, [])
        tried.append(time.monotonic())
        if len(tried) > 1:
            return server.planted(seen)
        headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "20ms"}
        return server.Reply({"error": {"message": "slow down"}}, 429, headers=headers)

    server.reply = reply
    rated = judge_answers(answers.head(2), judge(server, concurrency=1), folder=tmp_path)
    assert rated["m_score"].tolist() == [5, 4]
    gaps = [tried[1] - tried[0] for tried in times.values()]
    assert all(len(tried) == 2 for tried in times.values())
    assert all(0.015 < gap < 0.3 for gap in gaps[1:]), gaps  # the client's own wait is 0.375 s and more


def test_headers_of_limits_are_read() -> None:
    assert seconds_to_reset({"x-ratelimit-reset": "1700000003"}, now=1_700_000_000.0) == 3
    assert seconds_to_reset({"x-ratelimit-reset": "1700000003000"}, now=1_700_000_000.0) == 3
    assert seconds_to_reset({"x-ratelimit-reset": "7"}, now=1_700_000_000.0) == 7
    assert seconds_to_reset({"x-ratelimit-reset-tokens": "soon"}, now=0.0) is None
    assert seconds_to_reset({}, now=0.0) is None
    assert status_within(b'{"error": {"type": "overloaded_error"}}') == 503
    assert status_within(b'{"error": "no such thing"}') == 400
    assert status_within(b'{"choices": [1], "error": {"code": 500}}') is None
    assert status_within(b"[]") is None
    assert refused_parameter({"message": "seed is not allowed", "param": None}, ["seed"]) == "seed"
    assert refused_parameter({"message": "the seed bank is full"}, ["seed"]) is None


def test_a_spent_account_ends_at_once(server: Any, answers: pd.DataFrame, tmp_path: Path) -> None:
    for status, code in ((429, "insufficient_quota"), (402, None)):
        server.seen.clear()
        server.reply = lambda seen, status=status, code=code: server.failure(status, "You have no credit.", code=code)
        with pytest.raises(PermissionError, match=r"gives this key no more: HTTP \d+, You have no credit\."):
            judge_answers(answers, judge(server, retries=6), folder=tmp_path)
        assert len(server.seen) == 2


def test_an_error_within_a_good_status_is_an_error(server: Any, answers: pd.DataFrame, tmp_path: Path) -> None:
    times: dict[str, int] = {}

    def reply(seen: Any) -> Any:
        times[seen.text] = times.get(seen.text, 0) + 1
        if times[seen.text] == 1:
            return server.Reply({"error": {"code": 503, "message": "busy"}}, headers={"retry-after-ms": "1"})
        return server.planted(seen)

    server.reply = reply
    assert judge_answers(answers.head(2), judge(server), folder=tmp_path)["m_score"].tolist() == [5, 4]
    server.reply = lambda seen: server.Reply({"error": {"message": "moderated input", "code": 403}})
    with pytest.raises(PermissionError, match="HTTP 403, moderated input"):
        judge_answers(answers, judge(server), folder=tmp_path)


@pytest.mark.parametrize(
    ("content", "rating"),
    [
        ("<think>2 or 5</think>\n4", 4),
        ("it may be 2</think>4", 4),
        ("[THINK]2[/THINK]4", 4),
        ([{"type": "thinking", "thinking": "2"}, {"type": "text", "text": '{"rating": 4}'}], 4),
        ([{"type": "text", "text": "4"}], 4),
        ([{"type": "refusal", "refusal": "I will not."}], None),
        ("<think>2 or 5", None),
        (None, None),
    ],
)
def test_thoughts_and_parts_are_read(
    server: Any, answers: pd.DataFrame, tmp_path: Path, content: Any, rating: int | None
) -> None:
    server.reply = lambda seen: server.completion(content, reasoning_content="Let me see. 2?")
    rated = judge_answers(answers.head(1), judge(server), folder=tmp_path)
    assert rated["m_score"].item() == rating or rated["m_score"].isna().item() == (rating is None)
    refused = isinstance(content, list) and "refusal" in content[0]
    status = "rated" if rating else "refused" if refused else "unparsed"
    assert rated["m_score_status"].item() == status


def test_replies_that_end_while_the_model_thinks_stop_the_run(
    server: Any, answers: pd.DataFrame, tmp_path: Path
) -> None:
    server.reply = lambda seen: server.completion("", finish_reason="length")
    with pytest.raises(ValueError, match=f"first {PATIENCE} replies of m at .* at 32 tokens.*--max-tokens 2048"):
        judge_answers(answers, judge(server, concurrency=1), folder=tmp_path)
    assert len(server.seen) == PATIENCE


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/", "/v1/chat/completions", "/v1/chat/completions/"])
@pytest.mark.parametrize("status", [404, 200])
def test_an_address_is_found_however_it_is_written(
    server: Any, answers: pd.DataFrame, tmp_path: Path, path: str, status: int
) -> None:
    page = b"<!DOCTYPE html><html><head><title>A web app</title></head></html>"
    server.elsewhere = server.Reply(page, status, headers={"content-type": "text/html"})
    own = judge(server, base_url=server.url.removesuffix("/v1") + path)
    with warnings.catch_warnings():
        warnings.simplefilter("error" if "v1" in path else "ignore")
        assert judge_answers(answers.head(1), own, folder=tmp_path)["m_score"].item() == 5
    assert own.address == server.url
    without_scheme = judge(server, base_url=server.url.removeprefix("http://").replace("127.0.0.1", "localhost"))
    assert without_scheme.base_url.startswith("http://localhost:")


def test_a_web_page_is_told_by_its_title(server: Any, answers: pd.DataFrame, tmp_path: Path) -> None:
    server.elsewhere = server.Reply(b"<html><title>A web app</title></html>", headers={"content-type": "text/html"})
    with pytest.raises(ValueError, match="no such endpoint: .*a web page, 'A web app'.*Most end in /v1"):
        judge_answers(answers, judge(server, base_url=server.url + "/v2"), folder=tmp_path)
    server.reply = lambda seen: server.Reply(b"<html><h1>502 Bad Gateway</h1></html>", 502)
    with pytest.raises(ConnectionError, match="HTTP 502, a web page, '502 Bad Gateway'"):
        judge_answers(answers, judge(server, retries=0), folder=tmp_path)


def test_a_query_goes_with_each_request(server: Any, answers: pd.DataFrame, tmp_path: Path) -> None:
    own = judge(server, base_url=server.url + "?api-version=7&key=hidden")
    judge_answers(answers.head(1), own, folder=tmp_path)
    assert server.queries[-1] == "api-version=7&key=hidden"
    assert own.address == server.url


def test_no_proxy_stands_before_this_machine(
    server: Any, answers: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert judge_answers(answers.head(1), judge(server), folder=tmp_path)["m_score"].item() == 5


def test_a_dead_endpoint_is_told_soon_and_once(
    answers: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{port}/v1/")
    began = time.monotonic()
    dead = EndpointJudge("m", api_key="x")  # six retries
    with pytest.raises(ConnectionError, match=rf"at http://127.0.0.1:{port}/v1, from OPENAI_BASE_URL: .*refused"):
        judge_answers(answers, dead, folder=tmp_path)
    with pytest.raises(ConnectionError, match="Nothing answers"):
        dead.probe()
    assert time.monotonic() - began < 3


def test_a_probe_asks_once_and_says_what_the_server_says(server: Any) -> None:
    own = judge(server)
    server.reply = lambda seen: server.completion('{"rating": 3}')
    own.probe()
    own.probe()
    assert len(server.seen) == 1
    server.reply = lambda seen: server.failure(400, "the model is not loaded")
    with pytest.raises(ConnectionError, match="m at http.* rates nothing: HTTP 400, the model is not loaded"):
        judge(server, revision="2", seed=1).probe()
    assert json.dumps(server.seen[0].body).count("How are you?") == 1


def test_every_setting_is_an_option(
    server: Any,
    answers: pd.DataFrame,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MY_KEY", "x")
    answers.head(2).to_parquet(tmp_path / "answers.parquet")

    def command(*options: str) -> tuple[int, str]:
        asked = ["judge", str(tmp_path / "answers.parquet"), "--judge", "m", "--out", str(tmp_path / "out")]
        monkeypatch.setattr(sys, "argv", ["workbench", *asked, "--key-variable", "MY_KEY", *options])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), capsys.readouterr().err.lstrip()

    given = ("--base-url", server.url, "--max-tokens", "99", "--limit", "max_output", "--temperature", "none")
    given += ("--judge-seed", "7", "--no-schema", "--extra", 'effort={"level": 1}', "--extra", "tier=flex")
    assert command(*given, "--header", "x-gate=open", "--timeout", "9", "--retries", "0", "--revision", "r") == (0, "")
    seen = server.seen[-1]
    sent = {"model": "m", "max_output": 99, "seed": 7, "effort": {"level": 1}, "tier": "flex"}
    assert {name: value for name, value in seen.body.items() if name != "messages"} == sent
    assert seen.headers["x-gate"] == "open"
    status, err = command("--temperature", "warm", "--base-url", server.url)
    assert (status, err) == (2, "workbench: --temperature is a number of 0 or more, or none, but 'warm' arrived.\n")
    server.reply = lambda seen: server.failure(500, "broken")
    assert command("--base-url", server.url, "--retries", "0", "--on-failure", "missing") == (0, "")
    status, err = command("--base-url", "http://127.0.0.1:1/v1")
    assert (status, err.count("\n")) == (2, 1)
    assert "Nothing answers at http://127.0.0.1:1/v1: no connection" in err
