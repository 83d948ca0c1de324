"""Mutants of IR: how the reader of files ends on one, and what MLIR or XLA finds in those it counts."""

from __future__ import annotations

import atexit
import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from ltc_ir.errors import LtcIrError
from ltc_ir.escape import escape_message
from ltc_ir.records.request import Request
from ltc_ir.tables.from_file import Reader, count_bytes, request_of
from tests.mutants.running import Ran

ROOT = Path(__file__).resolve().parents[2]
UNCOMPARED = "0, not compared"
"""How an end is called where a mutant is counted that the other reader refuses or dies of."""


class Oracle:
    """A process that counts IR without a line of ltc-ir's readers; started again after an input that killed it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        atexit.register(self.close)

    def ask(self, level: str, data: bytes) -> dict[str, int] | None:
        """How often each operation occurs; ``None`` where the reader refuses the input, or dies of it."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.mutants.independent_child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                cwd=ROOT,
                env={**os.environ, "JAX_PLATFORMS": "cpu"},
            )
        assert self._process.stdin is not None and self._process.stdout is not None
        question = {"level": level, "data": base64.b64encode(data).decode()}
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            self.close()
            return None
        found: dict[str, int] | None = json.loads(answer)
        return found

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


@cache
def oracle() -> Oracle:
    """The one of this process."""
    return Oracle()


@cache
def reader() -> Reader:
    """The child that reads files, as the commands use it; kept, so that a mutant costs milliseconds."""
    made = Reader(limit_s=10.0)
    atexit.register(made.__exit__)
    return made


def judge(level: str) -> Callable[[bytes], tuple[Ran, str | None]]:
    """Count a file of IR; what is accepted has the operations that the other reader finds."""

    def judge_one(data: bytes) -> tuple[Ran, str | None]:
        try:
            count = count_bytes(data, request_of("mutant", Request()), reader())
        except LtcIrError as error:
            hint = f"hint: {escape_message(error.hint)}\n" if error.hint else ""
            return Ran(error.exit_code, "", f"error: {escape_message(error.message)}\n{hint}"), None
        except Exception as error:
            return Ran(-2, "", f"{type(error).__name__}: {error}\n"), None
        ((counted, table),) = [each for levels in count.programs.values() for each in levels.items()]
        ran = Ran(0, "counted\n", "")
        if counted != level:
            return ran, f"counted as {counted}"
        ops = dict(table.tally.ops)
        if table.tally.total != sum(ops.values()):
            return ran, "accepted, and its total is not the sum of its operations"
        found = oracle().ask(level, data)
        if found is None:
            ran.end = UNCOMPARED
            return ran, None
        return ran, None if found == ops else f"counted {differing(ops, found)}"

    return judge_one


def differing(ours: dict[str, int], theirs: dict[str, int]) -> str:
    """The operations that two readers count differently."""
    names = sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))
    return ", ".join(f"{ours.get(name, 0)} {name}, another reader {theirs.get(name, 0)}" for name in names[:5])


@cache
def _forms() -> dict[str, list[bytes]]:
    """Two programs in every form that a file of IR has."""
    import jax
    import jax.numpy as jnp

    from tests.tables import stored_programs

    def branches(x: jax.Array) -> jax.Array:
        y = jax.lax.cond(x.sum() > 0, jnp.sin, lambda v: jnp.cos(v) * 2, x)
        return jax.lax.while_loop(lambda c: c.sum() < 100, lambda c: c * 2 + 1, y)

    stages = [stored_programs.lowered(), jax.jit(branches).lower(jnp.ones(3))]
    forms = [stored_programs.forms(stage) for stage in stages]
    return {
        "text": [form[name] for form in forms for name in ("text", "debug")],
        "bytecode": [form[name] for form in forms for name in ("bytecode", "artifact")],
        "hlo": [stage.compile().as_text().encode() for stage in stages],
    }


def samples(form: str) -> Sequence[bytes]:
    """The files of a form whose mutants are read."""
    return _forms()[form]
