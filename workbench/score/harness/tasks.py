"""Find tasks of lm-evaluation-harness by name, point them at local files, and load them."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from workbench.digest import hash_file
from workbench.printable import one_line
from workbench.score.harness.quiet import datasets_in, quiet, seeded
from workbench.score.harness.requests import require_harness

TaskSpec = str | Path | Mapping[str, Any]
"""A task, group or tag by name, the YAML file of one, or its configuration."""

READERS = {".json": "json", ".jsonl": "json", ".csv": "csv", ".parquet": "parquet"}
_SPLITS = ("test_split", "validation_split", "training_split", "fewshot_split")
_DATASETS_ON_DISK = frozenset({"json", "csv", "parquet", "text", "arrow"})


def local_task(
    name: str,
    data_files: str | Path | Mapping[str, str | Path],
    *,
    include_path: str | Path | None = None,
    **overrides: Any,
) -> dict[str, Any]:
    """A task of the harness with its own prompts, filters and metrics, on your files instead of the hub's.

    Args:
        name: e.g. `gsm8k`, `mmlu_anatomy`, `triviaqa`.
        data_files: json, jsonl, csv or parquet files with the columns that the task has on the hub: one file, of the
            split that is scored, or files by split. If the split of the few-shot examples is missing, they are drawn
            from the scored split, never the item itself.
        include_path: a folder of further task files.
        overrides: entries that replace those of the task's configuration, e.g. `num_fewshot=0`.

    Returns:
        A task for `evaluate_harness`, or for the harness itself.

    Raises:
        ImportError: if lm-evaluation-harness is not installed.
        FileNotFoundError: if a file is missing.
        ValueError: if there is no such task, it is a group, or the split that is scored has no file.
    """
    entry = find_tasks(include_path).task_index.get(name)
    config: dict[str, Any] = dict(entry.cfg or {}) if entry is not None else {}
    scored = config.get("test_split") or config.get("validation_split")
    if entry is None or not isinstance(config.get("task"), str) or scored is None:
        raise ValueError(
            f"local_task takes a single task that is scored on a split, but {name!r} arrived. Name one task of a group."
        )
    files = dict(data_files) if isinstance(data_files, Mapping) else {str(scored): data_files}
    paths = {split: Path(path).expanduser().resolve() for split, path in files.items()}
    for path in paths.values():
        if not path.is_file():
            raise FileNotFoundError(f"There is no file {path}.")
    if scored not in paths:
        raise ValueError(f"{name} is scored on split {scored!r}, but files of {sorted(paths)} arrived. Add its file.")
    readers = {READERS.get(path.suffix) for path in paths.values()}
    if len(readers) != 1 or None in readers:
        kinds = sorted({path.suffix for path in paths.values()})
        raise ValueError(f"Files of a task are of one kind, {', '.join(READERS)}, but {', '.join(kinds)} arrived.")
    splits = {field: split for field in _SPLITS if (split := config.get(field)) in paths}
    if not config.get("fewshot_config", {}).get("samples"):
        splits.setdefault("fewshot_split", splits.get("training_split", scored))
    task = {
        "task": name,
        "dataset_path": readers.pop(),
        "dataset_name": None,
        "dataset_kwargs": {"data_files": {split: str(path) for split, path in paths.items()}},
        **{field: splits.get(field) for field in _SPLITS},
        "metadata": {**config.get("metadata", {}), "sha256": {split: hash_file(path) for split, path in paths.items()}},
        **overrides,
    }
    # The harness merges the configuration of a group's member with the shipped one, but not that of a lone task.
    return {"group": f"local-{name}", "task": [task]}


def find_tasks(include_path: str | Path | None = None, *, shipped: bool = True) -> Any:
    """The harness's index of its own tasks and of those in a folder; the shipped index is read once.

    Raises:
        ImportError: if lm-evaluation-harness is not installed.
        FileNotFoundError: if there is no such folder.
    """
    require_harness()
    folder = None if include_path is None else Path(include_path).resolve()
    if folder is not None and not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder} of tasks.")
    if folder is None:
        return _shipped() if shipped else _index(None, shipped=False)
    return _index(folder, shipped=shipped)


@cache
def _shipped() -> Any:
    return _index(None, shipped=True)


def _index(folder: Path | None, *, shipped: bool) -> Any:
    from lm_eval.tasks import TaskManager

    with quiet():
        return TaskManager(include_path=folder, include_defaults=shipped)


def name_of(spec: TaskSpec) -> str:
    """The name of a task, group or file."""
    if isinstance(spec, Mapping):
        return str(spec.get("group") or spec.get("task"))
    return Path(spec).stem if str(spec).endswith((".yaml", ".yml")) else str(spec)


@dataclass(frozen=True, eq=False)
class Loaded:
    """Tasks that are loaded.

    Attributes:
        harness: tasks and groups, as the argument of the harness's `evaluate`.
        digest: a hash of the tasks' configurations and of the documents that they are scored on.
    """

    harness: dict[str, Any]
    digest: str

    @property
    def tasks(self) -> dict[str, Any]:
        """The tasks by name, including those of groups."""
        return self.harness["tasks"]

    @property
    def whole_texts(self) -> list[str]:
        """The tasks that score whole texts, without a prompt and a chat template."""
        return [name for name, task in self.tasks.items() if task.OUTPUT_TYPE == "loglikelihood_rolling"]

    def begin(self, seed: int) -> None:
        """Seed the draws of few-shot examples again, so that every condition gets the same examples."""
        for task in self.tasks.values():
            task.set_fewshot_seed(seed=seed)


@contextmanager
def loaded_tasks(
    specs: Sequence[TaskSpec],
    *,
    include_path: str | Path | None,
    cache: str | Path | None,
    limit: int | float | None,
    fewshot: int | None,
    new_tokens: int | None,
    seed: int,
) -> Iterator[list[Loaded]]:
    """Load the tasks of each spec, once for all conditions.

    Args:
        include_path, cache, limit: as in `evaluate_harness`.
        fewshot, new_tokens: override the tasks' own numbers.
        seed: of what tasks draw while they load.

    Raises:
        ValueError: if the harness has no such task.
    """
    index = find_tasks(include_path, shipped=False)
    if not all(_stands_alone(spec, index.task_index) for spec in specs):  # reading the shipped tasks takes seconds
        index = find_tasks(include_path)
    with TemporaryDirectory(prefix="workbench-harness-", ignore_cleanup_errors=True) as temporary:
        loaded = []
        for spec in specs:
            with _telling_which(spec):
                folder = Path(cache or temporary) if cache or _is_local(index, spec) else None
            with datasets_in(folder), seeded(seed):
                with _telling_which(spec):
                    harness = index.load([dict(spec) if isinstance(spec, Mapping) else str(spec)])
                for task in harness["tasks"].values():
                    _configure(task, fewshot, new_tokens)
                loaded.append(Loaded(harness, _digest(harness, limit)))
        yield loaded


@contextmanager
def _telling_which(spec: TaskSpec) -> Iterator[None]:
    """Say which task cannot be loaded; what a file of YAML, its templates or its data set off is of many kinds."""
    try:
        yield
    except KeyError as error:
        raise ValueError(
            f"The harness has no task {name_of(spec)!r} ({error.args[0]}). `lm-eval ls tasks` lists them."
        ) from None
    except (OSError, ValueError, ImportError):
        raise
    except Exception as error:
        why = f"{type(error).__name__}: {one_line(error, most=200).rstrip('.')}"
        raise ValueError(f"The task {name_of(spec)!r} cannot be loaded ({why}). Check it.") from error


def _stands_alone(spec: TaskSpec, index: Mapping[str, Any]) -> bool:
    """Whether a task can be loaded without the shipped tasks; `index` holds the others."""
    if isinstance(spec, Mapping):
        return "group" not in spec
    if str(spec) not in index:
        return Path(spec).is_file()
    members = (index[str(spec)].cfg or {}).get("task")
    return isinstance(members, str) or all(
        isinstance(member, str) and _stands_alone(member, index) for member in members or [""]
    )


def _configure(task: Any, fewshot: int | None, new_tokens: int | None) -> None:
    """Override the task's own settings; by the harness's rule a task that fixes 0 examples keeps 0."""
    examples = task.get_config("num_fewshot")
    if fewshot is not None and examples != 0:
        task.set_config(key="num_fewshot", value=fewshot)
    elif examples is None:
        task.set_config(key="num_fewshot", value=0)
    if new_tokens is not None and task.get_config("output_type") == "generate_until":
        task.set_config(key="generation_kwargs", value={"max_gen_toks": new_tokens}, update=True)


def _is_local(index: Any, spec: TaskSpec) -> bool:
    if isinstance(spec, Mapping):
        members = spec.get("task")
        return all(_is_local(index, member) for member in members) if isinstance(members, list) else _on_disk(spec)
    entry = index.task_index.get(str(spec))
    if entry is None and Path(spec).is_file():
        return _on_disk(_read(Path(spec)))
    return entry is not None and _on_disk(entry.cfg or {})


def _on_disk(config: Mapping[str, Any]) -> bool:
    return config.get("dataset_path") in _DATASETS_ON_DISK


def _read(path: Path) -> dict[str, Any]:
    from lm_eval.tasks._yaml_loader import load_yaml

    return load_yaml(path, resolve_func=False)


def _digest(harness: Mapping[str, Any], limit: int | float | None) -> str:
    from lm_eval.evaluator_utils import get_sample_size

    digest = hashlib.sha256()
    for name, task in harness["tasks"].items():
        config = {entry: value for entry, value in task.dump_config().items() if entry != "metadata"}
        digest.update(_plain([name, config, task.VERSION, _sha256(task)]))
        for _, document in task.doc_iterator(limit=get_sample_size(task, limit)):
            digest.update(_plain(document))
    digest.update(_plain({name: group.to_dict() for name, group in harness["groups"].items()}))
    return digest.hexdigest()


def _sha256(task: Any) -> Any:
    metadata = task.get_config("metadata")
    return metadata.get("sha256") if isinstance(metadata, dict) else None


def _plain(value: Any) -> bytes:
    text = json.dumps(value, sort_keys=True, default=lambda other: type(other).__name__)
    return re.sub(r" at 0x[0-9a-f]+", "", text).encode()  # without addresses of functions in memory
