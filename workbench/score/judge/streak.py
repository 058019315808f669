"""Stops the questions to a judge where one answer after another fails for a reason that the next would share."""

from dataclasses import dataclass
from typing import Any

from workbench.score.judge.protocol import Judgement

PATIENCE = 5
"""After this many requests in a row without a rating for one reason, no more are sent."""


@dataclass
class Streak:
    """How the last requests to a judge ended.

    Attributes:
        whose: the model and its address.
        max_tokens: the most tokens of a reply.
        failures: requests in a row that failed.
        refusals: how many of them the server refused as they were.
        silent: replies in a row, from the first on, that were cut off before they said anything.
        spoken: whether any reply said something.
    """

    whose: str
    max_tokens: int
    failures: int = 0
    refusals: int = 0
    silent: int = 0
    spoken: bool = False

    def check(self, judgement: Judgement) -> None:
        """Count a judgement.

        Raises:
            ConnectionError: if it is the last of several requests in a row without a reply.
            ValueError: if it is the last of several requests in a row that the server refused, or of the first
                replies, all of them cut off before they said anything.
        """
        kept = judgement.kept
        failed = judgement.status == "failed"
        self.failures = self.failures + 1 if failed else 0
        self.refusals = self.refusals + _is_refusal(kept.get("http_status")) if failed else 0
        if kept.get("silent"):
            self.silent += 1
        elif not failed:
            self.spoken = True
        if self.silent >= PATIENCE and not self.spoken:
            raise ValueError(
                f"The first {self.silent} replies of {self.whose} were cut off at {self.max_tokens} tokens, before "
                "they said anything: it reasons first. Give it more, e.g. max_tokens = 2048 (--max-tokens 2048)."
            )
        if self.failures < PATIENCE:
            return
        if self.refusals == self.failures:
            raise ValueError(
                f"{self.whose} refused {self.failures} requests in a row, the last: {kept.get('error')}. If it names a "
                "parameter, change that: temperature, limit, max_tokens, seed, structured, extra (options of "
                "`workbench judge`, entries of [judge]). What was judged is kept."
            )
        raise ConnectionError(
            f"{self.failures} requests in a row to {self.whose} failed, the last: {kept.get('error')}. "
            "What was judged is kept; run again to ask for the rest."
        )


def _is_refusal(status: Any) -> bool:
    return isinstance(status, int) and 400 <= status < 500 and status not in (408, 409, 425, 429)
