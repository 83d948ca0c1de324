"""The jobs of the processes of a comparison: each inspects one target, and tells whose code runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from ltc_ir import border
from ltc_ir.api.count import count_request
from ltc_ir.api.lower import lower
from ltc_ir.errors import NOTES
from ltc_ir.records.request import Options, Request
from ltc_ir.records.serialization import pack, unpack
from ltc_ir.tables import live  # noqa: F401 - imported before the processes part
from ltc_ir.workers.child import tell

_getpid, _exit = os.getpid, os._exit
Answer = TypeVar("Answer")


def hello() -> bool:
    """What the server of the processes says of itself: that it is ready."""
    return True


def counted(name: str, plain: Mapping[str, Any]) -> Any:
    """The job: the count of a target, for a packed `Request`."""
    return _inspected(lambda: pack(count_request(name, unpack(plain, Request, "the request of a side"))))


def lowered(name: str, plain: Mapping[str, Any]) -> bytes:
    """The job: the IR of a program, for the arguments of `lower`."""
    options = plain["options"] and unpack(plain["options"], Options, "the options of a side")
    return _inspected(lambda: lower(name, **{**plain, "options": options}))


def _inspected(inspect: Callable[[], Answer]) -> Answer:
    """What an inspection gives; whose code runs meanwhile, and its notes, are told."""
    with border.watched(interrupted=lambda: False, entered=_tell_entered, left=partial(_end_copy, _getpid())):
        answer = inspect()
    for note in NOTES:
        tell({"note": note})
    return answer


def _tell_entered(label: str, stage: str) -> None:
    tell({"at": [label, stage]})


def _end_copy(owner: int) -> None:
    """End a copy of this process that a target forked."""
    if _getpid() != owner:
        _exit(0)
