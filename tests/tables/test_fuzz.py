"""Damaged files end as a count, a usage error or a limit, in one line and in time, and never by a signal of ours."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest

from ltc_ir.errors import LimitError, UsageError
from ltc_ir.records.request import parse_request
from ltc_ir.tables.from_file import Reader, count_bytes, request_of
from ltc_ir.tables.from_file_child import UNCOUNTED
from tests.tables.stored_programs import originals

pytestmark = pytest.mark.early

LIMIT_S = 4.0
QUESTION = parse_request(by=("source", "region"))
PIECES = (b"{", b"}", b"(", b")", b"<", b">", b'"', b"%0", b"@main", b"@cell", b":", b"loc(", b"#loc", b"tensor<", b"x")
PIECES += (
    b"\x00",
    b"\xff",
    b"\n",
    b"//",
    b"9" * 40,
    b"-1",
    b"stablehlo.while",
    b"func.call @main() : () -> ()",
    b" = ",
)


def mutated(data: bytes, seed: int) -> bytes:
    """One to four places changed: bytes replaced, cut out, doubled, moved, put in, or all that follows cut off."""
    chance = random.Random(seed)
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.choice([1, 1, 2, 8, 60, 400]))
        other = chance.randrange(len(data) + 1)
        new = chance.choice(
            [
                b"",
                bytes(chance.randrange(256) for _ in range(end - start))[:8],
                chance.choice(PIECES),
                data[start:end] * 2,
                data[other : other + 60],
                bytes([data[start] ^ 1 << chance.randrange(8)]) + data[start + 1 : end] if start < len(data) else b"",
            ]
        )
        data = data[:start] + new + data[end:]
    return data[: chance.randrange(len(data) + 1)] if chance.random() < 0.05 else data


def outcome(reader: Reader, data: bytes) -> str:
    """How the reading of a file ends: the exit code, and whether it took the child with it."""
    try:
        count_bytes(data, request_of("x.mlir", QUESTION), reader)
    except (UsageError, LimitError) as error:
        assert error.message.splitlines() == [error.message]
        assert "x.mlir" in error.message
        assert UNCOUNTED not in error.message
        died = ", killed" if "did not survive" in error.message else ""
        return f"{error.exit_code}{died}"
    return "0"


def fuzz(kind: str, number: int) -> Counter[str]:
    """The outcomes of so many mutations of one kind of file; each ends in time."""
    original, found = originals()[kind], Counter()
    with Reader(LIMIT_S) as reader:
        assert outcome(reader, original) == "0"
        for seed in range(number):
            start = time.monotonic()
            found[outcome(reader, mutated(original, seed))] += 1
            assert time.monotonic() - start < LIMIT_S + 5
    assert set(found) <= {"0", "2", "5", "5, killed"}
    assert found["0"] and found["2"]  # both kinds were met
    print(kind, dict(found))
    return found


@pytest.mark.versions
@pytest.mark.parametrize("kind", ["debug", "artifact", "hlo"])
def test_damaged_files_are_counted_or_refused(kind):
    fuzz(kind, 200)


@pytest.mark.versions
def test_damaged_bytecode_kills_the_child_alone():
    found = fuzz("bytecode", 200)
    if not found["5, killed"]:
        pytest.skip(f"no mutation ends this jaxlib: {dict(found)}")


@pytest.mark.long
@pytest.mark.parametrize("kind", ["debug", "bytecode", "artifact", "hlo"])
def test_many_damaged_files_are_counted_or_refused(kind):
    fuzz(kind, 10_000)
