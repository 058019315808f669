"""What has been computed once, kept by what it was computed from."""

from collections.abc import Callable
from typing import Any

from workbench.explore.trait import Lock

_MOST = 256  # results of each kind that are remembered


class Remembered:
    """Results by key; of each kind, the first part of the key, the oldest are forgotten beyond 256."""

    def __init__(self) -> None:
        self._results: dict[tuple[Any, ...], Any] = {}

    def once(self, key: tuple[Any, ...], make: Callable[[], Any], lock: Lock) -> Any:
        """What `make` gives, remembered; made by one thread at a time of those that hold the lock."""
        with lock:
            if key not in self._results:
                same_kind = [each for each in self._results if each[0] == key[0]]
                if len(same_kind) >= _MOST:
                    del self._results[same_kind[0]]
                self._results[key] = make()
            return self._results[key]
