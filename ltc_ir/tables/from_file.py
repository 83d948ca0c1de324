"""Counts a stored file as it would a live program: told by its content, read by a child that may die of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from ltc_ir import files
from ltc_ir.compare.facts import count_snapshot
from ltc_ir.errors import LimitError, UsageError
from ltc_ir.records import serialization
from ltc_ir.records.count import Count
from ltc_ir.records.op_table import ProgramTables, of_plain, table_of_count, tables_of_snapshot
from ltc_ir.records.request import Request
from ltc_ir.records.snapshot_toml import loads_bytes
from ltc_ir.records.vocabulary import Level
from ltc_ir.workers.limits import DeadlineError, Limits, WorkerDiedError
from ltc_ir.workers.process import Worker

LIMIT = 60.0
"""Seconds a file may take."""
MOST_MEMORY = 8 << 30
"""Bytes of address space its reader may have, so that no file takes the machine."""
MOST_STACK = 64 << 20
"""Bytes of stack: MLIR reads nested regions by recursion, and 5,000 of them need more than the usual 8 MiB."""

RECORD, SNAPSHOT, BYTECODE, MLIR, HLO = "record", "snapshot", "bytecode", "mlir", "hlo"
"""What a file can be."""

_MAGIC = b"ML\xefR"
_ARTIFACT = _MAGIC + b"\rStableHLO_v"
_LEAD = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s++|//[^\n]*+|/\*.*?\*/)*+", re.DOTALL)
_MLIR = re.compile(
    rb'module\b|func\b|[a-z_]\w*\.[\w.$]+|"[\w.$-]+"\s*[(<]|[#!][\w.$-]+\s*=|%[\w.$#-]+\s*[=:,]|\{-#', re.ASCII
)
"""What MLIR text can begin with: an operation in either form, an alias, a result, or resources."""
_HLO = re.compile(
    rb"HloModule\b|ENTRY\b|(?!module\b)%?[A-Za-z_][\w.-]*\s*\{|(?:ROOT\s+)?%?[A-Za-z_][\w.-]*\s+=\s*(?:\(\s*)*[a-z]\w*\[",
    re.ASCII,
)
"""What HLO text begins with: a module, a computation, or one instruction with its type."""
_SNAPSHOT = re.compile(rb'^(?:# ltc-ir snapshot|schema *=|kind *= *"snapshot")', re.MULTILINE)
"""A line that the head of a snapshot has, be it in conflict or cut short."""
_PACKED = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"\xfd7zXZ": "xz"}
"""How compressed files begin."""
_HEAD = 1 << 16
_HINT = "it reads StableHLO text, bytecode and portable artifacts, HLO text, and records and snapshots of its own"
_BROKEN = "the file is broken, or a much newer version wrote it; write it anew, as text if it is bytecode"


def count_stored(path: str, request: Request, *, limit_s: float = LIMIT) -> Count:
    """Count what a file holds.

    Args:
        path: the file; ``-`` is standard input.
        request: the groupings and filters, and how to read.
        limit_s: seconds the reader may take.

    Raises:
        UsageError: no such file, not IR, or broken. LimitError: too large, too slow, or the reader died of it.
    """
    with Reader(limit_s) as reader:
        return count_bytes(files.read_bytes(path, pipes=True), request_of(path, request), reader)


def count_bytes(data: bytes, request: Mapping[str, Any], reader: Reader) -> Count:
    """Count the bytes of a file with a reader at hand; ``request["where"]`` is what messages call it."""
    where = str(request["where"])
    kind = sniff(data, where)
    if kind == RECORD:
        return _record(data, where)
    if kind == SNAPSHOT:
        return count_snapshot(loads_bytes(data, where), request["request"]["by"], where)
    body = reader.ask(data, {**request, "wants": "count", "kind": kind})
    return serialization.unpack(json.loads(body), Count, f"the answer about {where}")


def tables_stored(path: str, *, limit_s: float = LIMIT) -> ProgramTables:
    """The tables of what a file holds, for rules: of IR read by the child, of a record or a snapshot without types.

    Raises:
        UsageError: no such file, not IR, or broken. LimitError: too large, too slow, or the reader died of it.
    """
    data, where = files.read_bytes(path, pipes=True), files.called(path)
    kind = sniff(data, where)
    if kind == SNAPSHOT:
        return tables_of_snapshot(loads_bytes(data, where))
    if kind == RECORD:
        return _tables_of_count(_record(data, where), where)
    with Reader(limit_s) as reader:
        request = {**request_of(path, Request(details=True)), "wants": "tables", "kind": kind}
        return of_plain(json.loads(reader.ask(data, request)))


def _tables_of_count(count: Count, where: str) -> ProgramTables:
    """What a count of one program holds.

    Raises:
        UsageError: it is of several programs, or was narrowed when it was made.
    """
    if len(count.programs) != 1:
        raise UsageError(f"{where} holds {', '.join(count.programs) or 'no program'}", "count one with --program")
    if count.filters:
        raise UsageError(f"{where} was narrowed when it was made", "count the target again without --op and --phase")
    ((program, levels),) = count.programs.items()
    tables = {name: table_of_count(level) for name, level in levels.items()}
    return ProgramTables(count.target, program, 1, tables, typed=False)


def read_stored_text(path: str, *, limit_s: float = LIMIT) -> tuple[str, str]:
    """The level and the text of a file's IR: StableHLO printed anew without debug information, HLO as it stands.

    Raises:
        UsageError: no such file, not IR, or broken. LimitError: too large, too slow, or the reader died of it.
    """
    data, where = files.read_bytes(path, pipes=True), files.called(path)
    kind = sniff(data, where)
    if kind in {RECORD, SNAPSHOT}:
        raise UsageError(
            f"{where} is a {kind}, which holds no text", "give the IR itself, as written by `ltc-ir lower`"
        )
    with Reader(limit_s) as reader:
        text = reader.ask(data, {"wants": "text", "kind": kind, "where": where})
    return (Level.HLO.value, data.decode(errors="replace")) if kind == HLO else (Level.STABLEHLO.value, text)


def sniff(data: bytes, where: str = "the file") -> str:
    """What a file is, by its content: `RECORD`, `SNAPSHOT`, `BYTECODE`, `MLIR` or `HLO`.

    Raises:
        UsageError: it is empty, a serialised export, or nothing that can be read here.
    """
    if data.startswith(_MAGIC):
        return BYTECODE
    start = _LEAD.match(data)
    rest = start.end() if start else 0
    if rest == len(data):
        raise UsageError(f"{where} is empty", _HINT)
    if _HLO.match(data, rest):
        return HLO
    if _MLIR.match(data, rest):
        return MLIR
    if data.startswith(b"{", rest):
        return RECORD
    if _SNAPSHOT.search(data, 0, _HEAD):
        return SNAPSHOT
    if _is_export(data):
        raise UsageError(f"{where} is a serialised jax.export.Exported", "write its mlir_module_serialized instead")
    for magic, what in _PACKED.items():
        if data.startswith(magic):
            raise UsageError(f"{where} is compressed ({what})", "unpack it, and name the file that was in it")
    if files.is_utf16(data):
        raise UsageError(f"{where} is UTF-16 or UTF-32, not UTF-8", "save it as UTF-8")
    raise UsageError(f"{where} is no IR ltc-ir can read", _HINT)


def _is_export(data: bytes) -> bool:
    """Whether a file is what ``Exported.serialize`` writes: a FlatBuffer (its root's place comes first) with a module in it."""
    return 4 <= int.from_bytes(data[:4], "little") < data.find(_ARTIFACT)


def _record(data: bytes, where: str) -> Count:
    return serialization.loads_bytes(data, where, Count)


def request_of(path: str, request: Request) -> dict[str, Any]:
    """What the child is asked: the request in plain words, what messages call the file and what the record does."""
    return {"where": files.called(path), "target": path, "request": serialization.pack(request)}


class Reader:
    """Reads files in a process that may die of them, and that is started again after a file that killed it.

    Args:
        limit_s: seconds one file may take, the start of the process included.
    """

    def __init__(self, limit_s: float = LIMIT) -> None:
        limits = Limits(limit_s, kernel={"AS": MOST_MEMORY, "STACK": MOST_STACK, "CORE": 0})
        self._worker = Worker(limits, quiet=True)

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *failure: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._worker.close()

    def ask(self, data: bytes, request: Mapping[str, Any]) -> str:
        """The answer about a file.

        Raises:
            UsageError: it cannot be read. LimitError: it took too long, or the process did not survive it.
        """
        where = request["where"]
        try:
            answer: bytes = self._worker.call("ltc_ir.tables.from_file_child:answer", request, data)
        except DeadlineError as error:
            message = f"reading {where} took longer than {error.seconds:g} s"
            raise LimitError(message, "the file is broken, or too large to be read here") from None
        except WorkerDiedError as error:
            last = _llvm_error(error.last_words)
            raise LimitError(f"reading {where} gave no result: {error.how}{last}", _BROKEN) from None
        return answer.decode()


def _llvm_error(printed: str) -> str:
    """What LLVM said last, after a colon; nothing where it said nothing."""
    lines = [line.strip() for line in printed.splitlines() if line.startswith("LLVM ERROR")]
    return f": {lines[-1][:120]}" if lines else ""
