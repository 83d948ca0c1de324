"""The collectives of a program as XLA partitioned it, before a backend changes their types.

A backend that cannot compute in a type widens it: XLA's CPU backend adds bfloat16 in float32, and so sends twice the bytes.
The compiled text does not tell what was widened, for the conversions are merged with others. So a program of several devices is
compiled with a dump of the module that the partitioner wrote.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ltc_ir.errors import LtcIrError
from ltc_ir.escape import capped
from ltc_ir.ir.hlo.collectives import amounts_by_kind, collectives_of
from ltc_ir.ir.hlo.parser import HloSyntaxError, parse
from ltc_ir.ir.stablehlo.facts import devices_of
from ltc_ir.records.figures import Value, kinds_of, of_collectives
from ltc_ir.workers.guard import temporary_prefix

if TYPE_CHECKING:
    from ltc_ir.targets.stages import Staged

_PASS = "spmd-partitioning"
NOT_PARTITIONED = "XLA wrote no module after partitioning"
NOT_IN_A_TEXT = "an HLO text does not hold the program as it was partitioned"


def compile_with_partitioned(staged: Staged) -> str | None:
    """Compile a program, and return the HLO text that the partitioner wrote; ``None`` where there is none.

    Raises:
        LtcIrError: XLA cannot compile the program.
    """
    if "compiled" in vars(staged) or devices_of(staged.module()) <= 1:
        return None
    with TemporaryDirectory(prefix=temporary_prefix()) as folder:
        options = {"xla_dump_to": folder, "xla_dump_hlo_pass_re": _PASS, "xla_dump_hlo_as_text": True}
        try:
            vars(staged)["compiled"] = staged.compile(options)
        except LtcIrError:
            return None  # an option that this XLA does not know, or the program itself: compiling without them tells
        dumped = sorted(Path(folder).glob(f"*.after_{_PASS}.*.txt"))
        return dumped[-1].read_text(encoding="utf-8") if dumped else None


def with_partitioned(figures: dict[str, Value], text: str | None) -> tuple[dict[str, Value], str]:
    """The figures of a program's collectives with those of its partitioned module, and why these are unknown."""
    kinds = kinds_of(figures)
    if not kinds and text is None:
        return {}, ""
    amounts, reason = _amounts(text)
    entries: dict[str, dict[str, Any]] = {**dict.fromkeys(amounts or (), _NONE), **(kinds or {})}
    absent = None if amounts is None else _NOTHING
    for kind, entry in entries.items():
        entries[kind] = {**entry, "partitioned": (amounts or {}).get(kind, absent)}
    return of_collectives(entries), reason


_NOTHING: dict[str, int | None] = {"count": 0, "bytes": 0}
_NONE: dict[str, Any] = {**_NOTHING, "executed": _NOTHING, "phases": {}}
"""What a compiled program has of a kind of collectives that is in its partitioned module alone."""


def _amounts(text: str | None) -> tuple[dict[str, dict[str, int | None]] | None, str]:
    if text is None:
        return None, NOT_PARTITIONED
    try:
        return amounts_by_kind(collectives_of(parse(text, printed=True))), ""
    except HloSyntaxError as error:
        return None, capped(f"the module after partitioning cannot be read: {error}")
