"""Do jobs in a bounded number of threads, and yield each result as soon as it is there."""

from collections.abc import Callable, Generator, Sequence
from queue import Empty, Queue
from threading import Event, Thread
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def as_done(
    work: Callable[[Job], Result], jobs: Sequence[Job], *, threads: int
) -> Generator[tuple[int, Result], None, None]:
    """The position and result of each job, in the order in which jobs finish.

    At most `threads` jobs run at a time. When the generator is closed early, no further job is started and running
    ones are not waited for. (Python's own pools wait for running jobs, which would delay Ctrl-C.)

    Raises:
        Exception: whatever a job raises, as soon as it raises it.

    Example:
        >>> sorted(as_done(abs, [-3, 4], threads=2))
        [(0, 3), (1, 4)]
    """
    todo: Queue[tuple[int, Job]] = Queue()
    done: Queue[tuple[int, Result | None, Exception | None]] = Queue()
    stop = Event()
    for job in enumerate(jobs):
        todo.put(job)

    def run() -> None:
        while not stop.is_set():
            try:
                position, job = todo.get_nowait()
            except Empty:
                return
            try:
                done.put((position, work(job), None))
            except Exception as error:
                done.put((position, None, error))

    workers = [Thread(target=run, daemon=True) for _ in range(min(threads, len(jobs)))]
    for worker in workers:
        worker.start()
    try:
        for _ in jobs:
            position, result, error = done.get()
            if error is not None:
                raise error
            yield position, result  # type: ignore[misc]
    finally:
        stop.set()
