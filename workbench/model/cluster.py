"""Spreads jobs over the workers of a Ray cluster, each with its own copy of a model."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from workbench.model.loading import load_again
from workbench.model.model import Model
from workbench.model.reaching import joined


class ModelWorker:
    """One process of the cluster: it loads the model once, then does the jobs that it is given.

    A subclass receives what all jobs share in `prepare`, and does one job in `work`.
    """

    def __init__(self, recipe: Mapping[str, Any], *shared: Any) -> None:
        self.model = load_again(recipe)
        self.prepare(*shared)

    def prepare(self, *shared: Any) -> None:
        """Remember what all jobs share."""
        raise NotImplementedError

    def work(self, *job: Any) -> Any:
        """Do one job."""
        raise NotImplementedError

    def compute(self, number: int, *job: Any) -> tuple[int, Any]:
        """A job's number and result."""
        return number, self.work(*job)

    def fingerprint(self) -> str:
        """The loaded model's fingerprint."""
        return self.model.fingerprint


def spread(
    model: Model,
    worker: type[ModelWorker],
    shared: Sequence[Any],
    jobs: Mapping[int, tuple[Any, ...]],
    *,
    address: str | None = None,
    workers: int | None = None,
) -> Iterator[tuple[int, Any]]:
    """The number and the result of each job, in the order in which workers finish them.

    If a worker dies, Ray starts it again and its job is repeated; each job's result is returned once.

    Args:
        shared: what every job needs; it is sent to each worker once.
        jobs: by number, what is sent for that job alone.
        address: the cluster's address; by default a running cluster, or else a local one that is stopped at the end.
        workers: how many; by default one for each GPU of the cluster, or each of its machines.

    Raises:
        ImportError: if Ray is not installed.
        ConnectionError: if no cluster answers at the address, which is found out in seconds.
        ValueError: if the model was wrapped rather than loaded, so that workers cannot load it, or a worker loads
            other weights than this process has.
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
    """A connection to the cluster; it is closed at the end only if it was opened here."""
    opened_here = not ray.is_initialized()
    if opened_here:
        joined(ray, address)
    try:
        yield
    finally:
        if opened_here:
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
    # Ray gives a worker as many threads as the processors that are requested for it.
    processors = max(1, int(min(machine.get("CPU", 1) for machine in machines)) // math.ceil(count / len(machines)))
    actor = ray.remote(num_cpus=processors, num_gpus=1 if gpus else 0, max_restarts=-1, max_task_retries=-1)(worker)
    references = [ray.put(value) for value in (dict(model.recipe or {}), *shared)]
    started = [actor.remote(*references) for _ in range(count)]
    try:
        for number, fingerprint in enumerate(ray.get([each.fingerprint.remote() for each in started])):
            if fingerprint != model.fingerprint:
                raise ValueError(
                    f"Every worker needs the same weights, but worker {number} loaded {fingerprint[:12]} where this "
                    f"process has {model.fingerprint[:12]}. Put one checkpoint on every machine."
                )
        waiting = iter(jobs.items())
        busy: dict[Any, Any] = {}

        def give(idle: Any) -> None:
            for number, job in waiting:
                busy[idle.compute.remote(number, *job)] = idle
                return

        for each in started:
            give(each)
        while busy:
            (first, *_), _ = ray.wait(list(busy), num_returns=1)
            idle = busy.pop(first)
            result = ray.get(first)
            give(idle)
            yield result
    finally:
        for each in started:
            ray.kill(each)
