"""What a model's forward pass can be trusted with, tried once on a few tokens before anything rests on it."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from workbench.model.checkpoint import one_line
from workbench.model.lengths import Lengths
from workbench.model.rendering import batches_by_length
from workbench.model.runner import Runner

TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-9}
NARROW_TOLERANCE = 0.1  # half precision rounds differently with every shape of batch

_TEXT = "One, two and three are numbers; four is the next of them."
_WHOLE, _SHORT = 7, 5  # tokens of the two texts that are tried
_CANNOT = (TypeError, AttributeError, ValueError, LookupError, NotImplementedError, RuntimeError, AssertionError)

Cut = Callable[..., list[list[int]]]


@dataclass(frozen=True)
class Loop:
    """What holds of a model's forward pass.

    Attributes:
        name: the model's.
        lengths: its limits.
        pads: whether a text that is padded gives what it gives alone.
        caches: whether a token after kept keys and values (or states) gives what it gives in a whole pass.
        warned: what was said already of texts that are longer than those that the model was made for.
    """

    name: str
    lengths: Lengths
    pads: bool = True
    caches: bool = True
    warned: list[str] = field(default_factory=list, compare=False, repr=False)

    def batches(
        self,
        lengths: Sequence[int],
        *,
        max_tokens: int,
        max_rows: int,
        answer: int = 0,
        cut: Cut = batches_by_length,
    ) -> list[list[int]]:
        """Row numbers in batches that change no row's values.

        Args:
            lengths: tokens of each text.
            answer: how many tokens each text will get besides.
            cut: how texts that may share a batch are divided, by their lengths with the answer's.
        """
        alike: dict[tuple[int, int], list[int]] = {}
        for row, length in enumerate(lengths):
            key = (self.lengths.group(length, answer), 0 if self.pads else length)
            alike.setdefault(key, []).append(row)
        batches = []
        for _, rows in sorted(alike.items(), reverse=True):
            widths = [lengths[row] + answer for row in rows]
            batches += [[rows[i] for i in batch] for batch in cut(widths, max_tokens=max_tokens, max_rows=max_rows)]
        return batches

    def check(self, lengths: Sequence[int], answers: int | Sequence[int] = 0) -> None:
        """Refuse texts that are longer than the model has positions for; warn once where it was made for shorter ones.

        Args:
            lengths: tokens of each prompt.
            answers: how many tokens may follow each, of which the last is never computed from.

        Raises:
            ValueError: with both lengths.
        """
        after = [answers] * len(lengths) if isinstance(answers, int) else list(answers)
        needed = [length + max(0, new - 1) for length, new in zip(lengths, after, strict=True)]
        longest = max(range(len(needed)), key=lambda row: needed[row], default=None)
        limit = self.lengths.most or self.lengths.trained
        if longest is None or limit is None or needed[longest] <= limit:
            return
        asked = f"prompt {longest} has {lengths[longest]:,} tokens"
        asked += f" and {after[longest]:,} may follow" if after[longest] else ""
        if self.lengths.most is not None:
            raise ValueError(
                f"{self.name} has positions for {limit:,} tokens, but {asked}. Shorten it"
                + (" or ask for fewer new tokens." if after[longest] else ".")
            )
        if not self.warned:
            self.warned.append(asked)
            warnings.warn(f"{self.name} was made for texts of {limit:,} tokens, but {asked}.", stacklevel=3)


def tried(
    runner: Runner,
    tokenizer: PreTrainedTokenizerBase,
    *,
    name: str,
    pad_token: int,
    lengths: Lengths,
    modules: Sequence[Any],
    points: Sequence[Any],
    device: torch.device,
    dtype: torch.dtype,
) -> Loop:
    """Run a few tokens in each way that the workbench runs a model, and compare with the bare network's own logits.

    Args:
        modules: every module of the model; what is hooked there does not see these passes.
        points: hook points of each kind of site, at which it is tried whether wrappers can be left out.

    Raises:
        ValueError: if the network gives other logits to a beginning when more follows it, or if no way to run it gives
            what it gives by itself.
    """
    texts = _texts(tokenizer, int(runner.embedding.shape[0]))
    if lengths.most is not None and lengths.most < _WHOLE:
        return Loop(name, lengths)
    trial = _Trial(runner, texts, pad_token, device, TOLERANCE.get(dtype, NARROW_TOLERANCE))
    with torch.inference_mode(), _unhooked(modules):
        return trial.loop(Loop(name, lengths), points)


@dataclass(frozen=True)
class _Trial:
    """Two texts, of which the shorter is not a beginning of the longer one.

    Attributes:
        tolerance: the greatest difference of logits, as a share of their size.
    """

    runner: Runner
    texts: tuple[list[int], list[int]]
    pad_token: int
    device: torch.device
    tolerance: float

    def loop(self, loop: Loop, points: Sequence[Any]) -> Loop:
        runner = self.runner
        long, short = self.texts
        whole, alone = (runner.bare_logits(self._ids([text])) for text in (long, short))
        if not bool(torch.isfinite(whole).all()):
            return loop  # the run itself names what is not finite
        begun = runner.bare_logits(self._ids([long[:_SHORT]]))
        error = _relative(begun[0, -1], whole[0, _SHORT - 1])
        if error > self.tolerance:
            raise ValueError(
                f"{loop.name} is no causal language model: what follows {_SHORT} tokens changes their logits by "
                f"{error:.0%}. Use a decoder that reads from left to right."
            )
        for bare in (False, True):
            runner.bare = bare
            error = self._error([long], [whole[0, -1]])
            if error <= self.tolerance:
                break
        else:
            raise ValueError(
                f"{loop.name} cannot be run here: {self._why(error)}. Use another checkpoint, or another version of "
                "TransformerLens."
            )
        runner.direct = self.is_direct(points)
        ends = [whole[0, -1], alone[0, -1]]
        loop = replace(loop, pads=self._error([long, short], ends) <= self.tolerance)
        both = slice(0, 2 if loop.pads else 1)
        return replace(loop, caches=self._stepped_error(self.texts[both], ends[both]) <= self.tolerance)

    def is_direct(self, points: Sequence[Any]) -> bool:
        """Whether the logits are the same without wrappers: where nothing is hooked, one point, and every one."""
        runner, [text] = self.runner, self.texts[:1]
        ids, real = self._ids([text]), self._real([text])

        def moved(tensor: Tensor, *, hook: Any) -> Tensor:
            return tensor + tensor.abs().mean()

        def found(direct: bool) -> Tensor:
            runner.direct = direct
            logits = runner.run(ids, real, logits=True)
            assert logits is not None
            return logits[0]

        added: list[Any] = []
        try:
            errors = [_relative(found(True), found(False))]
            for some in (points[:1], points[1:]):
                for point in some:
                    point.add_hook(moved)
                    added.append(point)
                errors.append(_relative(found(True), found(False)))
        except _CANNOT:
            return False
        finally:
            runner.direct = False
            for point in added:
                point.fwd_hooks.pop().hook.remove()
        return max(errors) <= self.tolerance

    def _why(self, error: float) -> str:
        if error < float("inf"):
            return f"its logits differ by {error:.0%} from those of the bare network"
        try:
            self.runner.run(self._ids(self.texts[:1]), self._real(self.texts[:1]), logits=True)
        except _CANNOT as failed:
            return f"its pass ends in {type(failed).__name__} ({one_line(failed)})"
        return "its logits are not finite where those of the bare network are"

    def _ids(self, rows: Sequence[Sequence[int]]) -> Tensor:
        width = max(map(len, rows))
        padded = [[self.pad_token] * (width - len(row)) + list(row) for row in rows]
        return torch.tensor(padded, device=self.device)

    def _real(self, rows: Sequence[Sequence[int]], more: int = 0) -> Tensor:
        width = max(map(len, rows))
        real = [[0] * (width - len(row)) + [1] * (len(row) + more) for row in rows]
        return torch.tensor(real, dtype=torch.bool, device=self.device)

    def _error(self, rows: Sequence[list[int]], expected: Sequence[Tensor]) -> float:
        """How far whole passes are from the logits expected."""
        try:
            logits = self.runner.run(self._ids(rows), self._real(rows), logits=True)
        except _CANNOT:
            return float("inf")
        assert logits is not None
        return max(_relative(found, wanted) for found, wanted in zip(logits, expected, strict=True))

    def _stepped_error(self, rows: Sequence[list[int]], expected: Sequence[Tensor]) -> float:
        """How far the logits are after two tokens were added one by one, as in decoding."""
        begun = [row[:-2] for row in rows]
        try:
            cache = self.runner.generation_cache(batch=len(rows))
            self.runner.run(self._ids(begun), self._real(begun), cache, logits=True)
            logits = None
            for step in (1, 2):
                fresh = torch.tensor([[row[step - 3]] for row in rows], device=self.device)
                logits = self.runner.run(fresh, self._real(begun, step), cache, logits=True)
        except _CANNOT:
            return float("inf")
        assert logits is not None
        return max(_relative(found, wanted) for found, wanted in zip(logits, expected, strict=True))


def _relative(found: Float[Tensor, " d_vocab"], wanted: Float[Tensor, " d_vocab"]) -> float:
    found, wanted = found.float(), wanted.float()
    difference = float((found - wanted).norm() / wanted.norm().clamp(min=1e-12))
    return difference if difference == difference else float("inf")


def _texts(tokenizer: PreTrainedTokenizerBase, d_vocab: int) -> tuple[list[int], list[int]]:
    """Seven tokens and five others, ordinary ones where the tokenizer gives so many."""
    try:
        ids = [token for token in tokenizer(_TEXT, add_special_tokens=False)["input_ids"] if token < d_vocab]
    except _CANNOT:
        ids = []
    if len(ids) < _WHOLE + _SHORT:
        ids = [(1 + 3 * place) % d_vocab for place in range(_WHOLE + _SHORT)]
    return ids[:_WHOLE], ids[_WHOLE : _WHOLE + _SHORT]


@contextmanager
def _unhooked(modules: Sequence[Any]) -> Iterator[None]:
    """Nothing hooked before sees the passes inside; what TransformerLens hooks in its first pass stays hooked."""
    tables = [table for module in modules for table in (module._forward_hooks, module._forward_pre_hooks)]
    kept = [(table, dict(table)) for table in tables]
    try:
        for table in tables:
            table.clear()
        yield
    finally:
        for table, before in kept:
            added = dict(table)
            table.clear()
            table.update(before | added)
