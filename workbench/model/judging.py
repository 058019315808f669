"""How answers are judged: what prompts have in common once, then the answers of each, as few tokens as there can be."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from workbench.model.beginnings import HELD, beginnings, common_beginnings, is_shareable, shareable
from workbench.model.branching import Branched, Tree, branches, trees_of
from workbench.model.model import Model
from workbench.model.passing import Pass
from workbench.model.rendering import batches_by_cost, pad_left
from workbench.model.runner import KeyValues

_MOST_LOGITS = 2**26  # logits of one batch in memory at once: 256 MiB of float32
_IN_TREE = 1024  # tokens of the longest prompt that is computed in one row with its answers, under a mask of its own

_Places = tuple[int, int, int, list[int]]
"""Of an answer: its batch row, the numbers of its prompt and of itself, and the places whose logits judge it."""


@dataclass(frozen=True)
class Judged:
    """How likely a model finds one answer, on the CPU.

    Attributes:
        logs: natural log-probability of each token, given all tokens before it, in float32.
        likeliest: whether each token is the likeliest one, which greedy decoding would choose.
    """

    logs: Float[Tensor, " token"]
    likeliest: Bool[Tensor, " token"]


@dataclass(frozen=True)
class Fed:
    """Tokens that are computed once: a prompt and what follows it, and the alternatives that are judged from them."""

    prompt: int
    tokens: list[int]
    alternatives: list[int]


def _fed(number: int, prompt: Sequence[int], alternatives: Sequence[Sequence[int]]) -> list[Fed]:
    """What must be computed for one prompt; the last token of an answer is judged but never computed."""
    fed: list[Fed] = []
    for which in sorted(range(len(alternatives)), key=lambda i: -len(alternatives[i])):
        tokens = [*prompt, *alternatives[which][:-1]]
        containing = next((each for each in fed if each.tokens[: len(tokens)] == tokens), None)
        if containing is None:
            fed.append(Fed(number, tokens, [which]))
        else:
            containing.alternatives.append(which)
    return fed


@dataclass(frozen=True)
class Asked:
    """What was asked, and the answers judged so far."""

    model: Model
    prompts: Sequence[Sequence[int]]
    alternatives: Sequence[Sequence[Sequence[int]]]
    lasts: Sequence[int]
    judged: list[dict[int, Judged]]
    max_tokens: int
    max_rows: int

    def judge(self) -> None:
        """Judge everything: what prompts have in common once, then what follows each, then what is left, whole."""
        loop = self.model.loop
        fed = {n: _fed(n, prompt, self.alternatives[n]) for n, prompt in enumerate(self.prompts)}
        whole = [
            number
            for number, prompt in enumerate(self.prompts)
            if any(loop.lengths.group(len(each.tokens)) for each in fed[number])
        ]
        left = [number for number in fed if fed[number] and number not in set(whole)]
        common = self._common(left, fed)
        own = [number for number in left if number not in set(common) and len(fed[number]) > 1]
        whole += [number for number in left if number not in set(common) and len(fed[number]) == 1]
        short = [number for number in own if len(self.prompts[number]) <= _IN_TREE]
        if short and branches(self.model, max((self.prompts[n] for n in short), key=len)):
            self._trees([tree for n in short for tree in trees_of(n, self.prompts[n], self.alternatives[n], 0)], {})
            own = [number for number in own if len(self.prompts[number]) > _IN_TREE]
        for numbers in shareable(self.model, self.prompts, own, max_tokens=self.max_tokens):
            before = beginnings(self.model, self.prompts, numbers, self.lasts)
            self._rows_after(before, [each for number in numbers for each in fed[number]])
        whole += [number for number in own if not self.judged[number]]
        for numbers in self._batches_of_prompts(common):
            after = common_beginnings(self.model, [self.prompts[number] for number in numbers])
            before = {number: after[tuple(self.prompts[number])] for number in numbers}
            if branches(self.model, self.prompts[numbers[0]]):
                start = {number: len(self.prompts[number]) - 1 for number in numbers}
                trees = [trees_of(n, self.prompts[n], self.alternatives[n], start[n]) for n in numbers]
                self._trees([tree for several in trees for tree in several], before)
            else:
                self._rows_after(before, [each for number in numbers for each in fed[number]])
        rows = [each for number in whole for each in fed[number]]
        lengths, most = [len(each.tokens) for each in rows], self._most_rows(rows)
        for batch in loop.batches(lengths, max_tokens=self.max_tokens, max_rows=most, cut=batches_by_cost):
            self.whole([rows[i] for i in batch])

    def _common(self, numbers: Sequence[int], fed: Mapping[int, Sequence[Fed]]) -> list[int]:
        """The prompts whose beginning is the same whatever the hooks do, and worth computing once."""
        model = self.model
        if not model.spares_beginnings:
            return []
        often = Counter(tuple(self.prompts[number]) for number in numbers for _ in fed[number])
        return [
            number
            for number in numbers
            if self.lasts[number] >= len(self.prompts[number]) - 1
            and (model.kept is not None or often[tuple(self.prompts[number])] > 1)
            and is_shareable(model, self.prompts[number])
        ]

    def _batches_of_prompts(self, numbers: Sequence[int]) -> Iterator[list[int]]:
        """Prompts in turns whose different beginnings fit in memory at once; equal ones in one turn."""
        by_prompt: dict[tuple[int, ...], list[int]] = {}
        for number in numbers:
            by_prompt.setdefault(tuple(self.prompts[number]), []).append(number)
        turn: list[int] = []
        tokens = 0
        for prompt, equal in by_prompt.items():
            if turn and tokens + len(prompt) > min(self.max_tokens, HELD):
                yield turn
                turn, tokens = [], 0
            turn += equal
            tokens += len(prompt)
        if turn:
            yield turn

    def _most_rows(self, rows: Sequence[Fed]) -> int:
        longest = max((1 + self._extra(each) for each in rows), default=1)
        return max(1, min(self.max_rows, _MOST_LOGITS // (longest * int(self.model.hooked.cfg.d_vocab))))

    def _trees(self, trees: Sequence[Tree], before: Mapping[int, KeyValues]) -> None:
        """Compute each prompt's answers in one row, after the prompt's beginning where there is one."""
        answering = max((tree.answering for tree in trees), default=1)
        attended = max((len(tree.tokens) * (tree.start + len(tree.tokens)) for tree in trees), default=1)
        held = max(attended, answering * int(self.model.hooked.cfg.d_vocab))
        most = max(1, min(self.max_rows, _MOST_LOGITS // held))
        lengths = [len(tree.tokens) for tree in trees]
        for batch in batches_by_cost(lengths, max_tokens=self.max_tokens, max_rows=most):
            self._tree_batch([trees[i] for i in batch], before)

    def _tree_batch(self, trees: Sequence[Tree], before: Mapping[int, KeyValues]) -> None:
        model = self.model
        past = max(tree.start for tree in trees)
        batch = Branched.of(trees, past, pad_token=model.pad_token)
        lasts = torch.tensor([self.lasts[tree.prompt] for tree in trees])
        steps = torch.where(batch.real, batch.positions - lasts[:, None], -1)
        batch, steps = batch.to(model.device), steps.to(model.device)
        numbers = torch.tensor([tree.prompt for tree in trees])
        gathered = KeyValues.gathered([before[tree.prompt] for tree in trees], past) if past else None
        cache = None if gathered is None else model.runner.new_cache(gathered, batch=len(trees))
        last = max(tree.answering for tree in trees)
        with model.passing(Pass("prompt", batch.real, numbers, steps)):
            logits = model.runner.branching_logits(batch.tokens, batch.seen, batch.positions, cache, last=last)
        places = [
            (row, tree.prompt, which, [place + last - len(tree.tokens) for place in judged])
            for row, tree in enumerate(trees)
            for which, judged in tree.judged.items()
        ]
        self._keep(places, logits)

    def whole(self, batch: Sequence[Fed]) -> None:
        """Compute prompts and answers whole, padded on the left."""
        tokens, real = pad_left([fed.tokens for fed in batch], self.model.pad_token)
        width = tokens.shape[1]
        steps = torch.full_like(tokens, -1)
        for i, fed in enumerate(batch):
            first = -self.lasts[fed.prompt]
            steps[i, width - len(fed.tokens) :] = torch.arange(first, first + len(fed.tokens))
        last = max(1 + self._extra(fed) for fed in batch)
        starts = [last - 1 - self._extra(fed) for fed in batch]
        self._keep(self._in_line(batch, starts), self._logits(batch, tokens, real, steps, None, last))

    def _rows_after(self, before: Mapping[int, KeyValues], rows: Sequence[Fed]) -> None:
        """Compute each answer in a row of its own after its prompt's beginning."""
        lengths = [1 + self._extra(each) for each in rows]
        for batch in batches_by_cost(lengths, max_tokens=self.max_tokens, max_rows=self._most_rows(rows)):
            self.after(before, [rows[i] for i in batch])

    def after(self, before: Mapping[int, KeyValues], batch: Sequence[Fed]) -> None:
        """Compute each prompt's last token and its answers after the prompt's beginning."""
        pasts = [len(self.prompts[fed.prompt]) - 1 for fed in batch]
        past, width = max(pasts), 1 + max(self._extra(fed) for fed in batch)
        tokens = torch.full((len(batch), width), self.model.pad_token)
        steps = torch.full_like(tokens, -1)
        # Padding goes before the past and after the new tokens, so that a sliding window never counts padding.
        attended = torch.zeros(len(batch), past + width, dtype=torch.bool)
        for i, (fed, start) in enumerate(zip(batch, pasts, strict=True)):
            new = fed.tokens[start:]
            tokens[i, : len(new)] = torch.tensor(new)
            steps[i, : len(new)] = torch.arange(start, start + len(new)) - self.lasts[fed.prompt]
            attended[i, past - start : past + len(new)] = True
        gathered = KeyValues.gathered([before[fed.prompt] for fed in batch], past)
        logits = self._logits(batch, tokens, attended, steps, gathered, width)
        self._keep(self._in_line(batch, [0] * len(batch)), logits)

    def _extra(self, fed: Fed) -> int:
        """How many tokens follow the prompt."""
        return len(fed.tokens) - len(self.prompts[fed.prompt])

    def _logits(
        self, batch: Sequence[Fed], tokens: Tensor, attended: Tensor, steps: Tensor, past: KeyValues | None, last: int
    ) -> Float[Tensor, "batch last d_vocab"]:
        model = self.model
        tokens, attended, steps = (tensor.to(model.device) for tensor in (tokens, attended, steps))
        real = attended[:, -tokens.shape[1] :]
        under_way = Pass("prompt", real, torch.tensor([fed.prompt for fed in batch]), steps)
        cache = None if past is None else model.runner.new_cache(past, batch=len(batch))
        with model.passing(under_way):
            return model.runner.last_logits(tokens, attended, cache, last=last)

    def _in_line(self, batch: Sequence[Fed], starts: Sequence[int]) -> list[_Places]:
        """Where the answers of rows of one text each are judged: from the row's start on, one place after the other."""
        return [
            (row, fed.prompt, which, list(range(start, start + len(self.alternatives[fed.prompt][which]))))
            for row, (fed, start) in enumerate(zip(batch, starts, strict=True))
            for which in fed.alternatives
        ]

    def _keep(self, places: Sequence[_Places], logits: Float[Tensor, "batch last d_vocab"]) -> None:
        """Keep the log-probabilities of answers, each token of which is judged by the logits at its place."""
        answers = [self.alternatives[prompt][which] for _, prompt, which, _ in places]
        at = torch.tensor([(row, place) for row, _, _, along in places for place in along], device=logits.device)
        tokens = torch.tensor([token for answer in answers for token in answer], device=logits.device)
        of_token = logits[at[:, 0], at[:, 1], tokens] - logits.logsumexp(-1)[at[:, 0], at[:, 1]]
        likeliest = logits.argmax(-1)[at[:, 0], at[:, 1]] == tokens
        lengths = [len(answer) for answer in answers]
        by_answer = zip(places, of_token.cpu().split(lengths), likeliest.cpu().split(lengths), strict=True)
        for (_, prompt, which, _), logs, top in by_answer:
            self.judged[prompt][which] = Judged(logs.clone(), top.clone())
