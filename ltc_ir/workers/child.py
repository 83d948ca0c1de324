"""The main loop of a worker's process: runs the jobs that it is sent, by name, and answers on a descriptor of its own."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from ltc_ir import border
from ltc_ir.errors import LtcIrError, TargetError, kind_of
from ltc_ir.workers.limits import end_first_without_memory, end_with_parent, set_kernel_limits
from ltc_ir.workers.protocol import Message, Sender, receive

_senders: list[Sender] = []
_exit, _EXCEPTION, _ANY = os._exit, Exception, BaseException
"""As they were before any job could replace them; the same in `protocol`."""


def tell(value: Any, *, heartbeat: bool = False) -> None:
    """Send a JSON value to who submitted the job that runs here; without effect where none does.

    Args:
        value: what to say of the job's progress.
        heartbeat: the job has got so far that its deadline begins again.
    """
    for sender in _senders:
        sender.send({"kind": "told", "value": value, "heartbeat": heartbeat})


def main(settings: str, bond: int) -> None:
    """Run jobs until there are no more.

    Args:
        settings: in JSON, the descriptors of both pipes, and limits.
        bond: a pipe that ends with the process that watches this one.
    """
    said = json.loads(settings)
    for name in ("requests", "answers"):
        os.set_inheritable(said[name], False)
    run_jobs(said["requests"], said["answers"], bond, said["kernel"])


def run_jobs(requests: int, answers: int, bond: int, kernel: Mapping[str, int]) -> None:
    """Run the jobs that arrive until there are no more, and answer each.

    Args:
        requests: the descriptor that jobs arrive on.
        answers: the descriptor that answers go to.
        bond: a pipe that ends with the process that watches this one.
        kernel: limits of this process, as `set_kernel_limits` takes them.
    """
    end_with_parent(bond)
    end_first_without_memory()
    set_kernel_limits(kernel)
    sys.stdout = sys.stderr  # a print is out before the process is killed
    sender = Sender(answers)
    _senders.append(sender)
    sender.send({"kind": "began", "process": os.getpid()})
    # No key that is pressed reaches this process: an interrupt is the user code's own.
    with border.watched(interrupted=lambda: False), os.fdopen(requests, "rb") as stream:
        while (received := receive(stream)) is not None:
            sender.send(*_answer(*received))
            if not sender.is_owner:
                _exit(0)  # a copy that the job forked, and that left it like the job itself


def _answer(message: Message, data: bytes) -> tuple[Message, bytes]:
    """Run one job: its result, or what it failed with."""
    try:
        module, _, name = message["job"].partition(":")
        job = getattr(import_module(module), name)
        result = job(*message["args"], *([data] if message["data"] else []))
    except LtcIrError as error:
        return _failed(error)
    except _EXCEPTION:
        replaced = border.altered()
        return _failed(replaced) if replaced else ({"kind": "bug", "traceback": traceback.format_exc()}, b"")
    except _ANY as error:  # none of ours: user code raised it where nothing stands between
        label, stage = border.last_crossed() or (message["job"], "run")
        return _failed(TargetError(f"{label} failed to {stage}: {kind_of(error)}"))
    if isinstance(result, bytes):
        return {"kind": "result", "data": True}, result
    return {"kind": "result", "data": False, "value": result}, b""


def _failed(error: LtcIrError) -> tuple[Message, bytes]:
    failure = {"code": error.exit_code, "message": error.message, "hint": error.hint}
    return {"kind": "failed", "failure": {**failure, "detail": getattr(error, "detail", None)}}, b""
