"""Counts a stored file as it would a live program: told by its content, read by a child that may die of it."""

from __future__ import annotations

import json
import os
import re
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NoReturn

from ltc_ir import files
from ltc_ir.compare.from_snapshot import count_of
from ltc_ir.compare.to_inventory import inventory_of, inventory_of_count
from ltc_ir.errors import LimitError, UsageError
from ltc_ir.records import codec, inventory_codec
from ltc_ir.records.count import Count
from ltc_ir.records.inventory import Inventory
from ltc_ir.records.request import Request
from ltc_ir.records.snapshot_toml import loads_bytes
from ltc_ir.records.vocabulary import Level
from ltc_ir.workers.limits import signal_name
from ltc_ir.workers.process import command_of, environment_of

LIMIT = 60.0
"""Seconds a file may take."""
MOST_BYTES = 2 << 30
"""Bytes a file may have."""

RECORD, SNAPSHOT, BYTECODE, MLIR, HLO = "record", "snapshot", "bytecode", "mlir", "hlo"
"""What a file can be."""

_MAGIC = b"ML\xefR"
_ARTIFACT = _MAGIC + b"\rStableHLO_v"
_LEAD = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s++|//[^\n]*+|/\*.*?\*/)*+", re.DOTALL)
_MLIR = re.compile(
    rb'module\b|func\b|[a-z_]\w*\.[\w.$]+|"[\w.$-]+"\s*[(<]|[#!][\w.$-]+\s*=|%[\w.$#-]+\s*[=:,]|\{-#', re.ASCII
)
"""What MLIR text can begin with: an operation in either form, an alias, a result, or resources."""
_SNAPSHOT = re.compile(rb'^(?:# ltc-ir snapshot|schema *=|kind *= *"snapshot")', re.MULTILINE)
"""A line that the head of a snapshot has, be it in conflict or cut short."""
_HEAD = 1 << 16
_HINT = "it reads StableHLO text, bytecode and portable artifacts, HLO text, and records and snapshots of its own"
_BROKEN = "the file is broken, or a much newer version wrote it; write it anew, as text if it is bytecode"

_HEADER = 8
_CHUNK = 1 << 20


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
        return count_bytes(read(path), request_of(path, request), reader)


def count_bytes(data: bytes, request: Mapping[str, Any], reader: Reader) -> Count:
    """Count the bytes of a file with a reader at hand; ``request["where"]`` is what messages call it."""
    where = str(request["where"])
    kind = sniff(data, where)
    if kind == RECORD:
        return _record(data, where)
    if kind == SNAPSHOT:
        return count_of(loads_bytes(data, where), request["by"], where)
    body = reader.ask(data, {**request, "wants": "count", "kind": kind})
    return codec.loads(body, f"the answer about {where}")


def inventory_stored(path: str, *, limit_s: float = LIMIT) -> Inventory:
    """The inventory of what a file holds, for rules: of IR read by the child, of a record or a snapshot without types.

    Raises:
        UsageError: no such file, not IR, or broken. LimitError: too large, too slow, or the reader died of it.
    """
    data, where = read(path), files.called(path)
    kind = sniff(data, where)
    if kind == SNAPSHOT:
        return inventory_of(loads_bytes(data, where))
    if kind == RECORD:
        return inventory_of_count(_record(data, where), where)
    with Reader(limit_s) as reader:
        request = {"wants": "inventory", "kind": kind, "where": where, "target": path}
        return inventory_codec.loads(reader.ask(data, request), f"the answer about {where}")


def read_stored_text(path: str, *, limit_s: float = LIMIT) -> tuple[str, str]:
    """The level and the text of a file's IR: StableHLO printed anew without debug information, HLO as it stands.

    Raises:
        UsageError: no such file, not IR, or broken. LimitError: too large, too slow, or the reader died of it.
    """
    data, where = read(path), files.called(path)
    kind = sniff(data, where)
    if kind in {RECORD, SNAPSHOT}:
        raise UsageError(
            f"{where} is a {kind}, which holds no text", "give the IR itself, as written by `ltc-ir lower`"
        )
    if kind == HLO:
        return Level.HLO.value, data.decode(errors="replace")
    with Reader(limit_s) as reader:
        return Level.STABLEHLO.value, reader.ask(data, {"wants": "text", "kind": kind, "where": where})


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
    if data.startswith(b"HloModule", rest):
        return HLO
    if _MLIR.match(data, rest):
        return MLIR
    if data.startswith(b"{", rest):
        return RECORD
    if _SNAPSHOT.search(data, 0, _HEAD):
        return SNAPSHOT
    if _is_export(data):
        raise UsageError(f"{where} is a serialised jax.export.Exported", "write its mlir_module_serialized instead")
    raise UsageError(f"{where} is no IR ltc-ir can read", _HINT)


def read(path: str) -> bytes:
    """The bytes of a file that is not too large.

    Raises:
        UsageError: it cannot be read. LimitError: it has more than `MOST_BYTES`.
    """
    if path != files.STDIN and Path(path).is_file():
        _check_size(path, Path(path).stat().st_size)
    data = files.read_bytes(path)
    _check_size(files.called(path), len(data))
    return data


def _check_size(path: str, size: int) -> None:
    if size > MOST_BYTES:
        raise LimitError(f"{path} has {size:,} bytes; read are {MOST_BYTES:,} at most", "count the program itself")


def _is_export(data: bytes) -> bool:
    """Whether a file is what ``Exported.serialize`` writes: a FlatBuffer (its root's place comes first) with a module in it."""
    return 4 <= int.from_bytes(data[:4], "little") < data.find(_ARTIFACT)


def _record(data: bytes, where: str) -> Count:
    try:
        return codec.loads(data.decode(), where)
    except (UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{where} is no IR ltc-ir can read", _HINT) from error


def request_of(path: str, request: Request) -> dict[str, Any]:
    """What is asked of the child: the request in plain words, what messages call the file and what the record does."""
    return {
        "where": files.called(path),
        "target": path,
        "by": [by.value for by in request.by],
        "ops": sorted(request.ops),
        "phases": sorted(request.phases),
        "source": request.sources,
        "text": request.text,
        "library": request.library,
    }


class Reader:
    """A child process that reads files: started when first asked, and anew after a file that killed it.

    Args:
        limit_s: seconds one file may take, the start of the child included.
        clock: what tells the seconds.
    """

    def __init__(self, limit_s: float = LIMIT, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit_s = limit_s
        self._clock = clock
        self._child: subprocess.Popen[bytes] | None = None
        self._stderr: IO[bytes] | None = None

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *failure: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def ask(self, data: bytes, request: Mapping[str, Any]) -> str:
        """What the child says of a file.

        Raises:
            UsageError: it cannot be read. LimitError: it took too long, or the child did not survive it.
        """
        deadline = self._clock() + self.limit_s
        child = self._running()
        try:
            answer = self._exchange(child, _framed(json.dumps(request).encode()) + _framed(data), deadline)
        except TimeoutError:
            self.close()
            message = f"reading {request['where']} took longer than {self.limit_s:g} s"
            raise LimitError(message, "the file is broken, or too large to be read here") from None
        except EOFError:
            self._died(child, str(request["where"]))
        except BaseException:
            self.close()
            raise
        return _told(answer)

    def close(self) -> None:
        """End the child and whatever it started."""
        child, self._child = self._child, None
        if child is not None:
            _kill(child)
            for stream in (child.stdin, child.stdout, self._stderr):
                _close(stream)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as the child)
            self._child = _start(self._stderr)
        return self._child

    def _exchange(self, child: subprocess.Popen[bytes], request: bytes, deadline: float) -> bytes:
        """Send a request and receive its answer at once, so that neither side waits for the other for ever."""
        assert child.stdin and child.stdout
        sending, received = memoryview(request), bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(child.stdin, selectors.EVENT_WRITE)
            selector.register(child.stdout, selectors.EVENT_READ)
            while not _whole(received):
                left = deadline - self._clock()
                if left <= 0:
                    raise TimeoutError
                for key, _ in selector.select(left):
                    if key.fileobj is child.stdout:
                        received += _received(key.fd)
                    else:
                        sending = sending[_sent(key.fd, sending) :]
                        if not sending:
                            selector.unregister(child.stdin)
        return bytes(received[_HEADER:])

    def _died(self, child: subprocess.Popen[bytes], where: str) -> NoReturn:
        try:
            code = child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            code = -signal.SIGKILL
        last_words = _last_words(self._stderr)
        self.close()
        how = f"signal {signal_name(-code)}" if code < 0 else f"exit {code}"
        raise LimitError(f"the reader did not survive {where} ({how}{last_words})", _BROKEN)


def _start(stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the child with this process's own import path and nothing of the current folder's."""
    child = subprocess.Popen(
        command_of("ltc_ir.tables.from_file_child"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        bufsize=0,
        env=environment_of(),
        start_new_session=True,
    )
    assert child.stdin
    os.set_blocking(child.stdin.fileno(), False)
    return child


def _kill(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except OSError:
            child.kill()
    child.wait()


def _close(stream: IO[bytes] | None) -> None:
    if stream is not None:
        stream.close()


def _framed(data: bytes) -> bytes:
    return len(data).to_bytes(_HEADER, "big") + data


def _whole(received: bytearray) -> bool:
    return len(received) >= _HEADER and len(received) >= _HEADER + int.from_bytes(received[:_HEADER], "big")


def _received(descriptor: int) -> bytes:
    chunk = os.read(descriptor, _CHUNK)
    if not chunk:
        raise EOFError
    return chunk


def _sent(descriptor: int, data: memoryview) -> int:
    """How much was sent; all of it where nobody reads any more, for the answer's end then tells."""
    try:
        return os.write(descriptor, data[:_CHUNK])
    except BlockingIOError:
        return 0
    except BrokenPipeError:
        return len(data)


def _told(answer: bytes) -> str:
    """The body of an answer; a failure is raised as what it is."""
    kind, _, body = answer.decode().partition("\n")
    if kind in {"count", "inventory", "text"}:
        return body
    message, _, hint = body.partition("\n")
    raise (LimitError if kind == "limit" else UsageError)(message, hint or None)


def _last_words(stderr: IO[bytes] | None) -> str:
    """What LLVM said last, in parentheses' second half; nothing where it said nothing."""
    if stderr is None:
        return ""
    stderr.seek(0)
    lines = stderr.read(_CHUNK).decode(errors="replace").splitlines()
    found = [line.strip() for line in lines if line.startswith("LLVM ERROR")]
    return f": {found[-1][:120]}" if found else ""
