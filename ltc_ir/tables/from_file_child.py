"""The job that reads a stored file and counts it, in a process that may die of it: MLIR's readers do on some broken files."""

from __future__ import annotations

import contextlib
import gc
import json
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ltc_ir.compat import mlir
from ltc_ir.errors import LimitError, LtcIrError, UsageError
from ltc_ir.ir.op import Stream
from ltc_ir.ir.origin import Evidence
from ltc_ir.ir.stablehlo import reader as stablehlo
from ltc_ir.ir.stablehlo.facts import devices_of, printed, text_figures, text_size
from ltc_ir.ir.stablehlo.structure import hash_module
from ltc_ir.records.count import Count
from ltc_ir.records.environment import Environment
from ltc_ir.records.figures import Value
from ltc_ir.records.op_table import ProgramTables, Table, level_count, to_plain
from ltc_ir.records.request import Request
from ltc_ir.records.serialization import pack, unpack
from ltc_ir.records.signature import ATTRIBUTION
from ltc_ir.records.vocabulary import Level
from ltc_ir.tables.build import build, reading_options

SMALL = 1 << 20
"""Bytes of a file up to which a second process is not worth its start."""

NO_DEBUG_INFO = "the file has no debug information, so no phase and no source; `ltc-ir lower --debug-info` keeps them"
NO_NAMES = "no operation in the file bears a name: no phase"
NO_METADATA = "no instruction in the file bears a name (op_name): no phase"
ELIDED = "{} get-tuple-element instructions are not written out in this file; a program compiled here has them"
MODULES = "the file holds {} modules ({}), counted together; their functions are counted apart"
UNCOUNTED = "holds what this ltc-ir cannot count"
_HOISTED = "a file does not say which of its arguments were constants"
_NOT_SAID = "a file does not say; count the program itself"
_SPANS = re.compile(r"\b(?:num_partitions|replica_count)=(\d+)")
_BAD_BYTECODE = "the file is broken, or a newer version wrote it; ask for a StableHLO portable artifact, or text"
_INCOMPLETE = "check that the file is complete and holds one module"
_BAD_TEXT = "a newer version may have written it; `ltc-ir doctor` says what this one is"

_GENERIC = "print it in generic form (mlir-opt --mlir-print-op-generic): then unknown dialects are counted by name"

_ARTIFACT = b"StableHLO_v"
Message = Mapping[str, Any]
_kept: list[Any] = []
"""The module read last: taking it apart may wait until the answer is out."""


def answer(message: Message, data: bytes) -> bytes:
    """Read one file and answer one request about it: the text of a record in JSON, or of the file.

    Raises:
        UsageError, LimitError: what the file holds; nothing else, whatever it holds, unless the process dies of it.
    """
    where = message["where"]
    gc.disable()
    try:
        return _body(data, message).encode(errors="backslashreplace")
    except LtcIrError as error:
        raise _in_one_line(error) from None
    except (MemoryError, RecursionError) as error:
        raise LimitError(f"{where} needs more memory than a reader may have ({_name(error)})") from None
    except Exception as error:
        raise _in_one_line(_unexpected(error, where)) from None
    finally:
        gc.enable()


def _body(data: bytes, message: Message) -> str:
    """The answer's body: a text, or the JSON of a count or of tables."""
    if message["wants"] == "text":
        return _TEXTS[message["kind"]](data, message)
    made = _READERS[message["kind"]](data, message)
    return json.dumps(pack(made) if isinstance(made, Count) else to_plain(made))


def _name(error: Exception) -> str:
    return type(error).__name__


def _unexpected(error: Exception, where: str) -> UsageError:
    """The words for what no reader foresaw; the bindings fail on a name that is no UTF-8 in two ways, by version."""
    if isinstance(error, UnicodeError) or "conversion error" in str(error):
        return UsageError(f"cannot read {where}: a name in it is not UTF-8", _BAD_BYTECODE)
    return UsageError(f"{where} {UNCOUNTED}: {_name(error)}: {error}", "please report it, with the file")


def _in_one_line(error: LtcIrError) -> LtcIrError:
    """The error of a file, in lines that can be printed."""
    parts = (part.encode(errors="backslashreplace").decode() for part in (error.message, error.hint or ""))
    message, hint = (" ".join(part.split()) for part in parts)
    return (LimitError if isinstance(error, LimitError) else UsageError)(message, hint or None)


def _table_of_mlir(data: bytes, message: Message) -> Count | ProgramTables:
    request = _request(message)
    module = _parsed(data, message)
    size = _sizing(module, data, request)
    # the locations of a text without debug information are its own lines
    evidence = Evidence(sources=message["kind"] == "bytecode" or b"loc(" in data)
    stream = stablehlo.read(module, request.wants, evidence=evidence, **reading_options(request))
    figures, reasons = size()
    figures["constants.bytes"], reasons["constants.bytes"] = None, _HOISTED
    table = build(Level.STABLEHLO, stream, request.wants, figures, reasons)
    modules = stream.facts["modules"]
    if table.expanded is not None and not modules:  # no function calls itself, and one program is the whole file
        table = replace(table, **hash_module(module, request.fingerprints))
    return _answer(message, table, devices_of(module), (*_unnamed(stream), *_several(modules)))


Size = tuple[dict[str, Value], dict[str, str]]
"""The figures of a text, and why some are unknown."""


def _sizing(module: Any, data: bytes, request: Request) -> Callable[[], Size]:
    """What will tell the size of the text, where that is asked for."""
    if request.text and len(data) > SMALL:
        return _size_apart(module)
    return lambda: text_figures(module, request.text)


def _size_apart(module: Any) -> Callable[[], Size]:
    """`text_size`, begun now in a copy of this process: printing takes longer than reading, so both go on at once."""
    receiving, sending = os.pipe()
    copy = os.fork()
    if not copy:
        with contextlib.suppress(BaseException):
            os.write(sending, json.dumps(text_size(module)).encode())
        os._exit(0)
    os.close(sending)

    def size() -> Size:
        with os.fdopen(receiving, "rb") as answer:
            found = answer.read()
        os.waitpid(copy, 0)
        return dict(json.loads(found)) if found else text_size(module), {}

    return size


def _unnamed(stream: Stream) -> tuple[str, ...]:
    """What to say of a file whose operations bear no names."""
    if any(stream.facts["names"]):
        return ()
    return (NO_NAMES,) if any(op.origin.source for op in stream.ops) else (NO_DEBUG_INFO,)


def _several(modules: list[str]) -> tuple[str, ...]:
    """What to say of a file with modules in its module."""
    named = ", ".join(modules[:3]) + ", …" * (len(modules) > 3)
    return (MODULES.format(len(modules), named),) if modules else ()


def _table_of_hlo(data: bytes, message: Message) -> Count | ProgramTables:
    from ltc_ir.ir.hlo import reader as hlo
    from ltc_ir.ir.hlo.structure import of_hlo
    from ltc_ir.tables.partitioned import NOT_IN_A_TEXT, with_partitioned

    request = _request(message)
    module = _parsed_hlo(data, message)
    stream = hlo.read(module, request.wants, **reading_options(request))
    reasons = dict.fromkeys(("flops", "bytes_accessed", "memory"), _NOT_SAID) | stream.facts["reasons"]
    figures, reason = with_partitioned(stream.figures, None)
    if reason:
        reasons["collectives.partitioned"] = NOT_IN_A_TEXT
    hashes = of_hlo(module) if request.hashes else {}
    table = build(Level.HLO, stream, request.wants, figures, reasons, **hashes)
    elided = stream.facts["elided"]
    named = any(instruction.op_name for _, instruction in module.instructions())
    notes = [ELIDED.format(elided)] * bool(elided) + [NO_METADATA] * (not named)
    return _answer(message, table, math.prod(map(int, _SPANS.findall(module.attributes))), tuple(notes))


def _parsed_hlo(data: bytes, message: Message) -> Any:
    from ltc_ir.ir.hlo.parser import HloSyntaxError, parse
    from ltc_ir.tables.hlo_spelling import Spelled, spelled_by_xla

    text = data.decode(errors="replace")
    try:
        return parse(text)
    except HloSyntaxError as error:
        spelled = Spelled() if error.certain else spelled_by_xla(text)
        if spelled.text is not None:
            return parse(spelled.text, printed=True)
        said = spelled.missing if spelled.missing and not error.missing else str(error)
        raise UsageError(f"cannot read {message['where']}: {said}", _INCOMPLETE) from error


def _request(message: Message) -> Request:
    return unpack(message["request"], Request, "the request about a file")


def _answer(message: Message, table: Table, devices: int, notes: tuple[str, ...]) -> Count | ProgramTables:
    """The table, or where a count is wanted the count of it."""
    if message["wants"] == "tables":
        return ProgramTables(message["target"], "file", devices, {table.level: table}, detailed=True)
    request = _request(message)
    return Count(
        target=message["target"],
        environment=Environment(),
        programs={"file": {table.level: level_count(table, request)}},
        grouped=tuple(by.value for by in request.by),
        filters=request.filters,
        attribution=ATTRIBUTION,
        notes=notes,
    )


def _text_of_mlir(data: bytes, message: Message) -> str:
    return printed(_parsed(data, message)).decode(errors="replace")


def _checked_hlo(data: bytes, message: Message) -> str:
    """Nothing: the text stands as it is, once it is known to be whole."""
    _parsed_hlo(data, message)
    return ""


def _parsed(data: bytes, message: Message) -> Any:
    """The MLIR module of a file's text, bytecode or portable artifact.

    Raises:
        UsageError: MLIR refused it; the message holds the first thing MLIR said.
    """
    context = mlir.mlir_context()
    said: list[str] = []

    def hear(diagnostic: Any) -> bool:
        said.append(_said(diagnostic))
        return True

    handler = context.attach_diagnostic_handler(hear)
    try:
        if data.startswith(_ARTIFACT, 5):
            module = mlir.read_artifact(context, data)
        else:
            module = mlir.mlir_ir().Module.parse(data, context)
    except Exception as error:
        said += [_said(diagnostic) for diagnostic in getattr(error, "error_diagnostics", ())]
        reason = said[0] if said else (str(error) or _name(error))
        raise UsageError(f"cannot read {message['where']}: {reason}", _help(reason, message["kind"])) from error
    finally:
        handler.detach()
    _kept[:] = [module]
    return module


def _help(reason: str, kind: str) -> str:
    """The hint beside what MLIR said: an operation of an unknown dialect can be read in its generic form alone."""
    if "not found for custom op" in reason:
        return _GENERIC
    return _BAD_BYTECODE if kind == "bytecode" else _BAD_TEXT


def _said(diagnostic: Any) -> str:
    """A diagnostic as ``line:column: message``; without a place where MLIR knows none."""
    place = str(diagnostic.location).removeprefix('loc("-":').removesuffix(")")
    known = place[:1].isdigit() and not place.startswith("0:")
    return f"{place}: {diagnostic.message}" if known else str(diagnostic.message)


_READERS: Mapping[str, Callable[[bytes, Message], Count | ProgramTables]] = {
    "mlir": _table_of_mlir,
    "bytecode": _table_of_mlir,
    Level.HLO.value: _table_of_hlo,
}
_TEXTS: Mapping[str, Callable[[bytes, Message], str]] = {
    "mlir": _text_of_mlir,
    "bytecode": _text_of_mlir,
    Level.HLO.value: _checked_hlo,
}
