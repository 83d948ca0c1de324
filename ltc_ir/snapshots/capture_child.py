"""Captures programs a second time, in a process with another hash seed and in the opposite order; see `capture_again`.

Run as ``python -m ltc_ir.snapshots.capture_child``: a request in JSON on standard input, snapshots as the text of
their files in JSON on standard output. What the targets print goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from typing import Any

from ltc_ir.errors import LtcIrError
from ltc_ir.records.request import Request
from ltc_ir.records.snapshot_toml import dumps
from ltc_ir.snapshots.capture import capture
from ltc_ir.targets import prepare
from ltc_ir.workers.process import own_stdout


def answer(request: dict[str, Any]) -> list[tuple[str, str, str | None, dict[str, Any] | None]]:
    """The text of each snapshot, or what failed."""
    asked = Request.of_plain(request["request"])
    made: list[tuple[str, str, str | None, dict[str, Any] | None]] = []
    with prepare.configured(asked.x64):
        for name, programs in reversed(request["wanted"].items()):
            for program in reversed(programs):
                try:
                    target = replace(prepare.resolve(request["places"][name], None, asked.options), name=name)
                    captured = capture(target, program, asked)
                    made.append((name, program, dumps(captured.snapshot), None))
                except LtcIrError as error:
                    failure = {"code": error.exit_code, "message": error.message, "hint": error.hint}
                    made.append((name, program, None, failure))
    return made


def main() -> None:
    """Answer one request, with nothing else on standard output."""
    data = os.fdopen(own_stdout(), "w", encoding="utf-8")
    request = json.loads(sys.stdin.read())
    with data:
        json.dump(answer(request), data)


if __name__ == "__main__":
    main()
