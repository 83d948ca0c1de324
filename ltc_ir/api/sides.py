"""The processes of the two sides of a comparison: what one side's code sets, the other side does not see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ltc_ir.errors import NOTES
from ltc_ir.files import names_stored_file
from ltc_ir.workers.failures import failure_of_worker
from ltc_ir.workers.forked import CAN_FORK, Server
from ltc_ir.workers.limits import WorkerDiedError
from ltc_ir.workers.process import Worker

if TYPE_CHECKING:
    from ltc_ir.records.count import Count
    from ltc_ir.records.request import Request

_JOBS = "ltc_ir.api.side_jobs"
"""The module of the jobs, which imports JAX and all that reads programs: before the processes of the sides part."""


@contextmanager
def processes_of_sides(*names: str | None) -> Iterator[Sides | None]:
    """Processes for the sides of a comparison, which begin to import JAX at once; ``None`` where not two targets are live.

    Args:
        names: the sides as they are named; one that is a stored file runs no code.
    """
    if len(names) != 2 or any(name is None or names_stored_file(name) for name in names):
        yield None
        return
    server = Server([_JOBS], f"{_JOBS}:hello") if CAN_FORK else None
    try:
        yield Sides(server)
    finally:
        if server is not None:
            server.close()


class Sides:
    """Inspects targets by name, each in its own process, all at the same time."""

    def __init__(self, server: Server | None) -> None:
        self._worker: Mapping[str, Any] = {} if server is None else {"start": server.start}

    def counts(self, names: Sequence[str], request: Request) -> list[Count]:
        """The count of each.

        Raises:
            UsageError: bad input. TargetError: a target failed, or ended its process. Of several, the first one's.
        """
        from ltc_ir.records.count import Count
        from ltc_ir.records.serialization import pack, unpack

        answers = self._answers("counted", names, pack(request))
        return [unpack(answer, Count, f"the count of {name}") for name, answer in zip(names, answers, strict=True)]

    def texts(self, names: Sequence[str], form: str, asked: Mapping[str, Any]) -> list[str]:
        """The IR of a program of each, as `lower` gives it for the arguments ``asked``.

        Raises:
            UsageError: bad input. TargetError: a target failed, or ended its process. Of several, the first one's.
        """
        from ltc_ir.records.serialization import pack

        options = asked.get("options")
        plain = {**asked, "form": form, "options": None if options is None else pack(options)}
        return [text.decode("utf-8", "replace") for text in self._answers("lowered", names, plain)]

    def _answers(self, job: str, names: Sequence[str], request: Mapping[str, Any]) -> list[Any]:
        """The answers about all; where one fails or a person interrupts, the rest is ended."""
        sides = [_Side(name, self._worker) for name in names]
        with ThreadPoolExecutor(len(sides)) as threads:
            try:
                futures = [threads.submit(side.answer, job, request) for side in sides]
                answers = [future.result() for future in futures]
            finally:
                for side in sides:
                    side.worker.stop()
        for side in sides:
            NOTES.update(side.notes)
        return answers


class _Side:
    """The process of one side, and what it tells."""

    def __init__(self, name: str, worker: Mapping[str, Any]) -> None:
        self.worker = Worker(hear=self.hear, **worker)
        self.name, self.at = name, (name, "import")
        self.notes: dict[str, None] = {}

    def hear(self, told: Mapping[str, Any]) -> None:
        """Take whose code runs from now on, or a note."""
        if "at" in told:
            label, stage = told["at"]
            self.at = (str(label), str(stage))
        else:
            self.notes[str(told["note"])] = None

    def answer(self, job: str, request: Mapping[str, Any]) -> Any:
        """The answer of its process."""
        try:
            with self.worker:
                return self.worker.call(f"{_JOBS}:{job}", self.name, request)
        except WorkerDiedError as error:
            raise failure_of_worker(error, *self.at) from None
