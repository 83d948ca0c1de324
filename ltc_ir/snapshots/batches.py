"""Runs the code of targets in workers, several at a time and in batches, and yields what they tell of each program.

What a worker does not survive costs the program at work alone: the rest goes to the next one. This process imports neither
JAX nor any code of a user.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ltc_ir.errors import LimitError, LtcIrError, TargetError, error_of
from ltc_ir.files import project_root
from ltc_ir.records.request import Request
from ltc_ir.records.serialization import pack
from ltc_ir.snapshots.capture import CHILD_LIMIT, Captured, other_hash_seed
from ltc_ir.targets.places import Home
from ltc_ir.workers.failures import failure_of_worker
from ltc_ir.workers.forked import CAN_FORK, Server
from ltc_ir.workers.limits import DeadlineError, Limits, MemoryLimitError, WorkerDiedError
from ltc_ir.workers.process import Worker

_ROOM = "ltc_ir.snapshots.batch"
_FRESH = "fresh"
_MOST_AT_ONCE = 16
"""Targets of a batch: enough that their worker seldom waits, few enough that all workers end at about the same time."""
_WAITING = 64
"""What may wait to be looked at before workers wait."""


class Asked(NamedTuple):
    """A target to look at: the name of its snapshots, the name it is found by, its home, and the programs asked for."""

    name: str
    place: str
    home: Home
    programs: tuple[str, ...] | None = None


class Told(NamedTuple):
    """What was learnt: ``kind`` is ``names``, ``made``, ``failed``, ``imported``, ``traced`` or ``note``.

    ``number`` is that of the target in what was asked, ``program`` is ``None`` where the target itself is meant. ``value`` is
    a `Captured`, an `LtcIrError`, or words. ``fatal`` says that a worker did not survive it.
    """

    kind: str
    number: int
    program: str | None = None
    value: Any = None
    fatal: bool = False


@dataclass(frozen=True)
class How:
    """How targets are run: so many workers at a time, and the seconds that one program may take."""

    jobs: int = 1
    timeout_s: float = CHILD_LIMIT


def how_to_run(targets: Sequence[Any], jobs: int | None, timeout_s: float) -> How | None:
    """How targets are run; ``None`` is in this process, as it must be where one of them has no name to be found by."""
    named = all(isinstance(target, str) for target in targets)
    return How(jobs, timeout_s) if jobs is not None and named else None


def usable_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass
class _Task:
    """One target on its way: its programs once they are known, those that are done, and how often a worker was lost."""

    number: int
    asked: Asked
    programs: tuple[str, ...] = ()
    done: set[str | None] = field(default_factory=set)
    over: bool = False
    retried: int = 0

    def to_plain(self) -> dict[str, Any]:
        """It as a worker takes it."""
        asked = self.asked
        return {
            "number": self.number, "name": asked.name, "place": asked.place, "home": asked.home.module,
            "programs": asked.programs and list(asked.programs), "skip": sorted(filter(None, self.done)),
        }  # fmt: skip


class Workers:
    """The workers of a run of the guard, all forked from one server, which begins to import JAX when this is made.

    Args:
        how: how many, and the limit of each program.
        other_seed: let Python's hashes have another seed than in workers that are made without this.
    """

    def __init__(self, how: How, *, other_seed: bool = False) -> None:
        self.how = how
        self._environment = other_hash_seed() if other_seed else {}
        self._quiet = other_seed
        self._server = self._new_server() if CAN_FORK else None
        self._lock = threading.Lock()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all that runs."""
        if self._server is not None:
            self._server.close()

    def hello(self) -> Mapping[str, Any]:
        """JAX's version and width, as workers have them.

        Raises:
            LimitError: no worker can be made: JAX cannot be imported.
        """
        try:
            if self._server is not None:
                return dict(self._server.hello())
            with self.worker(lambda _: None) as one:
                return dict(one.call(f"{_ROOM}:hello"))
        except WorkerDiedError as error:
            raise LimitError(
                f"a worker could not be started: {error.how}", "what JAX says when it is imported stands above"
            ) from None

    def worker(self, hear: Any) -> Worker:
        """A worker, whose process is there when it is first called."""
        limits = Limits(deadline_s=self.how.timeout_s)
        if self._server is None:
            return Worker(limits, hear=hear, environment=self._environment, quiet=self._quiet)
        return Worker(limits, hear=hear, start=self._start)

    def renew(self) -> bool:
        """A new server where there is one that has ended, as a target may end any process; whether there was."""
        with self._lock:
            if self._server is None or self._server.is_alive:
                return False
            self._server.close()
            self._server = self._new_server()
            return True

    def _start(self, limits: Limits) -> Any:
        server = self._server
        assert server is not None
        return server.start(limits)

    def _new_server(self) -> Server:
        return Server(
            [_ROOM], f"{_ROOM}:hello", environment=self._environment, quiet=self._quiet, deadline_s=CHILD_LIMIT
        )

    def run(self, asked: Sequence[Asked], request: Request, *, clear: bool, names: bool = False) -> Iterator[Told]:
        """Look at targets, and yield what is learnt of each as it is learnt.

        Args:
            asked: the targets; those of one module are looked at together.
            request: how to capture.
            clear: clear JAX's caches before each program, and read its structure too.
            names: only tell the names of each target's programs.
        """
        tasks = [_Task(number, one) for number, one in enumerate(asked)]
        message = {"request": pack(request), "clear": clear, "names": names, "project": str(project_root())}
        run = _Run(self, tasks, message)
        try:
            yield from run.told()
        finally:
            run.stop()


class _Run:
    """One run over targets: threads that each serve a worker, and what they tell, in one queue."""

    def __init__(self, workers: Workers, tasks: Sequence[_Task], message: Mapping[str, Any]) -> None:
        self.workers, self.message = workers, message
        self._homes: dict[Home, deque[_Task]] = {}
        for task in tasks:
            self._homes.setdefault(task.asked.home, deque()).append(task)
        self._folders: dict[str, deque[deque[_Task]]] = {}
        for home, waiting in self._homes.items():
            self._folders.setdefault(home.folder, deque()).append(waiting)
        number = max(1, min(workers.how.jobs, len(tasks)))
        self._at_once = max(1, min(_MOST_AT_ONCE, len(tasks) // (4 * number)))
        self._lock = threading.Lock()
        self._told: queue.Queue[Told | BaseException | None] = queue.Queue(_WAITING)
        self.hung: dict[str, LtcIrError] = {}
        """The modules whose import a limit ended: it is not tried again for each of their targets."""
        self._stopped = False
        self._lines = [_Line(self) for _ in range(number)]
        self._threads = [threading.Thread(target=line.work, daemon=True) for line in self._lines]

    def told(self) -> Iterator[Told]:
        """What is learnt, until there is no more."""
        for thread in self._threads:
            thread.start()
        running = len(self._threads)
        while running:
            told = self._told.get()
            if told is None:
                running -= 1
            elif isinstance(told, BaseException):
                raise told
            else:
                yield told

    def stop(self) -> None:
        """End all that runs."""
        self._stopped = True
        for line in self._lines:
            line.worker.stop()
        for thread in self._threads:
            while thread.is_alive():
                thread.join(0.02)
                with contextlib.suppress(queue.Empty):
                    while True:
                        self._told.get_nowait()

    def say(self, told: Told | BaseException | None) -> None:
        """Hand over what was learnt; wait while much is waiting."""
        while not self._stopped:
            with contextlib.suppress(queue.Full):
                self._told.put(told, timeout=0.5)
                return

    def take(self, folder: str | None) -> list[_Task]:
        """The next targets for a worker that has imported from this folder: of the same one, as long as there are any."""
        with self._lock:
            if self._stopped:
                return []
            homes = self._folders.get(folder) if folder is not None else None
            if not homes:
                folder = max(self._folders, key=lambda name: len(self._folders[name]), default=None)
                homes = self._folders.get(folder, deque()) if folder is not None else deque()
            taken: list[_Task] = []
            while homes and len(taken) < self._at_once:
                taken.append(homes[0].popleft())
                if not homes[0]:
                    homes.popleft()
            if folder is not None and not homes:
                self._folders.pop(folder, None)
            return taken


class _Line:
    """One thread with its worker: it takes targets until none is left."""

    def __init__(self, run: _Run) -> None:
        self.run = run
        self.worker = run.workers.worker(self.hear)
        self.folder: str | None = None
        self.tasks: dict[int, _Task] = {}
        self.at: tuple[int, str | None] | None = None

    def work(self) -> None:
        """Serve one batch after the other."""
        try:
            while taken := self.run.take(self.folder):
                self.serve(taken)
        except BaseException as error:
            self.run.say(error)
        finally:
            self.worker.close()
            self.run.say(None)

    def serve(self, taken: Sequence[_Task]) -> None:
        """Have a batch looked at; whatever becomes of workers, each target has something told of it."""
        folder = taken[0].asked.home.folder
        if self.folder is not None and self.folder != folder:
            self.worker.close()
        self.folder = folder
        self.tasks = {task.number: task for task in taken}
        idle = 0
        while left := [task for task in taken if not task.over]:
            for task in left:
                if task.asked.home.module in self.run.hung:
                    self.fail(task, None, self.run.hung[task.asked.home.module])
            left = [task for task in left if not task.over]
            before = [(task.number, len(task.done)) for task in left]
            self.call(left)
            after = [(task.number, len(task.done)) for task in taken if not task.over]
            idle = idle + 1 if before == after else 0
            if idle > 2:
                self.fail(left[0], None, LimitError(f"{left[0].asked.name} gave no verdict", "try it by itself"))

    def call(self, left: Sequence[_Task]) -> None:
        """Send targets to the worker once, and replace it where it is not to go on."""
        if not left:
            return
        self.at = None
        message = {**self.run.message, "targets": [task.to_plain() for task in left]}
        try:
            why = self.worker.call(f"{_ROOM}:capture_batch", message)
        except (DeadlineError, MemoryLimitError, WorkerDiedError) as error:
            self.lost(error, left)
        except LtcIrError as error:  # the job itself failed: what it runs in was altered
            self.worker.close()
            if not self.tries_again(left):
                number, program = self.at or (left[0].number, None)
                self.fail(self.tasks[number], program, error, fatal=True)
        else:
            if why:
                self.worker.close()
            elif isinstance(why, str):
                for task in left:
                    self.end(task)

    def hear(self, told: Any) -> None:
        """Take what the worker tells; what cannot be read is a failure of its target, whose code runs where it comes from."""
        try:
            task = self.tasks[told["number"]]
            self.take(task, told["kind"], told.get("program"), told)
        except (KeyError, TypeError, ValueError, AttributeError, LtcIrError) as error:
            number, program = self.at or (next(iter(self.tasks)), None)
            what = f"{self.tasks[number].asked.name}: its worker answered what cannot be read"
            self.fail(self.tasks[number], program, TargetError(what, f"{type(error).__name__}: {error}"), fatal=True)

    def take(self, task: _Task, kind: str, program: Any, told: Mapping[str, Any]) -> None:
        """Take one thing that is told of a target."""
        number = task.number
        if kind == "at":
            self.at = (number, program)
        elif kind == "programs":
            task.programs = tuple(told["names"])
            self.run.say(Told("names", number, None, task.programs))
        elif kind == "made" and program not in task.done:
            made = Captured.of_plain(told["made"], task.asked.name, program)
            task.done.add(program)
            self.run.say(Told("made", number, program, made))
        elif kind == "failed":
            self.fail(task, program, error_of(**told["failure"]))
        elif kind == "done":
            self.end(task)
        elif kind in {"imported", "traced"}:
            self.run.say(Told(kind, number, program, tuple(told["what"])))
        elif kind == "notes":
            for note in told["notes"]:
                self.run.say(Told("note", number, None, note))

    def end(self, task: _Task) -> None:
        """Nothing more is to be learnt of a target."""
        task.over = True

    def fail(self, task: _Task, program: str | None, error: LtcIrError, *, fatal: bool = False) -> None:
        """A program failed, or the whole target: each of its programs, where they are known. None has two verdicts."""
        failed = [program] if program or not task.programs else list(task.programs)
        failed = [one for one in failed if one not in task.done]
        task.done.update(failed)
        task.over = program is None or task.over
        for one in failed:
            self.run.say(Told("failed", task.number, one, error, fatal))
        if fatal and task.programs and task.done.issuperset(task.programs):
            self.end(task)

    def tries_again(self, left: Sequence[_Task]) -> bool:
        """Whether the target at work is tried once more: its worker may have failed of what an earlier target did."""
        task = self.tasks[self.at[0]] if self.at else left[0]
        task.retried += 1
        return task.retried == 1

    def lost(self, error: LimitError, left: Sequence[_Task]) -> None:
        """The worker is gone, with the program at work."""
        if self.run._stopped:
            for task in left:
                task.over = True
            return
        number, program = self.at or (left[0].number, None)
        task = self.tasks[number]
        renewed = self.run.workers.renew()  # which took all of its workers along, and only one of them is to blame
        if (renewed or (self.at is None and isinstance(error, WorkerDiedError))) and self.tries_again(left):
            return
        label = task.asked.name if program is None else f"{task.asked.name} {program}"
        stage = "import" if program is None else "trace"
        failure = failure_of_worker(error, label, stage, one_by_one="--jobs 1")
        if program is None and isinstance(error, DeadlineError):
            self.run.hung[task.asked.home.module] = failure
        self.fail(task, program, failure, fatal=True)
