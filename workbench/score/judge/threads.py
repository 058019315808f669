"""Jobs done by a bounded number of threads, each result handed on as it comes."""

from collections.abc import Callable, Generator, Sequence
from queue import Empty, Queue
from threading import Event, Thread
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def as_done(
    work: Callable[[Job], Result], jobs: Sequence[Job], *, threads: int
) -> Generator[tuple[int, Result], None, None]:
    """Each job's place and result, as they are done; at most `threads` are under way at a time.

    Closed early, it starts no further job and does not wait for those under way: Python's own pools wait for theirs
    when it ends, and so would hold up Ctrl-C.

    Raises:
        Exception: what a job raised, as soon as it did.

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
                place, job = todo.get_nowait()
            except Empty:
                return
            try:
                done.put((place, work(job), None))
            except Exception as error:
                done.put((place, None, error))

    workers = [Thread(target=run, daemon=True) for _ in range(min(threads, len(jobs)))]
    for worker in workers:
        worker.start()
    try:
        for _ in jobs:
            place, result, error = done.get()
            if error is not None:
                raise error
            yield place, result  # type: ignore[misc]
    finally:
        stop.set()
