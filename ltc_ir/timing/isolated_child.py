"""Times a target found by its name, in a process of its own; see `apart`.

Run as ``python -m ltc_ir.timing.isolated_child``: a request in JSON on standard input, a line of JSON for whatever happens on
standard output. What the target prints goes to standard error.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from ltc_ir.errors import LtcIrError, TargetError
from ltc_ir.records.timing import Settings, Timing
from ltc_ir.records.timing_codec import timing_to_dict
from ltc_ir.targets import prepare
from ltc_ir.timing.session import Session, Watch
from ltc_ir.workers.process import own_stdout

TELL_EVERY_S = 0.1
"""Seconds between two lines about one stage."""


def answer(request: Mapping[str, Any], say: Callable[[Mapping[str, Any]], None]) -> None:
    """Time what was asked for, saying how far it has come."""
    from ltc_ir.records.request import Options

    options = Options.of_plain(request["options"])
    teller = _Teller(say)
    try:
        with prepare.configured(request["x64"]):
            target = prepare.resolve(request["target"], None, options)
            session = Session(target, Settings(**request["settings"]), Watch(teller.at, teller.keep))
            gc.freeze()  # what is loaded is no garbage; each collection before a run would look through all of it
            session.time(request["programs"], request["platform"])
    except LtcIrError as error:
        detail = error.detail if isinstance(error, TargetError) else None
        say({"failed": {"code": error.exit_code, "message": error.message, "hint": error.hint, "detail": detail}})
    say({"done": True})


class _Teller:
    """Says which stage is at work when it changes, and now and then which run."""

    def __init__(self, say: Callable[[Mapping[str, Any]], None]) -> None:
        self.say = say
        self.last: tuple[str, str] | None = None
        self.when = 0.0

    def at(self, program: str, stage: str, run: int) -> None:
        now = time.monotonic()
        if (program, stage) != self.last or now - self.when > TELL_EVERY_S:
            self.last, self.when = (program, stage), now
            self.say({"at": [program, stage, run]})

    def keep(self, timing: Timing) -> None:
        self.say({"timing": timing_to_dict(timing, timeline=True)})


def _first_to_go() -> None:
    """Where memory runs out, this process is the one the system ends, and not a neighbour of it."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _speaker(file: IO[str]) -> Callable[[Mapping[str, Any]], None]:
    def say(what: Mapping[str, Any]) -> None:
        file.write(json.dumps(what) + "\n")
        file.flush()

    return say


def main() -> None:
    """Answer one request, with nothing else on standard output."""
    data = os.fdopen(own_stdout(), "w", encoding="utf-8")
    _first_to_go()
    with data:
        answer(json.loads(sys.stdin.read()), _speaker(data))


if __name__ == "__main__":
    main()
