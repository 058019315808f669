"""Texts that begin alike, computed in one row: each token attends to its own text alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from workbench.model.beginnings import continues, tolerance_of, unseen
from workbench.model.model import Model
from workbench.model.runner import KeyValues

MOST_NODES = 256
"""The tokens of a row after its prompt, at most, as each may attend to every other."""


@dataclass
class Tree:
    """A prompt and the answers that are judged after it, each token that several begin with once.

    Attributes:
        prompt: the prompt's number.
        tokens: what is computed: the prompt from `start` on, then the answers' tokens.
        start: how many of the prompt's tokens were computed before.
        root: the place in `tokens` of the prompt's last token.
        parents: for each token, the place of the one before it in its text; -1 for the first.
        depths: for each token, its index in its text, counted from the prompt's first token.
        judged: for each answer by its number, the places whose logits judge its tokens.
    """

    prompt: int
    tokens: list[int]
    start: int
    root: int
    parents: list[int]
    depths: list[int]
    judged: dict[int, list[int]] = field(default_factory=dict)
    _children: dict[tuple[int, int], int] = field(default_factory=dict)

    @classmethod
    def of(cls, number: int, prompt: Sequence[int], start: int) -> "Tree":
        """A prompt without answers."""
        tokens = list(prompt[start:])
        parents, depths = list(range(-1, len(tokens) - 1)), list(range(start, len(prompt)))
        return cls(number, tokens, start, len(tokens) - 1, parents, depths)

    def add(self, which: int, answer: Sequence[int]) -> None:
        """An answer, whose last token is judged but not computed."""
        place, places = self.root, [self.root]
        for token in answer[:-1]:
            child = self._children.get((place, token))
            if child is None:
                child = self._children[place, token] = len(self.tokens)
                self.tokens.append(token)
                self.parents.append(place)
                self.depths.append(self.depths[place] + 1)
            place = child
            places.append(place)
        self.judged[which] = places

    @property
    def answering(self) -> int:
        """How many places have logits that judge a token, the prompt's last one among them."""
        return len(self.tokens) - self.root

    def seen(self) -> Bool[Tensor, "pos pos"]:
        """Which of the tokens each attends to: those before it in its text, and itself."""
        seen = torch.eye(len(self.tokens), dtype=torch.bool)
        for place, parent in enumerate(self.parents):
            if parent >= 0:
                seen[place] |= seen[parent]
        return seen


def trees_of(
    number: int, prompt: Sequence[int], answers: Sequence[Sequence[int]], start: int, *, most: int = MOST_NODES
) -> list[Tree]:
    """A prompt's answers as trees of at most `most` tokens after the prompt, unless one answer alone has more.

    Args:
        start: how many of the prompt's tokens are computed before.
    """
    trees: list[Tree] = []
    for which in sorted(range(len(answers)), key=lambda i: list(answers[i])):
        if not trees or trees[-1].answering + len(answers[which]) > most + 1:
            trees.append(Tree.of(number, prompt, start))
        trees[-1].add(which, answers[which])
    return trees


@dataclass(frozen=True)
class Branched:
    """A batch of trees as tensors, padded on the left.

    Attributes:
        tokens: the token ids.
        real: which of them are tokens rather than padding.
        positions: each token's index in its text.
        seen: what each token attends to, the positions computed before first; padding attends to itself.
    """

    tokens: Int[Tensor, "batch pos"]
    real: Bool[Tensor, "batch pos"]
    positions: Int[Tensor, "batch pos"]
    seen: Bool[Tensor, "batch pos past_and_pos"]

    @classmethod
    def of(cls, trees: Sequence[Tree], past: int, *, pad_token: int) -> "Branched":
        """Trees after `past` positions, of which each row attends to the last `start` ones of its prompt."""
        width = max(len(tree.tokens) for tree in trees)
        tokens = torch.full((len(trees), width), pad_token)
        real = torch.zeros(tokens.shape, dtype=torch.bool)
        positions = torch.zeros_like(tokens)
        seen = torch.zeros(len(trees), width, past + width, dtype=torch.bool)
        seen[:, :, past:] |= torch.eye(width, dtype=torch.bool)
        for row, tree in enumerate(trees):
            first = width - len(tree.tokens)
            tokens[row, first:] = torch.tensor(tree.tokens)
            real[row, first:] = True
            positions[row, first:] = torch.tensor(tree.depths)
            seen[row, first:, past + first :] = tree.seen()
            seen[row, first:, past - tree.start : past] = True
        return cls(tokens, real, positions, seen)

    def to(self, device: torch.device) -> "Branched":
        """The same where the model is."""
        return Branched(*(each.to(device) for each in (self.tokens, self.real, self.positions, self.seen)))


def branches(model: Model, prompt: Sequence[int]) -> bool:
    """Whether the model gives the same logits to answers that share a row; tested once for each model.

    No position of the test counts as a token for hooks, so that edits neither act in it nor count it.
    """
    if not continues(model, prompt):
        return False
    if model.branches is None:
        try:
            error = _difference(model, list(prompt[:8]))
        except (TypeError, AttributeError, ValueError, LookupError, NotImplementedError, RuntimeError):
            error = float("inf")  # it takes no mask of its own
        model.branches = error <= tolerance_of(model)
    return model.branches


@torch.inference_mode()
def _difference(model: Model, prompt: list[int]) -> float:
    """How far the logits of two answers in one row differ from those of each alone, as a share of their size."""
    known = len(prompt) - 1
    one = prompt[-1]
    other = next((token for token in prompt if token != one), one - 1 if one else 1)
    answers = [[one, other, one], [other, other, one]]
    wanted = []
    for answer in answers:
        tokens = torch.tensor([[*prompt, *answer[:-1]]], device=model.device)
        attended = torch.ones_like(tokens, dtype=torch.bool)
        with unseen(model, attended):
            wanted.append(model.runner.last_logits(tokens, attended, last=len(answer))[0])
    begun = torch.tensor([prompt[:known]], device=model.device)
    cache = model.runner.new_cache(batch=1)
    with unseen(model, torch.ones_like(begun, dtype=torch.bool)):
        model.runner.run(begun, torch.ones_like(begun, dtype=torch.bool), cache)
    kept = model.runner.key_values(cache)
    errors = []
    for start in (0, known):
        [tree] = trees_of(0, prompt, answers, start)
        # Beside a longer row, so that padding is tried too.
        longer = Tree.of(1, [*prompt, *prompt], len(prompt) + known if start else 0)
        longer.add(0, [*prompt, *prompt])
        past = longer.start
        batch = Branched.of([tree, longer], past, pad_token=model.pad_token).to(model.device)
        gathered = KeyValues.gathered([kept, None], past) if start else None
        after = None if gathered is None else model.runner.new_cache(gathered, batch=2)
        with unseen(model, batch.real):
            logits = model.runner.branching_logits(
                batch.tokens, batch.seen, batch.positions, after, last=tree.answering
            )
        shift = logits.shape[1] - len(tree.tokens)
        for which, alone in enumerate(wanted):
            found = logits[0, [place + shift for place in tree.judged[which]]]
            errors.append(float((found - alone).norm(dim=-1).max() / alone.norm(dim=-1).min().clamp(min=1e-12)))
    return max(error if error == error else float("inf") for error in errors)
