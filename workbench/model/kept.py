"""Beginnings of prompts that are kept from one call to the next, within a budget of memory."""

from collections import OrderedDict
from collections.abc import Sequence

from workbench.model.runner import KeyValues

BUDGET = 512 * 2**20
"""The bytes of keys and values that are kept, at most, where nobody says otherwise."""


class Kept:
    """Keys and values of prompts by their tokens; those that were used least recently make room for new ones.

    Attributes:
        budget: the most bytes that are held at any moment.
        held: the bytes that are held now.
        computed, used: how many beginnings were computed, and how often one that was held was used again.

    Raises:
        ValueError: for a budget below 0.
    """

    def __init__(self, budget: int) -> None:
        if budget < 0:
            raise ValueError(f"The memory for prompts is 0 bytes or more, but {budget} arrived.")
        self.budget = budget
        self.held = self.computed = self.used = 0
        self._by_tokens: OrderedDict[tuple[int, ...], KeyValues] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_tokens)

    def get(self, tokens: Sequence[int]) -> KeyValues | None:
        """What is held of these tokens."""
        found = self._by_tokens.get(key := tuple(tokens))
        if found is not None:
            self._by_tokens.move_to_end(key)
            self.used += 1
        return found

    def put(self, tokens: Sequence[int], values: KeyValues) -> None:
        """Hold what was computed of these tokens, if it fits at all; what was used least recently goes."""
        self.computed += 1
        size = values.bytes
        before = self._by_tokens.pop(tuple(tokens), None)
        self.held -= 0 if before is None else before.bytes
        if size > self.budget:
            return
        while self.held + size > self.budget:
            _, gone = self._by_tokens.popitem(last=False)
            self.held -= gone.bytes
        self._by_tokens[tuple(tokens)] = values
        self.held += size
