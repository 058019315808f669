"""Work spread over the workers of a Ray cluster, each with a model of its own."""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from workbench.model.loading import load_again
from workbench.model.model import Model


class ModelWorker:
    """One process of the cluster: loads the model once, then does whatever jobs it is given.

    A subclass takes what its jobs share in `prepare`, and does one of them in `work`.
    """

    def __init__(self, recipe: Mapping[str, Any], *shared: Any) -> None:
        self.model = load_again(recipe)
        self.prepare(*shared)

    def prepare(self, *shared: Any) -> None:
        """Keep what every job shares."""
        raise NotImplementedError

    def work(self, *job: Any) -> Any:
        """Do one job."""
        raise NotImplementedError

    def compute(self, place: int, *job: Any) -> tuple[int, Any]:
        """A job's result, with its place."""
        return place, self.work(*job)

    def fingerprint(self) -> str:
        """The loaded model's fingerprint."""
        return self.model.fingerprint

    def pid(self) -> int:
        """The process that this worker is."""
        return os.getpid()


def spread(
    model: Model,
    worker: type[ModelWorker],
    shared: Sequence[Any],
    jobs: Mapping[int, tuple[Any, ...]],
    *,
    address: str | None = None,
    workers: int | None = None,
) -> Iterator[tuple[int, Any]]:
    """Each job's result with its place, as they come, whichever worker did it.

    A worker that dies is started again by Ray and its job done anew; a job's result is taken once.

    Args:
        shared: what every job needs, sent to each worker once.
        jobs: by place, what is sent for that job alone.
        address: the cluster's; by default the one that is there, or a local one that ends with this.
        workers: how many; by default one for each GPU of the cluster, or each of its machines.

    Raises:
        ImportError: if Ray is not installed.
        ValueError: if the model was wrapped rather than loaded, so that no worker could load it again, or a worker
            loads other weights than these.
    """
    try:
        import ray
    except ImportError as error:
        raise ImportError("engine='ray' needs Ray. Install it: pip install 'dpn-workbench[ray]'.") from error
    if model.recipe is None:
        raise ValueError(
            "engine='ray' needs a model that each worker can load again, but this one was wrapped. Use load_model."
        )
    if not jobs:
        return
    with _session(ray, address):
        yield from _results(ray, model, worker, shared, jobs, workers)


@contextmanager
def _session(ray: Any, address: str | None) -> Iterator[None]:
    """A connection to the cluster, ended only where it was begun here."""
    mine = not ray.is_initialized()
    if mine:
        ray.init(address=address, log_to_driver=False, include_dashboard=False)
    try:
        yield
    finally:
        if mine:
            ray.shutdown()


def _results(
    ray: Any,
    model: Model,
    worker: type[ModelWorker],
    shared: Sequence[Any],
    jobs: Mapping[int, tuple[Any, ...]],
    wanted: int | None,
) -> Iterator[tuple[int, Any]]:
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    gpus, cpus = (int(sum(machine.get(kind, 0) for machine in machines)) for kind in ("GPU", "CPU"))
    count = max(1, min(len(jobs), wanted or gpus or len(machines), gpus or cpus))
    # Ray gives a worker as many threads as processors are asked for.
    each = max(1, int(min(machine.get("CPU", 1) for machine in machines)) // math.ceil(count / len(machines)))
    kind = ray.remote(num_cpus=each, num_gpus=1 if gpus else 0, max_restarts=-1, max_task_retries=-1)(worker)
    held = [ray.put(value) for value in (dict(model.recipe or {}), *shared)]
    started = [kind.remote(*held) for _ in range(count)]
    try:
        for number, fingerprint in enumerate(ray.get([one.fingerprint.remote() for one in started])):
            if fingerprint != model.fingerprint:
                raise ValueError(
                    f"Every worker needs the same weights, but worker {number} loaded {fingerprint[:12]} where this "
                    f"process has {model.fingerprint[:12]}. Put one checkpoint on every machine."
                )
        waiting = iter(jobs.items())
        busy: dict[Any, Any] = {}

        def give(idle: Any) -> None:
            for place, job in waiting:
                busy[idle.compute.remote(place, *job)] = idle
                return

        for one in started:
            give(one)
        while busy:
            (first, *_), _ = ray.wait(list(busy), num_returns=1)
            idle = busy.pop(first)
            result = ray.get(first)
            give(idle)
            yield result
    finally:
        for one in started:
            ray.kill(one)
