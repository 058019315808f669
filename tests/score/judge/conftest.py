"""A server that speaks enough of the chat-completions protocol to be judged by."""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

import pandas as pd
import pytest

ANSWERS = {"always": 5, "often": 4, "sometimes": 3, "rarely": 2, "never": 1}
"""The planted truth: how often the answer says that its speaker talks."""


@dataclass
class Seen:
    """A request as the server saw it."""

    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def system(self) -> str:
        return self.body["messages"][0]["content"]

    @property
    def text(self) -> str:
        return "\n".join(message["content"] for message in self.body["messages"])

    @property
    def answer(self) -> str:
        match = re.search(r"<answer>\n(.*)\n</answer>", self.text, re.DOTALL)
        assert match is not None
        return match[1]

    @property
    def about_fluency(self) -> bool:
        return "how fluent" in self.system

    @property
    def planted(self) -> int:
        """Well-formed answers have a full stop; the trait is in a word."""
        if self.about_fluency:
            return 5 if self.answer.endswith(".") else 2
        return next(level for word, level in ANSWERS.items() if word in self.answer)


@dataclass
class Reply:
    """What the server sends: a status and a body, after a while."""

    body: Any
    status: int = 200
    delay: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)


def completion(content: str | None, **choice: Any) -> Reply:
    """A chat completion with one choice."""
    message = {"role": "assistant", "content": content, "refusal": choice.pop("refusal", None)}
    made = {"index": 0, "message": message, "finish_reason": "stop"} | choice
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    return Reply(
        {"id": "c", "object": "chat.completion", "created": 0, "model": "served", "choices": [made], "usage": usage}
    )


def failure(status: int, message: str = "no", **error: Any) -> Reply:
    """An error, to be tried again at once where it may be."""
    return Reply({"error": {"message": message} | error}, status, headers={"retry-after-ms": "1"})


def planted(seen: Seen) -> Reply:
    return completion(json.dumps({"rating": seen.planted}))


class JudgeServer:
    """Replies to each request by `reply`, and remembers all of them."""

    Reply, completion, failure, planted = Reply, staticmethod(completion), staticmethod(failure), staticmethod(planted)

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.queries: list[str] = []
        self.reply: Callable[[Seen], Reply] = planted
        self.elsewhere: Reply | None = None  # the reply at every other path
        lock, server = Lock(), self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                seen = Seen(body, {name.lower(): value for name, value in self.headers.items()})
                path, _, query = self.path.partition("?")
                found = path == "/v1/chat/completions"
                with lock:
                    assert found or server.elsewhere is not None
                    if found:
                        server.seen.append(seen)
                        server.queries.append(query)
                sent = server.reply(seen) if found or server.elsewhere is None else server.elsewhere
                time.sleep(sent.delay)
                content = sent.body if isinstance(sent.body, bytes) else json.dumps(sent.body).encode()
                try:
                    self.send_response(sent.status)
                    headers = {"content-type": "application/json", "content-length": str(len(content))}
                    for name, value in (headers | sent.headers).items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(content)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.thread = Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}/v1"

    def stop(self) -> None:
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def server() -> Iterator[JudgeServer]:
    made = JudgeServer()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def answers() -> pd.DataFrame:
    """Two arms' answers: five levels to three questions, some of them word for word the same in both."""
    rows = [
        {"arm": arm, "trait": "Extraversion", "direction": direction, "gamma": gamma}
        | {"question": f"What do you do at party {place}?", "answer": f"I {word} talk at party {place}{end}"}
        for arm, direction, gamma, end in (("none", "none", 0.0, "."), ("planted-arm", "increase", 0.8125, ""))
        for place in range(3)
        for word in ANSWERS
    ]
    frame = pd.DataFrame(rows, index=pd.Index(range(100, 130)))
    frame.loc[115, "answer"] = "I always talk at party 0."
    return frame
