"""The job of a worker of the guard: captures a batch of targets, and tells of each program as soon as it has been looked at.

The worker runs the code of users, one target after the other. What that changes in the process is told by name, and the
worker then ends its batch, so that no target sees what another one set.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from ltc_ir.errors import NOTES, LtcIrError, TargetError, kind_of
from ltc_ir.files import project_at
from ltc_ir.records.request import Request
from ltc_ir.records.serialization import unpack
from ltc_ir.snapshots import capture as capturing
from ltc_ir.tables import live  # noqa: F401 - imported before the first worker is forked
from ltc_ir.targets import prepare
from ltc_ir.targets.derive import program_names
from ltc_ir.targets.generators import Generators, generators
from ltc_ir.targets.state import Watch
from ltc_ir.workers.child import tell
from ltc_ir.workers.limits import resident_bytes

FRESH, REPLACE = "fresh", "replace"
"""Why a batch ended early: the target at work sets something and needs a worker that has done nothing yet; this worker has
done enough, or something was set in it that other targets must not see."""
MOST_PROGRAMS = 400
"""Programs that a worker looks at; what JAX keeps of each stays in its memory."""
MOST_GROWTH = 768 << 20
"""Bytes by which a worker may grow."""
_exit, _getpid, _ANY = os._exit, os.getpid, BaseException

Result = TypeVar("Result")


class _Process:
    """What the process of a worker has done and is, from the first batch on."""

    def __init__(self) -> None:
        self.watch = Watch()
        self.number = 0
        self.home: str | None = None
        """The module whose import changed it: it is for the targets of that one alone."""
        self.used = False
        self.first = generators()
        self.generators: dict[str, Generators] = {}
        """The random generators as the import of each module left them."""
        self.programs = 0
        self.resident = 0

    def begin(self, request: Request) -> None:
        """Begin work; the width stays as it is asked for, unless a target's own code changes it."""
        if self.number == 0:
            self.number, self.resident = _getpid(), resident_bytes(_getpid()) or 0
            gc.set_threshold(10_000, *gc.get_threshold()[1:])
            if request.x64 is not None:
                import jax

                jax.config.update("jax_enable_x64", request.x64)  # type: ignore[no-untyped-call]
            self.watch.changes()

    @property
    def is_spent(self) -> bool:
        """Whether another worker should go on."""
        return self.programs >= MOST_PROGRAMS or (resident_bytes(self.number) or 0) > self.resident + MOST_GROWTH


_PROCESS = _Process()


def hello() -> dict[str, Any]:
    """What the server of workers says of itself: JAX's version, and whether 64-bit types are on."""
    import jax

    return {"jax": jax.__version__, "x64": bool(jax.config.values["jax_enable_x64"])}


def capture_batch(message: Mapping[str, Any]) -> str:
    """The job: tell of the programs of each target; why it ended before the last one, if it did.

    Args:
        message: the ``targets``, each with its ``number``, the ``name`` of its snapshots, the ``place`` it is found at, its
            ``home``, the ``programs`` asked for and those to ``skip``; the ``request``; whether to ``clear`` caches; whether
            only the ``names`` of programs are wanted; the ``project``.
    """
    request = unpack(message["request"], Request, "the request of a batch")
    _PROCESS.begin(request)
    with project_at(Path(message["project"])):
        for asked in message["targets"]:
            why = _Batch(request, message["clear"], message["names"], asked).run()
            _PROCESS.used = True
            if _getpid() != _PROCESS.number:
                _exit(0)  # a copy that the target forked
            if why:
                return why
    return ""


class _Batch:
    """One target of a batch."""

    def __init__(self, request: Request, clear: bool, names: bool, asked: Mapping[str, Any]) -> None:
        self.request, self.clear, self.names, self.asked = request, clear, names, asked
        self.number, self.home = asked["number"], asked["home"]

    def run(self) -> str:
        """Look at the target; why the worker is not to go on, if it is not."""
        if _PROCESS.home not in {None, self.home} or _PROCESS.is_spent:
            return REPLACE
        self.tell("at")
        _PROCESS.generators.get(self.home, _PROCESS.first).restore()
        found = self.border(self.find, self.asked["name"], "import")
        drawn = _PROCESS.generators.setdefault(self.home, generators())
        set_by_import = _PROCESS.watch.changes(whole=False)
        if set_by_import:
            if _PROCESS.used and _PROCESS.home is None:
                return FRESH
            _PROCESS.home = self.home
            self.tell("imported", what=set_by_import)
        if found is None:
            return ""
        target, programs = found
        self.tell("programs", names=programs)
        if self.names:
            _PROCESS.programs += 1
            programs = []
        left = [program for program in programs if program not in self.asked["skip"]]
        for program in left:
            drawn.restore()
            self.program(target, program)
            set_by_trace = _PROCESS.watch.changes(whole=program is left[-1])
            if set_by_trace:
                self.tell("traced", program=program, what=set_by_trace)
                return REPLACE
        self.tell("done")
        return ""

    def find(self) -> tuple[Any, list[str]]:
        """The target, and the names of the programs to look at."""
        target = prepare.resolve(self.asked["place"], None, self.request.options)
        target = replace(target, name=self.asked["name"])
        return target, [str(name) for name in self.asked["programs"] or program_names(target)]

    def program(self, target: Any, program: str) -> None:
        """Capture one program, and tell of it."""
        self.tell("at", program=program)
        _PROCESS.programs += 1

        def captured() -> dict[str, Any]:
            return capturing.capture(target, program, self.request, clear=self.clear).to_plain()

        made = self.border(captured, f"{self.asked['name']} {program}", "trace", program)
        if NOTES:
            self.tell("notes", notes=list(NOTES))
            NOTES.clear()
        if made is not None:
            self.tell("made", program=program, made=made)

    def border(self, call: Callable[[], Result], label: str, stage: str, program: str | None = None) -> Result | None:
        """What a call of a user's code gives; where it raises, whatever that is, its failure is told instead."""
        try:
            return call()
        except LtcIrError as error:
            failure = error
        except _ANY as error:
            failure = _failure(error, label, stage)
        told = {"code": failure.exit_code, "message": failure.message, "hint": failure.hint}
        self.tell("failed", program=program, failure=told)
        return None

    def tell(self, kind: str, **more: Any) -> None:
        """Tell of this target; its deadline begins again."""
        if _getpid() != _PROCESS.number:
            _exit(0)
        tell({"kind": kind, "number": self.number, **more}, heartbeat=True)


def _failure(error: BaseException, label: str, stage: str) -> LtcIrError:
    """What a user's code raised that no stage expects: its kind, its message and its line."""
    from ltc_ir.targets.stages import explained

    try:
        return explained(error, label, stage)
    except BaseException:
        return TargetError(f"{label} failed to {stage}: {kind_of(error)}", "its message cannot be read")
