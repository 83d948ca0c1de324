"""Workers as a `concurrent.futures.Executor`: a job by name with its request in, a future of its answer out."""

from __future__ import annotations

from concurrent.futures import Executor, Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

from ltc_ir.workers.process import Worker


class Pool(Executor):
    """Runs jobs in so many processes at a time; takes a job's name where other executors take a function.

    A future fails as `Worker.call` does. A job that has begun cannot be cancelled by its future. Where an error leaves the
    ``with`` block, what runs is killed and what waits is cancelled.

    Args:
        size: the most processes.
        worker: the arguments of each `Worker`.
    """

    def __init__(self, size: int = 1, **worker: Any) -> None:
        self._threads = ThreadPoolExecutor(size, "worker")
        self._workers = [Worker(**worker) for _ in range(size)]
        self._idle = list(self._workers)

    def submit(self, job: str, /, *args: Any) -> Future[Any]:  # type: ignore[override]
        """Run a job in a process: ``module:function`` with JSON values, as `Worker.call` takes them."""
        return self._threads.submit(self._call, job, args)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more jobs, and end the processes once theirs are done."""
        self._threads.shutdown(wait=wait, cancel_futures=cancel_futures)
        if wait:
            for worker in self._workers:
                worker.close()

    def kill(self) -> None:
        """End all that runs and cancel all that waits."""
        for worker in self._workers:
            worker.stop()
        self.shutdown(cancel_futures=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.shutdown()
        else:
            self.kill()

    def _call(self, job: str, args: tuple[Any, ...]) -> Any:
        worker = self._idle.pop()
        try:
            return worker.call(job, *args)
        finally:
            self._idle.append(worker)
