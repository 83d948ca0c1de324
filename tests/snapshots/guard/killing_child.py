"""Kills updates at random moments, or races them in pairs, and tells what the files hold: ``python … kill|race TIMES``.

Updates are forked from one process that has imported JAX and started none of its threads: each traces two targets twice and
writes, and what is killed is a whole update, wherever it is.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from ltc_ir.api import snapshot as guarding
from ltc_ir.api import snapshot as ruling
from ltc_ir.snapshots import capture as capturing
from ltc_ir.snapshots import survey as looking
from ltc_ir.snapshots.update import record
from ltc_ir.tables import live  # noqa: F401 - with JAX, which each fork would otherwise import
from ltc_ir.targets import derive, find, stages
from ltc_ir.targets import signature_hash as declaring

READY = (looking, ruling, declaring, derive, find, stages)
TARGETS = ("net.py:first", "net.py:second")
BODIES = ("jnp.sin(x) * x", "jnp.sin(x * x)")
"""Equal counts in another structure: recorded without a reason, whichever comes first."""


def write_source(version: int) -> None:
    lines = [f"def {name}(x):\n    return ({BODIES[version]}).sum()\n\n" for name in ("first", "second")]
    shape = 'first_args = second_args = (jax.ShapeDtypeStruct((3,), "float32"),)\n'
    Path("net.py").write_text("".join(["import jax\nimport jax.numpy as jnp\n\n", *lines, shape]), encoding="utf-8")


def started(project: str = ".", ready: int | None = None) -> int:
    """An update in a process of its own, which writes to ``ready`` when it has traced and is about to record."""
    child = os.fork()
    if child:
        return child
    try:
        if ready is not None:
            announce(ready)
        store = str(Path("snapshots").resolve())
        os.chdir(project)
        if project == "zero":
            guarding.record = hesitant
        os._exit(guarding.update(TARGETS, programs=["forward"], directory=store).exit_code)
    except BaseException:
        traceback.print_exc()
    os._exit(99)


def held() -> dict[str, bytes]:
    return {path.as_posix(): path.read_bytes() for path in Path("snapshots").rglob("*.toml")}


def word_of(path: str, data: bytes, old: dict[str, bytes], new: dict[str, bytes]) -> str:
    return "old" if data == old[path] else "new" if data == new[path] else "broken"


def announce(ready: int) -> None:
    recorded = guarding._recorded

    def announced(*given: Any) -> Any:
        os.write(ready, b"!")
        return recorded(*given)

    guarding._recorded = announced


def hesitant(*given: Any, **named: Any) -> Any:
    """Record, and take time before the next file, for another update to come between."""
    made = record(*given, **named)
    time.sleep(0.3)
    return made


def main() -> None:
    capturing._in_worker = capturing.capture_programs
    sys.dont_write_bytecode = True
    new, old, took = recorded_states()
    chosen = random.Random(0)
    for number in range(int(sys.argv[2])):
        if sys.argv[1] == "race":
            for child in [started(folder) for folder in ("zero", "one")]:
                os.waitpid(child, 0)
        else:
            write_source((number + 1) % 2)
            kill_one(took * chosen.random() if number % 4 > 1 else None, 0.02 * max(1.0, took) * chosen.random() ** 3)
        print(*sorted(word_of(path, data, old, new) for path, data in held().items()), flush=True)


def kill_one(after: float | None, later: float) -> None:
    """Kill an update some time after its start, or a little after it has begun to record."""
    here, ready = os.pipe()
    child = started(ready=ready)
    os.close(ready)
    if after is None:
        os.read(here, 1)
        time.sleep(later)
    else:
        time.sleep(after)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(here)


def recorded_states() -> tuple[dict[str, bytes], dict[str, bytes], float]:
    """What the files hold of either version, and how long an update takes; each version has a project of its own too."""
    states, took = [], 0.0
    for version, name in ((1, "one"), (0, "zero")):
        write_source(version)
        Path(name).mkdir()
        for file in ("net.py", "pyproject.toml"):
            Path(name, file).write_text(Path(file).read_text(encoding="utf-8"), encoding="utf-8")
        start = time.monotonic()
        status = os.waitpid(started(), 0)[1]
        took = time.monotonic() - start
        states.append(held())
        print("recorded", status, flush=True)
    return states[0], states[1], took


if __name__ == "__main__":
    main()
